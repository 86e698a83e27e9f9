"""State machines over points: lots that expire and are given away; purchases that wait to be confirmed."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.bench import Bench, of_type
from tests.recount import months_later

ACCOUNTS = st.sampled_from(["A", "B"])
SMART = {"service": "mobile", "tariff": {"code": "smart", "family": "Smart", "monthly_price": "300.00"}}


class Lots(RuleBasedStateMachine):
    """MTS: the model is a list of single points, each with its expiry, spent in order of expiry."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench("mts", date(2020, 2, 20))
        self.points: dict[str, list[date]] = {"A": [], "B": []}
        self.gave: set[tuple[str, date]] = set()
        for account in self.points:
            self.bench.send(account, "account.opened", {"segment": "individual"})
            self.bench.send(account, "service.activated", SMART)

    def spend(self, account: str, number: int) -> list[date]:
        ordered = sorted(self.points[account])
        self.points[account] = ordered[number:]
        return ordered[:number]

    @rule(account=ACCOUNTS, points=st.integers(1, 60))
    def credit(self, account: str, points: int) -> None:
        self.bench.send(account, "points.adjusted", {"points": points, "reason": "r", "by": "b"})
        self.points[account] += [months_later(self.bench.today, 12)] * points

    @rule(account=ACCOUNTS, points=st.integers(1, 60))
    def correct(self, account: str, points: int) -> None:
        outcomes = self.bench.send(account, "points.adjusted", {"points": -points, "reason": "r", "by": "b"})
        if points <= len(self.points[account]):
            self.spend(account, points)
            assert of_type(outcomes, "points.reversed")
        else:
            assert of_type(outcomes, "request.rejected")[0]["reason"] == "insufficient-points"

    @rule(account=ACCOUNTS, quantity=st.integers(1, 3))
    def redeem(self, account: str, quantity: int) -> None:
        outcomes = self.bench.send(
            account, "points.redeem-requested", {"reward": "blacklist", "quantity": quantity}
        )
        if 30 * quantity <= len(self.points[account]):
            self.spend(account, 30 * quantity)
            assert of_type(outcomes, "points.redeemed")[0]["points"] == 30 * quantity
        else:
            assert of_type(outcomes, "request.rejected")[0]["reason"] == "insufficient-points"

    @rule(account=ACCOUNTS, to=st.sampled_from(["A", "B", "NOBODY"]), points=st.integers(1, 40))
    def give(self, account: str, to: str, points: int) -> None:
        outcomes = self.bench.send(account, "points.gift-requested", {"to": to, "points": points})
        reasons = [data["reason"] for data in of_type(outcomes, "request.rejected")]
        if to == account:
            assert reasons == ["self-gift"]
        elif (account, self.bench.today) in self.gave:
            assert reasons == ["limit-per-day"]
        elif points > len(self.points[account]):
            assert reasons == ["insufficient-points"]
        elif to == "NOBODY":
            assert reasons == ["unknown-receiver"]
        else:
            self.gave.add((account, self.bench.today))
            self.points[to] += self.spend(account, points)
            assert of_type(outcomes, "points.received")[0]["points"] == points

    @rule(days=st.sampled_from([1, 2, 7, 29, 30, 90, 336, 366]))
    def wait(self, days: int) -> None:
        before = self.bench.today
        outcomes = self.bench.wait(days)
        expired: Counter[str] = Counter()
        for outcome in outcomes:
            if outcome["type"] == "points.expired":
                expired[outcome["subject"]] += outcome["data"]["points"]
        warned = {
            (o["subject"], o["data"]["expires_on"]): o["data"]["points"]
            for o in outcomes
            if o["type"] == "points.expiring"
        }
        for account, points in self.points.items():
            left = [day for day in points if day > self.bench.today]
            assert expired[account] == len(points) - len(left)
            month = timedelta(30)
            told = Counter(day for day in points if before < day - month <= self.bench.today)
            assert {day: n for (who, day), n in warned.items() if who == account} == {
                day.isoformat(): n for day, n in told.items()
            }
            self.points[account] = left

    @invariant()
    def balances(self) -> None:
        for account, points in self.points.items():
            assert self.bench.balance(account) == len(points)


