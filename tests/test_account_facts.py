"""What `loyalty account` shows, for every account of every case of every operator."""

from __future__ import annotations

import io
from typing import Any, Final

import orjson
import pytest
from rich.console import Console

from engine.simulation import Simulation
from loyalty.account_facts import describe, purchase_state
from loyalty.account_page import print_account
from schemas.dead_letter import Unreadable
from schemas.instant import parse_instant
from schemas.topics import CLOCK
from schemas.wire import read_event
from tests.case_runner import lines_of, new_engine, read_cases

CASES: Final = read_cases()
ENGINE: Final = new_engine()


def simulated(case: dict[str, Any]) -> Simulation:
    """The accounts of a case at its end."""
    simulation = Simulation(ENGINE)
    for line in lines_of(case, ENGINE):
        try:
            event = read_event(line, key=None, topic=None, operators=ENGINE.books.operators)
            if event.type not in CLOCK.types:
                list(simulation.apply(event))
        except Unreadable:
            continue
    if "until" in case:
        list(simulation.advance(parse_instant(str(case["until"]))))
    return simulation


def facts_of(simulation: Simulation, operator: str, account: str) -> dict[str, Any]:
    row = simulation.row(operator, account)
    now = max(simulation.now, row.clock)
    return describe(row, ENGINE.books.at(operator, now), ENGINE.codes, now)


@pytest.mark.parametrize("operator", sorted(ENGINE.books.operators))
def test_every_account_can_be_shown_and_its_lots_add_up(operator: str) -> None:
    shown = 0
    for case in CASES:
        if case["operator"] != operator:
            continue
        simulation = simulated(case)
        for row in simulation.rows.values():
            facts = facts_of(simulation, row.operator, row.id)
            assert (
                sum(lot["points"] for lot in facts["lots"]) - facts["owed"] == facts["balance"] == row.balance
            )
            assert orjson.loads(orjson.dumps(facts)) == facts
            print_account(Console(file=(page := io.StringIO()), width=120), facts)
            assert f"{row.balance:,} points" in page.getvalue()
            assert "next due" in page.getvalue()
            shown += 1
    assert shown > 5


def test_an_event_whose_id_another_one_had_brings_a_lot_of_its_own_and_its_return_takes_that_one() -> None:
    """The outcomes' ids are the same (SPEC 1 says what they are made of), so this is no case of `tests/cases`."""
    tariff = {"code": "smart", "family": "Smart"}
    case: dict[str, Any] = {
        "operator": "mts",
        "events": [
            ["2020-01-01T10:00:00+03:00", "A", "account.opened", {"segment": "individual"}],
            ["2020-01-01T11:00:00+03:00", "A", "service.activated", {"service": "mobile", "tariff": tariff}],
            ["2020-01-10T12:00:00+03:00", "A", "purchase.completed", purchase("P1", "300.00"), "again"],
            ["2020-03-10T12:00:00+03:00", "A", "purchase.completed", purchase("P2", "150.00"), "again"],
        ],
    }
    simulation = simulated(case)
    first, second = facts_of(simulation, "mts", "A")["lots"]
    assert (first["points"], second["points"]) == (100, 50) and first["lot"] != second["lot"]
    case["events"] += [["2020-03-11T12:00:00+03:00", "A", "purchase.returned", {"purchase": "P2"}]]
    assert facts_of(simulated(case), "mts", "A")["lots"] == [first]


def test_a_gift_that_comes_back_frees_its_own_place_and_not_that_of_one_whose_id_it_has() -> None:
    events: list[list[Any]] = []
    for name in ("A", *(f"R{number}" for number in range(11))):
        events += [
            ["2020-03-01T10:00:00+03:00", name, "account.opened", {"segment": "individual"}],
            [
                "2020-03-01T11:00:00+03:00",
                name,
                "service.activated",
                {"service": "mobile", "tariff": {"code": "smart", "family": "Smart"}},
            ],
        ]
    correction = {"points": 1000, "reason": "goodwill", "by": "staff-7"}
    events += [["2020-05-01T12:00:00+03:00", "A", "points.adjusted", correction]]
    for number in range(10):
        events += [gift(f"2020-06-{number + 2:02d}", f"R{number}", f"gift-{number}")]
    # The first one's id comes again, for somebody who is not there; and an eleventh receiver in June.
    events += [gift("2020-07-18", "nobody", "gift-0"), gift("2020-06-20", "R10", "late")]
    simulation = simulated({"operator": "mts", "events": events})
    assert simulation.row("mts", "R9").balance == 1 and simulation.row("mts", "R10").balance == 0
    assert simulation.row("mts", "A").balance == 990


