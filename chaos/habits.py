"""What the members of each operator do on a day: who they are, and what they wish for.

Accounts have roles by their first letter. `P` plain: nothing ever comes from another account. `G` givers: so rich that
no gift empties them. `B` like them, but all their gifts come back, and until then such a gift uses up a limit.
`R` receivers, `V` advocates, `F` friends: things come to them from other partitions, and they spend nothing.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

Data = dict[str, Any]

PARTITIONS: Final = 8
INTENSITY: Final = 4
"""How many times over everybody acts."""
PLAIN: Final = 24
"""Plain accounts of each operator at the start; more open every day."""
RECEIVERS: Final = 12
GIVERS: Final = 8
TARIFFS: Final = (
    {"code": "unlim-100", "family": "Unlim", "speed_mbps": 100, "monthly_price": "650.00"},
    {"code": "turbo-300", "family": "Turbo", "speed_mbps": 300, "monthly_price": "900.00"},
    {"code": "ultra-300", "family": "Ultra", "speed_mbps": 300, "monthly_price": "2000.00"},
)
MEGA: Final = tuple(
    {"code": f"mega-{n}", "family": "Mega", "monthly_price": f"{n * 201}.05", "prepaid": n % 2 == 1}
    for n in range(1, 6)
)
MOBILE: Final = {
    "service": "mobile",
    "tariff": {"code": "smart", "family": "Smart", "monthly_price": "300.00"},
}
PBX: Final = {"service": "pbx", "tariff": {"code": "pbx-10", "family": "Pbx", "monthly_price": "900.00"}}
CATEGORIES: Final = ("calls-other-networks", "mobile", "home-internet", "home-tv", "calls-on-net")
CHANNELS: Final = (
    "salon",
    "card:mts-bank",
    "card:partner",
    "card:russian-standard",
    "card:mts-money",
    "partner",
)
AMOUNTS: Final = ("4.99", "30.00", "59.99", "333.33", "999.50", "1500.00")
SPENDING: Final = ("book", "blacklist", "ringback", "money-100")
STAFF: Final = {"reason": "goodwill", "by": "staff-7"}
NOBODY: Final = "NOBODY"


class Wish(NamedTuple):
    """An event to be: everything but its time. An `id` is given only where others refer to it."""

    operator: str
    account: str
    type: str
    data: Data
    id: str | None = None


class Habits:
    """Everybody, and what they do."""

    def __init__(
        self, chosen: random.Random, code_of: Callable[[str, str], str], partition_of: Callable[[str], int]
    ) -> None:
        self._random: Final = chosen
        self._code_of: Final = code_of
        self._partition_of: Final = partition_of
        self._number = 0
        self._plain: Final[dict[str, list[str]]] = defaultdict(list)
        self._purchases: Final[dict[tuple[str, str], list[str]]] = defaultdict(list)
        self._payments: Final[dict[str, list[str]]] = defaultdict(list)
        self._referred: Final[list[tuple[str, int]]] = []
        """Friends of the internet provider that are still to be activated, and on which day."""

    def of_2019(self, first: date, *, gives: bool) -> list[Wish]:
        """A month of `mts-2019`, which opens in April 2018. No order within it matters but the accounts' own."""
        operator, plain = "mts-2019", self._names("P", PLAIN)
        givers, receivers = self._names("G", GIVERS), self._names("R", RECEIVERS)
        if first == date(2018, 4, 1):
            self._plain[operator] = plain
            return [
                wish for name in (*plain, *givers, *receivers) for wish in self._joins(operator, name, MOBILE)
            ]
        if first == date(2018, 5, 1):
            return [Wish(operator, name, "points.adjusted", {"points": 20_000, **STAFF}) for name in givers]
        wishes = [wish for name in plain for _ in range(4) for wish in self._mts(operator, name)]
        if gives:
            wishes += [self._gift(operator, name, receivers) for name in givers]
        return wishes

    def enrolment(self) -> list[Wish]:
        """August 2021, the last month in which MTS takes members in."""
        self._plain["mts"] = self._names("P", PLAIN * 2)
        givers = (*self._names("G", GIVERS), *self._names("B", GIVERS))
        names = [*self._plain["mts"], *givers, *self._names("R", RECEIVERS)]
        return [wish for name in names for wish in self._joins("mts", name, MOBILE)]

    def of_day(self, day: date, number: int) -> list[Wish]:
        """A day on which all seven are at work."""
        if number == 0:
            return self._first_day(day)
        return [
            *self._mts_day(),
            *self._internet_day(day, number),
            *self._cashback_day(),
            *self._spasibo_day(),
            *self._mega_day(day),
            *self._pbx_day(day, number),
            *self._closed_day(),
        ]

    def _first_day(self, day: date) -> list[Wish]:
        givers = (*self._names("G", GIVERS), *self._names("B", GIVERS))
        wishes = [Wish("mts", name, "points.adjusted", {"points": 60_000, **STAFF}) for name in givers]
        for name in self._names("V", RECEIVERS):
            wishes += self._joins("orgtechservice", name, {"service": "internet", "tariff": TARIFFS[0]})
            wishes += self._joins("t2-pbx", name, PBX)
        for operator in ("orgtechservice", "mts-cashback", "spasibo", "mega-line", "t2-pbx"):
            for _ in range(PLAIN):
                wishes += self._new_plain(operator, day)
        return wishes

    def _mts_day(self) -> list[Wish]:
        chosen = self._random
        wishes = [wish for name in self._some("mts", 10) for wish in self._mts("mts", name)]
        for name in chosen.sample(self._names("G", GIVERS), 3):
            wishes.append(self._gift("mts", name, self._names("R", RECEIVERS)))
        return [*wishes, self._gift("mts", chosen.choice(self._names("B", GIVERS)), [NOBODY])]

    def _internet_day(self, day: date, number: int) -> list[Wish]:
        operator, chosen = "orgtechservice", self._random
        wishes = self._new_plain(operator, day)
        for name in self._some(operator, 12):
            chance = chosen.random()
            if chance < 0.6:
                self._number += 1
                id_ = f"pay{self._number}"
                self._payments[name].append(id_)
                months = chosen.choice((1, 1, 1, 2, 6))
                data: Data = {"amount": "650.00", "service": "internet", "months": months}
                wishes.append(Wish(operator, name, "payment.received", data, id_))
            elif chance < 0.7 and self._payments[name]:
                data = {"payment": chosen.choice(self._payments[name])}
                wishes.append(Wish(operator, name, "payment.refunded", data))
            elif chance < 0.76:
                kind = chosen.choice(("service.blocked", "service.unblocked"))
                wishes.append(Wish(operator, name, kind, {"kind": "debt"}))
            elif chance < 0.84:
                wishes.append(Wish(operator, name, "points.redeem-requested", {"reward": "full-discount"}))
            elif chance < 0.92:
                wishes.append(
                    Wish(operator, name, "points.adjusted", {"points": chosen.choice((700, -50)), **STAFF})
                )
            else:
                wishes.append(Wish(operator, name, "tariff.changed", {"tariff": chosen.choice(TARIFFS)}))
        friend = f"F{number}"
        code = {"code": self._code_of(operator, f"V{chosen.randrange(RECEIVERS)}")}
        wishes += [Wish(operator, friend, "account.opened", self._profile(day))]
        self._referred.append((friend, number))
        for name, since in list(self._referred):
            if number == since + 1:
                wishes.append(Wish(operator, name, "referral.code-registered", code))
            elif number == since + 2:
                activated = {"service": "internet", "tariff": chosen.choice(TARIFFS)}
                wishes.append(Wish(operator, name, "service.activated", activated))
            elif number == since + 3:
                wishes.append(
                    Wish(operator, name, "payment.received", {"amount": "650.00", "service": "internet"})
                )
                self._referred.remove((name, since))
        return wishes

    def _cashback_day(self) -> list[Wish]:
        operator, chosen = "mts-cashback", self._random
        wishes = []
        for name in self._some(operator, 10):
            bought = self._purchases[operator, name]
            chance = chosen.random()
            if chance < 0.45 or not bought:
                self._number += 1
                bought.append(f"B{self._number}")
                data: Data = {
                    "purchase": bought[-1], "amount": chosen.choice(AMOUNTS), "channel": "partner",
                    "percent": chosen.choice(("5", "7.5", "50.01")),
                }  # fmt: skip
                wishes.append(Wish(operator, name, "purchase.completed", data))
            elif chance < 0.85:
                kind = "purchase.confirmed" if chance < 0.75 else "purchase.returned"
                wishes.append(Wish(operator, name, kind, {"purchase": chosen.choice(bought)}))
            elif chance < 0.9:
                wishes.append(Wish(operator, name, "goal.set", {"amount": "500.00"}))
            else:
                to = f"R{chosen.randrange(RECEIVERS)}"
                data = {"reward": "top-up", "amount": chosen.choice(("1.00", "10.00", "100.00")), "to": to}
                wishes.append(Wish(operator, name, "points.redeem-requested", data))
        return wishes

    def _spasibo_day(self) -> list[Wish]:
        wishes = []
        for name in self._some("spasibo", 6):
            if self._random.random() < 0.5:
                wishes.append(Wish("spasibo", name, "points.adjusted", {"points": 300, **STAFF}))
            else:
                data = {"reward": "pay-with-points", "amount": self._random.choice(AMOUNTS)}
                wishes.append(Wish("spasibo", name, "points.redeem-requested", data))
        return wishes

    def _mega_day(self, day: date) -> list[Wish]:
        wishes = []
        for name in self._some("mega-line", 5):
            later = (day + timedelta(self._random.randrange(12))).isoformat()
            data = {"tariff": self._random.choice(MEGA), "change_on": later, "channel": "cabinet"}
            wishes.append(Wish("mega-line", name, "tariff.change-requested", data))
        return wishes

    def _pbx_day(self, day: date, number: int) -> list[Wish]:
        """Each advocate's friends share a partition, so that they reach it in the order of their coming."""
        operator = "t2-pbx"
        wishes = self._new_plain(operator, day) if number % 3 == 0 else []
        if number > 20 or number % 2:  # a ladder is climbed while its first step's discount lasts
            return wishes
        advocate = f"V{number % 4}"
        place = self._partition_of(f"{operator}/{advocate}") + 1
        candidates = (f"F{number}x{n}" for n in range(10_000))
        friend = next(
            n for n in candidates if (self._partition_of(f"{operator}/{n}") - place) % PARTITIONS == 0
        )
        wishes += self._joins(operator, friend, PBX)
        return [
            *wishes,
            Wish(operator, friend, "referral.code-registered", {"code": self._code_of(operator, advocate)}),
        ]

    def _closed_day(self) -> list[Wish]:
        """Members of a programme that has closed, who still ask."""
        return [
            Wish("mts-2019", name, "points.redeem-requested", {"reward": "book"})
            for name in self._some("mts-2019", 1)
        ]

    def _mts(self, operator: str, name: str) -> list[Wish]:
        chosen = self._random
        chance = chosen.random()
        bought = self._purchases[operator, name]
        if chance < 0.4:
            data: Data = {"amount": chosen.choice(AMOUNTS), "category": chosen.choice(CATEGORIES)}
            return [Wish(operator, name, "charge.posted", data)]
        if chance < 0.75:
            self._number += 1
            bought.append(f"B{self._number}")
            data = {
                "purchase": bought[-1], "amount": chosen.choice(AMOUNTS), "channel": chosen.choice(CHANNELS),
                "percent": "7.5",
            }  # fmt: skip
            return [Wish(operator, name, "purchase.completed", data)]
        if chance < 0.85 and bought:
            return [Wish(operator, name, "purchase.returned", {"purchase": chosen.choice(bought)})]
        return [Wish(operator, name, "points.redeem-requested", {"reward": chosen.choice(SPENDING)})]

    def _gift(self, operator: str, giver: str, receivers: list[str]) -> Wish:
        data = {"to": self._random.choice(receivers), "points": self._random.choice((1, 7, 50, 300))}
        return Wish(operator, giver, "points.gift-requested", data)

    def _joins(self, operator: str, name: str, activation: Data) -> list[Wish]:
        return [
            Wish(operator, name, "account.opened", {"segment": "individual"}),
            Wish(operator, name, "service.activated", activation),
        ]

    def _new_plain(self, operator: str, day: date) -> list[Wish]:
        name = f"P{len(self._plain[operator])}"
        self._plain[operator].append(name)
        wishes = [Wish(operator, name, "account.opened", self._profile(day))]
        activation: Data = {"service": "internet", "billing_day": self._random.choice((1, 10, 20, 31))}
        if operator == "orgtechservice":
            wishes.append(
                Wish(
                    operator,
                    name,
                    "service.activated",
                    {**activation, "tariff": self._random.choice(TARIFFS)},
                )
            )
        elif operator == "mega-line":
            wishes.append(Wish(operator, name, "service.activated", {**activation, "tariff": MEGA[0]}))
        return wishes

    def _profile(self, day: date) -> Data:
        return {
            "segment": "individual", "dwelling": self._random.choice(("apartment", "house")), "city": "Labinsk",
            "signed_on": day.isoformat(),
        }  # fmt: skip

    def _some(self, operator: str, count: int) -> list[str]:
        return self._random.sample(self._plain[operator], min(count * INTENSITY, len(self._plain[operator])))

    @staticmethod
    def _names(letter: str, count: int) -> list[str]:
        return [f"{letter}{n}" for n in range(count)]
