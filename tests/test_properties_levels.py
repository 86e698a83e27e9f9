"""A state machine over levels: payments on time, late, refunded and for several months; blocks; conversions."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.bench import Bench, of_type
from tests.recount import months_later

TARIFF = {"code": "unlim-200", "family": "Unlim", "speed_mbps": 200, "monthly_price": "849.50"}
STARTED = date(2025, 1, 31)


class Step:
    """A billing date that was judged, or (`set_to`) a level put by a block or a conversion."""

    def __init__(self, day: date, number: int = 0, paid: bool = False, set_to: int | None = None) -> None:
        self.day = day
        self.number = number
        self.paid = paid
        self.set_to = set_to
        self.blocked = False
        self.accrues = False
        self.credited = 0


class Levels(RuleBasedStateMachine):
    """Labinsk, billing day 31: the model replays every step from the beginning whenever anything changes."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench("orgtechservice", STARTED)
        self.steps: list[Step] = []
        self.payments: dict[str, tuple[int, int]] = {}
        self.blocks: set[str] = set()
        self.legacy_last = date.min
        self.balance = self.level = 0
        self.bench.send("A", "account.opened", {"segment": "individual", "dwelling": "house"})
        self.bench.send("A", "service.activated", {"service": "internet", "tariff": TARIFF})

    def day_of(self, number: int) -> date:
        return months_later(STARTED, number, 31)

    def next_after(self, day: date) -> int:
        return next(number for number in range(1, 200) if self.day_of(number) > day)

    def covered(self, number: int) -> bool:
        return any(first <= number < first + months for first, months in self.payments.values())

    def replayed(self) -> list[int]:
        """The level after each step."""
        level, levels = 0, []
        for step in self.steps:
            if step.set_to is not None:
                level = step.set_to
            elif not step.paid:
                level = 0
            elif not step.blocked:
                level = min(level + 1, 10)
            levels.append(level)
        return levels

    def worth(self, step: Step, level: int) -> int:
        earns = step.set_to is None and step.paid and step.accrues and not step.blocked
        return 84950 * level // 10000 if earns else 0

    def put(self, level: int) -> None:
        self.steps.append(Step(self.bench.today, set_to=level))
        self.level = level

    @rule(months=st.sampled_from([1, 1, 2, 5]))
    def pay(self, months: int) -> None:
        self.bench.send("A", "payment.received", self.payment(months))
        self.payments[self.bench.last_id] = (self.next_after(self.bench.today), months)

    @rule(months=st.sampled_from([1, 1, 2]), ago=st.integers(1, 44))
    def pay_late(self, months: int, ago: int) -> None:
        day = self.bench.today - timedelta(ago)
        if day <= STARTED:
            return
        self.bench.send("A", "line.linked", {"line": "1"})  # the account's clock is what was applied to it
        outcomes = self.bench.send("A", "payment.received", self.payment(months), day=day)
        first = self.next_after(day)
        self.payments[self.bench.last_id] = (first, months)
        right = [
            step
            for step in self.steps
            if first <= step.number < first + months and (self.bench.today - step.day).days <= 35
        ]
        newly = [step for step in right if not step.paid]
        for step in newly:
            step.paid = True
        missing = 0
        if newly:
            for step, level in zip(self.steps, self.replayed(), strict=True):
                more = self.worth(step, level) - step.credited
                if step.number >= newly[0].number and more > 0:
                    missing += more
                    step.credited += more
            self.level = self.replayed()[-1]
        self.balance += missing
        assert sum(data["points"] for data in of_type(outcomes, "points.credited")) == missing
        assert len(of_type(outcomes, "level.changed")) <= 1

    @precondition(lambda self: any(step.number for step in self.steps))
    @rule(after=st.sampled_from([34, 35, 36]))
    def pay_at_the_limit(self, after: int) -> None:
        """For the last billing date that was judged, so many days after it."""
        judged = [step.day for step in self.steps if step.number][-1]
        days = (judged + timedelta(after) - self.bench.today).days
        if days > 0:
            self.wait(days)
            self.pay_late(1, after + 1)

    @precondition(lambda self: self.payments)
    @rule(data=st.data())
    def refund(self, data: Any) -> None:
        id = data.draw(st.sampled_from(sorted(self.payments)))
        outcomes = self.bench.send("A", "payment.refunded", {"payment": id})
        first, months = self.payments.pop(id)
        missed = [
            step
            for step in self.steps
            if step.paid and first <= step.number < first + months and not self.covered(step.number)
        ]
        taken = min(sum(step.credited for step in missed), self.balance)
        self.balance -= taken
        assert sum(data["points"] for data in of_type(outcomes, "points.reversed")) == taken
        for step in missed:
            step.paid = False
            part = min(step.credited, taken)
            step.credited -= part
            taken -= part
        if missed:
            self.level = self.replayed()[-1]

    @rule(kind=st.sampled_from(["debt", "voluntary"]))
    def block(self, kind: str) -> None:
        self.bench.send("A", "service.blocked", {"kind": kind})
        self.blocks.add(kind)
        self.put(0)

    @rule(kind=st.sampled_from(["debt", "voluntary"]))
    def unblock(self, kind: str) -> None:
        self.bench.send("A", "service.unblocked", {"kind": kind})
        self.blocks.discard(kind)

    @precondition(lambda self: self.legacy_last < self.bench.today)
    @rule(percent=st.integers(1, 10), days=st.integers(1, 50))
    def convert(self, percent: int, days: int) -> None:
        self.legacy_last = self.bench.today + timedelta(days)
        self.bench.send(
            "A", "legacy-discount.converted", {"percent": percent, "last_day": self.legacy_last.isoformat()}
        )
        self.put(percent)

    @precondition(lambda self: self.balance)
    @rule(amount=st.integers(1, 50))
    def spend(self, amount: int) -> None:
        outcomes = self.bench.send(
            "A", "points.redeem-requested", {"reward": "turbo", "amount": f"{amount - 1}.01"}
        )
        if amount <= self.balance:
            assert of_type(outcomes, "points.redeemed")[0]["points"] == amount
            self.balance -= amount

    @rule(days=st.sampled_from([1, 3, 10, 20, 30, 31]))
    def wait(self, days: int) -> None:
        self.bench.wait(days)
        while (
            day := self.day_of(number := 1 + sum(step.number > 0 for step in self.steps))
        ) <= self.bench.today:
            step = Step(day, number, paid=self.covered(number))
            step.blocked = bool(self.blocks)
            step.accrues = number >= 2 and self.legacy_last < day
            self.steps.append(step)
            self.level = self.replayed()[-1]
            step.credited = self.worth(step, self.level)
            self.balance += step.credited

    @invariant()
    def the_same(self) -> None:
        assert (self.bench.level("A"), self.bench.balance("A")) == (self.level, self.balance)

    def payment(self, months: int) -> dict[str, Any]:
        return {"amount": "849.50", "service": "internet", "months": months}


TestLevels = Levels.TestCase
TestLevels.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_a_late_payment_is_put_right_however_many_blocks_came_since() -> None:
    bench = Bench("orgtechservice", STARTED)
    bench.send("A", "account.opened", {"segment": "individual", "dwelling": "house"})
    bench.send("A", "service.activated", {"service": "internet", "tariff": TARIFF})
    payment = {"amount": "849.50", "service": "internet"}
    bench.send("A", "payment.received", payment)
    bench.wait(60)  # 28 February was paid, 31 March was not
    for _ in range(100):
        bench.send("A", "service.blocked", {"kind": "debt"})
        bench.send("A", "service.unblocked", {"kind": "debt"})
    outcomes = bench.send("A", "payment.received", payment, day=date(2025, 3, 30))
    assert [data["points"] for data in of_type(outcomes, "points.credited")] == [16]  # 2 % of 849.50
    assert bench.level("A") == 0
