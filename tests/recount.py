"""One account, counted naively: what its events should bring (MTS accrual, Labinsk's billing dates), its lots.

No line of the engine is used. The auditor compares what the journal says with this.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

FEE_DISCOUNTS: Final = {"summer-2025", "ultra-half-price", "half-year", "loyalty-full"}
MTS_CLOSED: Final = date(2019, 5, 15)
STEPS: Final = {
    "salon": (30, 10),
    "card:mts-bank": (60, 1),
    "card:partner": (30, 1),
    "card:mts-money": (30, 1),
    "card:russian-standard": (20, 1),
}
"""Roubles a step, points a step."""
Terms = tuple[int, str, str, str | None]
"""Percent, target, first day, last day of a discount."""
Discounts = dict[tuple[str, str], Terms]
"""By rule and first day: a rule may come twice, for different months."""


def months_later(day: date, months: int, anchor: int | None = None) -> date:
    """The same day some months later, clamped to the month's end."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(anchor or day.day, monthrange(year, month + 1)[1]))


class Facts:
    """What one account's events say of it."""

    def __init__(self, operator: str) -> None:
        self.operator = operator
        self.profile: dict[str, Any] = {}
        self.closed = False
        self.activated: date | None = None
        self.billing: tuple[date, int] | None = None
        """Activation day and billing day."""
        self.dates = 0
        """Billing dates so far."""
        self.price: Decimal | None = None
        self.blocks: set[str] = set()
        self.payments: dict[str, tuple[date, int]] = {}
        self.refunded: set[str] = set()
        self.legacy = ("", "")
        """First and last day of a discount from before."""
        self.rests: dict[str, Decimal] = defaultdict(Decimal)
        self.money_card = Decimal(0)
        self.purchases: set[str] = set()

    def takes_part(self) -> bool:
        """Whether it earns points: individuals, at MTS those activated in time, in Labinsk who wants to."""
        wants = self.profile.get("segment") == "individual" and self.profile.get("participant", True)
        member = wants and not self.closed
        if self.operator == "orgtechservice":
            return member and self.price is not None
        cut = date(2021, 9, 1) if self.operator == "mts" else date.max
        return member and self.activated is not None and self.activated < cut

    def learn(self, event: dict[str, Any], day: date) -> int:
        """Take an event in; returns the points it earns at MTS."""
        kind = event["type"]
        data = {name: value for name, value in event.get("data", {}).items() if value is not None}
        owed = self._earned(kind, data, day) if self.operator in ("mts", "mts-2019") else 0
        if kind == "account.closed":
            self.closed = True
        elif kind == "account.opened" and not self.closed:
            self.profile = data
        elif kind == "service.activated":
            self.activated = self.activated or day
            if data["service"] == "internet":
                self.billing = self.billing or (day, data.get("billing_day", day.day))
        elif kind == "service.blocked":
            self.blocks.add(data["kind"])
        elif kind == "service.unblocked":
            self.blocks.discard(data["kind"])
        elif kind == "payment.received" and data["service"] == "internet":
            self.payments[event["id"]] = (day, data.get("months", 1))
        elif kind == "payment.refunded":
            self.refunded.add(data["payment"])
        elif kind == "legacy-discount.converted":
            self.legacy = (day.isoformat(), data["last_day"])
        if kind in ("service.activated", "tariff.changed") and data.get("service", "internet") == "internet":
            price = data["tariff"].get("monthly_price")
            self.price = Decimal(price) if price is not None else None
        return owed

    def covered(self, first_day: str, discounts: Discounts) -> bool:
        """Whether a fee discount covers that day."""
        terms = [terms for (rule, _), terms in discounts.items() if rule in FEE_DISCOUNTS]
        held = any(first <= first_day <= (last or "9999") for _, _, first, last in terms)
        return held or self.legacy[0] <= first_day <= self.legacy[1]

    def billing_date(self, today: date, level: int, discounts: Discounts) -> tuple[int, int] | None:
        """Level after this midnight and the points it credits; None if it is no billing date."""
        if self.billing is None or self.operator != "orgtechservice" or self.closed:
            return None
        if today != self._date(self.dates + 1):
            return None
        self.dates += 1
        if not self.takes_part() or self.price is None:
            return level, 0
        bought = ("loyalty-full", today.isoformat()) in discounts
        counted = [terms for id_, terms in self.payments.items() if id_ not in self.refunded]
        ahead = [(self.dates - self._dates_until(day), months) for day, months in counted]
        if not bought and not any(0 < number <= months for number, months in ahead):
            return 0, 0
        if self.blocks:
            return level, 0
        level = min(level + 1, 10)
        credits = self.dates >= 2 and not self.covered(today.isoformat(), discounts)
        return level, int(self.price * level // 100) if credits else 0

    def _date(self, number: int) -> date:
        """The n-th billing date."""
        assert self.billing is not None
        start, anchor = self.billing
        same_month = months_later(start, 0, anchor)
        return months_later(start, number - (1 if same_month > start else 0), anchor)

    def _dates_until(self, day: date) -> int:
        """How many billing dates there are up to a day, inclusive."""
        number = 0
        while self._date(number + 1) <= day:
            number += 1
        return number

    def _earned(self, kind: str, data: dict[str, Any], day: date) -> int:
        earns = self.takes_part() and (self.operator == "mts" or day < MTS_CLOSED)
        if kind == "charge.posted" and earns:
            on_net = data["category"] == "calls-on-net"
            return 1 if on_net else self._steps(data["category"], Decimal(data["amount"]), 5, 1)
        if kind != "purchase.completed":
            return 0
        seen = data["purchase"] in self.purchases
        self.purchases.add(data["purchase"])
        if seen or not earns:
            return 0
        amount, channel = Decimal(data["amount"]), data["channel"]
        if channel == "partner":
            return int(amount * min(Decimal(data["percent"]), Decimal(50)) // 100)
        welcome = 0
        if channel == "card:mts-money":
            before, self.money_card = self.money_card, self.money_card + amount
            amount = max(self.money_card - max(before, Decimal(3000)), Decimal(0))
            welcome = 1000 if before < 3000 <= self.money_card else 0
        return welcome + self._steps(channel, amount, *STEPS[channel])

    def _steps(self, category: str, amount: Decimal, per: int, points: int) -> int:
        whole, self.rests[category] = divmod(self.rests[category] + amount, per)
        return int(whole) * points


Lot = tuple[int, date | None]
"""Points left, first day they can no longer be used."""


def day_of(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


class Account:
    """What the outcomes so far add up to."""

    def __init__(self, operator: str, id: str) -> None:
        self.where = (operator, id)
        self.zone = ZoneInfo("Asia/Bishkek" if operator == "mega-line" else "Europe/Moscow")
        self.facts = Facts(operator)
        self.lots: dict[str, Lot] = {}
        self.received: list[Lot] = []  # lots whose names are first heard when they are spent
        self.pending: dict[str, int] = {}
        self.debt = self.level = 0
        self.discounts: Discounts = {}

    def balance(self) -> int:
        return sum(left for left, _ in (*self.lots.values(), *self.received)) - self.debt

    def take(self, name: str, part: int, reason: str, today: date) -> date:
        """Take points of a lot; returns its expiry."""
        if name not in self.lots:
            fits = [
                lot for lot in sorted(self.received, key=lambda lot: lot[1] or date.max) if lot[0] >= part
            ]
            assert fits, f"no lot {name}"
            self.received.remove(fits[0])
            self.lots[name] = fits[0]
        left, day = self.lots[name]
        assert left >= part > 0, f"{part} taken of lot {name}, which has {left}"
        on_time = today == day if reason in ("expired", "programme-closed") else day is None or today < day
        assert on_time, f"lot {name} expires on {day}"
        self.lots[name] = (left - part, day)
        return day or date.max
