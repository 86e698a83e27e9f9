"""When `loyalty forget` must not go on: it says why in one line, and nothing has changed."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from loyalty.cli import run
from loyalty.errors import LoyaltyError
from loyalty.groups import RUNNING, Position
from loyalty.task_log import Copy, Interrupted, TaskLog, notes_group
from schemas.topics import PAYMENTS
from streams.task_writer import transactional_id
from tests.forget_world import ANNA, OPERATOR, OUTCOMES, Lives, consume, fed, settled, traces, worker_of
from tests.stream_world import Fed, World, deployment, empty_broker, world

__all__ = ["deployment", "empty_broker", "world"]

FORGET = ["forget", OPERATOR, ANNA, "--yes"]


def test_it_says_in_one_line_why_it_does_not_go_on(
    deployment: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world, lives = deployment, Lives()

    def refused(status: int, why: str, *command: str) -> None:
        assert run(list(command) or FORGET) == status
        told = capsys.readouterr().err
        assert why in told
        assert told.count("\n") == 1, told

    refused(2, "no programme of 'nobody'", "forget", "nobody", ANNA, "--yes")
    refused(1, "no worker has seen", *FORGET)
    worker = worker_of(world)
    world.feed_in_transactions(fed(lives.first), 1000)
    settled(world)
    assert worker.stop() == 0
    refused(2, "is open, and no worker runs")
    asyncio.run(_begin(world, "loyalty-consumer-slow"))
    worker = worker_of(world)
    assert run(FORGET) == 3
    capsys.readouterr()
    settled(world)
    refused(RUNNING, f"the consumer group '{world.application_id}' is running")
    assert worker.stop() == 0
    refused(RUNNING, "the consumer group 'loyalty-consumer-slow' has not read all of loyalty.")
    assert ANNA in {secret for _, _, secret in traces(world)}
    consume(world, "loyalty-consumer-slow")
    assert run(FORGET) == 0, capsys.readouterr().err
    assert run(FORGET) == 0, "and again, with nothing to do"
    assert "0 records gone" in capsys.readouterr().out.splitlines()[-2]


async def _begin(world: World, group: str) -> None:
    """A consumer that has subscribed and read nothing yet."""
    consumer = AIOKafkaConsumer(**world.settings.kafka(), group_id=group, enable_auto_commit=False)
    async with consumer:
        tps = [TopicPartition(topic, p) for topic in OUTCOMES for p in range(world.settings.partitions)]
        consumer.assign(tps)
        await consumer.commit(dict.fromkeys(tps, 0))


def test_who_writes_meanwhile_is_not_overtaken(deployment: World) -> None:
    world = deployment
    world.feed([Fed(PAYMENTS.name, "mts/A", f"{number}", 0) for number in range(5)])
    before = _values(world)
    partition = next(record.partition for record in world.read(PAYMENTS.name))
    tp = TopicPartition(PAYMENTS.name, partition)

    async def copies() -> AsyncIterator[Copy]:
        for number in range(4):
            yield Copy(number, 0, b"mts/A", b"x" * 400_000)
            if number == 2:
                async with AIOKafkaProducer(**world.settings.kafka()) as other:
                    await other.send_and_wait(tp.topic, b"between", key=b"mts/A", partition=partition)

    async def rewrite() -> None:
        async with TaskLog(world.settings, partition) as log:
            await log.rewrite(tp, 5, copies(), {"loyalty-consumer-x": {tp: Position(5, "")}}, _nothing)

    with pytest.raises(Interrupted):
        asyncio.run(rewrite())
    assert _values(world) == [*before, b"between"]
    assert asyncio.run(_committed(world, "loyalty-consumer-x", tp)) is None


def test_a_worker_that_starts_meanwhile_shuts_it_out(
    deployment: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = deployment
    world.feed([Fed(PAYMENTS.name, "mts/A", f"{number}", 0) for number in range(5)])
    before = _values(world)
    tp = TopicPartition(PAYMENTS.name, next(record.partition for record in world.read(PAYMENTS.name)))
    name = transactional_id(world.application_id, tp.partition)

    async def copies() -> AsyncIterator[Copy]:
        yield Copy(0, 0, b"mts/A", b"copy")
        worker = AIOKafkaProducer(**world.settings.kafka(), transactional_id=name)
        await worker.start()
        await worker.stop()
        yield Copy(1, 0, b"mts/A", b"copy")

    async def rewrite() -> None:
        async with TaskLog(world.settings, tp.partition) as log:
            await log.rewrite(tp, 5, copies(), {}, _nothing)

    monkeypatch.setattr(logging.getLogger("asyncio"), "level", logging.CRITICAL)  # as the command does
    with pytest.raises(LoyaltyError, match="a worker has started") as raised:
        asyncio.run(rewrite())
    assert raised.value.exit_status == RUNNING
    del raised
    gc.collect()  # what the client has left behind goes now, not while something else is under way
    assert _values(world) == before
    assert asyncio.run(_committed(world, notes_group(world.application_id), tp)) is None


async def _nothing() -> None:
    """All is as it was."""


def _values(world: World) -> list[bytes]:
    return [record.value for record in world.read(PAYMENTS.name)]


async def _committed(world: World, group: str, tp: TopicPartition) -> int | None:
    async with AIOKafkaConsumer(**world.settings.kafka(), group_id=group) as consumer:
        consumer.assign([tp])
        committed: int | None = await consumer.committed(tp)
        return committed