class Pending(RuleBasedStateMachine):
    """MTS Cashback: the model is one balance, a state for each purchase, and whether there is a goal."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench("mts-cashback", date(2025, 1, 10))
        self.bench.send("A", "account.opened", {"segment": "individual"})
        self.balance = 0
        self.goal = False
        self.states: dict[str, str] = {}
        self.points: dict[str, int] = {}
        self.bought: dict[str, date] = {}

    @rule(id=st.sampled_from("PQRS"), points=st.integers(0, 50))
    def buy(self, id: str, points: int) -> None:
        data = {"purchase": id, "amount": f"{points * 10}.09", "channel": "partner", "percent": "10"}
        outcomes = self.bench.send("A", "purchase.completed", data)
        if id in self.states:
            assert not outcomes
            return
        self.states[id] = "pending" if points else "nothing"
        self.points[id], self.bought[id] = points, self.bench.today
        assert [data["points"] for data in of_type(outcomes, "points.pending")] == [points] * bool(points)

    @rule(id=st.sampled_from("PQRS"))
    def confirm(self, id: str) -> None:
        self.bench.send("A", "purchase.confirmed", {"purchase": id})
        if self.states.get(id) == "pending":
            self.states[id] = "credited"
            self.balance += self.points[id]

    @rule(id=st.sampled_from("PQRS"))
    def give_back(self, id: str) -> None:
        outcomes = self.bench.send("A", "purchase.returned", {"purchase": id})
        state = self.states.get(id)
        if state == "credited":
            self.balance -= self.points[id]
            self.states[id] = "returned"
            assert of_type(outcomes, "points.reversed")[0]["points"] == self.points[id]
        elif state == "pending":
            self.states[id] = "rejected"
            assert of_type(outcomes, "points.rejected")[0]["points"] == self.points[id]
        else:
            assert not outcomes

    @rule(points=st.integers(-40, 40))
    def correct(self, points: int) -> None:
        self.bench.send("A", "points.adjusted", {"points": points, "reason": "r", "by": "b"})
        self.balance += points

    @rule(amount=st.integers(1, 40))
    def top_up_nobody(self, amount: int) -> None:
        data = {"reward": "top-up", "amount": f"{amount}.00", "to": "NOBODY"}
        outcomes = self.bench.send("A", "points.redeem-requested", data)
        reason = "unknown-receiver" if self.balance >= amount else "insufficient-points"
        assert [data["reason"] for data in of_type(outcomes, "request.rejected")] == [reason]

    @rule()
    def save(self) -> None:
        self.bench.send("A", "goal.set", {"amount": "5000.00"})
        self.goal = True

    @rule(days=st.sampled_from([1, 1, 5, 20, 31, 89, 90, 91]))
    def wait(self, days: int) -> None:
        rejected: dict[str, Any] = {}
        paid = 0
        for outcome in self.bench.wait(days):
            if outcome["type"] == "points.rejected":
                rejected[outcome["data"]["purchase"]] = outcome["data"]["points"]
            elif outcome["type"] == "points.redeemed":
                paid += outcome["data"]["points"]
        over = [id for id, state in self.states.items() if state == "pending" and self._over(id)]
        assert rejected == {id: self.points[id] for id in over}
        self.states.update(dict.fromkeys(over, "rejected"))
        a_first = (self.bench.today - timedelta(days)).replace(day=1) != self.bench.today.replace(day=1)
        due = self.balance if a_first and not self.goal and self.balance > 0 else 0
        assert paid == due
        self.balance -= due

    def _over(self, id: str) -> bool:
        return self.bought[id] + timedelta(90) <= self.bench.today

    @invariant()
    def balances(self) -> None:
        assert self.bench.balance("A") == self.balance


TestLots = Lots.TestCase
TestPending = Pending.TestCase
TestLots.settings = TestPending.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
