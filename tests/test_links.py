"""Between accounts: referrals, gifts, bounces and top-ups are exact however their link records arrive.

Link records are held back and delivered in every order, each any number of times; what comes of it is
compared with delivery at once and in order.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import datetime
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.account_codec import decode
from schemas.record import Record
from tests.auditor import Auditor
from tests.case_runner import new_engine
from tests.fold_world import FoldWorld

ENGINE: Final = new_engine()
Data = dict[str, Any]
PERSON: Final = {"segment": "individual"}
SMART: Final = {
    "service": "mobile",
    "tariff": {"code": "smart", "family": "Smart", "monthly_price": "300.00"},
}
INTERNET: Final = {
    "service": "internet",
    "tariff": {"code": "u", "family": "Plain", "monthly_price": "650.00"},
}
PBX: Final = {"service": "pbx", "tariff": {"code": "pbx", "family": "Pbx"}}
PAID: Final = {"amount": "650.00", "service": "internet"}


class Wire(FoldWorld):
    """A fold whose link records wait until the test lets them through; `held` are those that wait."""

    def __init__(self, operator: str) -> None:
        super().__init__(ENGINE, partitions=2)
        self.operator = operator
        self.number = 0
        self.at_once = False

    @property
    def held(self) -> list[tuple[int, Record]]:
        return self._links

    def _deliver(self, *, everything: bool) -> None:
        if self.at_once:
            super()._deliver(everything=everything)

    def send(self, time: str, account: str, kind: str, data: Data | None = None, operator: str = "") -> None:
        """An event; with a space in its time it is Moscow's."""
        self.number += 1
        operator = operator or self.operator
        moment = time.replace(" ", "T") + "+03:00"
        event = {
            "specversion": "1.0",
            "id": f"e{self.number}",
            "source": "/links",
            "type": kind,
            "subject": account,
            "operator": operator,
            "time": moment,
            "data": data or {},
        }
        self.clock(datetime.fromisoformat(moment))
        self.event(f"{operator}/{account}".encode(), json.dumps(event).encode())

    def let_through(self, choose: random.Random, copies: int) -> None:
        """Deliver what waits, and what that brings, in any order; each record up to `copies` times."""
        spent: list[tuple[int, Record]] = []
        while self.held:
            choose.shuffle(self.held)
            number, record = self.held.pop()
            spent += [(number, record)] * (copies - 1)
            self._waiting[number].append(record)
            if spent and choose.random() < 0.5:
                again, old = choose.choice(spent)
                self._waiting[again].append(old)
            for task in (0, 1):
                self._step(task)
        for number, record in spent:  # and once more at the very end
            self._waiting[number].append(record)
            self._step(number)
        self.at_once = True
        self.settle()

    def code(self, account: str) -> str:
        return ENGINE.codes.code(self.operator, account)

    def balance(self, account: str, operator: str = "") -> int:
        operator = operator or self.operator
        value = self.rows()[f"{operator}/{account}".encode()]
        return decode(operator, account, value).balance

    def said(self) -> Counter[tuple[str, str, str]]:
        """How often each account's outcomes of each type and reason came."""
        return Counter(
            (key, outcome["type"], outcome["data"]["reason"])
            for key, outcomes in self.outcomes().items()
            for outcome in outcomes
        )

    def judged(self) -> None:
        """The auditor agrees, and no id comes twice."""
        auditor = Auditor()
        auditor.read(self.journal)
        assert not auditor.finish()


def member(wire: Wire, account: str) -> None:
    wire.send("2020-03-01 10:00:00", account, "account.opened", PERSON)
    wire.send("2020-03-01 11:00:00", account, "service.activated", SMART)


def mts_referrals(wire: Wire) -> None:
    """Two friends of A; one of them tries C's code as well, and A tries one of the friends'."""
    for account in "ABCD":
        member(wire, account)
    wire.send("2020-06-01 12:00:00", "B", "referral.code-registered", {"code": wire.code("A")})
    wire.send("2020-06-01 12:00:01", "B", "referral.code-registered", {"code": wire.code("C")})
    wire.send("2020-06-01 12:00:02", "D", "referral.code-registered", {"code": wire.code("A")})
    wire.send("2020-06-01 12:00:03", "A", "referral.code-registered", {"code": wire.code("B")})
    wire.send("2020-06-01 12:00:04", "C", "referral.code-registered", {"code": wire.code("GHOST")})
    wire.send("2020-06-01 12:00:05", "C", "referral.code-registered", {"code": wire.code("D")})


