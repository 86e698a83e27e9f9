"""Random histories of all seven operators, mixed: seeded, so that a seed is a history.

Everything that may come does: every type of event, at days and moments where rules turn; duplicates, the same
identity with other content, events late by hours or by more than the 45 days, records that cannot be read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

Data = dict[str, Any]
CodeOf = Callable[[str, str], str]
"""Operator and account → referral code."""

OPERATORS: Final = {
    "orgtechservice": (date(2025, 6, 20), 300),
    "mts": (date(2020, 6, 1), 480),
    "mts-2019": (date(2018, 1, 10), 520),
    "mts-cashback": (date(2025, 1, 1), 200),
    "spasibo": (date(2025, 2, 1), 90),
    "mega-line": (date(2025, 8, 1), 120),
    "t2-pbx": (date(2025, 1, 1), 300),
}
"""First day of the operator's histories, and how many days they last."""
MONEY: Final = (
    "0.00",
    "0.01",
    "4.99",
    "5.00",
    "30.00",
    "59.99",
    "100",
    "333.33",
    "999.50",
    "1500.00",
    "3000.00",
)
SHARES: Final = ("0", "0.5", "5", "7.5", "10", "50", "50.01", "80")
TARIFFS: Final[dict[str, list[Data]]] = {
    "orgtechservice": [
        {"code": "unlim-100", "family": "Unlim", "speed_mbps": 100, "monthly_price": "650.00"},
        {"code": "unlim-200", "family": "Unlim", "speed_mbps": 200, "monthly_price": "849.50"},
        {"code": "turbo-300", "family": "Turbo", "speed_mbps": 300, "monthly_price": "900.00"},
        {"code": "ultra-300", "family": "Ultra", "speed_mbps": 300, "monthly_price": "2000.00"},
        {"code": "daily", "family": "Daily", "speed_mbps": 30},
    ],
    "mega-line": [
        {"code": f"mega-{n}", "family": "Mega", "monthly_price": f"{n * 201}.05", "prepaid": n % 2 == 1,
         "min_notice_days": n - 3 if n > 3 else 0}
        for n in range(1, 6)
    ],
}  # fmt: skip
PLAIN: Final = [{"code": "plain", "family": "Plain", "monthly_price": "300.00"}]
WEIGHTS: Final[dict[str, dict[str, int]]] = {
    "orgtechservice": {
        "payment.received": 12, "payment.refunded": 2, "service.blocked": 1, "service.unblocked": 1,
        "tariff.changed": 2, "legacy-discount.converted": 1, "points.redeem-requested": 2,
        "points.adjusted": 2, "discount.extended": 1, "referral.code-registered": 2, "service.activated": 1,
    },
    "mts": {
        "charge.posted": 8, "purchase.completed": 10, "purchase.returned": 3, "points.gift-requested": 8,
        "points.redeem-requested": 4, "points.adjusted": 3, "referral.code-registered": 2, "line.linked": 1,
    },
    "mts-2019": {
        "charge.posted": 5, "purchase.completed": 8, "purchase.returned": 3, "points.gift-requested": 6,
        "points.redeem-requested": 3, "points.adjusted": 3, "referral.code-registered": 2, "owner.changed": 1,
    },
    "mts-cashback": {
        "purchase.completed": 10, "purchase.confirmed": 10, "purchase.returned": 4, "goal.set": 3,
        "points.redeem-requested": 5, "points.adjusted": 3, "points.gift-requested": 1,
    },
    "spasibo": {"points.adjusted": 5, "points.redeem-requested": 5, "points.gift-requested": 1},
    "mega-line": {"tariff.change-requested": 10, "tariff.changed": 1, "account.opened": 1, "points.adjusted": 1},
    "t2-pbx": {"referral.code-registered": 6, "discount.extended": 2, "points.adjusted": 1},
}  # fmt: skip
ANY: Final = sorted({kind for kinds in WEIGHTS.values() for kind in kinds} | {"account.closed"})
REWARDS: Final = {
    "orgtechservice": ("full-discount", "full-discount", "turbo"),
    "mts-cashback": ("top-up", "certificate", "top-up"),
    "spasibo": ("pay-with-points",),
}
MALFORMED: Final = (b"", b"nonsense", b"[]", b'{"specversion":"1.0"}', b'{"operator":"mts","subject":"A"}')


