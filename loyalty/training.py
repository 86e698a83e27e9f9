"""What the compiler watches before it compiles for good: `python -m loyalty.training` works off the sample month.

It does what a worker does with each record, but for the network: reading, deciding, encoding, record batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agents.fold import TaskState
from loyalty import deployment
from loyalty.feed import read_feed, route, with_ticks
from loyalty.sample_events import OPERATOR, ZONE, Arrival
from loyalty.sample_month import sample_month
from loyalty.ticks import midnights
from schemas.record import Record
from schemas.wire import read_ahead
from streams.record_batch import record_batches
from streams.store import MemoryStore
from streams.task_producer import BATCH_BYTES_MAX

ROUNDS: Final = 6
"""Enough for every usual way through the code to be seen often, and a few seconds."""
STEP: Final = 50
"""Records of a fold: so few that rows are written about as often as events are read, as among many accounts."""
STEPS_KEPT: Final = 20
"""Folds until the rows are read from their bytes again, as RocksDB's are."""


def train() -> int:
    """Work off the sample month `ROUNDS` times, each time from nothing; returns how many records it has.

    Every other time the records are read ahead, as the I/O process does.
    """
    engine = deployment.engine(None)
    sample = sample_month(lambda account: engine.codes.code(OPERATOR, account))
    kinds = [_records(sample, ahead=False), _records(sample, ahead=True)]
    for number in range(ROUNDS):
        records = kinds[number % 2]
        store = MemoryStore()
        task = TaskState(store, engine)
        left = records
        steps = 0
        while left:
            steps += 1
            if steps % STEPS_KEPT == 0:
                task = TaskState(store, engine)
            result = task.fold(left[:STEP])
            left = left[result.consumed :]
            items = [(made.key, made.value, made.timestamp) for made in result.produce]
            for batch in record_batches(items, BATCH_BYTES_MAX):
                batch._set_producer_state(0, 0, 0)
            store.put_many(result.rows, len(records) - len(left))
            task.committed()
    return len(records)


def _records(arrivals: Sequence[Arrival], *, ahead: bool) -> list[Record]:
    """The sample, with its ticks and its lines that are no events, as the one task there is reads it."""
    lines = [arrival.line for arrival in arrivals]
    facts = read_feed(lines, operators={OPERATOR}, refuse=lambda _: None, as_arrived=True, raw=True)
    ticked = with_ticks(facts, midnights({ZONE.name}, arrivals[0].at, arrivals[-1].at))
    return [
        Record(
            entry.topic,
            0,
            offset,
            entry.timestamp,
            entry.key,
            entry.value,
            read_ahead(entry.value, entry.key) if ahead else b"",
        )
        for offset, entry in enumerate(route(ticked, 1))
    ]


if __name__ == "__main__":
    print(train())
