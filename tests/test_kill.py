"""Workers that are killed or frozen in mid-stream: nothing is lost, nothing happens twice."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from tests.stream_world import World, empty_broker, world
from tests.test_streams_exactly_once import outputs_of, some_records

__all__ = ["empty_broker", "world"]

SMALL = {"LOYALTY_BATCH_RECORDS_MAX": "200"}
"""Small batches, so that a kill falls between the beginning and the end of many transactions."""


@pytest.mark.parametrize("world", [4], indirect=True)
def test_kill_9_of_either_of_two_workers_in_mid_stream(world: World) -> None:
    fed = some_records(40_000, keys=500)
    workers = [world.worker(**SMALL), world.worker(**SMALL)]
    feeder = threading.Thread(target=world.feed, args=(fed,))
    feeder.start()
    in_mid_stream = 0
    for turn in range(6):
        time.sleep(1)
        workers[turn % 2].kill()
        in_mid_stream += world.lag() > 0
        workers[turn % 2] = world.worker(**SMALL)
    feeder.join()
    assert in_mid_stream >= 2, "the kills came too late to prove anything"
    world.wait_until_done(outputs_of(fed))
    world.audit(fed)
    for worker in workers:
        assert worker.stop() == 0, worker.log


@pytest.mark.parametrize("world", [2], indirect=True)
def test_a_worker_frozen_past_its_session_wakes_up_fenced(world: World) -> None:
    fed = some_records(20_000, keys=100)
    zombie = world.worker(**SMALL)
    zombie.wait_for("ready: tasks 0, 1")
    feeder = threading.Thread(target=world.feed, args=(fed[:15_000],))
    feeder.start()
    time.sleep(0.7)
    zombie.signal(signal.SIGSTOP)
    feeder.join()
    heir = world.worker(**SMALL)
    heir.wait_for("ready: tasks 0, 1")
    world.wait_until_done(outputs_of(fed[:15_000]))
    zombie.signal(signal.SIGCONT)
    world.feed(fed[15_000:])
    world.wait_until_done(outputs_of(fed))
    world.audit(fed)
    # In the middle of a transaction it is fenced and leaves; between two it simply joins again.
    if zombie.process.poll() is None:
        assert zombie.stop() == 0, zombie.log
    else:
        assert zombie.exit_status() == 75, zombie.log
    assert heir.stop() == 0, heir.log