def labinsk_referrals(wire: Wire) -> None:
    """One friend pays first, one is activated first, one advocate is closed before completion."""
    for account in "ABCDE":
        wire.send("2025-08-02 10:00:00", account, "account.opened", PERSON)
    for account in "BCD":
        advocate = "E" if account == "D" else "A"
        wire.send("2025-08-03 10:00:00", account, "referral.code-registered", {"code": wire.code(advocate)})
    wire.send("2025-08-04 10:00:00", "B", "payment.received", PAID)
    wire.send("2025-08-05 10:00:00", "B", "service.activated", INTERNET)
    wire.send("2025-08-04 11:00:00", "C", "service.activated", INTERNET)
    wire.send("2025-08-05 11:00:00", "C", "payment.received", PAID)


def pbx_referrals(wire: Wire) -> None:
    """Three friends of one day: whichever comes first, the third step of the ladder is reached."""
    wire.send("2025-02-01 10:00:00", "A", "account.opened", PERSON)
    for friend in "BCD":
        wire.send("2025-02-01 10:00:00", friend, "account.opened", PERSON)
        wire.send("2025-02-01 11:00:00", friend, "service.activated", PBX)
    for friend in "BCD":
        wire.send("2025-02-10 12:00:00", friend, "referral.code-registered", {"code": wire.code("A")})


def gifts(wire: Wire) -> None:
    """Gifts to a member, to nobody, and to a member whose account is closed by then."""
    for account in "ABCD":
        member(wire, account)
    wire.send("2020-06-01 12:00:00", "A", "points.adjusted", {"points": 100, "reason": "r", "by": "b"})
    wire.send("2020-06-02 12:00:00", "D", "points.adjusted", {"points": 50, "reason": "r", "by": "b"})
    wire.send("2020-06-03 12:00:00", "C", "account.closed")
    wire.send("2020-06-04 12:00:00", "A", "points.gift-requested", {"to": "B", "points": 30})
    wire.send("2020-06-05 12:00:00", "A", "points.gift-requested", {"to": "NOBODY", "points": 20})
    wire.send("2020-06-06 12:00:00", "A", "points.gift-requested", {"to": "C", "points": 10})
    wire.send("2020-06-06 12:00:00", "D", "points.gift-requested", {"to": "A", "points": 50})


def top_ups(wire: Wire) -> None:
    """A top-up of an account that is there, and of one that is not."""
    wire.send("2025-09-01 10:00:00", "M", "account.opened", PERSON, operator="mts")
    wire.send("2025-09-01 10:00:00", "A", "account.opened", PERSON)
    wire.send("2025-09-02 10:00:00", "A", "points.adjusted", {"points": 100, "reason": "r", "by": "b"})
    for to in ("M", "NOBODY", "A"):
        top_up = {"reward": "top-up", "amount": "20.00", "to": to}
        wire.send("2025-09-03 10:00:00", "A", "points.redeem-requested", top_up)


SCENES: Final = {
    "mts": mts_referrals,
    "orgtechservice": labinsk_referrals,
    "t2-pbx": pbx_referrals,
    "mts gifts": gifts,
    "mts-cashback": top_ups,
}
BALANCES: Final = {
    "mts": {"A": 100, "B": 50, "C": 0, "D": 50},
    "orgtechservice": {"A": 600, "B": 300, "C": 300, "D": 0, "E": 0},
    "t2-pbx": {"A": 0},
    "mts gifts": {"A": 120, "B": 30, "C": 0, "D": 0},
    "mts-cashback": {"A": 80},
}


def played(scene: str, order: int, copies: int, *, at_once: bool = False) -> Wire:
    wire = Wire(scene.split(maxsplit=1)[0])
    wire.at_once = at_once
    SCENES[scene](wire)
    wire.let_through(random.Random(order), copies)
    return wire


