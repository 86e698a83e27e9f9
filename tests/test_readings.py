"""Every reading of a definition: the value chosen and its alternative, each shown to do what its field says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.programme_docs import schema
from tests.small_world import TARIFF, World, definition, of

LEVELS = """
levels: {rule: level, maximum: 10, payment_service: internet}
"""


def levels_of(world: World, until: str) -> list[tuple[str, int]]:
    """When the level changed, and to what."""
    return [(o["on"], o["to"]) for o in of(world.until(until), "level.changed")]


def credits_of(world: World, until: str) -> list[tuple[str, int]]:
    """When points were credited, and how many."""
    return [(o["on"], o["points"]) for o in of(world.until(until), "points.credited")]


@pytest.mark.parametrize(
    ("same_period", "expected"),
    [("once", [("2026-02-10", 1), ("2026-03-10", 0)]), ("next", [("2026-02-10", 1), ("2026-03-10", 2)])],
)
@pytest.mark.parametrize("payments", [("2026-01-15", "2026-01-20"), ("2026-01-05", "2026-01-06")])
def test_two_payments_in_one_period(
    same_period: str, expected: list[tuple[str, int]], payments: tuple[str, ...]
) -> None:
    """Also where both come before the activation, which is on 10 January."""
    world = World(definition(LEVELS, levels={"same_period": same_period}))
    for day in payments:
        if day < "2026-01-10":
            world.pay(day)
    world.join("A", "2026-01-10")
    for day in payments:
        if day > "2026-01-10":
            world.pay(day)
    assert levels_of(world, "2026-03-10") == expected


@pytest.mark.parametrize(
    ("counted_from", "expected"),
    [("activation", [("2026-03-10", 10), ("2026-04-10", 20)]), ("reset", [("2026-04-10", 20)])],
)
def test_months_of_use_after_a_reset(counted_from: str, expected: list[tuple[str, int]]) -> None:
    """The billing date of 10 February is missed; the 3rd month of use starts on the 2nd one after that start."""
    world = World(definition(LEVELS, levels={"accrues_from_month": 3, "months_counted_from": counted_from}))
    world.join("A", "2026-01-10")
    credited = credits_of(world, "2026-02-10")
    world.pay("2026-02-15")
    credited += credits_of(world, "2026-03-10")
    world.pay("2026-03-15")
    assert credited + credits_of(world, "2026-04-10") == expected


@pytest.mark.parametrize(
    ("level_used", "expected"),
    [("after", [("2026-02-10", 10), ("2026-03-10", 20)]), ("before", [("2026-03-10", 10)])],
)
def test_the_level_that_is_credited(level_used: str, expected: list[tuple[str, int]]) -> None:
    world = World(definition(LEVELS, levels={"level_used": level_used}))
    world.join("A", "2026-01-10")
    world.pay("2026-01-15", months=2)
    assert credits_of(world, "2026-03-10") == expected


@pytest.mark.parametrize(("days", "put_right"), [(0, False), (3, False), (4, True)])
def test_a_payment_that_arrives_late_counts_as_long_as_the_definition_says(
    days: int, put_right: bool
) -> None:
    """Made on 9 February, it arrives on the 14th, four days after the billing date."""
    world = World(definition(LEVELS, levels={"late_arrival_days": days}))
    world.join("A", "2026-01-10")
    world.tell("2026-02-14", "A", "line.linked", line="1")
    changed = of(world.pay("2026-02-09"), "level.changed")
    assert [(o["to"], o["reason"]) for o in changed] == [(1, "late-arrival")] * put_right


@pytest.mark.parametrize(("carry", "expected"), [(True, [1, 1, 1]), (False, [1, 1])])
def test_what_is_left_below_a_step(carry: bool, expected: list[int]) -> None:
    rate = {"event": "charge", "of": ["mobile"], "per": "5.00", "carry_remainder": carry}
    world = World(definition("", accrual={"rule": "spending", "rates": [rate]}))
    world.tell("2026-01-01", "A", "account.opened", segment="individual")
    earned = []
    for amount in ("7.00", "7.00", "1.00"):
        earned += of(
            world.tell("2026-01-02", "A", "charge.posted", amount=amount, category="mobile"),
            "points.credited",
        )
    assert [o["points"] for o in earned] == expected


@pytest.mark.parametrize(
    ("expiry", "credited", "expected"),
    [
        ({"policy": "rolling", "months": 12, "missing_day": "month-end"}, "2024-02-29", "2025-02-28"),
        ({"policy": "rolling", "months": 12, "missing_day": "next-day"}, "2024-02-29", "2025-03-01"),
        ({"policy": "rolling", "months": 12, "missing_day": "next-day"}, "2024-02-28", "2025-02-28"),
        ({"policy": "calendar-year"}, "2026-01-01", "2027-01-01"),
        ({"policy": "calendar-year"}, "2026-12-31", "2027-01-01"),
        ({"policy": "calendar-year", "years": 2}, "2026-12-31", "2028-01-01"),
        ({"policy": "never"}, "2026-12-31", None),
    ],
)
def test_when_a_lot_expires(expiry: dict[str, Any], credited: str, expected: str | None) -> None:
    world = World(definition("", points={"expiry": expiry}))
    world.tell("2024-01-01", "A", "account.opened", segment="individual")
    assert [o["expires_on"] for o in world.give_points(credited, 10)] == [expected]
    expired = of(world.until("2040-01-01"), "points.expired")
    assert [(o["on"], o["points"]) for o in expired] == ([(expected, 10)] if expected else [])


def test_all_lots_of_a_calendar_year_expire_in_one_outcome() -> None:
    world = World(definition("points: {expiry: {policy: calendar-year}, warn_days_before: [31]}"))
    world.tell("2026-01-01", "A", "account.opened", segment="individual")
    for day in ("2026-01-02", "2026-06-01", "2026-11-30"):
        world.give_points(day, 10)
    outcomes = of(world.until("2027-06-01"), "points.expired", "points.expiring")
    assert [(o["type"], o["on"], o["points"]) for o in outcomes] == [
        ("points.expiring", "2026-12-01", 30),
        ("points.expired", "2027-01-01", 30),
    ]


GIFTS = "points: {expiry: {policy: rolling, months: 12}}\ngifts: {rule: gift}\n"


@pytest.mark.parametrize(("received", "expected"), [("keep", "2027-01-10"), ("new", "2027-03-01")])
def test_the_expiry_of_points_that_were_given(received: str, expected: str) -> None:
    world = World(definition(GIFTS, gifts={"received_expiry": received}))
    world.join("A", "2026-01-01")
    world.join("B", "2026-01-01")
    world.give_points("2026-01-10", 50)
    given = world.tell("2026-03-01", "A", "points.gift-requested", to="B", points=50)
    assert [o["from"] for o in of(given, "points.received")] == ["A"]
    assert [(o["subject"], o["on"]) for o in of(world.until("2028-01-01"), "points.expired")] == [
        ("B", expected)
    ]


@pytest.mark.parametrize(
    ("receiver", "expected"),
    [("participant", ["points.gifted", "points.credited", "request.rejected"]),
     ("open-account", ["points.gifted", "points.received"])],
)  # fmt: skip
def test_who_may_receive_a_gift(receiver: str, expected: list[str]) -> None:
    """B has an open account, and has declined to take part."""
    world = World(definition(GIFTS, gifts={"receiver": receiver}))
    world.join("A", "2026-01-01")
    world.join("B", "2026-01-01", participant=False)
    world.give_points("2026-01-10", 50)
    outcomes = world.tell("2026-03-01", "A", "points.gift-requested", to="B", points=50)
    assert [o["type"] for o in outcomes] == expected


def test_a_gift_to_nobody_comes_back_whoever_may_receive() -> None:
    world = World(definition(GIFTS, gifts={"receiver": "open-account"}))
    world.join("A", "2026-01-01")
    world.give_points("2026-01-10", 50)
    outcomes = world.tell("2026-03-01", "A", "points.gift-requested", to="nobody", points=50)
    assert [o["reason"] for o in of(outcomes, "request.rejected")] == ["unknown-receiver"]


@pytest.mark.parametrize(("unless_goal", "expected"), [(True, []), (False, [("2026-02-01", 40)])])
def test_the_write_off_of_who_has_set_a_goal(unless_goal: bool, expected: list[tuple[str, int]]) -> None:
    world = World(
        definition(
            "goals: {rule: goal}\nwrite_off: {rule: monthly, reward: bill}",
            write_off={"unless_goal": unless_goal},
        )
    )
    world.tell("2026-01-01", "A", "account.opened", segment="individual")
    world.give_points("2026-01-02", 40)
    world.tell("2026-01-03", "A", "goal.set", amount="100.00")
    taken = of(world.until("2026-03-01"), "points.redeemed")
    assert [(o["on"], o["points"]) for o in taken] == expected


@pytest.mark.parametrize(("negative", "expected"), [(True, [(10, -4)]), (False, [(6, 0)])])
def test_taking_points_back_that_are_spent(negative: bool, expected: list[tuple[int, int]]) -> None:
    world = World(
        definition(
            "accrual: {rule: spending, rates: [{event: purchase, of: [salon], per: '10.00'}]}\n"
            "rewards: {rule: shop, items: {mug: {kind: catalogue, points: 4}}}",
            points={"may_be_negative": negative},
        )
    )
    world.tell("2026-01-01", "A", "account.opened", segment="individual")
    world.tell("2026-01-02", "A", "purchase.completed", purchase="P", amount="100.00", channel="salon")
    world.tell("2026-01-03", "A", "points.redeem-requested", reward="mug")
    reversed_points = of(world.tell("2026-01-04", "A", "purchase.returned", purchase="P"), "points.reversed")
    assert [(o["points"], o["balance"]) for o in reversed_points] == expected


FREE_MONTH = (
    LEVELS
    + """
