"""The row's bytes hold every field, and rows that older workers wrote are read as they were meant."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loyalty import deployment
from loyalty.row_fields import fields
from schemas import seen
from schemas.account import (
    FIELDS,
    NEVER,
    PENDING,
    Account,
    Claim,
    Discount,
    Gift,
    Lot,
    Purchase,
    TariffOrder,
)
from schemas.account_codec import VERSION, decode, encode, next_due
from schemas.billing_history import BILLING, SET, LevelStep, Payment, packed_payments, packed_steps, steps_of
from schemas.entitlements import shared
from schemas.event import Tariff
from schemas.outcome import Cause
from schemas.short_json import lengthened, shortened
from tests.fold_world import FoldWorld

CAUSE = Cause("mts", "A-2", "/mts/billing", "e-1", 1_700_000_000_000_000)
PURCHASE = Purchase(PENDING, 738_000, 7, 738_030)
PURCHASE.lots = ["0123456789ab"]

OTHERS: dict[str, Any] = {
    "segment": "business",
    "dwelling": "house",
    "city": "Лабинск",
    "participant": False,
    "seen": seen.entry(b"identity", b"content!", -5),
    "tariff": Tariff("ultra", "Ultra", 1000, Decimal("75.10"), True, 3),
    "order": TariffOrder(Tariff("slow", "Old"), 738_100),
    "payments": packed_payments([Payment(2**64 - 1, -1, 1200, 738_000), Payment(1, 70_000, 1, 738_001)]),
    "refunded": {2**64 - 1: 1_700_000_000_000_000},
    "steps": packed_steps(
        [
            LevelStep(BILLING, 738_000, 9, True, False, True, False, 0, 10**15, Decimal("75.10"), "75.10"),
            LevelStep(SET, 738_001, level=100),
        ]
    ),
    "lots": (Lot("0123456789ab", 7, 738_000), Lot("ba9876543210", 8, 0)),
    "carry": {"mobile": Decimal("0.10")},
    "totals": {"partner": Decimal("1999.990")},
    "purchases": {"p-1": PURCHASE},
    "goal": Decimal("650.00"),
    "discounts": (Discount("half", 50, "internet", 738_000, 0, None),),
    "past_discounts": (["half", 50, "internet", 738_000, 738_010, 738_011, "expired"],),
    "entitlements": shared({"night-boost": {"window": ["01:00", "09:00"]}}),
    "claims": (Claim("claimed", "mts:A-3:X", "A-3", CAUSE, "too-late"),),
    "advocated": {"A-4": "accepted"},
    "gifts": (Gift(738_000, "A-5", "e-2"),),
    "clock": 1_700_000_000_000_000,
    "next_due": 1_700_000_000_000_001,
    "opened_at": 1,
    "activated_at": 2,
    "balance": -(10**18),
    "debt": 10**18,
}
"""Attribute → a value that no new account has; a flag's is the other one, a small number's 7."""


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in ("operator", "id")])
def test_every_field_survives_on_its_own(name: str) -> None:
    row, new = Account("mts", "A-1"), Account("mts", "A-1")
    before = getattr(new, name)
    other = OTHERS.get(name, not before if isinstance(before, bool) else 7)
    assert other != before
    setattr(row, name, other)
    value = encode(row)
    assert value != encode(new)
    assert fields(value).keys() == {name}
    again = decode("mts", "A-1", value)
    assert encode(again) == value
    if isinstance(other, bool | int | str | bytes):
        assert getattr(again, name) == other


def test_an_unknown_version_is_refused() -> None:
    for value in (b"", b"\x04" + encode(Account("mts", "A-1"))[1:], b'{"v":4}'):
        with pytest.raises(ValueError, match="version"):
            decode("mts", "A-1", value)
    with pytest.raises(ValueError, match="version"):
        next_due(b"\x04")


def test_the_next_due_moment_is_read_without_the_row() -> None:
    row = Account("mts", "A-1")
    assert next_due(encode(row)) == NEVER
    row.next_due = 1_764_190_800_000_000
    assert next_due(encode(row)) == row.next_due


@given(st.from_regex(r"[0-9]{1,15}(\.[0-9]{1,9})?", fullmatch=True).map(lambda text: f"{Decimal(text):f}"))
def test_a_price_keeps_every_digit_and_decimal(text: str) -> None:
    step = LevelStep(BILLING, 738_000, price=Decimal(text), price_text=text)
    (again,) = steps_of(step.packed())
    assert again.price_text == text
    assert again.price is not None and again.price.as_tuple() == Decimal(text).as_tuple()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
@example(["\x01", {"a": {"window": ["01:00", "09:00"], "counts_to_quota": False}}])
def test_shortened_json_is_made_long_again(value: object) -> None:
    json = orjson.dumps(value)
    assert lengthened(shortened(json)) == json


@given(
    st.none() | st.text(min_size=1, max_size=300),
    st.none() | st.builds(Tariff, st.text(max_size=300), st.text(), st.none() | st.integers(1, 10**6)),
    st.dictionaries(st.text(max_size=100), st.dictionaries(st.text(), JSON, max_size=3), max_size=3),
    st.booleans(),
)
def test_terms_of_any_length_survive(
    city: str | None, tariff: Tariff | None, terms: dict[str, dict[str, Any]], has_debt: bool
) -> None:
    row = Account("mts", "A-1")
    row.city, row.tariff, row.entitlements, row.debt = city, tariff, shared(terms), int(has_debt)
    value = encode(row)
    again = decode("mts", "A-1", value)
    assert encode(again) == value
    assert (again.city, again.entitlements.terms, again.debt) == (city, terms, has_debt)
    assert (again.tariff and again.tariff.parts) == (tariff and tariff.parts)


def test_accounts_that_are_entitled_to_the_same_share_it() -> None:
    one, other = Account("mts", "A-1"), Account("mts", "A-2")
    terms = {"night-boost": {"window": ["01:00", "09:00"], "counts_to_quota": False}}
    one.entitlements = shared(terms)
    assert decode("mts", "A-1", encode(one)).entitlements is one.entitlements
    assert shared({"night-boost": {**terms["night-boost"], "counts_to_quota": 0}}) is not one.entitlements
    assert decode("mts", "A-2", encode(other)).entitlements is other.entitlements


# As a worker of the last release wrote it.
OF_VERSION_1 = (
    b'{"v":1,"c":1761512400000000,"due":1764190800000000,"op":true,"oa":1754554571000000,"sg":"individual",'
    b'"dw":"house","ci":"Labinsk","so":739470,"pa":false,"at":1754854059000000,"ad":739473,"en":739473,"te":739473,'
    b'"fu":true,"bd":27,"bm":24307,"bn":3,"pc":3,"l":3,"b":12,"id":[[2025205374735259380,12943702761079092076,'
    b'1758617369000000],[11,0,1761284264000000]],"ta":["ultra-1000","Ultra",1000,"75.10",false,0],"pm":[['
    b'4594099102380307841,0,1,739486],[4594099103854179301,1,1,739517]],"st":[[0,739490,0,1,0,0,"75.10"],[0,739521,1,'
    b'13,0,4,"75"],[1,739530,0,0,7,0]],"lo":[["0123456789ab",12,0]],"di":[["ultra-half-price",50,"internet",739473,0,'
    b'"subscription-fee"]],"et":{"night-boost":{"counts_to_quota":false}}}'
)


# The same row as a worker before version 3 wrote it.
OF_VERSION_2 = bytes.fromhex(
    "021101020034f3ad854406000094de1016420600c088f111c23b0600c0c0d1cc073c0600020000000200000003000c000000"
    "000000008e480b0091480b0091480b0091480b00f35e03000000030000001b0003001c1af98eee4e96f4b3a14515205cb36c"
    "40389303743f0600000000000000000b0000000000000000007ae7f2e041060081b55104cb84c13f0000000001009e480b00"
    "e5332b5ccb84c13f010000000100bd480b0002000000a2480b00000000000000000002561d00000000000000001a000100c1"
    "480b000400000000000000004b00000000000000000001070000ca480b000000000000000000ff00000000000000000000"
) + (
    b'{"ci":"Labinsk","ta":["ultra-1000","Ultra",1000,"75.10",false,0],"lo":[["0123456789ab",12,0]],"di":[['
    b'"ultra-half-price",50,"internet",739473,0,"subscription-fee"]],"et":{"night-boost":{"counts_to_quota":false}}}'
)


def test_a_row_of_version_1_is_read_as_it_was_meant() -> None:
    found = fields(OF_VERSION_1)
    assert next_due(OF_VERSION_1) == found["next_due"] == 1764190800000000
    assert found["seen"] == [
        ["1c1af98eee4e96f4", "b3a14515205cb36c", 1758617369000000],
        ["000000000000000b", "0000000000000000", 1761284264000000],
    ]
    assert found["payments"] == [[4594099102380307841, 0, 1, 739486], [4594099103854179301, 1, 1, 739517]]
    first, second, third = found["steps"]
    assert (first["paid"], first["accrues"], first["price_text"]) == (True, False, "75.10")
    assert (second["accrues"], second["bought"], second["credited"], second["price_text"]) == (
        True,
        True,
        4,
        "75",
    )
    assert (third["kind"], third["level"], third["price_text"]) == (SET, 7, None)
    assert (found["level"], found["balance"], found["participant"]) == (3, 12, False)
    assert found["lots"] == [["0123456789ab", 12, 0]]
    assert found["entitlements"] == {"night-boost": {"counts_to_quota": False}}
    assert fields(encode(decode("o", "A", OF_VERSION_1))) == found


def test_a_row_of_version_2_is_read_as_it_was_meant() -> None:
    found = fields(OF_VERSION_2)
    assert found == fields(OF_VERSION_1)
    assert next_due(OF_VERSION_2) == found["next_due"]
    assert fields(encode(decode("o", "A", OF_VERSION_2))) == found


@pytest.mark.parametrize("old", [OF_VERSION_1, OF_VERSION_2], ids=["version 1", "version 2"])
def test_a_task_goes_on_with_rows_of_older_versions(old: bytes) -> None:
    world = FoldWorld(deployment.engine(None))
    key = b"orgtechservice/A-1"
    world.stores[0][key] = old
    world.forget_tasks()
    world.clock(datetime.fromisoformat("2025-11-27T00:00:00+03:00"))
    world.settle()
    before, after = fields(old), fields(world.stores[0][key])
    assert world.stores[0][key][0] == VERSION
    assert after.pop("billing_next") == before.pop("billing_next") + 1
    assert after.pop("clock") == before.pop("next_due")
    assert after.pop("next_due") > before.pop("clock")
    assert after == before