class History:
    """The records of one seed in the order in which they arrive: (moment of arrival, key, value)."""

    def __init__(
        self, seed: int, code_of: CodeOf, accounts: int = 3, events: int = 25, late: bool = True
    ) -> None:
        self._random = random.Random(seed)
        self._code_of = code_of
        self._events = events
        self._late = late
        self._payments: list[tuple[datetime, str]] = []
        self._names = [f"{letter}-{seed}" for letter in "ABCDEFGH"[:accounts]]
        self._number = 0
        arrivals: list[tuple[datetime, int, bytes, bytes]] = []
        for operator in OPERATORS:
            for account in self._names:
                for moment, event in self._life(operator, account):
                    self._number += 1
                    arrivals += self._arrivals(moment, event, f"{operator}/{account}".encode())
        self.records: Final = [(moment, key, value) for moment, _, key, value in sorted(arrivals)]

    def _arrivals(
        self, moment: datetime, event: Data, key: bytes
    ) -> Iterator[tuple[datetime, int, bytes, bytes]]:
        chance, number = self._random.random(), self._number * 10
        value = json.dumps(event, ensure_ascii=False).encode()
        late = moment
        if not self._late:
            pass
        elif chance < 0.05:
            late += timedelta(seconds=self._random.randrange(60 * 86400))
        elif chance < 0.15:
            late += timedelta(seconds=self._random.randrange(3 * 86400))
        yield late, number, key, value
        if chance > 0.94:
            again = late + timedelta(seconds=self._random.choice((0, 1, 3600, 86400, 50 * 86400)))
            other = {**event, "data": {**event["data"], "note": "changed"}}
            yield again, number + 1, key, value if chance > 0.96 else json.dumps(other).encode()
        if self._random.random() < 0.01:
            yield late, number + 2, key, self._random.choice(MALFORMED)

    def _life(self, operator: str, account: str) -> Iterator[tuple[datetime, Data]]:
        chosen = self._random
        start, days = OPERATORS[operator]
        opened = start + timedelta(chosen.randrange(days // 3))
        zone = ZoneInfo("Asia/Bishkek" if operator == "mega-line" else "Europe/Moscow")
        yield self._event(operator, account, "account.opened", self._moment(opened, zone))
        activated = opened + timedelta(chosen.choice((0, 0, 1, 5, 40)))
        if chosen.random() < 0.95:
            yield self._event(operator, account, "service.activated", self._moment(activated, zone, 11))
        self._payments = []
        kinds = WEIGHTS[operator]
        for _ in range(chosen.randrange(self._events)):
            day = opened + timedelta(chosen.randrange(days * 2 // 3))
            kind = chosen.choices(list(kinds), list(kinds.values()))[0]
            kind = chosen.choice(ANY) if chosen.random() < 0.04 else kind
            moment = self._moment(day, zone)
            if kind == "payment.received":
                self._payments.append((moment, f"e{self._number}"))
            yield self._event(operator, account, kind, moment)

    def _moment(self, day: date, zone: ZoneInfo, hour: int | None = None) -> datetime:
        chosen = self._random
        if hour is None and chosen.random() < 0.2:
            day = day.replace(day=1)
        clock = time(hour if hour is not None else chosen.randrange(24), chosen.randrange(60))
        if hour is None and chosen.random() < 0.2:
            clock = chosen.choice((time(0), time(23, 59, 59), time(0, 0, 1)))
        return datetime.combine(day, clock, zone)

    def _event(self, operator: str, account: str, kind: str, moment: datetime) -> tuple[datetime, Data]:
        event = {
            "specversion": "1.0",
            "id": f"e{self._number}",
            "source": f"/{operator}/history",
            "type": kind,
            "subject": account,
            "operator": operator,
            "time": moment.isoformat(),
            "data": self._data(operator, account, kind, moment),
        }
        return moment, event

    def _data(self, operator: str, account: str, kind: str, moment: datetime) -> Data:
        chosen = self._random
        day = moment.date()
        paid = [id_ for paid_at, id_ in self._payments if paid_at < moment] or ["unknown"]
        other = chosen.choice([*self._names, *self._names, "NOBODY"])
        purchase = {"purchase": f"P{chosen.randrange(12)}"}
        in_days = (day + timedelta(chosen.randrange(-1, 40))).isoformat()
        tariff = chosen.choice(TARIFFS.get(operator, PLAIN))
        amount = chosen.choice(MONEY)
        staff = {"reason": "by staff", "by": "staff-7"}
        data: dict[str, Callable[[], Data]] = {
            "account.opened": lambda: self._profile(operator, day),
            "service.activated": lambda: self._activation(operator, tariff, day),
            "service.blocked": lambda: {"kind": chosen.choice(("debt", "voluntary"))},
            "service.unblocked": lambda: {"kind": chosen.choice(("debt", "voluntary"))},
            "legacy-discount.converted": lambda: {"percent": chosen.randrange(1, 11), "last_day": in_days},
            "payment.received": lambda: {
                "amount": amount, "months": chosen.choice((1, 1, 1, 2, 6, 12)),
                "service": chosen.choice(("internet", "internet", "internet", "tv")),
            },
            "payment.refunded": lambda: {"payment": chosen.choice(paid[-3:])},
            "charge.posted": lambda: {
                "amount": amount,
                "category": chosen.choice(("mobile", "calls-on-net", "home-tv", "home-internet", "calls-other-networks")),
            },
            "purchase.completed": lambda: {
                **purchase, "amount": amount, "percent": chosen.choice(SHARES),
                "channel": chosen.choice(("salon", "card:mts-money", "card:mts-bank", "partner", "partner")),
            },
            "purchase.confirmed": lambda: purchase,
            "purchase.returned": lambda: purchase,
            "tariff.changed": lambda: {"tariff": tariff},
            "tariff.change-requested": lambda: {
                "tariff": tariff, "change_on": in_days, "channel": chosen.choice(("cabinet", "office")),
            },
            "referral.code-registered": lambda: {"code": self._code_of(operator, other)},
            "points.redeem-requested": lambda: self._redemption(operator, other),
            "points.gift-requested": lambda: {"to": other, "points": chosen.choice((1, 5, 20, 3000, 3001))},
            "goal.set": lambda: {"amount": chosen.choice(("100.00", "250.00", "1000.00"))},
            "points.adjusted": lambda: {"points": chosen.choice((-40, -5, 10, 100, 700, 1300)), **staff},
            "discount.extended": lambda: {
                "rule": chosen.choice(("summer-2025", "half-year", "legacy-discount", "pbx-friend", "pbx-advocate")),
                "last_day": (day + timedelta(chosen.randrange(0, 200))).isoformat(), **staff,
            },
            "line.linked": lambda: {"line": "7-900"},
        }  # fmt: skip
        return data.get(kind, dict)()

    def _profile(self, operator: str, day: date) -> Data:
        chosen = self._random
        business = operator in ("mega-line", "t2-pbx") and chosen.random() < 0.5
        return {
            "segment": "business" if business or chosen.random() < 0.03 else "individual",
            "dwelling": chosen.choice(("apartment", "house")),
            "city": chosen.choice(("Labinsk", "Лабинск", "Kurganinsk")),
            "signed_on": day.isoformat(),
            "participant": chosen.random() > 0.05,
        }

    def _activation(self, operator: str, tariff: Data, day: date) -> Data:
        chosen = self._random
        service = {"orgtechservice": "internet", "mega-line": "internet", "t2-pbx": "pbx"}.get(
            operator, "mobile"
        )
        data: Data = {"service": service, "tariff": tariff, "feasible_ultra": chosen.random() < 0.5}
        if chosen.random() < 0.5:
            data["billing_day"] = chosen.choice((1, 15, 28, 31))
        if chosen.random() < 0.5:
            data["promo_until"] = (day + timedelta(chosen.randrange(30))).isoformat()
        return data

    def _redemption(self, operator: str, other: str) -> Data:
        chosen = self._random
        reward = chosen.choice(REWARDS.get(operator, ("book", "blacklist", "money-100", "no-such-reward")))
        sums = ("100.00", "250.00", "300.00", "500.00") if reward == "certificate" else MONEY
        data: Data = {"reward": reward, "amount": chosen.choice(sums)}
        if reward == "top-up" or chosen.random() < 0.1:
            data["to"] = other
        if chosen.random() < 0.1:
            data["quantity"] = 2
        return data
