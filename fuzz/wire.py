"""Coverage-guided fuzzing of the wire codec with atheris.

    python -m fuzz.wire -max_total_time=60

Whatever the bytes are, reading gives an event or `Unreadable`. An event that is read has a projection for the journal
without what tells who the member is, and that reads as the same event. What is read goes through the fold, too: an
account that exists, and all that its events cause, must encode.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Final

import atheris

with atheris.instrument_imports(include=["schemas", "engine"]):
    import orjson

    from agents.fold import TaskState
    from engine.decide import Engine
    from fuzz.mangle import mangled
    from loyalty.deployment import engine
    from schemas.contract import CLOCK_ADVANCED, DATA_OF_TYPE, identifies
    from schemas.contract_examples import record_of
    from schemas.dead_letter import Unreadable
    from schemas.link import Link
    from schemas.record import Record
    from schemas.topics import TASK
    from schemas.wire import read_event, read_kept
    from streams.store import MemoryStore

ENGINE: Final[Engine] = engine(None)
OPERATORS: Final = ENGINE.books.operators
KEY: Final = b"orgtechservice/A-1"
TOPIC_OF_TYPE: Final = {type_: topic.name for topic in TASK for type_ in topic.types}
OPENED: Final = [
    Record(TOPIC_OF_TYPE[name], 0, at, 0, KEY, orjson.dumps({**record_of(name), "id": name}))
    for at, name in enumerate(("account.opened", "service.activated"))
]
TYPES: Final = sorted(DATA_OF_TYPE)
HIDDEN: Final = {
    type_: {name for name, field in model.model_fields.items() if identifies(field)}
    for type_, model in DATA_OF_TYPE.items()
}


def one(data: bytes) -> None:
    """One run: the bytes as they are, as a splice into a right record, and as orders to mangle one."""
    _read(data)
    type_, wrong = mangled(data, TYPES)
    _read(wrong)
    _fold(type_, wrong)
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


def _fold(type_: str, value: bytes) -> None:
    """On an account that exists: it is applied, refused, or was known, and whatever it causes can be written."""
    records = [*OPENED, Record(TOPIC_OF_TYPE[type_], 0, len(OPENED), 0, KEY, value)]
    result = TaskState(MemoryStore(), ENGINE).fold(records)
    assert result.produce, "records vanished"
    for made in result.produce:
        orjson.loads(made.value or b"null")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
