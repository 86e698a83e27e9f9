"""One broker for all contenders, the topics of the events, and outputs that come and go."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from benchmarks import usage
from benchmarks.events import PARTITIONS, Feed, merged
from loyalty.feed import Entry, partition_of
from loyalty.sending import Sender
from schemas.topics import CLOCK, INBOUND
from streams.broker_embedded import EmbeddedBroker
from streams.settings import Settings, read_settings
from streams.topics import UNLIMITED_MS

MERGED: Final = "bench.merged"
"""All records of a task in one topic and in their order, for peers that do not merge topics by time."""
INPUTS: Final = (*(topic.name for topic in INBOUND), CLOCK.name)
_JOIN_WAIT_MS: Final = 2_000
_CONFIG: Final = {
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.before.max.ms": str(UNLIMITED_MS),
    "message.timestamp.after.max.ms": str(UNLIMITED_MS),
}


class BenchBroker(EmbeddedBroker):
    """The project's own broker, which waits until all processes of a contender have joined their group."""

    def _configure(self) -> None:
        super()._configure()
        with (self._dir / "server.properties").open("a", encoding="utf-8") as properties:
            properties.write(f"group.initial.rebalance.delay.ms={_JOIN_WAIT_MS}\n")

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the broker has used (Linux)."""
        return sum(map(usage.cpu_seconds, usage.descendants(self._process.pid))) if self._process else 0.0


class Cluster:
    """The broker's topics. Every method is a call of its own, so that nothing is left running in between."""

    def __init__(self, broker: BenchBroker) -> None:
        self.broker: Final = broker
        self.bootstrap: Final = broker.bootstrap
        self.ends: Final[dict[tuple[str, int], int]] = {}
        """(topic, partition) → the offset after its last event. (Behind it there may be a transaction's marker.)"""
        self.settings: Final[Settings] = read_settings(
            {"KAFKA_BOOTSTRAP": self.bootstrap, "LOYALTY_PARTITIONS": str(PARTITIONS)}
        )

    def write(self, feed: Feed, tell: Callable[[int], None] = lambda count: None) -> None:
        """Create the topics of the events and write them: as they are, and merged."""
        self.create((*INPUTS, MERGED))
        asyncio.run(self._write(feed.entries, tell))
        asyncio.run(self._write(_into_one_topic(merged(feed)), tell))

    async def _write(self, entries: Iterable[Entry], tell: Callable[[int], None]) -> None:
        async with Sender(self.settings) as sender:
            await sender.send(entries, tell)
            self.ends.update(sender.ends)

    def create(self, topics: Collection[str], *, compact: bool = False) -> None:
        """Create topics, all with the same partitions, and wait until they can be used."""
        asyncio.run(self._create(topics, compact))

    async def _create(self, topics: Collection[str], compact: bool) -> None:
        config = {**_CONFIG, "cleanup.policy": "compact"} if compact else _CONFIG
        async with _Admin(self.bootstrap) as admin:
            response = await admin.create_topics(
                [NewTopic(name, PARTITIONS, 1, topic_configs=config) for name in topics]
            )
            for entry in response.topic_errors:
                error = for_code(entry[1])
                if entry[1] and error is not TopicAlreadyExistsError:
                    raise error(f"{entry[0]}: {entry[2]}")
            for _ in range(100):
                described = await admin.describe_topics(list(topics))
                if all(len(topic["partitions"]) == PARTITIONS for topic in described):
                    return
                await asyncio.sleep(0.1)

    def delete(self, prefixes: Collection[str]) -> None:
        """Delete every topic whose name begins with one of these, and wait until they are gone."""
        asyncio.run(self._delete(tuple(prefixes)))

    async def _delete(self, prefixes: tuple[str, ...]) -> None:
        async with _Admin(self.bootstrap) as admin:
            names = [name for name in await admin.list_topics() if name.startswith(prefixes)]
            if names:
                await admin.delete_topics(names)
            while set(names) & set(await admin.list_topics()):
                await asyncio.sleep(0.1)


class Watch:
    """How far a consumer group has committed, and how far its outputs have come; asked again and again."""

    def __init__(
        self, cluster: Cluster, group: str, inputs: Collection[str], outputs: Collection[str]
    ) -> None:
        self._group: Final = group
        self._ends: Final = {TopicPartition(*tp): end for tp, end in cluster.ends.items() if tp[0] in inputs}
        self._outputs: Final = [TopicPartition(t, p) for t in outputs for p in range(PARTITIONS)]
        self._admin: Final = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        self._consumer: Final = AIOKafkaConsumer(
            bootstrap_servers=cluster.bootstrap, isolation_level="read_committed", enable_auto_commit=False
        )

    async def __aenter__(self) -> Watch:
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    @property
    def records(self) -> int:
        """How many records there are to read."""
        return sum(self._ends.values())

    async def left(self) -> int:
        """Records that the group has not committed yet."""
        try:
            committed = await self._admin.list_consumer_group_offsets(
                self._group, partitions=list(self._ends)
            )
        except (UnknownTopicOrPartitionError, GroupCoordinatorNotAvailableError):
            return self.records  # nobody has committed anything yet
        offsets = {tp: max(0, meta.offset) for tp, meta in committed.items()}
        return sum(max(0, end - offsets.get(tp, 0)) for tp, end in self._ends.items())

    async def reached(self) -> Counter[str]:
        """Topic → the sum of its end offsets, which grows whenever the topic grows."""
        ends: Counter[str] = Counter()
        for tp, end in (await self._consumer.end_offsets(self._outputs)).items():
            ends[tp.topic] += end
        return ends


def task_token(partition: int) -> bytes:
    """A key that Kafka's default partitioner puts into this partition."""
    return _TOKENS[partition]


def _tokens() -> list[bytes]:
    found: dict[int, bytes] = {}
    number = 0
    while len(found) < PARTITIONS:
        token = f"task-{number}".encode()
        found.setdefault(partition_of(token, PARTITIONS), token)
        number += 1
    return [found[partition] for partition in range(PARTITIONS)]


_TOKENS: Final = _tokens()


def _into_one_topic(entries: Iterable[Entry]) -> Iterable[Entry]:
    for entry in entries:
        yield Entry(MERGED, entry.partition, entry.timestamp, task_token(entry.partition), entry.value)


class _Admin:
    def __init__(self, bootstrap: str) -> None:
        self._client: Final = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._client.start()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
