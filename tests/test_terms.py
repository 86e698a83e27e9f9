"""What decisions read of a programme definition is what the definition says: every field of every model, or a reason."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import BaseModel

from engine import terms_forms, terms_parts, terms_promotions, terms_referral, terms_rewards
from engine.calendar import Zone
from engine.rulebook import Rulebook
from engine.terms_promotions import spelt
from schemas.programme import Programme
from schemas.programme_docs import schema
from schemas.programme_examples import EXAMPLES, HEAD
from schemas.programme_forms import Days
from schemas.programme_parts import CalendarYear, Levels, Never, Rolling

ROOT: Final = Path(__file__).parent.parent
TERMS: Final = (terms_forms, terms_parts, terms_promotions, terms_referral, terms_rewards)

FOR_READERS: Final = {
    ("Programme", "title"),
    ("Programme", "summary"),
    ("Programme", "sources"),
    ("Programme", "currency"),
    ("DiscountPromotion", "title"),
    ("EntitlementPromotion", "title"),
    ("Points", "source"),
    ("TariffChange", "requires_balance"),  # has one value only
}
"""Fields that no decision depends on."""
CLASS_SAYS: Final = {"kind"}
"""Fields that choose the class of the terms."""
EXPIRIES: Final = (Never, Rolling, CalendarYear)

# Values that neither the examples nor the programmes have: the other ones of each choice.
OTHERS: Final = """
operator: others
title: What the others leave out
currency: EUR
zone: Europe/Berlin
effective_from: 2024-02-01
service: mobile
membership: {segment: business, starts_with: service.activated, activated_before: 2026-04-01, opt_out: false}
points: {may_be_negative: true}
levels:
  rule: level
  maximum: 7
  payment_service: mobile
  same_period: next
  percent_per_level: "0.125"
  accrues_from_month: 2
  months_counted_from: reset
  level_used: before
  paused_by_group: fee
  late_arrival_days: 9
  history_months: 12
  converted_rule: old
  converted_target: mobile
  converted_group: fee
accrual:
  rule: spending
  rates: [{event: payment, of: [mobile], points: 3, per: "7.00", carry_remainder: false}]
  remember_purchases_days: 60
referral:
  rule: friends
  active: {since: 2024-03-01, until: 2024-04-01}
  completes: conversion
  conversion_service: mobile
  tests: [unknown-code, self-referral, too-late, programme-not-active]
  participants: both
  register_within_months: 2
  advocate:
    rule: advocate
    points: 5
    ladder: [{friends: 1, percent: 5, months: 1, entitlement: cap}]
    ladder_counts: while-active
    target: mobile
promotions:
  - kind: discount
    rule: spring
    trigger: activation
    after_end: refuse
    active: {since: 2024-03-01, until: 2024-04-01}
    activated: {since: 2024-03-02, until: 2024-04-02}
    when:
      segment: business
      dwelling: house
      city: [" Berlin", PARIS]
      feasible_ultra: true
      existing_customer: true
      signed_on: {since: 2024-03-03, until: 2024-04-03}
      tariffs: [{family: Fibre, speed_mbps: {at_least: 10, at_most: 20}}]
    percent: 5
    target: mobile
    lasts: {months: 2, not_after: 2024-12-31}
    group: fee
    on_conflict: replace
    ends_on_leaving_tariffs: true
  - kind: discount
    rule: half-year
    trigger: payment
    payment_months: 6
    percent: 6
    target: mobile
    lasts: {billing_months: 6}
  - kind: entitlement
    rule: night
    active: {since: 2024-05-01}
    when: {segment: individual}
    variants: [{tariffs: [{family: Fibre}], terms: {from: "01:00"}}]
rewards:
  rule: shop
  items:
    free: {kind: fee-discount, rule: free, percent: 100, target: mobile, group: fee, counts_as_paid: false,
           ends_on_tariff_change: false}
    bill: {kind: amount, receiver_operator: others}
gifts: {rule: gift, transferable: false, points_per_gift: 5, gifts_per_day: 2, receivers_per_month: 3,
        receiver: open-account, received_expiry: new}
tariff_change: {rule: change, days_between_changes: 3, proration_days: 30, business_channel: office,
                business_first_of_next_month: true}
