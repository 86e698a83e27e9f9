"""State machines over referrals, the referral ladder's discounts, and scheduled tariff changes."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.bench import Bench, of_type
from tests.recount import months_later

PEOPLE = ("A", "B", "C", "D")
PERSON = st.sampled_from(PEOPLE)
INTERNET = {"service": "internet", "tariff": {"code": "t", "family": "T", "monthly_price": "1.00"}}
PBX = {"service": "pbx", "tariff": {"code": "pbx", "family": "Pbx"}}
LADDER = {1: (20, 3), 2: (40, 6), 3: (60, 12), 4: (80, 12), 5: (100, 12)}


class Friends(RuleBasedStateMachine):
    """Labinsk's bring-a-friend: the model is who was brought by whom, and who has been paid for."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench("orgtechservice", date(2025, 7, 29))
        self.points = dict.fromkeys(PEOPLE, 0)
        self.opened: set[str] = set()
        self.closed: set[str] = set()
        self.activated: set[str] = set()
        self.paid: set[str] = set()
        self.brought: dict[str, str] = {}
        self.settled: set[str] = set()
        self.out: set[str] = set()
        for who in PEOPLE[:3]:
            self.open(who, True)

    @rule(who=PERSON, takes_part=st.sampled_from([True, True, False]))
    def open(self, who: str, takes_part: bool) -> None:
        self.bench.send(who, "account.opened", {"segment": "individual", "participant": takes_part})
        if who not in self.closed:
            self.opened.add(who)
            (self.out.discard if takes_part else self.out.add)(who)

    @rule(friend=PERSON, advocate=PERSON)
    def register(self, friend: str, advocate: str) -> None:
        outcomes = self.bench.send(friend, "referral.code-registered", {"code": self.bench.code(advocate)})
        if friend not in self.opened:
            assert not of_type(outcomes, "referral.accepted")
            return
        reason = None
        if friend == advocate:
            reason = "self-referral"
        elif advocate not in self.opened:
            reason = "unknown-code"
        elif friend in self.brought:
            reason = "already-referred"
        elif friend in self.activated:
            reason = "existing-customer"
        elif advocate in self.out:
            reason = "not-participant"
        elif self.bench.today < date(2025, 8, 1):
            reason = "programme-not-active"
        assert [data["reason"] for data in of_type(outcomes, "referral.rejected")] == [reason] * bool(reason)
        assert len(of_type(outcomes, "referral.accepted")) == (0 if reason else 2)
        if not reason:
            self.brought[friend] = advocate
            self.settle(friend, outcomes)

    @rule(who=PERSON)
    def activate(self, who: str) -> None:
        outcomes = self.bench.send(who, "service.activated", INTERNET)
        if who not in self.closed:
            self.activated.add(who)
            self.settle(who, outcomes)

    @rule(who=PERSON, service=st.sampled_from(["internet", "internet", "tv"]))
    def pay(self, who: str, service: str) -> None:
        outcomes = self.bench.send(who, "payment.received", {"amount": "1.00", "service": service})
        if who not in self.closed and service == "internet":
            self.paid.add(who)
            self.settle(who, outcomes)

    def settle(self, friend: str, outcomes: list[dict[str, Any]]) -> None:
        ready = friend in self.activated and friend in self.paid and friend in self.opened
        if not ready or friend not in self.brought or friend in self.settled:
            assert not of_type(outcomes, "referral.completed")
            return
        self.settled.add(friend)
        advocate = self.brought[friend]
        if advocate in self.opened and advocate not in self.out:
            assert len(of_type(outcomes, "referral.completed")) == 2
            self.points[friend] += 300
            self.points[advocate] += 300
        else:
            reasons = [data["reason"] for data in of_type(outcomes, "referral.rejected")]
            assert reasons == ["not-participant"] * 2

    @precondition(lambda self: len(self.closed) < 2)
    @rule(who=PERSON, really=st.integers(0, 4))
    def close(self, who: str, really: int) -> None:
        if really == 0 and who in self.opened:
            self.bench.send(who, "account.closed")
            self.closed.add(who)
            self.opened.discard(who)
            self.points[who] = 0

    @rule(days=st.integers(1, 5))
    def wait(self, days: int) -> None:
        self.bench.wait(days)

    @invariant()
    def balances(self) -> None:
        assert {who: self.bench.balance(who) for who in PEOPLE} == self.points


