"""Correcting a refused record: fields set anew, and what must hold before it may be sent again. Pure.

What was refused as unreadable was never applied, so it keeps its identity. What was refused for its identity, or
for its age, would be refused again as it is: then the correction has to concern just that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

import orjson

from loyalty.errors import LoyaltyError
from loyalty.feed import Fact
from schemas.contract import CLOCK_ADVANCED, DATA_OF_TYPE, TariffTerms
from schemas.contract_forms import Spelled
from schemas.dead_letter import IDENTITY_CONFLICT, TOO_OLD, Unreadable
from schemas.topics import TOPIC_OF_TYPE
from schemas.wire import read_event
from schemas.wire_fields import declared

ENVELOPE: Final = ("specversion", "id", "source", "type", "subject", "operator", "time")


def corrected(record: Any, sets: Iterable[str], removes: Iterable[str]) -> bytes:
    """The record with fields set (`data.amount=650.00`) and removed (`data.note`).

    :raises LoyaltyError: it is no JSON object, or a path leads nowhere.
    """
    if not isinstance(record, dict):
        raise LoyaltyError(
            "the record is not a JSON object, so it has no fields: give all of it with --edit FILE"
        )
    changed: dict[str, Any] = orjson.loads(orjson.dumps(record))
    for text in sets:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise LoyaltyError(f"--set {text}: it is FIELD=VALUE, such as data.amount=650.00")
        parent, name = _place(changed, path, "--set")
        parent[name] = _value(changed.get("type"), path, value)
    for path in removes:
        parent, name = _place(changed, path, "--remove")
        if name not in parent:
            raise LoyaltyError(f"--remove {path}: there is no such field")
        del parent[name]
    return orjson.dumps(changed)


def sendable(value: bytes, operators: Collection[str], reason: str, before: Any) -> Fact:
    """The corrected record as what is to be written: topic and key are those it should have had.

    `reason` is why the record `before` was refused.

    :raises LoyaltyError: it would be refused again; the message says why.
    """
    try:
        event = read_event(value, key=None, topic=None, operators=operators)
    except Unreadable as error:
        raise LoyaltyError(f"it would be refused again: {error.reason}: {error.detail}") from error
    if event.type == CLOCK_ADVANCED:
        raise LoyaltyError("the clock's records are written by 'loyalty clock' only")
    old = before if isinstance(before, dict) else {}
    same_identity = (old.get("source"), old.get("id")) == (event.source, event.id)
    if reason == IDENTITY_CONFLICT and same_identity and old.get("subject") == event.account:
        raise LoyaltyError(
            "its identity is that of an event that was applied with other content, and would be refused again: "
            "if it is a new fact, give it a new id with --set id=…; if it is a correction, send what billing sends "
            "for corrections"
        )
    if reason == TOO_OLD and old.get("time") == orjson.loads(value).get("time"):
        raise LoyaltyError(
            "it is too old for its account and would be refused again: what it means today is a decision of staff, "
            "such as a points.adjusted"
        )
    key = f"{event.operator}/{event.account}".encode()
    return Fact(event.time, TOPIC_OF_TYPE[event.type], key, value)


def _place(record: dict[str, Any], path: str, option: str) -> tuple[dict[str, Any], str]:
    """The object that holds the field, and the field's name."""
    *parents, name = path.split(".")
    at = record
    for parent in parents:
        inner = at.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise LoyaltyError(f"{option} {path}: {parent} is not an object")
        at = inner
    return at, name


def _value(type_: Any, path: str, text: str) -> Any:
    """What a text means for a field: a string where the contract says string, else JSON, else a string."""
    if path in ENVELOPE or _is_string(type_, path):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _is_string(type_: Any, path: str) -> bool:
    model = DATA_OF_TYPE.get(type_) if isinstance(type_, str) else None
    if model is None or not path.startswith("data."):
        return False
    names = path.split(".")[1:]
    if names[0] == "tariff" and len(names) == 2:
        model, names = TariffTerms, names[1:]
    field = model.model_fields.get(names[0])
    if field is None or len(names) > 1:
        return False
    annotation, metadata = declared(field)
    return (
        annotation is str
        or any(isinstance(marker, Spelled) for marker in metadata)
        or (annotation not in (bool, int, TariffTerms))
    )
