"""Dead letters: the refused record with its coordinates, and why it was refused.

Escapes and base64 make a value longer than it was, and Kafka refuses records of more than some 1 MB: a letter that
could not be written would stop its task for ever. So long values and keys are kept in part; the whole record stands
where the coordinates say.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import orjson

from schemas.dead_letter import ACCOUNT_FORGOTTEN, Unreadable
from schemas.produce import Produce
from schemas.record import Record
from schemas.topics import DEAD_LETTERS

VALUE_BYTES_MAX: Final = 100_000
"""How much of a value a letter keeps: escaped six characters for one, it still fits."""
KEY_BYTES_MAX: Final = 1_000


def letter(record: Record, error: Unreadable) -> Produce:
    """The dead letter for a record; its key and timestamp are those of the record: a long key is cut, and a record
    without a timestamp has that of the epoch. Of a forgotten account it keeps neither key nor value."""
    forgotten = error.reason == ACCOUNT_FORGOTTEN
    key = None if forgotten or record.key is None else record.key[:KEY_BYTES_MAX]
    content: dict[str, Any] = {
        "reason": error.reason,
        "detail": error.detail,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _shown(key),
        **_value(None if forgotten else record.value),
    }
    return Produce(DEAD_LETTERS.name, key, orjson.dumps(content), max(0, record.timestamp))


def _shown(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")


def _beginning(value: bytes) -> bytes:
    """The beginning of a long value, cut between two characters if it is text."""
    for end in range(VALUE_BYTES_MAX, VALUE_BYTES_MAX - 4, -1):
        try:
            return value[:end].decode("utf-8").encode("utf-8")
        except UnicodeDecodeError:
            continue
    return value[:VALUE_BYTES_MAX]


def _value(value: bytes | None) -> dict[str, Any]:
    """The value as text where it is text, so that a person can read it, else in base64."""
    if value is None:
        return {"value": None}
    if len(value) > VALUE_BYTES_MAX:
        return {**_value(_beginning(value)), "value_bytes": len(value)}
    try:
        return {"value": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(value).decode("ascii")}
