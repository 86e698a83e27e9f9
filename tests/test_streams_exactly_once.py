"""The stream on a real broker, with a fold that only counts: nothing lost, nothing twice, nothing torn."""

from __future__ import annotations

import itertools

import orjson
import pytest

from schemas.topics import ACTIVATIONS, CLOCK, PAYMENTS, POINTS, REQUESTS
from tests.stream_world import Fed, World, empty_broker, until, world

__all__ = ["empty_broker", "world"]

START_MS = 1_700_000_000_000


def some_records(count: int, *, keys: int = 50, start: int = 0, links: bool = True) -> list[Fed]:
    """Records of `keys` accounts spread over three topics, a second apart; every tenth causes a link."""
    topics = itertools.cycle([PAYMENTS.name, ACTIVATIONS.name, REQUESTS.name])
    return [
        Fed(
            next(topics),
            f"op/{number % keys}",
            f"{number}{' link' if links and number % 10 == 0 else ''}",
            START_MS + number * 1000,
        )
        for number in range(start, start + count)
    ]


def outputs_of(fed: list[Fed]) -> int:
    """How many outputs the toy gives for records: one each, and one for each link."""
    return len(fed) + sum(1 for record in fed if "link" in record.text)


def test_a_worker_counts_everything_once(world: World) -> None:
    fed = some_records(2_000)
    world.feed(fed)
    worker = world.worker()
    world.wait_until_done(outputs_of(fed))
    assert worker.stop() == 0, worker.log
    world.audit(fed)


def times_by_partition(world: World) -> dict[int, list[int]]:
    """The times of the outputs of each partition, in the order they were written."""
    times: dict[int, list[int]] = {}
    for record in world.read(POINTS.name):
        times.setdefault(record.partition, []).append(record.timestamp)
    return times


def test_what_was_written_before_the_worker_is_applied_in_order_of_time(world: World) -> None:
    fed = some_records(6_000, links=False)
    for topic in (REQUESTS, PAYMENTS, ACTIVATIONS):
        world.feed([record for record in fed if record.topic == topic.name])
    # Batches far smaller than what one fetch brings, and than the whole.
    worker = world.worker(LOYALTY_BATCH_RECORDS_MAX="150", LOYALTY_TASK_IDLE_MS_MAX="0")
    world.wait_until_done(6_000)
    assert worker.stop() == 0, worker.log
    times = times_by_partition(world)
    assert len(times) == 2 and all(at == sorted(at) for at in times.values())


def test_a_feed_that_writes_its_topics_in_transactions_is_seen_in_order_as_it_comes(world: World) -> None:
    fed = some_records(4_000, links=False)
    worker = world.worker(LOYALTY_TASK_IDLE_MS_MAX="0")
    worker.wait_for("ready: tasks 0, 1")
    world.feed_in_transactions(fed, 400)
    until(lambda: len(world.read(POINTS.name)) >= 4_000, 30, lambda: worker.log)
    assert worker.stop() == 0, worker.log
    assert all(at == sorted(at) for at in times_by_partition(world).values())


def test_a_worker_with_an_empty_disk_recovers_the_same_state(world: World) -> None:
    fed = some_records(1_000)
    world.feed(fed)
    first = world.worker()
    world.wait_until_done(outputs_of(fed))
    first.stop()
    more = some_records(500, start=1_000)
    world.feed(more)
    second = world.worker()
    world.wait_until_done(outputs_of(fed + more))
    assert "recovered 2 tasks: " in second.log and "recovered 2 tasks: 0 " not in second.log
    second.stop()
    world.audit(fed + more)


def test_a_clock_record_that_touches_many_rows_takes_several_transactions(world: World) -> None:
    fed = some_records(300, keys=40, links=False)
    world.feed(fed)
    worker = world.worker(TOY_ROWS_A_STEP="3", LOYALTY_LOG_LEVEL="DEBUG")
    world.wait_until_done(300)
    world.feed_to_all_partitions(CLOCK.name, "tick", START_MS + 10_000_000)
    until(lambda: len(world.read(POINTS.name)) >= 340, 30, lambda: worker.log)
    worker.stop()
    ticked = [r.key for r in world.read(POINTS.name) if "tick" in orjson.loads(r.value)]
    assert len(ticked) == 40 and len(set(ticked)) == 40
    # 20 or so rows per task, three at a time: the last of these steps consumes the clock record.
    assert worker.log.count(": 0 records, 3 rows") >= 10


def test_an_exception_ends_the_process_and_commits_nothing_of_the_batch(world: World) -> None:
    fed = some_records(400, links=False)
    world.feed(fed[:200])
    failing = world.worker(TOY_FAIL_ON="300")
    world.wait_until_done(200)
    world.feed(fed[200:])
    assert failing.exit_status() == 70
    assert "a batch failed (RuntimeError: the toy was told to fail here)" in failing.log
    assert all(orjson.loads(r.value)["was"] != "300" for r in world.read(POINTS.name))
    mended = world.worker()
    world.wait_until_done(400)
    mended.stop()
    world.audit(fed)


@pytest.mark.parametrize("world", [4], indirect=True)
def test_workers_that_come_and_go_share_the_tasks_without_loss(world: World) -> None:
    fed = some_records(12_000, keys=200)
    first = world.worker(LOYALTY_BATCH_RECORDS_MAX="100")
    first.wait_for("ready: tasks 0, 1, 2, 3")
    world.feed(fed[:4_000])
    second = world.worker(LOYALTY_BATCH_RECORDS_MAX="100")
    second.wait_for("ready: tasks ")
    world.feed(fed[4_000:8_000])
    third = world.worker(LOYALTY_BATCH_RECORDS_MAX="100")
    third.wait_for("ready: tasks ")
    assert first.stop() == 0, first.log
    world.feed(fed[8_000:])
    world.wait_until_done(outputs_of(fed))
    assert second.stop() == 0, second.log
    assert third.stop() == 0, third.log
    world.audit(fed)


def test_small_batches_never_leave_a_worker_waiting(world: World) -> None:
    """The limit of a fetch often falls on the last record that the client holds of a topic: then the topic counts as
    read out, although the client has not noticed it."""
    fed = some_records(1_200, keys=40)
    world.feed(fed)
    worker = world.worker(LOYALTY_BATCH_RECORDS_MAX="5")
    world.wait_until_done(outputs_of(fed), seconds=40)
    assert worker.stop() == 0, worker.log
    world.audit(fed)
