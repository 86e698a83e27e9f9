"""Revisions: what happens is decided by the revision in force at its own time, whenever it arrives."""

from __future__ import annotations

import pytest

from engine.rulebook import revision_of
from tests.small_world import World, definition, of

SPENDING = """
points: {{expiry: {{policy: rolling, months: {months}}}}}
accrual:
  rule: spending
  rates:
    - {{event: charge, of: [mobile], per: "{per}", points: 1}}
"""
ACTIVATED = {"starts_with": "service.activated"}
OLD = definition(SPENDING.format(months=12, per="10.00"))
NEW = definition(SPENDING.format(months=6, per="20.00"), effective_from="2026-07-01")


def charge(world: World, time: str, amount: str = "100.00") -> list[tuple[int, str, str]]:
    """Points, expiry and revision that a charge brings."""
    outcomes = world.tell(time, "A", "charge.posted", amount=amount, category="mobile")
    return [(o["points"], o["expires_on"], o["revision"]) for o in of(outcomes, "points.credited")]


@pytest.fixture
def world() -> World:
    made = World(OLD, NEW)
    made.tell("2026-01-01", "A", "account.opened", segment="individual")
    return made


def test_the_revision_takes_over_at_midnight_of_its_first_local_day(world: World) -> None:
    assert charge(world, "2026-06-30T23:59") == [(10, "2027-06-30", revision_of(OLD))]
    assert charge(world, "2026-07-01T00:00") == [(5, "2027-01-01", revision_of(NEW))]


def test_the_order_in_which_the_definitions_are_given_does_not_matter() -> None:
    world = World(NEW, OLD)
    world.tell("2026-01-01", "A", "account.opened", segment="individual")
    assert charge(world, "2026-06-30") == [(10, "2027-06-30", revision_of(OLD))]


def test_an_event_that_arrives_after_the_change_is_decided_by_the_revision_of_its_own_time(
    world: World,
) -> None:
    assert charge(world, "2026-07-10") == [(5, "2027-01-10", revision_of(NEW))]
    assert charge(world, "2026-06-20") == [(10, "2027-06-20", revision_of(OLD))]
    assert charge(world, "2026-07-11") == [(5, "2027-01-11", revision_of(NEW))]


def test_an_event_before_the_first_revision_is_decided_by_it() -> None:
    world = World(NEW)
    world.tell("2026-01-01", "A", "account.opened", segment="individual")
    assert charge(world, "2026-02-01") == [(5, "2026-08-01", revision_of(NEW))]


def test_lots_keep_the_terms_of_their_credit_and_expire_under_the_revision_then_in_force(
    world: World,
) -> None:
    charge(world, "2026-06-30")
    charge(world, "2026-07-01")
    expired = of(world.until("2027-12-31"), "points.expired")
    assert [(o["on"], o["points"], o["revision"]) for o in expired] == [
        ("2027-01-01", 5, revision_of(NEW)),
        ("2027-06-30", 10, revision_of(NEW)),
    ]


def test_a_due_moment_is_decided_by_the_revision_in_force_at_that_moment() -> None:
    old = definition("tenure: {rule: tenure, points: 50, full_years: 0}", membership=ACTIVATED)
    new = definition(
        "tenure: {rule: tenure, points: 80, full_years: 0}", membership=ACTIVATED, effective_from="2026-03-01"
    )
    world = World(old, new)
    world.join("A", "2026-01-10")
    credited = of(world.until("2026-04-01"), "points.credited")
    assert [(o["on"], o["points"], o["revision"]) for o in credited] == [
        ("2026-02-01", 50, revision_of(old)),
        ("2026-03-01", 80, revision_of(new)),
        ("2026-04-01", 80, revision_of(new)),
    ]


def test_due_moments_come_also_when_nothing_happens_before_the_revision() -> None:
    """The row waits for nothing under the old revision; the new one brings a write-off."""
    quiet = definition("points: {source: adjustments}")
    busy = definition(
        "write_off: {rule: monthly, reward: bill, unless_goal: false}", effective_from="2026-03-15"
    )
    world = World(quiet, busy)
    world.tell("2026-01-01", "A", "account.opened", segment="individual")
    world.give_points("2026-01-02", 70)
    redeemed = of(world.until("2026-12-31"), "points.redeemed")
    assert [(o["on"], o["points"], o["revision"]) for o in redeemed] == [
        ("2026-04-01", 70, revision_of(busy))
    ]


def test_a_promotion_that_a_revision_drops_is_granted_no_more_but_what_is_held_runs_on() -> None:
    discount = """
promotions:
  - {kind: discount, rule: welcome, trigger: activation, percent: 30, target: internet, lasts: {months: 6}}
"""
    world = World(definition(discount), definition("", effective_from="2026-03-01"))
    assert [o["percent"] for o in of(world.join("A", "2026-02-28"), "discount.granted")] == [30]
    assert of(world.join("B", "2026-03-01"), "discount.granted") == []
    ended = of(world.until("2026-12-31"), "discount.ended")
    assert [(o["subject"], o["on"], o["reason"]) for o in ended] == [("A", "2026-08-28", "expired")]


def test_a_closure_that_a_revision_brings_ends_the_lots_of_the_revision_before() -> None:
    closing = definition(
        "closure: {rule: closure, day: 2026-06-01, warn_days_before: [30]}", effective_from="2026-03-01"
    )
    for terms in ({"policy": "never"}, {"policy": "rolling", "months": 12}):
        world = World(definition("", points={"source": "adjustments", "expiry": terms}), closing)
        world.tell("2026-01-01", "A", "account.opened", segment="individual")
        world.give_points("2026-01-02", 70)
        outcomes = of(world.until("2027-12-31"), "points.expired", "points.expiring")
        assert [(o["type"], o["on"], o["points"], o["reason"]) for o in outcomes] == [
            ("points.expiring", "2026-05-02", 70, "expiring"),
            ("points.expired", "2026-06-01", 70, "programme-closed"),
        ]


def test_other_content_has_another_revision_and_the_same_content_the_same() -> None:
    assert revision_of(OLD) == revision_of(definition(SPENDING.format(months=12, per="10.00")))
    assert len({revision_of(OLD), revision_of(NEW), revision_of(definition(""))}) == 3