@pytest.mark.parametrize("scene", SCENES)
@settings(max_examples=60, deadline=None)
@given(order=st.integers(0, 2**32), copies=st.integers(1, 3))
def test_any_order_and_any_number_of_copies_comes_to_the_same(scene: str, order: int, copies: int) -> None:
    expected, wire = played(scene, 0, 1, at_once=True), played(scene, order, copies)
    assert {account: wire.balance(account) for account in BALANCES[scene]} == BALANCES[scene]
    assert {account: expected.balance(account) for account in BALANCES[scene]} == BALANCES[scene]
    assert wire.said() == expected.said()
    wire.judged()


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_comes_of_copies_alone(scene: str) -> None:
    once = played(scene, 1, 1)
    assert played(scene, 1, 5).said() == once.said()


def test_an_advocate_who_closes_while_the_conversion_is_under_way_is_no_participant() -> None:
    wire = Wire("orgtechservice")
    for account in "AB":
        wire.send("2025-08-02 10:00:00", account, "account.opened", PERSON)
    wire.at_once = True
    wire.send("2025-08-03 10:00:00", "B", "referral.code-registered", {"code": wire.code("A")})
    wire.send("2025-08-04 10:00:00", "B", "service.activated", INTERNET)
    wire.at_once = False
    wire.send("2025-08-05 10:00:00", "B", "payment.received", PAID)
    wire.send("2025-08-06 10:00:00", "A", "account.closed")
    wire.let_through(random.Random(1), 2)
    said = wire.said()
    for account in "AB":
        assert said[f"orgtechservice/{account}", "referral.rejected", "not-participant"] == 1
        assert wire.balance(account) == 0
    wire.judged()


def test_a_gift_under_way_at_midnight_expires_at_the_receiver_with_its_own_id() -> None:
    """Both have points that expire that day; what arrives after midnight expires by itself."""
    wire = Wire("mts")
    member(wire, "A")
    member(wire, "B")
    for account in "AB":
        wire.send("2020-06-01 12:00:00", account, "points.adjusted", {"points": 50, "reason": "r", "by": "b"})
    wire.send("2021-05-31 23:59:59", "A", "points.gift-requested", {"to": "B", "points": 20})
    wire.clock(datetime.fromisoformat("2021-06-02T00:00:00+03:00"))
    wire.let_through(random.Random(1), 2)
    assert (wire.balance("A"), wire.balance("B")) == (0, 0)
    assert wire.said()["mts/B", "points.expired", "expired"] == 2
    wire.judged()


def test_a_gift_that_bounces_after_midnight_expires_at_the_giver_with_its_own_id() -> None:
    """What stayed of the lot has expired already; what comes back of it expires by itself, twice even."""
    wire = Wire("mts")
    member(wire, "A")
    wire.send("2020-06-01 12:00:00", "A", "points.adjusted", {"points": 50, "reason": "r", "by": "b"})
    wire.send("2021-05-30 12:00:00", "A", "points.gift-requested", {"to": "NOBODY", "points": 10})
    wire.send("2021-05-31 23:59:59", "A", "points.gift-requested", {"to": "NOBODY", "points": 10})
    wire.clock(datetime.fromisoformat("2021-06-02T00:00:00+03:00"))
    wire.let_through(random.Random(1), 2)
    said = wire.said()
    assert (
        said["mts/A", "points.expired", "expired"] == 3 - said["mts/A", "request.rejected", "limit-per-day"]
    )
    assert wire.balance("A") == 0
    wire.judged()


def test_a_gift_that_bounces_to_a_closed_account_goes_the_way_of_its_other_points() -> None:
    wire = Wire("mts")
    member(wire, "A")
    wire.send("2020-06-01 12:00:00", "A", "points.adjusted", {"points": 50, "reason": "r", "by": "b"})
    wire.send("2020-06-02 12:00:00", "A", "points.gift-requested", {"to": "NOBODY", "points": 20})
    wire.send("2020-06-02 12:00:01", "A", "account.closed")
    wire.let_through(random.Random(1), 2)
    assert wire.said()["mts/A", "points.expired", "account-closed"] == 2
    assert wire.balance("A") == 0
    wire.judged()
