"""Right records with wrong things in them: what random bytes are too seldom, because hardly any are JSON at all."""

from __future__ import annotations

import json
from typing import Any, Final

import atheris

from schemas.contract_examples import record_of

MANGLED_MAX: Final = 4
NESTED_MAX: Final = 300
NUMBERS: Final = (
    "-0", "0.1", "1e999", "-1e999", "1e-999", "9" * 5_000, "18446744073709551617", "-9223372036854775809", "NaN",
    "Infinity", "1.000000000000000000000000000001", "00", "+1", "1_000",
)  # fmt: skip
TEXTS: Final = (
    "", " ", "\x00", "\ud800", "\udfff\ud800", "\u202e", "1.00", "-1", "1e3", "٣", "null", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999+23:59", "2199-12-31T23:59:59Z", "2016-12-31T23:59:60Z", "2025-02-30", "2025-09-01",
    "1970-01-01T00:00:00Z", "stranger", "mts", "orgtechservice", "x" * 300, "payment.received",
)  # fmt: skip


class Verbatim(str):
    """A piece of text that is put into the record as it is."""


def mangled(data: bytes, types: list[str]) -> tuple[str, bytes]:
    """A type, and a record of it with a few fields changed, added, doubled or taken away, as `data` decides."""
    source = atheris.FuzzedDataProvider(data)
    type_ = source.PickValueInList(types)
    record: dict[str, Any] = record_of(type_)
    doubled = ""
    for _ in range(source.ConsumeIntInRange(0, MANGLED_MAX)):
        inner = record.get("data")
        target = inner if isinstance(inner, dict) and source.ConsumeBool() else record
        names = sorted(target) or ["id"]
        name = source.PickValueInList(names)
        action = source.ConsumeIntInRange(0, 5)
        if action == 0:
            target.pop(name, None)
        elif action == 1:
            target[source.ConsumeUnicode(6)] = _value(source)
        elif action == 2 and target is record:
            doubled = f',"{name}":{_spelt(_value(source))}'
        else:
            target[name] = _value(source)
    return type_, (_spelt(record)[:-1] + doubled + "}").encode("utf-8", "surrogatepass")


def _value(source: Any) -> Any:
    kind = source.ConsumeIntInRange(0, 8)
    if kind == 0:
        return Verbatim(source.PickValueInList(list(NUMBERS)))
    if kind == 1:
        depth = source.ConsumeIntInRange(1, NESTED_MAX)
        return Verbatim("[" * depth + "]" * depth)
    if kind == 2:
        return source.ConsumeUnicode(12)
    if kind == 3:
        return source.ConsumeInt(8)
    if kind == 4:
        return source.ConsumeFloat()
    if kind == 5:
        return [_value(source) for _ in range(source.ConsumeIntInRange(0, 3))]
    if kind == 6:
        return {source.ConsumeUnicode(4): _value(source) for _ in range(source.ConsumeIntInRange(0, 3))}
    if kind == 7:
        return source.PickValueInList([None, True, False])
    return source.PickValueInList(list(TEXTS))


def _spelt(value: Any) -> str:
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_spelt(v)}" for k, v in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_spelt, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
