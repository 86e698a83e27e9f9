"""Arroyo (`sentry-arroyo`): batches, one step that decides and writes them, then the offsets.

Its strongest guarantee is at least once: offsets are committed once what they led to is written. It keeps no
state, so the rows are in memory only. A processor of it reads one topic; steps between accounts have a second
one beside it, in a thread, and a lock sees to it that one of them decides at a time.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from arroyo.backends.kafka import KafkaConsumer, KafkaPayload
from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration
from arroyo.processing.processor import StreamProcessor
from arroyo.processing.strategies import CommitOffsets, RunTask
from arroyo.processing.strategies.abstract import ProcessingStrategy, ProcessingStrategyFactory
from arroyo.processing.strategies.batching import BatchStep
from arroyo.types import Commit, Partition, Topic

from benchmarks.cluster import MERGED
from benchmarks.contenders.peer_task import Arguments, arguments, ready
from benchmarks.contenders.peer_writer import PeerWriter

BATCH: Final = 5_000
BATCH_SECONDS: Final = 0.1


class Decisions:
    """What is decided of batches, one at a time."""

    def __init__(self, given: Arguments) -> None:
        self._peer: Final = PeerWriter(given)
        self._lock: Final = threading.Lock()

    def take_events(self, message: Any) -> int:
        """Decide a batch of the merged topic and write what follows; returns its length."""
        batch = message.payload
        by_task: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)
        for value in batch:
            by_task[value.partition.index].append((_ms(value), value.payload.value))
        with self._lock:
            for partition, values in by_task.items():
                self._peer.write(self._peer.task(partition).take(values)[0])
            self._peer.flush()
        return len(batch)

    def take_links(self, message: Any) -> int:
        """Decide a batch of steps between accounts and write what follows; returns its length."""
        with self._lock:
            for value in message.payload:
                task = self._peer.task(value.partition.index)
                self._peer.write(task.take_link(_ms(value), value.payload.key, value.payload.value)[0])
            self._peer.flush()
        return len(message.payload)


class Steps(ProcessingStrategyFactory[KafkaPayload]):
    """Batches → decisions → offsets."""

    def __init__(self, decide: Any) -> None:
        self._decide: Final = decide

    def create_with_partitions(
        self, commit: Commit, partitions: Mapping[Partition, int]
    ) -> ProcessingStrategy[KafkaPayload]:
        """Called with every assignment."""
        ready()
        return BatchStep(BATCH, BATCH_SECONDS, RunTask(self._decide, CommitOffsets(commit)))


def _ms(value: Any) -> int:
    return round(value.timestamp.replace(tzinfo=UTC).timestamp() * 1000)


def processor(given: Arguments, group: str, topic: str, decide: Any) -> StreamProcessor[KafkaPayload]:
    """One that reads one topic."""
    configuration = build_kafka_consumer_configuration(
        {"fetch.message.max.bytes": 4 * 2**20},
        group_id=group,
        bootstrap_servers=[given.bootstrap],
        queued_min_messages=100_000,
    )
    return StreamProcessor(KafkaConsumer(configuration), Topic(topic), Steps(decide))


def main() -> None:
    """Run until stopped."""
    given = arguments()
    decisions = Decisions(given)
    links = processor(given, f"{given.group}.links", given.topic("links"), decisions.take_links)
    threading.Thread(target=links.run, daemon=True).start()
    processor(given, given.group, MERGED, decisions.take_events).run()


if __name__ == "__main__":
    main()
