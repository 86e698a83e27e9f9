"""Coverage-guided fuzzing of the wire codec with atheris.

    python -m fuzz.wire -max_total_time=60

Whatever the bytes are, reading gives an event or `Unreadable`. An event that is read has a projection for the journal
without what tells who the member is, and that reads as the same event.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Final

import atheris

with atheris.instrument_imports(include=["schemas"]):
    import orjson

    from schemas.contract import CLOCK_ADVANCED, DATA_OF_TYPE, identifies
    from schemas.contract_examples import record_of
    from schemas.dead_letter import Unreadable
    from schemas.link import Link
    from schemas.wire import read_event, read_kept

OPERATORS: Final = frozenset({"orgtechservice", "mts"})
TYPES: Final = sorted(DATA_OF_TYPE)
HIDDEN: Final = {
    type_: {name for name, field in model.model_fields.items() if identifies(field)}
    for type_, model in DATA_OF_TYPE.items()
}


def one(data: bytes) -> None:
    """One run: the bytes as they are, and as a splice into a right record."""
    _read(data)
    if data:
        right = orjson.dumps(record_of(TYPES[data[0] % len(TYPES)]))
        at = int.from_bytes(data[1:3]) % len(right)
        _read(right[:at] + data[3:] + right[at:])
    with contextlib.suppress(ValueError):
        Link.decoded(data)


def _read(value: bytes) -> None:
    try:
        event = read_event(value, key=None, topic=None, operators=OPERATORS)
    except Unreadable as refused:
        assert refused.reason and refused.detail, "a refusal that helps nobody"
        return
    if event.type == CLOCK_ADVANCED:
        return
    kept = orjson.loads(event.kept)
    hidden = HIDDEN[event.type]
    assert not hidden & (kept.get("data") or {}).keys(), "the journal tells who the member is"
    again = read_kept(kept, event.content)
    assert (again.identity, again.time, again.account) == (event.identity, event.time, event.account)
    assert again.data.keys() == event.data.keys() - hidden, "replay reads something else"


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