owner_change: {rule: owner, expire_points: false, restart_tenure: false}
write_off: {rule: monthly, reward: bill, unless_goal: false}
closure: {rule: end, day: 2027-01-01, warn_days_before: [30, 1]}
"""


def definitions() -> Iterator[Programme]:
    """All definitions there are, and the one above."""
    texts = [OTHERS, *(HEAD + text for name, text in EXAMPLES.items() if name != "Programme")]
    texts += [path.read_text("utf-8") for path in sorted((ROOT / "programmes").glob("*.yaml"))]
    for text in texts:
        yield from map(Programme.model_validate, yaml.safe_load_all(text))


def decided_fields() -> set[tuple[str, str]]:
    """Each field of each model that has more than one value to choose from, and decides something."""
    models = {"Programme": schema(), **schema()["$defs"]}
    fields = {
        (name, field)
        for name, model in models.items()
        for field, value in model["properties"].items()
        if "const" not in value
    }
    return fields - FOR_READERS


class Comparison:
    """Walks definitions and their terms side by side; `varied` are the fields seen with a value not their default."""

    def __init__(self) -> None:
        self.varied: Final[set[tuple[str, str]]] = set()

    def programme(self, programme: Programme) -> None:
        zone = Zone(programme.zone)
        book = Rulebook(programme, zone)
        for name in self._fields(programme):
            if name == "zone":
                assert book.zone is zone
            elif name == "effective_from":
                assert book.from_time == zone.midnight(programme.effective_from.toordinal())
            else:
                self._same(getattr(programme, name), getattr(book, name), f"Programme.{name}")

    def _fields(self, model: BaseModel) -> Iterator[str]:
        kind = type(model)
        for name, field in kind.model_fields.items():
            if getattr(model, name) != field.get_default(call_default_factory=True):
                self.varied.add((kind.__name__, name))
            if (kind.__name__, name) not in FOR_READERS and name not in CLASS_SAYS:
                yield name

    def _part(self, model: BaseModel, terms: Any) -> None:
        kind = type(model)
        named = "Expiry" if isinstance(model, EXPIRIES) else kind.__name__
        assert type(terms).__name__ == named
        for name in self._fields(model):
            value, where = getattr(model, name), f"{kind.__name__}.{name}"
            if where == "Accrual.rates":
                assert len(terms.rates) == sum(len(rate.of) for rate in value)
                for rate in value:
                    for of in rate.of:
                        self._part(rate, terms.rates[rate.event, of])
            elif where in ("Rate.event", "Rate.of"):
                continue  # keys of the above
            elif where == "Conditions.city":
                assert terms.city == set(map(spelt, value))
            else:
                self._same(value, getattr(terms, name), where)

    def _same(self, value: Any, terms: Any, where: str) -> None:
        if isinstance(value, BaseModel):
            self._part(value, terms)
        elif isinstance(value, tuple):
            assert isinstance(terms, tuple), where
            assert len(terms) == len(value), where
            for each, its_terms in zip(value, terms, strict=True):
                self._same(each, its_terms, where)
        elif isinstance(value, dict):
            assert terms.keys() == value.keys(), where
            for key, each in value.items():
                self._same(each, terms[key], where)
        elif isinstance(value, datetime.date):
            assert terms == value.toordinal(), where
        else:
            assert terms == value or (value is None and terms == 0), where


def test_the_terms_are_what_the_definition_says_with_each_field_varied() -> None:
    """A field that is new to a model fails here until decisions can read it and some definition sets it."""
    comparison = Comparison()
    for programme in definitions():
        comparison.programme(programme)
    assert decided_fields() - comparison.varied == set()


def test_every_model_of_the_definition_has_terms_of_its_name() -> None:
    there = {name for module in TERMS for name in vars(module)} | {"Programme"}
    assert {name for name in schema()["$defs"] if name not in there} == {kind.__name__ for kind in EXPIRIES}


@pytest.mark.parametrize(
    "day", [datetime.date(2024, 2, 29), datetime.date(2024, 3, 1), datetime.date(2024, 3, 2)]
)
def test_a_span_includes_both_its_ends_and_an_open_end_is_no_limit(day: datetime.date) -> None:
    number = day.toordinal()
    assert terms_forms.Days(Days()).include(number)
    assert terms_forms.Days(Days(since=day, until=day)).include(number)
    assert not terms_forms.Days(Days(since=day)).include(number - 1)
    assert not terms_forms.Days(Days(until=day)).include(number + 1)
    assert terms_forms.Days(Days(until=day)).are_over(number + 1)
    assert not terms_forms.Days(Days(since=day)).are_over(number + 1)


def test_a_level_above_the_maximum_that_a_later_revision_brought_still_has_its_share() -> None:
    terms = terms_parts.Levels(
        Levels(rule="level", maximum=3, payment_service="mobile", percent_per_level=Decimal("0.5"))
    )
    shares = [terms.share(level) for level in (0, 3, 4, 10)]
    assert shares == [Decimal(0), Decimal("0.015"), Decimal("0.02"), Decimal("0.05")]
