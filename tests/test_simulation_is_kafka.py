"""The log in memory against Kafka: the same requests to both, and both must show the same.

Compared are what each request answers (the offsets, or that it is fenced) and, again and again, high watermark,
last stable offset, what read_committed shows at which offsets, and the group's offsets.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import ProducerFenced
from faust.types import TP

from streams.offsets import committed_offsets
from streams.record_batch import Item
from streams.task_producer import KafkaTaskProducer
from tests.memory_broker import ComeAgain, MemoryBroker
from tests.stream_world import empty_broker

__all__ = ["empty_broker"]

REQUESTS: Final = 60
PATIENCE_SECONDS: Final = 20.0
State = dict[str, Any]


class Both:
    """One producer name on both sides."""

    def __init__(self, name: str, bootstrap: str, broker: MemoryBroker) -> None:
        self._name: Final = name
        self._bootstrap: Final = bootstrap
        self._broker: Final = broker
        self._kafka: KafkaTaskProducer | None = None
        self._epoch = -1
        self.old: tuple[KafkaTaskProducer, int] | None = None
        """Who had the name before and left a transaction open."""
        self.open = False
        self.wrote = False

    async def reopen(self) -> None:
        """A new owner; whoever had it before is fenced."""
        if self._kafka is not None:
            self.old = (self._kafka, self._epoch) if self.wrote else None
            if self.old is None:
                await self._kafka.close()
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, transactional_id=self._name, retry_backoff_ms=10
        )
        await producer.start()
        self._kafka = KafkaTaskProducer(producer)
        self._epoch = await self._again(lambda: self._broker.open_producer(self._name))
        self.open = self.wrote = False

    async def send(self, tp: TP, items: Sequence[Item]) -> None:
        """Write records."""
        kafka = await self._begun()
        end = await kafka.send(*tp, items)
        first = await self._again(lambda: self._broker.append(self._name, self._epoch, tp, items))
        assert first + len(items) == end
        self.wrote = True

    async def send_offsets(self, offsets: dict[TP, int], group: str, note: str) -> None:
        """Commit offsets with the transaction."""
        kafka = await self._begun()
        await kafka.send_offsets(offsets, group, note)
        await self._again(lambda: self._broker.send_offsets(self._name, self._epoch, offsets, note))
        self.wrote = True

    async def end(self, *, commit: bool) -> None:
        """Decide the transaction, if there is one."""
        if self.open:
            assert self._kafka is not None
            await (self._kafka.commit() if commit else self._kafka.abort())
            if self.wrote:
                await self._again(lambda: self._broker.end(self._name, self._epoch, commit=commit))
            self.open = self.wrote = False

    async def zombie(self) -> None:
        """Who was fenced tries to commit what it had left open."""
        if self.old is None:
            return
        (kafka, epoch), self.old = self.old, None
        with pytest.raises(ProducerFenced):
            await kafka.commit()
        with pytest.raises(ProducerFenced):
            self._broker.end(self._name, epoch, commit=True)
        await kafka.close()

    async def close(self) -> None:
        """End it."""
        await self.end(commit=False)
        await self.zombie()
        if self._kafka is not None:
            await self._kafka.close()

    async def _begun(self) -> KafkaTaskProducer:
        assert self._kafka is not None
        if not self.open:
            await self._kafka.begin()
            self.open = True
        return self._kafka

    @staticmethod
    async def _again(request: Callable[[], Any]) -> Any:
        while True:
            try:
                return request()
            except ComeAgain:
                await asyncio.sleep(0.005)


async def kafka_shows(bootstrap: str, tps: Sequence[TP], group: str) -> State:
    """What Kafka shows now."""
    found: State = {}
    places = [TopicPartition(*tp) for tp in tps]
    for level in ("read_committed", "read_uncommitted"):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, isolation_level=level, group_id=group, enable_auto_commit=False
        )
        async with consumer:
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found[f"{level} end"] = {TP(*tp): end for tp, end in ends.items()}
            if level == "read_committed":
                found["committed"] = await committed_offsets(consumer._coordinator, tps)
                records: dict[TP, list[tuple[int, bytes | None]]] = {tp: [] for tp in tps}
                await consumer.seek_to_beginning(*places)
                while any([await consumer.position(tp) < ends[tp] for tp in places]):
                    for tp, some in (await consumer.getmany(timeout_ms=50)).items():
                        records[TP(*tp)] += [(record.offset, record.value) for record in some]
                found["records"] = records
    return found


def memory_shows(broker: MemoryBroker, tps: Sequence[TP]) -> State:
    """The same of the log in memory."""
    logs = {tp: broker.partition(tp) for tp in tps}
    return {
        "read_committed end": {tp: log.stable for tp, log in logs.items()},
        "read_uncommitted end": {tp: log.written for tp, log in logs.items()},
        "committed": broker.committed(tps),
        "records": {tp: [(r.offset, r.value) for r in log.committed()] for tp, log in logs.items()},
    }


async def marked(consumer: AIOKafkaConsumer, broker: MemoryBroker, tps: Sequence[TP]) -> None:
    """Wait until the markers of what was decided stand on both sides: which other records they stand between is
    a matter of speed."""
    places = [TopicPartition(*tp) for tp in tps]
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        ends = await consumer.end_offsets(places)
        kafka, memory = [ends[place] for place in places], [broker.partition(tp).written for tp in tps]
        # As long as one is missing in memory, equal ends may mean that it is missing on both sides.
        if kafka == memory and not broker.unmarked:
            return
        assert asyncio.get_running_loop().time() < deadline, f"ends: Kafka {kafka}, memory {memory}"
        await asyncio.sleep(0.005)


async def compared(bootstrap: str, broker: MemoryBroker, tps: Sequence[TP], group: str) -> None:
    """Both show the same, once the markers that are on their way are written."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        kafka, memory = await kafka_shows(bootstrap, tps, group), memory_shows(broker, tps)
        if kafka == memory:
            return
        assert asyncio.get_running_loop().time() < deadline, f"Kafka: {kafka}\nmemory: {memory}"


