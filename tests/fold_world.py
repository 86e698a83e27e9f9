"""The production fold over several partitions in memory, with a link topic as unruly as one likes.

What a broker would do, and no more: partitions by key, batches, one store per partition; records for other
accounts arrive at once, or with delays, twice and in another order.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from agents.fold import TaskState
from engine.decide import Engine
from schemas.record import Record
from schemas.topics import CLOCK, DEAD_LETTERS, JOURNAL, LINKS, TOPIC_OF_TYPE

Outcomes = dict[str, list[dict[str, Any]]]
"""Key → its account's outcomes in order."""


class MemoryRows(dict[bytes, bytes]):
    """Committed rows of one task, in memory."""

    def put_many(self, rows: Mapping[bytes, bytes], offset: int | None) -> None:
        """Take rows over."""
        del offset
        self.update(rows)

    def has_any(self, beginnings: tuple[bytes, ...]) -> bool:
        """Whether there is a row whose key begins with one of these."""
        return any(key.startswith(beginnings) for key in self)


class FoldWorld:
    """Several tasks and what they have produced.

    With `chaos` links are held back, doubled and shuffled, batches have any size, and a task may be thrown
    away and rebuilt from its rows after any batch. Without it links arrive before anything else.
    """

    def __init__(
        self,
        engine: Engine,
        partitions: int = 1,
        chaos: random.Random | None = None,
        due_moments_max: int = 5_000,
    ) -> None:
        self._engine = engine
        self._chaos = chaos
        self._due_moments_max = due_moments_max
        self.stores: Final = [MemoryRows() for _ in range(partitions)]
        self._tasks = [self._task(number) for number in range(partitions)]
        self._waiting: list[list[Record]] = [[] for _ in range(partitions)]
        self._links: list[tuple[int, Record]] = []
        self.fed: Final[list[list[Record]]] = [[] for _ in range(partitions)]
        """What each task was given, in order."""
        self.journal: Final[list[bytes]] = []
        self.dead_letters: Final[list[bytes]] = []
        self.produced: Final[list[tuple[str, bytes | None, bytes | None]]] = []

    def _task(self, number: int) -> TaskState:
        return TaskState(self.stores[number], self._engine, self._due_moments_max)

    def forget_tasks(self) -> None:
        """Throw every task away, as a restart does: what is not in its rows is gone."""
        self._tasks = [self._task(number) for number in range(len(self.stores))]

    def event(self, key: bytes, value: bytes) -> None:
        """An event arrives; with chaos it may wait for others."""
        try:
            kind = json.loads(value)["type"]
        except (ValueError, KeyError, TypeError):
            kind = "payment.received"
        self._put(self._partition(key), Record(TOPIC_OF_TYPE[kind], 0, 0, 0, key, value))

    def clock(self, now: datetime) -> None:
        """A tick for every partition."""
        text = now.astimezone(UTC).isoformat()
        event = {"specversion": "1.0", "id": text, "source": "/loyalty/clock", "type": "clock.advanced"}
        value = json.dumps({**event, "time": text, "data": {}}).encode()
        for number in range(len(self.stores)):
            self._put(number, Record(CLOCK.name, number, 0, 0, None, value))

    def settle(self) -> None:
        """Everything that waits is worked off, links included."""
        while self._links or any(self._waiting):
            for number in range(len(self.stores)):
                self._step(number)
            self._deliver(everything=True)

    def rows(self) -> dict[bytes, bytes]:
        """All committed rows."""
        return {key: value for store in self.stores for key, value in store.items()}

    def outcomes(self) -> Outcomes:
        """What came of each account, in order."""
        found: Outcomes = {}
        for topic, key, value in self.produced:
            if topic not in (JOURNAL.name, LINKS.name, DEAD_LETTERS.name) and key and value:
                found.setdefault(key.decode(), []).append(json.loads(value))
        return found

    def _partition(self, key: bytes) -> int:
        return zlib.crc32(key) % len(self.stores)

    def _put(self, number: int, record: Record) -> None:
        self._waiting[number].append(record)
        if self._chaos is None or self._chance(0.1):
            self._step(number)
            self._deliver(everything=self._chaos is None)

    def _step(self, number: int) -> None:
        """One batch of a task, and its commit."""
        records, self._waiting[number] = self._waiting[number], []
        while records:
            size = self._chaos.randrange(1, len(records) + 1) if self._chaos else len(records)
            result = self._tasks[number].fold(records[:size])
            self.stores[number].put_many(result.rows, None)
            self._tasks[number].committed()
            self.fed[number] += records[: result.consumed]
            records = records[result.consumed :]
            self._take(result.produce)
            if self._chance(0.2):
                self._tasks[number] = self._task(number)

    def _take(self, produce: Iterable[Any]) -> None:
        for made in produce:
            self.produced.append((made.topic, made.key, made.value))
            if made.topic == JOURNAL.name:
                self.journal.append(made.value)
            elif made.topic == DEAD_LETTERS.name:
                self.dead_letters.append(made.value)
            elif made.topic == LINKS.name:
                record = Record(LINKS.name, 0, 0, made.timestamp, made.key, made.value)
                self._links.append((self._partition(made.key), record))

    def _deliver(self, *, everything: bool) -> None:
        """Put links before their tasks; without `everything` only some of them, in any order, some twice."""
        while self._links:
            links, self._links = self._links, []
            if self._chaos:
                self._chaos.shuffle(links)
            # A repeated step is recognised for 45 days of its account's clock: copies come close together.
            now = {link[1].value for link in links if everything or self._chance(0.5)}
            self._links += [link for link in links if link[1].value not in now]
            delivered = [link for link in links if link[1].value in now for _ in range(1 + self._chance(0.3))]
            for number, record in delivered:
                self._waiting[number].append(record)
                if self._chaos is None:
                    self._step(number)
            if self._chaos:
                return

    def _chance(self, share: float) -> bool:
        return self._chaos is not None and self._chaos.random() < share
