"""Dead letters: the refused record with its coordinates, and why it was refused."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from agents.records import Produce, Record
from schemas.dead_letter import Unreadable
from schemas.topics import DEAD_LETTERS


def letter(record: Record, error: Unreadable) -> Produce:
    """The dead letter for a record; its key and timestamp are those of the record."""
    content: dict[str, Any] = {
        "reason": error.reason,
        "detail": error.detail,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _shown(record.key),
        **_value(record.value),
    }
    return Produce(DEAD_LETTERS.name, record.key, orjson.dumps(content), record.timestamp)


def _shown(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")


def _value(value: bytes | None) -> dict[str, Any]:
    """The value as text where it is text, so that a person can read it, else in base64."""
    if value is None:
        return {"value": None}
    try:
        return {"value": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(value).decode("ascii")}