async def request(producer: Both, chosen: random.Random, tps: Sequence[TP], group: str) -> None:
    """Any one."""
    what = chosen.choice(("send", "send", "offsets", "commit", "abort", "reopen", "zombie"))
    if what == "send":
        items: list[Item] = [(b"k", b"%d" % n, 1_700_000_000_000) for n in range(chosen.randint(1, 3))]
        await producer.send(chosen.choice(tps), items)
    elif what == "offsets":
        note = f"note {chosen.randrange(50)}"
        await producer.send_offsets({chosen.choice(tps): chosen.randrange(50)}, group, note)
    elif what == "reopen":
        await producer.reopen()
    elif what == "zombie":
        await producer.zombie()
    else:
        await producer.end(commit=what == "commit")


async def play(bootstrap: str, seed: int) -> None:
    """Requests to both sides."""
    chosen = random.Random(seed)
    run = uuid.uuid4().hex[:8]
    tps = [TP(f"model-{run}-{name}", 0) for name in "ab"]
    group = f"group-{run}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(tp.topic, 1, 1) for tp in tps])
    await admin.close()
    broker = MemoryBroker(random.Random(seed), 60.0)
    producers = [Both(f"{name}-{run}", bootstrap, broker) for name in "xyz"]
    for producer in producers:
        await producer.reopen()
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        for number in range(REQUESTS):
            await request(chosen.choice(producers), chosen, tps, group)
            await marked(consumer, broker, tps)
            if number % 20 == 19:
                await compared(bootstrap, broker, tps, group)
        for producer in producers:
            await producer.close()
    await compared(bootstrap, broker, tps, group)
    assert broker.counted["committed"] and broker.counted["aborted"], "the script was too tame"
    assert broker.counted["aborted by the next owner"], "nobody was fenced"


@pytest.mark.parametrize("seed", range(3))
def test_the_log_in_memory_does_what_kafka_does(empty_broker: str, seed: int) -> None:
    asyncio.run(play(empty_broker, seed))
