"""What one account does in half a year: the events of SPEC 2.1 in the shares that an operator sees.

Days are ordinals, moments are seconds of local time since the first day's midnight. Accounts that take part
in a referral are not closed and spend nothing: what another account sends them arrives when it arrives, and
nothing that is compared may depend on when.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final, NamedTuple

from benchmarks.customers import Member, tariff
from engine.calendar import day_in, iso, month_of

FIRST_DAY: Final = date(2025, 6, 1).toordinal()
LAST_DAY: Final = date(2025, 12, 10).toordinal()
_OPENING_DAYS: Final = 135
_REFERRALS_FROM: Final = date(2025, 8, 5).toordinal() - FIRST_DAY
_ADVOCATES_OPEN_UNTIL: Final = 40
_DAY: Final = 86_400
_BILLING: Final = "/orgtechservice/billing"
_SELF_CARE: Final = "/orgtechservice/self-care"
_STAFF: Final = "/orgtechservice/staff"


class Happening(NamedTuple):
    """One record to be: when it arrives, when it happened, and what it says."""

    arrives: int
    happened: int
    account: str
    type: str
    id: str
    source: str
    data: dict[str, Any]


class Life:
    """The events of one account; `code_of(number)` is the referral code of another one."""

    def __init__(self, member: Member, *, code_of: Callable[[int], str], is_advocate: bool) -> None:
        self._member: Final = member
        self._code_of: Final = code_of
        self._chance: Final = member.chance
        self._taken: Final[set[int]] = set()
        self._count = 0
        self.happenings: Final[list[Happening]] = []
        self._opens: Final = opening_day(member.number)
        self.is_friend: Final = not is_advocate and self._opens >= _REFERRALS_FROM and member.number % 4 == 1
        self._spends: Final = not (is_advocate or self.is_friend)
        self._closes: Final = (
            self._opens + self._chance.randint(30, 170) if self._spends and self._happens(0.03) else 10_000
        )
        self._family = "Turbo" if member.customer.fiber else "Unlim"
        self._open()
        if self.is_friend:
            self._refer()
        activated = self._activate()
        self._pay(activated)
        self._live(activated)
        if self._spends:
            self._spend(activated)
        self._close()

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share

    def _moment(self, day: int) -> int:
        """A second of a day, never its midnight and never one that the account has used."""
        moment = day * _DAY + self._chance.randint(6 * 3600, 23 * 3600)
        while moment in self._taken:
            moment += 1
        self._taken.add(moment)
        return moment

    def _say(
        self, type: str, day: int, data: dict[str, Any], *, source: str = _BILLING, arrives: int | None = None
    ) -> Happening:
        self._count += 1
        moment = self._moment(day)
        id = f"{type.partition('.')[0][:3]}-{self._member.number}-{self._count}"
        said = Happening(
            moment if arrives is None else self._moment(arrives),
            moment,
            self._member.account,
            type,
            id,
            source,
            data,
        )
        self.happenings.append(said)
        return said

    def _open(self) -> None:
        chance = self._chance
        data: dict[str, Any] = {
            "segment": "business" if self._happens(0.04) else "individual",
            "dwelling": "apartment" if self._member.customer.apartment else "house",
            "city": chance.choices(("Labinsk", "Лабинск", "Kurganinsk"), (7, 1, 2))[0],
            "signed_on": iso(FIRST_DAY + self._opens),
        }
        if self._happens(0.1):
            data["existing_customer"] = True
        if self._happens(0.03):
            data["participant"] = False
        self._say("account.opened", self._opens, data)

    def _refer(self) -> None:
        """A code is registered before the activation; some are mistyped, some the own, some the second."""
        advocate = advocate_of(self._member.number)
        code = self._code_of(advocate)
        if self._happens(0.05):
            code = code[:-1] + ("A" if code[-1] != "A" else "B")
        elif self._happens(0.03):
            code = self._code_of(self._member.number)
        self._say("referral.code-registered", self._opens, {"code": code}, source=_SELF_CARE)
        if self._happens(0.05):
            again = {"code": self._code_of(advocate_of(max(self._member.number - 200, 0)))}
            self._say("referral.code-registered", self._opens + 12, again, source=_SELF_CARE)

    def _activate(self) -> int:
        chance = self._chance
        day = self._opens + (chance.randint(30, 70) if self._happens(0.03) else chance.randint(1, 5))
        ultra = not self._member.customer.apartment and self._happens(0.2)
        if ultra:
            self._family = "Ultra"
        data: dict[str, Any] = {"service": "internet", "tariff": tariff(self._member, self._family)}
        if self._happens(0.6):
            data["billing_day"] = chance.randint(1, 31)
        if ultra or self._happens(0.2):
            data["feasible_ultra"] = True
        self._billing_day = data.get("billing_day", date.fromordinal(FIRST_DAY + day).day)
        self._say("service.activated", day, data)
        return day

    def _pay(self, activated: int) -> None:
        chance, member = self._chance, self._member
        covered = 0
        for index in range(7):
            due = self._billing_date(activated, index)
            if due > LAST_DAY - FIRST_DAY or due > self._closes + 40:
                return
            if index < covered or (member.customer.churned and index % 4 == 3):
                continue
            if self._happens(0.04 if index == 0 else 0.015):
                covered = index + (6 if self._happens(0.8) else 3)
            late = member.customer.by_check and (member.number + index) % 7 == 6
            day = due + 1 if late else max(due - chance.randint(1, 9), self._opens)
            months = max(covered - index, 1)
            data: dict[str, Any] = {
                "amount": f"{member.customer.price * months:.2f}",
                "currency": "RUB",
                "service": "internet",
            }
            if months > 1:
                data["months"] = months
            arrives = None
            if index and months > 1 and self._happens(0.4):  # so much comes by bank order, and is told late
                arrives = due + chance.randint(3, 34)
            elif index and self._happens(0.0007):
                arrives = self._owe(due)
            elif not late and self._happens(0.02):
                arrives = due + chance.randint(3, 20)
            paid = self._say("payment.received", day, data, arrives=arrives)
            self._after_payment(paid, day)

    def _owe(self, due: int) -> int:
        """Billing tells of the same debt twice a day until it finds the payment; returns the day it does."""
        found = due + self._chance.randint(21, 25)
        for day in range(due + 1, found):
            self._say("service.blocked", day, {"kind": "debt"})
            self._say("service.blocked", day, {"kind": "debt"})
        self._say("service.unblocked", found, {"kind": "debt"})
        return found

    def _after_payment(self, paid: Happening, day: int) -> None:
        chance = self._chance
        if self._happens(0.03):
            self._say("payment.received", day, {"amount": "199.00", "service": "tv"})
        if self._happens(0.01):
            self.happenings.append(paid._replace(arrives=paid.arrives + chance.randint(60, 2 * _DAY)))
        if self._happens(0.0005):
            other = {**paid.data, "amount": "1.00"}
            self.happenings.append(paid._replace(arrives=paid.arrives + 3601, data=other))
        if self._spends and self._happens(0.01):
            arrived = paid.arrives // _DAY
            self._say("payment.refunded", arrived + chance.randint(1, 25), {"payment": paid.id})

    def _billing_date(self, activated: int, index: int) -> int:
        month = month_of(FIRST_DAY + activated)
        if day_in(month, self._billing_day) <= FIRST_DAY + activated:
            month += 1
        return day_in(month + index, self._billing_day) - FIRST_DAY

    def _live(self, activated: int) -> None:
        """Blocks, tariffs, old discounts, owners, lines."""
        chance = self._chance
        day = activated + chance.randint(3, 110)
        if self._happens(0.04):
            kind = {"kind": chance.choices(("debt", "voluntary", "other"), (6, 3, 1))[0]}
            self._say("service.blocked", day, kind)
            self._say("service.unblocked", day + chance.randint(1, 40), kind)
        if self._happens(0.05):
            families = [family for family in ("Unlim", "Turbo", "Ultra", "Mega") if family != self._family]
            family = self._family if self._happens(0.3) else chance.choice(families[:-1])
            self._say("tariff.changed", day + 2, {"tariff": tariff(self._member, family)})
        if self._happens(0.004):
            wish = {"tariff": tariff(self._member, "Unlim"), "change_on": iso(FIRST_DAY + day + 20)}
            self._say("tariff.change-requested", day + 3, wish, source=_SELF_CARE)
        if self._happens(0.02):
            old = {"percent": chance.randint(1, 10), "last_day": iso(FIRST_DAY + day + 60)}
            self._say("legacy-discount.converted", activated + chance.randint(0, 40), old)
        if self._happens(0.004):
            self._say("owner.changed", day + 4, {"new_owner": f"owner of {self._member.account}"})
        if self._happens(0.006):
            self._say("line.linked", day + 5, {"line": f"+7900{self._member.number:07}"})

    def _spend(self, activated: int) -> None:
        """Corrections by staff, rewards, and requests that this programme refuses."""
        chance = self._chance
        day = activated + chance.randint(5, 120)
        if self._happens(0.05):
            more = {"points": chance.randint(50, 1500), "reason": "goodwill", "by": "staff-7"}
            self._say("points.adjusted", day, more, source=_STAFF)
            if self._happens(0.4):
                self._redeem(
                    day + 1,
                    {"reward": "turbo", "amount": f"{chance.randint(10, 400)}.{chance.randint(0, 99):02}"},
                )
            if self._happens(0.4):
                self._redeem(day + 2, {"reward": "full-discount"})
            if self._happens(0.1):
                less = {"points": -chance.randint(10, 500), "reason": "mistake", "by": "staff-9"}
                self._say("points.adjusted", day + 3, less, source=_STAFF)
        if self._happens(0.02):
            self._redeem(day + 4, {"reward": chance.choice(("full-discount", "turbo")), "amount": "75.50"})
        if self._happens(0.002):
            self._redeem(day + 5, {"reward": "coffee"})
        if self._happens(0.003):
            self._say("points.gift-requested", day + 6, {"to": "A-1", "points": 10}, source=_SELF_CARE)
        if self._happens(0.001):
            self._say("goal.set", day + 7, {"amount": "500.00"}, source=_SELF_CARE)
        if self._happens(0.005):
            longer = {
                "rule": "summer-2025",
                "last_day": iso(FIRST_DAY + day + 90),
                "reason": "delay",
                "by": "s-1",
            }
            self._say("discount.extended", day + 8, longer, source=_STAFF)
        if self._happens(0.0005):
            self._say(
                "points.adjusted", day, {"points": "12", "reason": "a string", "by": "x"}, source=_STAFF
            )
        if self._happens(0.003):
            self._say("line.linked", activated + 3, {"line": "far too late"}, arrives=activated + 95)

    def _redeem(self, day: int, data: dict[str, Any]) -> None:
        self._say("points.redeem-requested", day, data, source=_SELF_CARE)

    def _close(self) -> None:
        if self._closes < 10_000:
            self._say("account.closed", self._closes, {})


def opening_day(number: int) -> int:
    """The day an account opens, counted from the first day: spread over four and a half months."""
    return number * 7919 % _OPENING_DAYS


def advocate_of(number: int) -> int:
    """The account whose code this one registers: one of the tenth that brings friends, opened before it."""
    advocate = number // 10 * 10
    while opening_day(advocate) > _ADVOCATES_OPEN_UNTIL:  # account 0 opens on the first day
        advocate -= 10
    return advocate


def is_advocate(number: int) -> bool:
    """Whether others may register this account's code."""
    return number % 10 == 0
