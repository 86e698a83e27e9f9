"""How the rules pages say numbers, days, money and names."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from engine.money import money_text
from schemas.programme_forms import Days

_NAMES: Final = {
    "calls-other-networks": "calls to other networks",
    "calls-on-net": "calls within the network",
    "mobile": "mobile service",
    "home-internet": "home internet",
    "home-tv": "home television",
    "salon": "purchases in salons",
    "partner": "purchases at partners",
    "individual": "private customers",
    "business": "businesses",
    "apartment": "an apartment",
    "house": "a house",
}


def day(date: datetime.date) -> str:
    """`1 August 2025`."""
    return f"{date.day} {date:%B} {date.year}"


def eve(date: datetime.date) -> datetime.date:
    """The day before."""
    return date - datetime.timedelta(days=1)


def span(days: Days) -> str:
    """`from 1 August 2025 to 30 September 2025`, or the half of it that there is; empty for none."""
    since = f"from {day(days.since)}" if days.since else ""
    until = f"{'to' if since else 'up to'} {day(days.until)}" if days.until else ""
    return f"{since} {until}".strip()


def counted(number: int, what: str) -> str:
    """`1 point`, `3,000 points`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def points(number: int) -> str:
    """`1 point`, `300 points`."""
    return counted(number, "point")


def percent(value: Decimal | int) -> str:
    """`50 %`, `0.5 %`."""
    return f"{Decimal(value).normalize():f} %"


def money(amount: Decimal, currency: str) -> str:
    """`5.00 RUB`."""
    return f"{money_text(amount)} {currency}"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    found: Sequence[str] = list(names)
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} {last} {found[-1]}"


def called(name: str) -> str:
    """What a value of the contract is called in sentences; its own name where it has none."""
    if name.startswith("card:"):
        return f"purchases with the card `{name.removeprefix('card:')}`"
    return _NAMES.get(name, f"`{name}`")


def reading(text: str) -> str:
    """A remark that this is a choice: the published rules are silent, or say two things."""
    return f"*(Reading: {text}.)*"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def bullets(lines: Iterable[str]) -> str:
    """A list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)
