"""The page of `loyalty account` on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_account(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what `account_facts.describe` found; what there is nothing of is left out."""
    console.print(Text(f"{facts['operator']} / {facts['account']}", style="bold"))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column()
    for name, lines in _rows(facts):
        for number, line in enumerate(lines):
            table.add_row(name if number == 0 else "", Text(line))
    console.print(table)


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    yield "as of", [facts["as_of"]]
    yield "profile", [_profile(facts["profile"])]
    service = facts["service"]
    if service["activated_on"]:
        yield "service", [_service(service)]
    if service["blocks"]:
        yield "blocked", [", ".join(service["blocks"])]
    if facts["level"] is not None:
        yield "level", [str(facts["level"])]
    yield "balance", [f"{facts['balance']:,} points" + (f", owes {facts['owed']:,}" if facts["owed"] else "")]
    if facts["goal"]:
        yield "goal", [facts["goal"]]
    dated = [lot for lot in facts["lots"] if lot["expires_on"]]
    if dated:
        yield "expiring", [f"{lot['points']:,} on {lot['expires_on']}" for lot in dated]
    yield from _lines("pending", facts["pending"], _pending)
    yield from _lines("discounts", facts["discounts"], _discount)
    yield from _lines("past discounts", facts["past_discounts"], _past_discount)
    yield from _lines("entitlements", facts["entitlements"], _entitlement)
    referrals = facts["referrals"]
    if referrals is not None:
        yield "own code", [referrals["own_code"]]
        yield from _lines(
            "came with", referrals["registered"], lambda r: f"the code of {r['advocate']}: {r['state']}"
        )
        yield from _lines("has brought", referrals["referred"], lambda r: f"{r['friend']}: {r['state']}")
    yield from _lines("gifts", facts["gifts"], lambda gift: f"{gift['day']} to {gift['to']}")
    if order := facts["tariff_order"]:
        yield "ordered", [f"tariff {order['tariff']} from {order['change_on']}"]
    due = facts["next_due"]
    yield "next due", [f"{due['time']}: {', '.join(due['what'])}" if due else "nothing"]


def _lines(name: str, items: list[Any], show: Any) -> Iterator[tuple[str, list[str]]]:
    if items:
        yield name, [show(item) for item in items]


def _profile(profile: Mapping[str, Any]) -> str:
    parts = [profile["state"], profile["segment"], profile["dwelling"], profile["city"]]
    parts.append(f"signed on {profile['signed_on']}" if profile["signed_on"] else None)
    parts.append(None if profile["participant"] else "takes no part")
    return ", ".join(part for part in parts if part)


def _service(service: Mapping[str, Any]) -> str:
    tariff = service["tariff"]
    price = f", {tariff['monthly_price']} a month" if tariff and tariff["monthly_price"] else ""
    named = f"{tariff['code']} ({tariff['family']}){price}" if tariff else "no tariff"
    return f"{named}, since {service['activated_on']}, billing day {service['billing_day']}"


def _pending(item: Mapping[str, Any]) -> str:
    return f"{item['points']:,} points for purchase {item['purchase']}, until {item['rejected_on']}"


def _discount(item: Mapping[str, Any]) -> str:
    end = f"up to {item['last_day']}" if item["last_day"] else "with no end"
    state = "" if item["active"] else " (not yet)"
    return (
        f"{item['percent']} % on {item['target']} from {item['first_day']} {end}: {item['discount']}{state}"
    )


def _past_discount(item: Mapping[str, Any]) -> str:
    span = f"{item['first_day']} to {item['last_day'] or 'no end'}"
    ended = f"ended {item['ended_on']} ({item['reason']})"
    return f"{item['percent']} % on {item['target']}, {span}: {item['discount']}, {ended}"


def _entitlement(item: Mapping[str, Any]) -> str:
    terms = ", ".join(f"{name} {value}" for name, value in item.items() if name != "entitlement")
    return f"{item['entitlement']}" + (f": {terms}" if terms else "")
