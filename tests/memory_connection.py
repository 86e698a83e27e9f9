"""A worker's connection to the broker in memory: what stands behind `streams.log` instead of Kafka's client.

Reading is as lumpy as with the real client: one answer tells of some partitions only, what it brought lies in the
client until it is asked for, and what it said of the ends grows old meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from aiokafka.errors import IllegalStateError
from faust.types import TP

from schemas.record import Fields, Record
from streams.log import Committed, Fetched, Known, Wanted, known_end
from streams.lost_records import Bounds
from streams.record_batch import Item
from streams.topic_identity import TopicIdentity
from tests.memory_broker import MemoryBroker
from tests.memory_partition import Answer
from tests.simulated_process import Process

LOOK_AGAIN_SECONDS: Final = 0.1
BREATH_SECONDS: Final = 0.05


class MemoryProducer:
    """A transactional producer."""

    def __init__(self, name: str, epoch: int, broker: MemoryBroker, process: Process) -> None:
        self._name: Final = name
        self._epoch: Final = epoch
        self._broker: Final = broker
        self._process: Final = process
        self._open = False

    async def begin(self) -> None:
        """Begin: the broker hears of it with the first record."""
        await self._process.ready()
        if self._open:
            raise IllegalStateError("a transaction is open")
        self._open = True

    async def send(self, topic: str, partition: int, items: Iterable[Item]) -> int:
        """Write records; returns the offset after the last one."""
        tp = TP(topic, partition)
        written = list(items)
        first = await self._process.request(
            "send", lambda: self._broker.append(self._name, self._epoch, tp, written)
        )
        return first + len(written)

    async def send_offsets(self, offsets: Mapping[TP, int], group: str, note: str) -> None:
        """Have the transaction commit offsets."""
        await self._process.request(
            "offsets", lambda: self._broker.send_offsets(self._name, self._epoch, offsets, note)
        )

    async def commit(self) -> None:
        """Commit."""
        await self._process.request("commit", lambda: self._broker.end(self._name, self._epoch, commit=True))
        self._open = False

    async def abort(self) -> None:
        """Abort."""
        await self._process.request("abort", lambda: self._broker.end(self._name, self._epoch, commit=False))
        self._open = False

    async def close(self) -> None:
        """Nothing is told to the broker."""
        await self._process.ready()


class MemoryConnection:
    """Reads for one process; opens its producers."""

    def __init__(self, broker: MemoryBroker, process: Process, chosen: random.Random) -> None:
        self._broker: Final = broker
        self._process: Final = process
        self._random: Final = chosen
        self._assigned: frozenset[TP] = frozenset()
        self._positions: Final[dict[TP, int]] = {}
        self._brought: Final[dict[TP, tuple[list[Record], int]]] = {}
        """Records that lie here, and where to go on after them."""
        self._told: Final[dict[TP, tuple[Answer, int]]] = {}
        """The last answer about each partition, and when it came (ms)."""
        self._said: Mapping[TP, Known] = {}
        self._moves = 0
        """Counts assignments and `read_from`: a fetch from before one brings nothing any more."""

    async def open_producer(self, name: str) -> MemoryProducer:
        """Open a producer: from here on nobody else can write under this name."""
        epoch = await self._process.request("open", lambda: self._broker.open_producer(name))
        return MemoryProducer(name, epoch, self._broker, self._process)

    def assign(self, tps: Iterable[TP]) -> None:
        """These partitions and no others may be read; none is before `read_from`."""
        self._assigned = frozenset(tps)
        self._moves += 1
        for known in (self._positions, self._brought, self._told):
            known.clear()

    async def fetch(self, wanted: Wanted, timeout: float, records_max: int) -> Fetched:
        """Records or progress, or nothing after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline, moves = loop.time() + timeout, self._moves
        tps = (*wanted.urgent, *wanted.others)
        await self._process.ready()
        while True:
            if not tps:
                await asyncio.sleep(BREATH_SECONDS)
                return Fetched(dict, self._progress(wanted.all))
            if moves != self._moves:
                return Fetched(dict, {})
            records = self._hand_out(tps, records_max)
            progress = self._progress(wanted.all)
            if records or progress != self._said or loop.time() >= deadline:
                self._said = progress
                return Fetched(partial(_all_fields, records), progress)
            if not await self._ask():
                await asyncio.sleep(max(0.0, min(LOOK_AGAIN_SECONDS, deadline - loop.time())))

    async def bounds(self, tps: Iterable[TP]) -> dict[TP, Bounds]:
        """Nothing is ever deleted here."""
        return await self._process.request(
            "ends", lambda: {tp: Bounds(0, self._broker.partition(tp).stable) for tp in tps}
        )

    async def identity(self, topic: str) -> TopicIdentity:
        """There is one cluster, and no topic is ever deleted."""
        return await self._process.request("identity", lambda: TopicIdentity("memory", topic))

    async def read_from(self, offsets: Mapping[TP, int | None]) -> None:
        """Go on from there."""
        await self._process.ready()
        if not offsets.keys() <= self._assigned:
            raise IllegalStateError("not assigned")
        self._moves += 1
        for tp, offset in offsets.items():
            self._positions[tp] = offset or 0
            self._brought.pop(tp, None)
        await asyncio.sleep(0)

    async def committed(self, tps: Iterable[TP]) -> Committed:
        """The offsets of the group."""
        return await self._process.request("committed", lambda: self._broker.committed(tps))

    async def rest(self, tps: Iterable[TP]) -> None:
        """Read these no more."""
        await self._process.ready()
        for tp in tps:
            self._positions.pop(tp, None)
            self._brought.pop(tp, None)

    def _hand_out(self, tps: Sequence[TP], records_max: int) -> dict[TP, Sequence[Record]]:
        records: dict[TP, Sequence[Record]] = {}
        left = records_max
        for tp in tps:
            if tp not in self._brought or not left:
                continue
            there, then = self._brought.pop(tp)
            given, rest = there[:left], there[left:]
            left -= len(given)
            if rest:
                self._brought[tp] = (rest, then)
            if given:
                records[tp] = given
            # Where the limit falls on the last record, the client has not looked beyond it yet.
            self._positions[tp] = given[-1].offset + 1 if given and (rest or not left) else then
        return records

    async def _ask(self) -> bool:
        """One answer about some of the partitions that nothing lies here of; whether it brought anything."""
        open_ones = sorted(tp for tp in self._positions if tp not in self._brought)
        if not open_ones:
            return False
        if self._random.random() < 0.5:
            open_ones = self._random.sample(open_ones, self._random.randint(1, len(open_ones)))
        places = {tp: self._positions[tp] for tp in open_ones}
        most, moves = self._random.choice((1, 3, 1_000)), self._moves
        answers = await self._process.request(
            "fetch", lambda: {tp: self._broker.partition(tp).read(at, most) for tp, at in places.items()}
        )
        if moves != self._moves:
            return True
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        news = False
        for tp, answer in answers.items():
            news |= tp not in self._told or answer != self._told[tp][0]
            self._told[tp] = (answer, now_ms)
            if tp in self._positions and answer.records:
                self._brought[tp] = (answer.records, answer.position)
            elif tp in self._positions:
                self._positions[tp] = answer.position
        return news

    def _progress(self, tps: Iterable[TP]) -> dict[TP, Known]:
        progress: dict[TP, Known] = {}
        for tp in sorted(tps):
            if tp in self._assigned:
                answer, seen_ms = self._told.get(tp, (None, 0))
                end = answer and known_end(tp.topic, stable=answer.stable, written=answer.written)
                progress[tp] = Known(self._positions.get(tp), end, seen_ms)
        return progress


def _all_fields(records: Mapping[TP, Sequence[Record]]) -> dict[TP, Fields]:
    return {tp: _fields(found) for tp, found in records.items()}


def _fields(records: Sequence[Record]) -> Fields:
    return Fields(
        [record.offset for record in records],
        [record.timestamp for record in records],
        [record.key for record in records],
        [record.value for record in records],
        [record.ahead for record in records],
    )