rewards:
  rule: shop
  items:
    free-month: {kind: fee-discount, rule: free-month, percent: 100, target: internet}
"""
)


def free_month(**terms: Any) -> World:
    """A at level 1 with the month from 10 March bought by points, and not paid for."""
    items = {
        "free-month": {
            "kind": "fee-discount",
            "rule": "free-month",
            "percent": 100,
            "target": "internet",
            **terms,
        }
    }
    world = World(definition(FREE_MONTH, rewards={"items": items}))
    world.join("A", "2026-01-10")
    world.pay("2026-01-15")
    world.give_points("2026-02-14", 1000)
    bought = world.tell("2026-02-15", "A", "points.redeem-requested", reward="free-month")
    assert [(o["first_day"], o["last_day"]) for o in of(bought, "discount.granted")] == [
        ("2026-03-10", "2026-04-09")
    ]
    return world


@pytest.mark.parametrize(("counts", "expected"), [(True, [("2026-03-10", 2)]), (False, [("2026-03-10", 0)])])
def test_the_billing_date_of_a_bought_month(counts: bool, expected: list[tuple[str, int]]) -> None:
    assert levels_of(free_month(counts_as_paid=counts), "2026-03-10") == expected


@pytest.mark.parametrize(("ends", "expected"), [(True, ["tariff-changed"]), (False, [])])
def test_a_tariff_change_during_a_bought_month(ends: bool, expected: list[str]) -> None:
    world = free_month(ends_on_tariff_change=ends)
    changed = world.tell("2026-03-20", "A", "tariff.changed", tariff={**TARIFF, "code": "other"})
    assert [o["reason"] for o in of(changed, "discount.ended")] == expected


TWO_DISCOUNTS = """
promotions:
  - {kind: discount, rule: first, trigger: activation, percent: 10, target: internet, group: fee}
  - {kind: discount, rule: second, trigger: activation, percent: 20, target: internet, group: fee%s}
