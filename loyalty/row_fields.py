"""An account row field by field, for whoever compares rows or looks into one: of whatever version its bytes are."""

from __future__ import annotations

from typing import Any, Final

from schemas import account_rest, seen
from schemas.account import FIELDS, Account
from schemas.account_codec import decode
from schemas.billing_history import payments_of, steps_of

_NEW: Final = Account("", "")
_LEFT_OUT: Final = {"operator", "id", "seen", "payments", "steps", *account_rest.ATTRIBUTES.values()}

_STEP_FIELDS: Final = (
    "kind", "day", "index", "paid", "blocked", "accrues", "bought", "level", "credited", "price_text",
)  # fmt: skip


def same(one: bytes | None, other: bytes | None) -> bool:
    """Whether two rows say the same, or there is none on either side."""
    return one == other or (one is not None and other is not None and fields(one) == fields(other))


def fields(value: bytes | None) -> dict[str, Any]:
    """What differs from a new account, by field name; bytes that are no row stand under `row`, and no row is empty."""
    if value is None:
        return {}
    try:
        return fields_of(decode("", "", value))
    except Exception:  # nobody knows what somebody has written there
        return {"row": value.decode("utf-8", "backslashreplace")}


def fields_of(row: Account) -> dict[str, Any]:
    """What of a row differs from a new account, by field name, as JSON can hold it."""
    found = {
        name: getattr(row, name)
        for name in FIELDS
        if name not in _LEFT_OUT and getattr(row, name) != getattr(_NEW, name)
    }
    parts = account_rest.long_parts(row) | account_rest.parts(row)
    found |= {account_rest.ATTRIBUTES[key]: part for key, part in parts.items()}
    if row.seen:
        found["seen"] = [
            [seen.identity(row.seen, at).hex(), seen.content(row.seen, at).hex(), seen.time(row.seen, at)]
            for at in range(0, len(row.seen), seen.ENTRY_BYTES)
        ]
    if row.payments:
        found["payments"] = [[p.key, p.first, p.months, p.day] for p in payments_of(row.payments)]
    if row.steps:
        found["steps"] = [
            {name: getattr(step, name) for name in _STEP_FIELDS} for step in steps_of(row.steps)
        ]
    return found
