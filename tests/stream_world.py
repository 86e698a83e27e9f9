"""A broker with empty topics, workers as processes, and an audit of what they did.

Only for tests: it deletes and creates the real topics, so it always has a broker of its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from schemas.topics import ALL, INBOUND, LINKS, POINTS
from streams.broker_embedded import EmbeddedBroker
from streams.settings import Settings, read_settings
from streams.table import changelog_topic
from streams.topics import create_topics

ROOT: Final = Path(__file__).parent.parent
PATIENCE_SECONDS: Final = 60.0


class Fed:
    """One record to be fed: `text` is its value, which the toy repeats in its output."""

    __slots__ = ("key", "text", "time_ms", "topic")

    def __init__(self, topic: str, key: str, text: str, time_ms: int) -> None:
        self.topic: Final = topic
        self.key: Final = key.encode()
        self.text: Final = text
        self.time_ms: Final = time_ms


class Worker:
    """A worker process and its log."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.log_file: Final = log
        with log.open("ab") as out:
            self.process: Final = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
            )

    @property
    def log(self) -> str:
        """Everything it has said."""
        return self.log_file.read_text()

    def wait_for(self, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until its log holds `text`."""
        until(lambda: text in self.log or self.process.poll() is not None, seconds, f"{text!r}\n{self.log}")
        assert text in self.log, self.log

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def io_process(self) -> int:
        """The id of the process in which it talks to Kafka."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        (child,) = [child for task in tasks.glob("*/children") for child in task.read_text().split()]
        return int(child)

    def stop(self) -> int:
        """Ask it to stop; its exit status."""
        self.process.terminate()
        return self.exit_status()

    def exit_status(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for its end."""
        return self.process.wait(seconds)


class World:
    """One deployment on an otherwise empty cluster."""

    def __init__(self, bootstrap: str, directory: Path, partitions: int) -> None:
        self.application_id: Final = f"toy-{uuid.uuid4().hex[:8]}"
        self.directory: Final = directory
        self.environment: Final = {
            "KAFKA_BOOTSTRAP": bootstrap,
            "LOYALTY_APPLICATION_ID": self.application_id,
            "LOYALTY_PARTITIONS": str(partitions),
            "LOYALTY_SESSION_MS": "3000",
        }
        self.settings: Final[Settings] = read_settings(self.environment)
        self.workers: Final[list[Worker]] = []

    def worker(self, module: str = "tests.toy_worker", *arguments: str, **environment: str) -> Worker:
        """Start a worker process with an empty disk."""
        number = len(self.workers) + 1
        state = self.directory / f"state-{number}"
        worker = Worker(
            [sys.executable, "-m", module, *arguments],
            {**os.environ, **self.environment, "LOYALTY_STATE_DIR": str(state), **environment},
            self.directory / f"worker-{number}.log",
        )
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """End every worker that is left."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()

    def feed(self, records: Sequence[Fed]) -> None:
        """Write records in the order given and wait until Kafka has them."""
        asyncio.run(self._feed(records))

    async def _feed(self, records: Sequence[Fed]) -> None:
        async with AIOKafkaProducer(**self.settings.kafka(), linger_ms=2, max_batch_size=200_000) as producer:
            await _send(producer, records)

    def feed_in_transactions(self, records: Sequence[Fed], size: int) -> None:
        """Write records so that each `size` of them, whatever their topics, become visible together."""

        async def write() -> None:
            async with self._transactional() as producer:
                for start in range(0, len(records), size):
                    async with producer.transaction():
                        await _send(producer, records[start : start + size])

        asyncio.run(write())

    def feed_in_vain(self, records: Sequence[Fed]) -> None:
        """Write records in a transaction that is aborted."""

        async def write() -> None:
            async with self._transactional() as producer:
                await producer.begin_transaction()
                await _send(producer, records)
                await producer.abort_transaction()

        asyncio.run(write())

    def _transactional(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(**self.settings.kafka(), transactional_id=f"feed-{uuid.uuid4().hex}")

    def feed_to_all_partitions(self, topic: str, text: str, time_ms: int) -> None:
        """Write one record to each partition, as the clock does."""

        async def write() -> None:
            async with AIOKafkaProducer(**self.settings.kafka()) as producer:
                for partition in range(self.settings.partitions):
                    await producer.send_and_wait(
                        topic, text.encode(), partition=partition, timestamp_ms=time_ms
                    )

        asyncio.run(write())

    def read(self, topic: str) -> list[ConsumerRecord]:
        """All committed records of a topic, partition by partition."""
        return asyncio.run(self._read(topic))

    async def _read(self, topic: str) -> list[ConsumerRecord]:
        tps = [TopicPartition(topic, partition) for partition in range(self.settings.partitions)]
        found: dict[TopicPartition, list[ConsumerRecord]] = defaultdict(list)
        consumer = AIOKafkaConsumer(**self.settings.kafka(), isolation_level="read_committed")
        async with consumer:
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            ends = await consumer.end_offsets(tps)
            while True:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp] += records
                if all([await consumer.position(tp) >= ends[tp] for tp in tps]):
                    return [record for tp in tps for record in found[tp]]

    def lag(self) -> int:
        """How many inbound records the group has not committed."""
        return asyncio.run(self._lag())

    async def _lag(self) -> int:
        tps = [TopicPartition(topic.name, p) for topic in INBOUND for p in range(self.settings.partitions)]
        admin = AIOKafkaAdminClient(**self.settings.kafka())
        await admin.start()
        consumer = AIOKafkaConsumer(**self.settings.kafka())
        try:
            committed = await _committed(admin, self.application_id, tps)
            async with consumer:
                ends = await consumer.end_offsets(tps)
        finally:
            await admin.close()
        none = OffsetAndMetadata(0, "")
        return sum(end - max(0, committed.get(tp, none).offset) for tp, end in ends.items())

    def wait_until_done(self, outputs: int, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until every inbound record is committed and there are so many outputs."""
        until(lambda: self.lag() == 0, seconds, lambda: f"a lag of {self.lag()}\n{self._logs()}")
        until(
            lambda: len(self.read(POINTS.name)) >= outputs,
            seconds,
            lambda: f"{len(self.read(POINTS.name))} outputs instead of {outputs}\n{self._logs()}",
        )

    def write(self, topic: str, partition: int, key: bytes, value: bytes | None) -> None:
        """Write one record where it is told to, as nobody should."""

        async def send() -> None:
            async with AIOKafkaProducer(**self.settings.kafka()) as producer:
                await producer.send_and_wait(topic, value, key=key, partition=partition)

        asyncio.run(send())

    def configure(self, topic: str, config: dict[str, str]) -> None:
        """Change how a topic is kept."""

        async def change() -> None:
            admin = AIOKafkaAdminClient(**self.settings.kafka())
            await admin.start()
            try:
                await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=config)])
            finally:
                await admin.close()

        asyncio.run(change())

    def rows(self) -> dict[bytes, dict[str, int]]:
        """The latest row of every key, as the changelog has it."""
        return {
            record.key: orjson.loads(record.value)
            for record in self.read(changelog_topic(self.application_id))
        }

    def audit(self, fed: Sequence[Fed]) -> None:
        """Every record caused exactly one output, counts never skip or repeat, and the rows agree."""
        outputs = [(r.key, orjson.loads(r.value)) for r in self.read(POINTS.name)]
        counted = [(key, value) for key, value in outputs if "at" in value]
        places = [value["at"] for _, value in counted]
        assert len(places) == len(set(places)), "a record was applied twice"
        expected: dict[bytes, int] = defaultdict(int)
        for record in fed:
            expected[record.key] += 1
            if "link" in record.text:
                expected[b"linked-" + record.key] += 1
        counts: dict[bytes, list[int]] = defaultdict(list)
        for key, value in counted:
            counts[key].append(value["n"])
        assert {key: len(ns) for key, ns in counts.items()} == dict(expected)
        for key, ns in counts.items():
            assert ns == list(range(1, len(ns) + 1)), f"the count of {key!r} skipped or went back: {ns[:50]}"
        rows = self.rows()
        assert {key: row["n"] for key, row in rows.items()} == dict(expected)
        linked = sum(1 for record in fed if "link" in record.text)
        assert len(self.read(LINKS.name)) == linked

    def _logs(self) -> str:
        return "\n".join(f"--- {w.log_file.name}\n{w.log[-3000:]}" for w in self.workers)


async def _send(producer: AIOKafkaProducer, records: Sequence[Fed]) -> None:
    """Write records in the order given and wait until Kafka has them: what is not sent yet, an abort would drop."""
    for record in records:
        await producer.send(record.topic, record.text.encode(), key=record.key, timestamp_ms=record.time_ms)
    await producer.flush()


async def _committed(
    admin: AIOKafkaAdminClient, group: str, tps: Sequence[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:
    try:
        found: dict[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(
            group, partitions=tps
        )
    except GroupCoordinatorNotAvailableError:
        # A broker that has just started finds its coordinator when the first worker joins.
        return {}
    return found


def until(condition: Callable[[], bool], seconds: float, what: str | Callable[[], str]) -> None:
    """Wait for a condition; fail with `what` was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain: {what if isinstance(what, str) else what()}")
        time.sleep(0.1)


@pytest.fixture(scope="module")
def empty_broker() -> Iterator[str]:
    """A broker that these tests may wreck; its bootstrap address."""
    given = os.environ.get("LOYALTY_TEST_BROKER")
    if given:
        yield given
        return
    broker = EmbeddedBroker(lambda text: print(text, flush=True))
    yield broker.bootstrap
    broker.stop()


@pytest.fixture
def world(empty_broker: str, tmp_path: Path, request: Any) -> Iterator[World]:
    """A deployment with empty topics, of 2 partitions unless `@pytest.mark.parametrize` says otherwise."""
    made = World(empty_broker, tmp_path, getattr(request, "param", 2))
    asyncio.run(_empty_topics(made.settings))
    yield made
    made.close()


@pytest.fixture
def deployment(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, and the commands that run in this process told where it is."""
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    return world


async def delete_topics(settings: Settings, names: Set[str]) -> None:
    """Delete those of these topics that are there, and wait until they are gone."""
    admin = AIOKafkaAdminClient(**settings.kafka())
    await admin.start()
    try:
        there = sorted(names & set(await admin.list_topics()))
        if there:
            await admin.delete_topics(there)
            while names & set(await admin.list_topics()):
                await asyncio.sleep(0.1)
    finally:
        await admin.close()


async def _empty_topics(settings: Settings) -> None:
    await delete_topics(settings, {topic.name for topic in ALL})
    await create_topics(settings)
