"""The demo's feed: an invented provider's September 2025, with the eight months that led to it.

- 150 residents joined from January to May. Most pay a few days before their billing date; some forget now
  and then, some pay half a year at once, and for a few the bank is slow: their September payment arrives
  days after the billing date, though it was made in time.
- Houses in Labinsk on Ultra pay half. Ten residents bring a discount of an older programme along.
- 20 newcomers came in August and 30 more come in September, apartments with the summer promotion. Most of
  September's were brought by a resident; some try a code that does not count.
- In September staff corrects balances, members spend points and ask for what they cannot have, someone is
  blocked, moves out, changes tariff, or gets a payment back.
- The billing system sends one event twice, one id for two facts, and a few lines that are no events.

Every number is drawn from account and purpose alone, so the feed is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

import orjson

from engine.calendar import day_in, month_of
from loyalty.sample_events import ZONE, Arrival, at, draw, event

FIRST_DAY: Final = date(2025, 1, 1).toordinal()
MONTH: Final = month_of(date(2025, 9, 1).toordinal())
MONTH_DAY: Final = date(2025, 9, 1).toordinal()
END_DAY: Final = date(2025, 10, 1).toordinal()
END: Final = ZONE.midnight(END_DAY)
"""Where the sample ends, in microseconds: 1 October 2025, 00:00 in Labinsk."""

RESIDENTS: Final = 150
AUGUST: Final = 20
SEPTEMBER: Final = 30
TARIFFS: Final[dict[str, dict[str, Any]]] = {
    "unlim-50": {"code": "unlim-50", "family": "Unlim", "speed_mbps": 50, "monthly_price": "500.00"},
    "unlim-100": {"code": "unlim-100", "family": "Unlim", "speed_mbps": 100, "monthly_price": "650.00"},
    "turbo-300": {"code": "turbo-300", "family": "Turbo", "speed_mbps": 300, "monthly_price": "900.00"},
    "ultra-500": {"code": "ultra-500", "family": "Ultra", "speed_mbps": 500, "monthly_price": "1200.00"},
}
_NAMES: Final = tuple(TARIFFS)


def sample_month(code: Callable[[str], str]) -> list[Arrival]:
    """The feed in order of arrival; `code` makes the referral code of an account."""
    sample = _Sample(code)
    for number in range(1, RESIDENTS + 1):
        sample.resident(number)
    for number in range(RESIDENTS + 1, RESIDENTS + AUGUST + SEPTEMBER + 1):
        sample.newcomer(number)
    sample.september()
    sample.mishaps()
    return sorted(sample.arrivals, key=lambda arrival: arrival.at)


class _Sample:
    """The feed in the making."""

    def __init__(self, code: Callable[[str], str]) -> None:
        self.arrivals: Final[list[Arrival]] = []
        self._code: Final = code
        self._left: Final[dict[str, int]] = {_name(149): MONTH_DAY + 11, _name(150): MONTH_DAY + 19}
        """Who moves out, and when."""

    def say(
        self, type_: str, account: str, id_: str, time: int, data: dict[str, Any], late_us: int = 0
    ) -> bytes:
        """Add an event that arrives `late_us` after its time, but nothing of the time after the sample."""
        line = event(type_, account, id_, time, data)
        if time + late_us < END:
            self.arrivals.append(Arrival(time + late_us, line))
        return line

    def resident(self, number: int) -> None:
        """Someone who has been here since the winter or the spring."""
        account = _name(number)
        day = FIRST_DAY + draw(account, "joined", 150)
        house = draw(account, "dwelling", 3) == 0
        tariff = "ultra-500" if house and draw(account, "fast", 2) else _NAMES[draw(account, "tariff", 3)]
        self._open(account, day, house, business=number % 25 == 0, participant=number % 40 != 7)
        self._activate(account, day, tariff)
        if number % 15 == 3:
            old = {"percent": 3 + draw(account, "old", 8), "last_day": "2025-07-31"}
            self.say("legacy-discount.converted", account, f"{account}-legacy", at(day + 1, 12), old)
        self._pay_from(account, day, tariff)

    def newcomer(self, number: int) -> None:
        """Someone who comes in August, or in September with a code from a resident."""
        account = _name(number)
        september = number > RESIDENTS + AUGUST
        turn = number - RESIDENTS - (AUGUST if september else 0)
        day = MONTH_DAY + turn * 2 // 3 if september else MONTH_DAY - 32 + turn * 3 // 2
        house = draw(account, "dwelling", 5) == 0
        tariff = _NAMES[draw(account, "tariff", 3)]
        self._open(account, day, house, business=number % 25 == 0, existing=turn == 9)
        if september and turn % 5 != 0:
            codes = {
                6: "orgtechservice:A-17:MISTYPED00",
                12: self._code(account),
                13: self._code("A-9999"),
            }
            code = codes.get(turn) or self._code(_name(1 + draw(account, "friend of", 40)))
            self.say("referral.code-registered", account, f"{account}-code", at(day, 18), {"code": code})
        start = day + 1 + draw(account, "installation", 3)
        self._activate(account, start, tariff)
        self._pay_from(account, start, tariff)

    def september(self) -> None:
        """What members, staff and the network do in the sample's own month."""
        for number in (5, 17, 33, 60, 88):
            self._adjust(number, MONTH_DAY + 1, 1300, "balance of the card programme that was closed")
        for number, day in ((5, 4), (17, 6), (33, 9)):
            self._redeem(number, MONTH_DAY + day, {"reward": "full-discount"})
        for number, amount, day in (
            (60, "150.00", 5),
            (88, "99.50", 12),
            (17, "40.00", 20),
            (41, "9000.00", 15),
        ):
            self._redeem(number, MONTH_DAY + day, {"reward": "turbo", "amount": amount})
        self._redeem(60, MONTH_DAY + 21, {"reward": "teapot"})
        self._ask("points.gift-requested", 88, MONTH_DAY + 13, {"to": _name(60), "points": 50})
        self._ask("goal.set", 60, MONTH_DAY + 14, {"amount": "500.00"})
        change = {"tariff": TARIFFS["turbo-300"], "change_on": "2025-10-01"}
        self._ask("tariff.change-requested", 33, MONTH_DAY + 16, change)
        self._adjust(88, MONTH_DAY + 22, -100, "credited twice by mistake")
        for number, day in ((21, 7), (46, 10), (101, 18)):
            self._ask(
                "service.blocked", number, MONTH_DAY + day, {"kind": "debt" if number % 2 else "voluntary"}
            )
            self._ask(
                "service.unblocked",
                number,
                MONTH_DAY + day + 5,
                {"kind": "debt" if number % 2 else "voluntary"},
            )
        for number, day, tariff in (
            (12, 3, "turbo-300"),
            (29, 8, "unlim-100"),
            (33, 24, "turbo-300"),
            (70, 17, "unlim-50"),
        ):
            self._ask("tariff.changed", number, MONTH_DAY + day, {"tariff": TARIFFS[tariff]})
        extension = {
            "rule": "summer-2025",
            "last_day": "2025-12-15",
            "reason": "late cable",
            "by": "office-3",
        }
        self._ask("discount.extended", RESIDENTS + 4, MONTH_DAY + 10, extension)
        for account, day in self._left.items():
            self.say("account.closed", account, f"{account}-closed", at(day, 16), {})

    def mishaps(self) -> None:
        """What billing systems do: send twice, use an id twice, take money back, send what is no event."""
        sent = [arrival for arrival in self.arrivals if arrival.at >= ZONE.midnight(MONTH_DAY)]
        payments = sorted(arrival for arrival in sent if b'"payment.received"' in arrival.line)
        for number in (3, 40):
            again = orjson.dumps(orjson.loads(payments[number].line), option=orjson.OPT_SORT_KEYS)
            self.arrivals.append(Arrival(payments[number].at + 3_600_000_000, again))
        other = orjson.loads(payments[25].line)
        other["data"]["amount"] = "1.00"
        self.arrivals.append(Arrival(payments[25].at + 3_600_000_000, orjson.dumps(other)))
        for number in (10, 60):
            paid = orjson.loads(payments[number].line)
            day = ZONE.day(payments[number].at) + 8
            self.say(
                "payment.refunded",
                paid["subject"],
                f"{paid['id']}-back",
                at(day, 15),
                {"payment": paid["id"]},
            )
        whole = {"amount": "650.00", "service": "internet"}
        for day, line in (
            (4, b"Amount;650.00;internet;A-17"),
            (11, event("payment.received", "A-17", "odd-1", at(MONTH_DAY + 11, 9), {"service": "internet"})),
            (
                15,
                event("payment.received", "A-18", "odd-2", at(MONTH_DAY + 15, 9), {**whole, "amount": 650.0}),
            ),
            (23, event("payment.teleported", "A-19", "odd-3", at(MONTH_DAY + 23, 9), whole)),
        ):
            self.arrivals.append(Arrival(at(MONTH_DAY + day, 9), line))

    def _open(
        self,
        account: str,
        day: int,
        house: bool,
        *,
        business: bool,
        participant: bool = True,
        existing: bool = False,
    ) -> None:
        data: dict[str, Any] = {
            "segment": "business" if business else "individual",
            "dwelling": "house" if house else "apartment",
            "city": "Labinsk" if draw(account, "spelling", 2) else "Лабинск",
            "signed_on": date.fromordinal(day).isoformat(),
        }
        if not participant:
            data["participant"] = False
        if existing:
            data["existing_customer"] = True
        self.say(
            "account.opened", account, f"{account}-opened", at(day, 10, draw(account, "minute", 60)), data
        )

    def _activate(self, account: str, day: int, tariff: str) -> None:
        data = {"service": "internet", "tariff": TARIFFS[tariff], "feasible_ultra": tariff == "ultra-500"}
        self.say("service.activated", account, f"{account}-on", at(day, 12, draw(account, "on", 60)), data)

    def _pay_from(self, account: str, first: int, tariff: str) -> None:
        """The payments of an account from its activation on, each for the billing date after it."""
        number = date.fromordinal(first).day
        half_year = draw(account, "half-year", 18) == 0
        forgets = draw(account, "forgets", 6) == 0
        slow_bank = draw(account, "bank", 14) == 0
        self._pay(account, 0, at(first, 17), tariff, 1)
        month = month_of(first) + 2
        while (due := day_in(month, number)) < END_DAY + 10 and due <= self._left.get(account, due):
            months = 6 if half_year else 1
            made = at(due - 1 - draw(account, f"early {month}", 5), 11 + draw(account, f"hour {month}", 8))
            late = at(due + 3, 14) - made if slow_bank and month == MONTH else 0
            if not (forgets and draw(account, f"forgot {month}", 3) == 0):
                self._pay(account, month, made, tariff, months, late)
            month += months

    def _pay(self, account: str, month: int, time: int, tariff: str, months: int, late_us: int = 0) -> None:
        price = int(TARIFFS[tariff]["monthly_price"].removesuffix(".00"))
        data: dict[str, Any] = {"amount": f"{price * months}.00", "service": "internet"}
        if months > 1:
            data["months"] = months
        self.say("payment.received", account, f"{account}-paid-{month}", time, data, late_us)

    def _adjust(self, number: int, day: int, points: int, reason: str) -> None:
        self._ask("points.adjusted", number, day, {"points": points, "reason": reason, "by": "office-3"})

    def _redeem(self, number: int, day: int, data: dict[str, Any]) -> None:
        self._ask("points.redeem-requested", number, day, data)

    def _ask(self, type_: str, number: int, day: int, data: dict[str, Any]) -> None:
        account = _name(number)
        id_ = f"{account}-{type_}-{day - MONTH_DAY}"
        self.say(type_, account, id_, at(day, 9, draw(account, id_, 60)), data)


def _name(number: int) -> str:
    return f"A-{number}"
