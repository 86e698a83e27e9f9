"""All tasks of a peer's process, and the plain producer that writes what they say: for peers without one of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from confluent_kafka import Producer

from benchmarks.contenders.peer_task import Arguments, Out, PeerTask, Rows
from benchmarks.outcomes import new_engine


class PeerWriter:
    """Tasks made when first asked for; what is written is there once `flush` has returned."""

    def __init__(self, given: Arguments) -> None:
        self._given: Final = given
        self._engine: Final = new_engine()
        self._tasks: Final[dict[int, PeerTask]] = {}
        self._producer: Final = Producer(
            {
                "bootstrap.servers": given.bootstrap,
                "linger.ms": 20,
                "batch.size": 500_000,
                "queue.buffering.max.messages": 1_000_000,
                "acks": "all",
            }
        )

    def task(self, partition: int) -> PeerTask:
        """The task of a partition."""
        if partition not in self._tasks:
            self._tasks[partition] = PeerTask(partition, Rows(), self._engine)
        return self._tasks[partition]

    def write(self, out: Iterable[Out]) -> None:
        """Hand records to the producer."""
        for name, partition, key, value, timestamp in out:
            self._producer.produce(
                self._given.topic(name), value, key, partition=partition, timestamp=timestamp
            )
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until all of it is written."""
        self._producer.flush()