class Ladder(RuleBasedStateMachine):
    """T2: the model is the advocate's count, and the terms of the discount that is on."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench("t2-pbx", date(2025, 1, 31))
        self.count = 0
        self.held: tuple[int, date, date] | None = None
        self.bench.send("A", "account.opened", {"segment": "business"})

    @rule(later=st.integers(0, 40))
    def bring(self, later: int) -> None:
        friend = f"F{self.bench.last_id}"
        self.bench.send(friend, "account.opened", {"segment": "business"})
        self.bench.send(friend, "service.activated", PBX)
        activated = self.bench.today
        self.wait(later)
        today = self.bench.today
        outcomes = self.bench.send(friend, "referral.code-registered", {"code": self.bench.code("A")})
        if today > months_later(activated, 1):
            assert of_type(outcomes, "referral.rejected")[0]["reason"] == "too-late"
            return
        own = [data for data in of_type(outcomes, "discount.granted") if data["discount"] == "pbx-friend"]
        assert own[0]["last_day"] == (months_later(today, 3) - timedelta(1)).isoformat()
        self.count += 1
        percent, months = LADDER[min(self.count, 5)]
        last = months_later(today, months) - timedelta(1)
        if self.held is None:
            self.held = (percent, today, last)
            self.says(outcomes, "discount.granted")
        else:
            terms = (percent, self.held[1], max(last, self.held[2]))
            if terms != self.held:
                self.held = terms
                self.says(outcomes, "discount.changed")
        assert len(of_type(outcomes, "entitlement.granted")) == (self.count in (3, 5))

    def says(self, outcomes: list[dict[str, Any]], type_: str) -> None:
        data = [data for data in of_type(outcomes, type_) if data["discount"] == "pbx-advocate"]
        assert self.held is not None
        assert [(one["percent"], one["first_day"], one["last_day"]) for one in data] == [
            (self.held[0], self.held[1].isoformat(), self.held[2].isoformat())
        ]

    @rule(days=st.sampled_from([0, 1, 40, 150, 400, 800]))
    def extend(self, days: int) -> None:
        last = self.bench.today + timedelta(days)
        staff = {"rule": "pbx-advocate", "last_day": last.isoformat(), "reason": "r", "by": "b"}
        outcomes = self.bench.send("A", "discount.extended", staff)
        if self.held is None:
            assert of_type(outcomes, "request.rejected")[0]["reason"] == "promotion-over"
        elif last != self.held[2]:
            self.held = (self.held[0], self.held[1], last)
            self.says(outcomes, "discount.changed")
        else:
            assert not outcomes

    @rule(days=st.sampled_from([1, 10, 89, 92, 200, 365]))
    def wait(self, days: int) -> None:
        ended = [
            d for d in of_type(self.bench.wait(days), "discount.ended") if d["discount"] == "pbx-advocate"
        ]
        over = self.held is not None and self.held[2] < self.bench.today
        assert len(ended) == over
        if over:
            assert self.held is not None and ended[0]["last_day"] == self.held[2].isoformat()
            self.held = None


class Tariffs(RuleBasedStateMachine):
    """Mega-Line: the model is the tariff, the change that waits, and when the last one was applied."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench("mega-line", date(2025, 1, 20))
        self.tariff = self.offer(1)
        self.waiting: tuple[dict[str, Any], date] | None = None
        self.applied: date | None = None
        self.business = False
        self.bench.send("A", "account.opened", {"segment": "individual"})
        self.bench.send("A", "service.activated", {"service": "internet", "tariff": self.tariff})

    def offer(self, number: int) -> dict[str, Any]:
        price = f"{number * 333}.35"
        notice = 2 if number == 3 else 0
        return {
            "code": f"t{number}",
            "family": "Mega",
            "monthly_price": price,
            "prepaid": number % 2 == 1,
            "min_notice_days": notice,
        }

    @rule(number=st.integers(1, 4), ahead=st.integers(-1, 40), office=st.booleans(), first=st.booleans())
    def ask(self, number: int, ahead: int, office: bool, first: bool) -> None:
        today, offer = self.bench.today, self.offer(number)
        next_month = months_later(today.replace(day=1), 1)
        on = next_month if first else today + timedelta(ahead)
        channel = "office" if office else "cabinet"
        data = {"tariff": offer, "change_on": on.isoformat(), "channel": channel}
        outcomes = self.bench.send("A", "tariff.change-requested", data)
        reason = None
        if self.business and not office:
            reason = "office-only"
        elif self.business and on != next_month:
            reason = "first-of-next-month-only"
        elif offer["code"] == self.tariff["code"]:
            reason = "same-tariff"
        elif on < today + timedelta(offer["min_notice_days"]):
            reason = "too-soon"
        elif self.applied and on < self.applied + timedelta(10):
            reason = "too-often"
        assert [data["reason"] for data in of_type(outcomes, "request.rejected")] == [reason] * bool(reason)
        assert len(of_type(outcomes, "tariff.scheduled")) == (0 if reason else 1)
        if not reason:
            self.waiting = (offer, on)
            self.check(outcomes)

    @rule(number=st.integers(1, 4))
    def billing_changes(self, number: int) -> None:
        self.tariff = self.offer(number)
        self.bench.send("A", "tariff.changed", {"tariff": self.tariff})

    @rule(business=st.booleans())
    def becomes(self, business: bool) -> None:
        self.business = business
        self.bench.send("A", "account.opened", {"segment": "business" if business else "individual"})

    @rule(days=st.sampled_from([1, 2, 5, 9, 10, 31]))
    def wait(self, days: int) -> None:
        self.check(self.bench.wait(days))

    def check(self, outcomes: list[dict[str, Any]]) -> None:
        applied = of_type(outcomes, "tariff.applied")
        if self.waiting is None or self.waiting[1] > self.bench.today:
            assert not applied
            return
        offer, on = self.waiting
        left = monthrange(on.year, on.month)[1] - on.day + 1
        assert [(one["tariff"], one["change_on"], one["refund"], one["charge"]) for one in applied] == [
            (offer["code"], on.isoformat(), self.share(self.tariff, left), self.share(offer, left))
        ]
        self.tariff, self.applied, self.waiting = offer, on, None

    def share(self, tariff: dict[str, Any], days: int) -> str:
        price = Decimal(tariff["monthly_price"]) * days / 30 if tariff["prepaid"] else Decimal(0)
        return str(price.quantize(Decimal("0.01"), ROUND_HALF_UP))


TestFriends = Friends.TestCase
TestLadder = Ladder.TestCase
TestTariffs = Tariffs.TestCase
TestFriends.settings = TestLadder.settings = TestTariffs.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None
)