"""


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (", on_conflict: refuse", [("discount.refused", "second", "exclusive-discount")]),
        (
            ", on_conflict: replace",
            [("discount.ended", "first", "replaced"), ("discount.granted", "second", "activation")],
        ),
    ],
)
def test_a_discount_meets_another_of_its_group(choice: str, expected: list[tuple[str, str, str]]) -> None:
    outcomes = World(definition(TWO_DISCOUNTS % choice)).join("A", "2026-01-10")
    assert [(o["type"], o["discount"], o["reason"]) for o in outcomes] == [
        ("discount.granted", "first", "activation"),
        *expected,
    ]


def promotion(**terms: Any) -> World:
    """A world with one discount on activation, on who signed in January."""
    discount = {
        "kind": "discount",
        "rule": "new",
        "trigger": "activation",
        "percent": 50,
        "target": "internet",
        "when": {"signed_on": {"since": "2026-01-01", "until": "2026-01-31"}},
        "lasts": {"months": 3},
        **terms,
    }
    return World(definition("", promotions=[discount]))


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, ["discount.granted"]),
        ({"activated": {"until": "2026-01-31"}}, []),
        ({"activated": {"until": "2026-02-15"}}, ["discount.granted"]),
        ({"active": {"until": "2026-01-31"}}, []),
        ({"active": {"until": "2026-01-31"}, "after_end": "refuse"}, ["discount.refused"]),
    ],
)
def test_a_connection_that_comes_late(terms: dict[str, Any], expected: list[str]) -> None:
    """Signed in January, activated on 15 February."""
    outcomes = promotion(**terms).join("A", "2026-02-15", signed_on="2026-01-20")
    assert [o["type"] for o in outcomes] == expected


def test_billing_months_count_from_the_billing_date_also_where_there_are_no_levels() -> None:
    discount = {"kind": "discount", "rule": "half-year", "trigger": "payment", "payment_months": 6, "percent": 20,
                "target": "internet", "lasts": {"billing_months": 6}}  # fmt: skip
    for text in ("", LEVELS):
        world = World(definition(text, promotions=[discount]))
        world.join("A", "2026-01-10")
        granted = of(world.pay("2026-01-15", months=6), "discount.granted")
        assert [(o["first_day"], o["last_day"]) for o in granted] == [("2026-02-10", "2026-08-09")]


LADDER = """
referral:
  rule: refer
  completes: registration
  tests: [unknown-code, self-referral, already-referred, not-participant]
  advocate:
    rule: ladder
    target: internet
    ladder:
      - {friends: 1, percent: 20, months: 1}
      - {friends: 2, percent: 40, months: 1}