def gift(day: str, to: str, id: str) -> list[Any]:
    return [f"{day}T12:00:00+03:00", "A", "points.gift-requested", {"to": to, "points": 1}, id]


def purchase(id: str, amount: str) -> dict[str, str]:
    return {"purchase": id, "amount": amount, "channel": "salon"}


def resident() -> dict[str, Any]:
    return next(case for case in CASES if case["case"].startswith("A month for points begins"))


def test_discounts_past_and_present_and_what_is_due_next() -> None:
    case = {**resident(), "until": "2025-04-16T00:00:00+03:00"}
    facts = facts_of(simulated(case), "orgtechservice", "R")
    assert facts["discounts"] == [
        {
            "discount": "loyalty-full",
            "percent": 100,
            "target": "internet",
            "first_day": "2025-04-15",
            "last_day": "2025-05-14",
            "active": True,
        }
    ]
    assert [(past["last_day"], past["ended_on"], past["reason"]) for past in facts["past_discounts"]] == [
        ("2025-04-14", "2025-04-15", "expired")
    ]
    assert facts["level"] == 2
    assert facts["next_due"] == {
        "time": "2025-05-15T00:00:00+03:00",
        "what": ["discount ends", "billing date"],
    }


def test_lots_that_have_expired_by_now_are_not_shown() -> None:
    """The row may not have been told yet: its partition's clock has."""
    case = next(
        case for case in CASES if case["operator"] == "mts" and "until" not in case and case.get("balance")
    )
    simulation = simulated(case)
    account = next(name for name, balance in case["balance"].items() if balance)
    row = simulation.row("mts", str(account))
    book = ENGINE.books.at("mts", row.clock)
    before = describe(row, book, ENGINE.codes, row.clock)
    assert before["lots"] and all(lot["expires_on"] for lot in before["lots"])
    ten_years_on = row.clock + 3_650 * 86_400_000_000
    assert describe(row, book, ENGINE.codes, ten_years_on)["lots"] == []


def test_what_has_become_of_a_purchase() -> None:
    bought = {"amount": "1000.00", "channel": "partner", "percent": "10"}
    events: list[list[Any]] = [
        ["2025-01-01T10:00:00+03:00", "C", "account.opened", {"segment": "individual"}]
    ]
    for name in ("waits", "kept", "returned", "dropped"):
        events.append(["2025-01-02T10:00:00+03:00", "C", "purchase.completed", {"purchase": name, **bought}])
    events += [
        ["2025-01-03T10:00:00+03:00", "C", "purchase.confirmed", {"purchase": "kept"}],
        ["2025-01-03T11:00:00+03:00", "C", "purchase.confirmed", {"purchase": "returned"}],
        ["2025-01-03T12:00:00+03:00", "C", "purchase.returned", {"purchase": "returned"}],
        ["2025-01-03T12:00:00+03:00", "C", "purchase.returned", {"purchase": "dropped"}],
    ]
    simulation = simulated({"operator": "mts-cashback", "events": events})
    row = simulation.row("mts-cashback", "C")
    states = [purchase_state(row, name) for name in ("waits", "kept", "returned", "dropped", "unheard-of")]
    assert states == ["pending", "credited", "returned", "rejected", "unknown"]
    assert facts_of(simulation, "mts-cashback", "C")["pending"] == [
        {"purchase": "waits", "points": 100, "rejected_on": "2025-04-02"}
    ]
