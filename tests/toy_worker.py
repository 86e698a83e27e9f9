"""A worker whose fold only counts, run as a process of its own: `python -m tests.toy_worker`.

It exercises everything the stream promises without the engine: one output for each record with the key's
running count, links to other accounts, and clock records that are worked off in bounded steps. Settings come
from the environment, as in production; behaviour beyond that from `TOY_*` variables:

- `TOY_FAIL_ON`: raise when a record's value contains this text;
- `TOY_ROWS_A_STEP`: how many rows a clock record touches in one transaction (3).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from agents.worker import run_worker
from schemas.outbox import Outbox
from schemas.record import Record
from schemas.topics import CLOCK, LINKS, POINTS
from streams.settings import read_settings
from streams.store import Store


class Result:
    """What a fold answered."""

    __slots__ = ("consumed", "produce", "rows")

    def __init__(self, consumed: int, produce: Outbox, rows: Mapping[bytes, bytes]) -> None:
        self.consumed = consumed
        self.produce = produce
        self.rows = rows


class ToyState:
    """Counts records per key. A row is `{"n": records, "ticks": clock time}`."""

    def __init__(self, store: Store, *, fail_on: bytes | None, rows_a_step: int) -> None:
        self._store: Final = store
        self._fail_on: Final = fail_on
        self._rows_a_step: Final = rows_a_step
        self._pending: dict[bytes, dict[str, int]] = {}

    def fold(self, records: Sequence[Record]) -> Result:
        """Count the records up to the first clock record that takes more than one step."""
        self._pending = {}
        produce = Outbox()
        consumed = 0
        for record in records:
            if self._fail_on is not None and record.value is not None and self._fail_on in record.value:
                raise RuntimeError("the toy was told to fail here")
            if record.topic == CLOCK.name:
                if not self._tick(record, produce):
                    break
            else:
                self._count(record, produce)
            consumed += 1
        return Result(consumed, produce, {key: orjson.dumps(row) for key, row in self._pending.items()})

    def committed(self) -> None:
        """The rows are in the store."""
        self._pending = {}

    def _row(self, key: bytes) -> dict[str, int]:
        row = self._pending.get(key)
        if row is None:
            stored = self._store.get(key)
            row = {"n": 0, "ticks": 0} if stored is None else orjson.loads(stored)
            self._pending[key] = row
        return row

    def _count(self, record: Record, produce: Outbox) -> None:
        key = record.key or b""
        row = self._row(key)
        row["n"] += 1
        at = f"{record.topic}/{record.partition}/{record.offset}"
        value = {"n": row["n"], "at": at, "was": (record.value or b"").decode()}
        produce.add(POINTS.name, key, orjson.dumps(value), record.timestamp)
        if record.topic != LINKS.name and record.value is not None and b"link" in record.value:
            produce.add(LINKS.name, b"linked-" + key, record.value, record.timestamp)

    def _tick(self, record: Record, produce: Outbox) -> bool:
        """Touch rows that have not seen this tick, a few at a time; True when all of them have."""
        seen: dict[bytes, dict[str, int]] = {key: orjson.loads(row) for key, row in self._store.items()}
        seen.update(self._pending)
        due = sorted(key for key, row in seen.items() if row["ticks"] < record.timestamp)
        for key in due[: self._rows_a_step]:
            self._row(key)["ticks"] = record.timestamp
            value = {"tick": record.timestamp}
            produce.add(POINTS.name, key, orjson.dumps(value), record.timestamp)
        return len(due) <= self._rows_a_step


def main() -> int:
    """Run the toy until a signal or a failure."""
    fail_on = os.environ.get("TOY_FAIL_ON")
    rows_a_step = int(os.environ.get("TOY_ROWS_A_STEP", "3"))

    def new_task(partition: int, store: Store) -> ToyState:
        return ToyState(store, fail_on=fail_on.encode() if fail_on else None, rows_a_step=rows_a_step)

    return run_worker(read_settings(os.environ), new_task)


if __name__ == "__main__":
    sys.exit(main())