"""


@pytest.mark.parametrize(("counts", "later"), [("lifetime", 40), ("while-active", 20)])
def test_friends_are_counted(counts: str, later: int) -> None:
    """The second friend comes while the first discount is active, the third long after it has ended."""
    ladder = definition(LADDER).referral
    assert ladder is not None
    advocate = {**ladder.advocate.model_dump(), "ladder_counts": counts}
    world = World(definition(LADDER, referral={"advocate": advocate}))
    world.join("A", "2026-01-01")
    found = []
    for friend, day in (("B", "2026-01-10"), ("C", "2026-01-20"), ("D", "2026-06-01")):
        world.join(friend, day)
        outcomes = world.tell(f"{day}T13:00", friend, "referral.code-registered", code=world.code("A"))
        found += [o["percent"] for o in of(outcomes, "discount.granted", "discount.changed")]
    assert found == [20, 40, later]


@pytest.mark.parametrize(
    ("participants", "expected"),
    [
        ("advocate", [("referral.accepted", "accepted"), ("referral.completed", "completed")]),
        ("both", [("referral.rejected", "not-participant")]),
    ],
)
def test_whose_participation_is_tested(participants: str, expected: list[tuple[str, str]]) -> None:
    """The friend has declined to take part."""
    world = World(definition(LADDER, referral={"participants": participants}))
    world.join("A", "2026-01-01")
    world.join("B", "2026-01-01", participant=False)
    outcomes = world.tell("2026-01-02", "B", "referral.code-registered", code=world.code("A"))
    assert [(o["type"], o["reason"]) for o in outcomes if o["subject"] == "B"] == expected


@pytest.mark.parametrize(
    ("membership", "expected"),
    [
        ({}, ["points.redeemed"]),
        ({"starts_with": "service.activated"}, ["points.redeemed"]),
        ({"starts_with": "service.activated", "activated_before": "2026-01-11"}, ["points.redeemed"]),
        ({"starts_with": "service.activated", "activated_before": "2026-01-10"}, ["not-participant"]),
        ({"segment": "business"}, ["not-individual"]),
    ],
)
def test_who_takes_part(membership: dict[str, Any], expected: list[str]) -> None:
    """Activated on 10 January."""
    world = World(
        definition("rewards: {rule: shop, items: {mug: {kind: catalogue, points: 4}}}", membership=membership)
    )
    world.join("A", "2026-01-10")
    world.give_points("2026-01-11", 4)
    outcomes = world.tell("2026-01-12", "A", "points.redeem-requested", reward="mug")
    assert [o["reason"] if o["type"] == "request.rejected" else o["type"] for o in outcomes] == expected


@pytest.mark.parametrize(("opt_out", "expected"), [(True, "request.rejected"), (False, "points.redeemed")])
def test_declining_to_take_part(opt_out: bool, expected: str) -> None:
    world = World(
        definition(
            "rewards: {rule: shop, items: {mug: {kind: catalogue, points: 4}}}",
            membership={"opt_out": opt_out},
        )
    )
    world.join("A", "2026-01-10", participant=False)
    world.give_points("2026-01-11", 4)
    assert [o["type"] for o in world.tell("2026-01-12", "A", "points.redeem-requested", reward="mug")] == [
        expected
    ]


@pytest.mark.parametrize(
    ("terms", "expired", "tenure"),
    [
        ({}, [50], []),
        ({"expire_points": False}, [], []),
        ({"restart_tenure": False}, [50], ["2026-07-01"]),
    ],
)
def test_what_a_new_owner_loses(terms: dict[str, bool], expired: list[int], tenure: list[str]) -> None:
    world = World(
        definition(
            "membership: {starts_with: service.activated}\ntenure: {rule: tenure, points: 7}",
            owner_change={"rule": "owner", **terms},
        )
    )
    world.join("A", "2025-06-10")
    world.give_points("2026-06-02", 50)
    lost = world.tell("2026-06-05", "A", "owner.changed")
    assert [o["points"] for o in of(lost, "points.expired")] == expired
    assert [day for day, _ in credits_of(world, "2026-07-01")] == tenure


@pytest.mark.parametrize(("full_years", "first"), [(0, "2025-07-01"), (1, "2026-07-01"), (2, "2027-07-01")])
def test_tenure_counts_from_the_activation(full_years: int, first: str) -> None:
    """Not from the day the account was opened, long before."""
    tenure = {"rule": "tenure", "points": 7, "full_years": full_years}
    world = World(definition("membership: {starts_with: service.activated}", tenure=tenure))
    world.tell("2020-01-01", "A", "account.opened", segment="individual")
    world.tell("2025-06-10", "A", "service.activated", service="internet", tariff=TARIFF)
    assert credits_of(world, "2028-01-01")[0] == (first, 7)


def test_a_charge_that_must_be_in_the_account_cannot_be_asked_for() -> None:
    """No event carries an account's money: the other reading of the source is refused, not ignored."""
    terms = {"rule": "change", "days_between_changes": 10, "proration_days": 30}
    assert definition("", tariff_change={**terms, "requires_balance": False}).tariff_change
    with pytest.raises(ValidationError, match="requires_balance"):
        definition("", tariff_change={**terms, "requires_balance": True})


def test_every_field_that_is_a_reading_is_tried_here() -> None:
    """A reading that nobody tries is a promise."""
    models = [schema(), *schema()["$defs"].values()]
    readings = {
        name
        for model in models
        for name, field in model["properties"].items()
        if "reading" in field.get("description", "")
    }
    assert len(readings) > 15
    tests = Path(__file__).read_text("utf-8")
    assert not {name for name in readings if not re.search(rf"\b{name}\b", tests)}
