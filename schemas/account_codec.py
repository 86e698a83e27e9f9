"""The account row as bytes: a head of fixed size, the packed lists, the terms, and JSON for the rest.

    head | seen | payments | steps | city | tariff | entitlements | JSON

The first byte is the version, the next due moment stands at a fixed place, so that opening a task need not take
its rows apart. The same row always gives the same bytes. City, tariff and entitlements have a length of one byte; if
any of them is longer, all three stand in the JSON. There is no JSON where nothing would stand in it.

Rows of version 2 had these three in the JSON always, and no lengths for them; those of version 1 were JSON throughout. Both
are read. An unknown version is refused, so that an old worker never reads what a newer one wrote.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

import orjson

from schemas import account_codec_v1, account_rest, entitlements, shared_tariffs
from schemas.account import Account
from schemas.billing_history import PAYMENT_BYTES, STEP_BYTES
from schemas.seen import ENTRY_BYTES

_dumps: Final = orjson.dumps
_loads: Final = orjson.loads

VERSION: Final = 3
_VERSION_2: Final = 2
_VERSION_1_BEGINS: Final = ord("{")

_FORM_2: Final = (
    "<BBBB"  # version, flags, segment, dwelling
    "qqqq"  # next due, clock, opened at, activated at
    "IIH"  # entries of seen, payments, steps
    "q"  # balance
    "IIII"  # days: signed on, activated, enrolled, tenure
    "HHHI"  # billing month, billing next, months base, paid count
    "BBBB"  # billing day, blocks, level, level base
)
_HEAD: Final = Struct(_FORM_2 + "BBB")  # bytes of city, tariff, entitlements
_HEAD_BYTES: Final = _HEAD.size
_pack: Final = _HEAD.pack
_head_of: Final = _HEAD.unpack_from
_HEAD_2: Final = Struct(_FORM_2)
_HEAD_2_BYTES: Final = _HEAD_2.size
_head_2_of: Final = _HEAD_2.unpack_from
_LENGTH_MAX: Final = 255
_next_due_in: Final = Struct("<4xq").unpack_from

_OPENED: Final = 1
_CLOSED: Final = 2
_EXISTING_CUSTOMER: Final = 4
_PARTICIPANT: Final = 8
_FEASIBLE_ULTRA: Final = 16

# A name's place is what the row says for it: names may be added at the end, never moved.
_SEGMENTS: Final[tuple[str | None, ...]] = (None, "individual", "business")
_DWELLINGS: Final[tuple[str | None, ...]] = (None, "apartment", "house")
_SEGMENT_PLACES: Final = {name: place for place, name in enumerate(_SEGMENTS)}
_DWELLING_PLACES: Final = {name: place for place, name in enumerate(_DWELLINGS)}


def encode(row: Account) -> bytes:
    """The row's bytes."""
    city = b"" if row.city is None else row.city.encode()
    tariff = b"" if row.tariff is None else row.tariff.packed
    entitled = row.entitlements.packed
    city_bytes, tariff_bytes, entitled_bytes = len(city), len(tariff), len(entitled)
    rest = account_rest.parts(row)
    if city_bytes > _LENGTH_MAX or tariff_bytes > _LENGTH_MAX or entitled_bytes > _LENGTH_MAX:
        rest |= account_rest.long_parts(row)
        city = tariff = entitled = b""
        city_bytes = tariff_bytes = entitled_bytes = 0
    head = _pack(
        VERSION,
        (_OPENED if row.opened else 0)
        | (_CLOSED if row.closed else 0)
        | (_EXISTING_CUSTOMER if row.existing_customer else 0)
        | (_PARTICIPANT if row.participant else 0)
        | (_FEASIBLE_ULTRA if row.feasible_ultra else 0),
        _SEGMENT_PLACES[row.segment],
        _DWELLING_PLACES[row.dwelling],
        row.next_due,
        row.clock,
        row.opened_at,
        row.activated_at,
        len(row.seen) // ENTRY_BYTES,
        len(row.payments) // PAYMENT_BYTES,
        len(row.steps) // STEP_BYTES,
        row.balance,
        row.signed_on,
        row.activated_day,
        row.enrolled_day,
        row.tenure_day,
        row.billing_month,
        row.billing_next,
        row.level_months_base,
        row.paid_count,
        row.billing_day,
        row.blocks,
        row.level,
        row.level_base,
        city_bytes,
        tariff_bytes,
        entitled_bytes,
    )
    json = _dumps(rest) if rest else b""
    return b"".join((head, row.seen, row.payments, row.steps, city, tariff, entitled, json))


def decode(operator: str, id: str, value: bytes) -> Account:
    """The row from its bytes.

    :raises ValueError: the bytes are of a version that this worker does not know.
    """
    if _is_of_version_1(value):
        return account_codec_v1.decode(operator, id, value)
    row = Account(operator, id)
    if value[0] == VERSION:
        head = _head_of(value)
        seen_at = _HEAD_BYTES
    else:
        head = (*_head_2_of(value), 0, 0, 0)
        seen_at = _HEAD_2_BYTES
    (
        _,
        flags,
        segment,
        dwelling,
        row.next_due,
        row.clock,
        row.opened_at,
        row.activated_at,
        seen,
        payments,
        steps,
        row.balance,
        row.signed_on,
        row.activated_day,
        row.enrolled_day,
        row.tenure_day,
        row.billing_month,
        row.billing_next,
        row.level_months_base,
        row.paid_count,
        row.billing_day,
        row.blocks,
        row.level,
        row.level_base,
        city,
        tariff,
        entitled,
    ) = head
    row.opened = bool(flags & _OPENED)
    row.closed = bool(flags & _CLOSED)
    row.existing_customer = bool(flags & _EXISTING_CUSTOMER)
    row.participant = bool(flags & _PARTICIPANT)
    row.feasible_ultra = bool(flags & _FEASIBLE_ULTRA)
    row.segment = _SEGMENTS[segment]
    row.dwelling = _DWELLINGS[dwelling]
    payments_at = seen_at + seen * ENTRY_BYTES
    steps_at = payments_at + payments * PAYMENT_BYTES
    city_at = steps_at + steps * STEP_BYTES
    tariff_at = city_at + city
    entitled_at = tariff_at + tariff
    rest_at = entitled_at + entitled
    row.seen = value[seen_at:payments_at]
    row.payments = value[payments_at:steps_at]
    row.steps = value[steps_at:city_at]
    if city:
        row.city = value[city_at:tariff_at].decode()
    if tariff:
        row.tariff = shared_tariffs.unpacked(value[tariff_at:entitled_at])
    if entitled:
        row.entitlements = entitlements.unpacked(value[entitled_at:rest_at])
    if rest_at < len(value):
        rest: dict[str, Any] = _loads(value[rest_at:])
        account_rest.take_parts(row, rest)
    return row


def next_due(value: bytes) -> int:
    """The next due moment in a row's bytes, without building the row.

    :raises ValueError: the bytes are of a version that this worker does not know.
    """
    if _is_of_version_1(value):
        return account_codec_v1.next_due(value)
    due: int = _next_due_in(value)[0]
    return due


def _is_of_version_1(value: bytes) -> bool:
    """Whether a row is of version 1; raises ValueError if it is of none that is known."""
    begins = value[0] if value else None
    if begins in (VERSION, _VERSION_2, _VERSION_1_BEGINS):
        return begins == _VERSION_1_BEGINS
    raise ValueError(f"account row version {begins}; this worker reads 1 to {VERSION}")
