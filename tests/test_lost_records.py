"""Records that Kafka has deleted before they were applied: a worker does not skip them unless it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from faust.types import TP

from schemas.topics import ACTIVATIONS, PAYMENTS, POINTS
from streams.log import Wanted
from streams.lost_records import Bounds, find_lost, refuse_lost_records
from streams.partition_reader import PartitionReader
from streams.settings import Settings
from tests.stream_world import PATIENCE_SECONDS, Fed, World, empty_broker, until, world
from tests.test_streams_exactly_once import START_MS, outputs_of, some_records

__all__ = ["empty_broker", "world"]

A, B, C = TP("a", 0), TP("b", 0), TP("c", 1)


def payments(count: int, start: int = 0) -> list[Fed]:
    """Payments of one account."""
    return [Fed(PAYMENTS.name, "op/1", str(n), START_MS + n * 1000) for n in range(start, start + count)]


def delete_before(settings: Settings, offsets: Mapping[TP, int]) -> None:
    """Have Kafka delete what lies before these offsets, as retention would."""

    async def delete() -> None:
        admin = AIOKafkaAdminClient(**settings.kafka())
        await admin.start()
        try:
            await admin.delete_records(
                {TopicPartition(*tp): RecordsToDelete(before_offset=offset) for tp, offset in offsets.items()}
            )
        finally:
            await admin.close()

    asyncio.run(delete())


def wait_for_outputs(world: World, count: int) -> None:
    """Wait for so many: where transactions were fed, their ends count as a lag that stays."""
    until(lambda: len(world.read(POINTS.name)) >= count, PATIENCE_SECONDS, "outputs")


def applied_then_deleted(world: World, more: int) -> tuple[list[Fed], list[Fed]]:
    """Records that were applied, and others that came while no worker ran: all of those but the last Kafka has deleted."""
    applied = payments(50)
    world.feed(applied)
    worker = world.worker()
    world.wait_until_done(50)
    assert worker.stop() == 0, worker.log
    came = payments(more, start=50)
    world.feed(came)
    delete_before(world.settings, {TP(PAYMENTS.name, 0): 50 + more - 1})
    return applied, came


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_worker_refuses_to_skip_what_was_deleted_before_it_was_applied(world: World) -> None:
    applied_then_deleted(world, more=30)
    worker = world.worker()
    assert worker.exit_status() == 69, worker.log
    (last,) = [line for line in worker.log.splitlines() if "CRITICAL" in line]
    assert f"{PAYMENTS.name} partition 0 begins at offset 79, and 50 was to be read next" in last
    assert "LOYALTY_SKIP_LOST_RECORDS=true" in last
    assert len(world.read(POINTS.name)) == 50, "it has applied something all the same"


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_worker_that_is_told_to_goes_on_with_what_is_left_and_says_so(world: World) -> None:
    applied, came = applied_then_deleted(world, more=30)
    worker = world.worker(LOYALTY_SKIP_LOST_RECORDS="true")
    world.wait_until_done(51)
    assert worker.stop() == 0, worker.log
    assert "WARNING" in worker.log and "begins at offset 79, and 50 was to be read next" in worker.log
    world.audit([*applied, came[-1]])


@pytest.mark.parametrize("world", [1], indirect=True)
def test_the_end_of_a_transaction_that_was_deleted_is_no_loss(world: World) -> None:
    fed = some_records(60)
    world.feed_in_transactions(fed, 60)
    first = world.worker()
    wait_for_outputs(world, outputs_of(fed))
    assert first.stop() == 0, first.log
    # Each topic has twenty records and, after them, the marker, which nobody has seen when their batch is committed.
    topics = {record.topic for record in fed}
    delete_before(world.settings, {TP(topic, 0): 21 for topic in topics})
    more = payments(10, start=60)
    world.feed(more)
    second = world.worker()
    wait_for_outputs(world, outputs_of([*fed, *more]))
    assert second.stop() == 0, second.log
    assert "WARNING" not in second.log


@pytest.mark.parametrize("world", [1], indirect=True)
def test_an_aborted_transaction_that_was_deleted_is_no_loss(world: World) -> None:
    fed = payments(20)
    world.feed_in_transactions(fed, 20)
    world.feed_in_vain(payments(7, start=20))
    first = world.worker()
    wait_for_outputs(world, 20)
    other = Fed(ACTIVATIONS.name, "op/1", "20", START_MS + 20_000)
    world.feed([other])
    world.wait_until_done(21)
    assert first.stop() == 0, first.log
    # The ends of both transactions, and seven records that nobody was shown.
    delete_before(world.settings, {TP(PAYMENTS.name, 0): 20 + 1 + 7 + 1})
    more = payments(10, start=30)
    world.feed(more)
    second = world.worker()
    world.wait_until_done(31)
    assert second.stop() == 0, second.log
    assert "WARNING" not in second.log
    world.audit([*fed, other, *more])


@pytest.mark.parametrize("world", [1], indirect=True)
def test_a_reader_that_is_overtaken_by_deletion_fails_instead_of_skipping(world: World) -> None:
    world.feed(payments(40))
    tp = TP(PAYMENTS.name, 0)
    delete_before(world.settings, {tp: 30})

    async def read() -> None:
        reader = await PartitionReader.start(world.settings)
        try:
            await reader.read_from({tp: 10})
            for _ in range(20):
                assert not (await reader.fetch(Wanted([tp]), 0.5, 100)).records
        finally:
            await reader.stop()

    with pytest.raises(OffsetOutOfRangeError):
        asyncio.run(read())


def test_nothing_is_lost_where_the_next_offset_is_there_or_only_the_end_of_a_transaction_is_not() -> None:
    committed = {A: 5, B: None, C: 7}
    lost = find_lost(committed, {A: Bounds(5, 5), B: Bounds(100, 200), C: Bounds(8, 8)})
    refuse_lost_records(lost)
    assert lost.read_from == {A: 5, B: None, C: 8}


def test_each_partition_that_has_lost_something_is_named() -> None:
    lost = find_lost({A: 5, B: 9, C: 7}, {A: Bounds(7, 9), B: Bounds(0, 8), C: Bounds(0, 7)})
    assert lost.read_from == {A: 7, B: None, C: 7}
    with pytest.raises(
        KafkaError, match=r"a partition 0 begins at offset 7, and 5 .* b partition 0 ends at offset 8"
    ):
        refuse_lost_records(lost)
