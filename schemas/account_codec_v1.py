"""Reads account rows of version 1, which were JSON throughout. Nobody writes them any more."""

from __future__ import annotations

from typing import Any, Final

import orjson

from schemas import account_rest, seen
from schemas.account import NEVER, Account
from schemas.billing_history import LevelStep, Payment, packed_payments, packed_steps

VERSION: Final = 1

# Row key → attribute, for what stood there as it is.
_PLAIN: Final = (
    ("c", "clock"),
    ("due", "next_due"),
    ("op", "opened"),
    ("oa", "opened_at"),
    ("cl", "closed"),
    ("sg", "segment"),
    ("dw", "dwelling"),
    ("so", "signed_on"),
    ("ex", "existing_customer"),
    ("pa", "participant"),
    ("at", "activated_at"),
    ("ad", "activated_day"),
    ("en", "enrolled_day"),
    ("te", "tenure_day"),
    ("fu", "feasible_ultra"),
    ("bl", "blocks"),
    ("bd", "billing_day"),
    ("bm", "billing_month"),
    ("bn", "billing_next"),
    ("pc", "paid_count"),
    ("l", "level"),
    ("lb", "level_base"),
    ("lm", "level_months_base"),
    ("b", "balance"),
)


def decode(operator: str, id: str, value: bytes) -> Account:
    """The row from its bytes.

    :raises ValueError: the bytes are of another version.
    """
    fields: dict[str, Any] = orjson.loads(value)
    if fields.get("v") != VERSION:
        raise ValueError(f"account row version {fields.get('v')!r}; JSON was version {VERSION}")
    row = Account(operator, id)
    for key, attribute in _PLAIN:
        if key in fields:
            setattr(row, attribute, fields[key])
    account_rest.take_parts(row, fields)
    row.seen = b"".join([_seen(*entry) for entry in fields.get("id", ())])
    row.payments = packed_payments([Payment(*packed) for packed in fields.get("pm", ())])
    row.steps = packed_steps([_step(*packed) for packed in fields.get("st", ())])
    return row


def next_due(value: bytes) -> int:
    """The next due moment in a row's bytes."""
    due: int = orjson.loads(value).get("due", NEVER)
    return due


def _seen(identity: int, content: int, time: int) -> bytes:
    return seen.entry(identity.to_bytes(8, "big"), content.to_bytes(8, "big"), time)


def _step(
    kind: int, day: int, index: int, flags: int, level: int, credited: int, price: str | None = None
) -> LevelStep:
    paid, blocked, accrues, bought = (bool(flags & bit) for bit in (1, 2, 4, 8))
    return LevelStep(kind, day, index, paid, blocked, accrues, bought, level, credited, None, price)
