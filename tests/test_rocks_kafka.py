"""Rows on disk under a real worker: what comes out is what comes out of rows in memory."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from agents.fold import TaskState
from schemas.contract import DATA_OF_TYPE
from schemas.record import Record
from schemas.topics import CLOCK, DISCOUNTS, JOURNAL, LINKS, MEMBERS, POINTS, TASK, TOPIC_OF_TYPE
from streams.store import MemoryStore
from streams.table import changelog_topic
from tests.case_runner import new_engine
from tests.histories import History
from tests.stream_world import Fed, Worker, World, empty_broker, until, world
from tests.test_streams_exactly_once import outputs_of, some_records

__all__ = ["empty_broker", "world"]

ENGINE: Final = new_engine()
OUTPUTS: Final = (POINTS.name, DISCOUNTS.name, MEMBERS.name, JOURNAL.name)
SMALL: Final = {"LOYALTY_BATCH_RECORDS_MAX": "100"}
LOYALTY: Final = ("loyalty.cli", "worker", "--development-key")
Lines = dict[tuple[str, bytes], list[bytes]]
"""Topic and key → what was written under it, in order."""


def on_disk(
    world: World, disk: str, module: str = "tests.toy_worker", *arguments: str, **more: str
) -> Worker:
    """A worker with its rows on a disk of that name, as they were left."""
    return world.worker(
        module, *arguments, LOYALTY_STORE="rocksdb", LOYALTY_STATE_DIR=str(disk_of(world, disk)), **more
    )


def disk_of(world: World, disk: str) -> Path:
    """Where a disk is."""
    return world.directory / f"disk-{disk}"


def recovered(worker: Worker) -> int:
    """How many changelog records a worker read when it started."""
    worker.wait_for("ready: tasks ")
    found = re.search(r"recovered \d+ tasks: (\d+) changelog records", worker.log)
    assert found is not None, worker.log
    return int(found[1])


def changes(world: World) -> int:
    """How many records the changelog has."""
    return len(world.read(changelog_topic(world.application_id)))


def test_a_restart_reads_what_is_missing_and_no_more(world: World) -> None:
    fed = some_records(3_000, keys=200)
    world.feed(fed[:2_000])
    worker = on_disk(world, "a", **SMALL)
    world.wait_until_done(outputs_of(fed[:2_000]))
    assert worker.stop() == 0
    shutil.copytree(disk_of(world, "a"), disk_of(world, "old"))
    before = changes(world)
    again = on_disk(world, "a", **SMALL)
    assert recovered(again) == 0, "all of it was on the disk"
    world.feed(fed[2_000:])
    world.wait_until_done(outputs_of(fed))
    assert again.stop() == 0
    after = changes(world)
    assert before > 400 and after > before
    lagging = on_disk(world, "old")
    assert recovered(lagging) == after - before, "the tail that it missed"
    assert lagging.stop() == 0
    wiped = on_disk(world, "new")
    assert recovered(wiped) == after
    assert wiped.stop() == 0
    assert "discarded" not in "".join(worker.log for worker in world.workers)
    world.audit(fed)


@pytest.mark.parametrize("world", [4], indirect=True)
def test_kill_9_in_mid_stream_then_the_same_disk_a_wiped_one_and_that_of_another_worker(world: World) -> None:
    fed = some_records(24_000, keys=500)
    workers = {"a": on_disk(world, "a", **SMALL), "b": on_disk(world, "b", **SMALL)}
    for worker in workers.values():
        worker.wait_for("ready: tasks ")
    feeder = threading.Thread(target=world.feed, args=(fed,))
    feeder.start()
    in_mid_stream = 0
    for name, what in [("a", "same"), ("b", "wiped"), ("a", "others"), ("b", "same")]:
        time.sleep(1.5)
        workers[name].kill()
        in_mid_stream += world.lag() > 0
        disk = disk_of(world, name)
        if what != "same":
            shutil.rmtree(disk)
        if what == "others":
            until(lambda: any(disk_of(world, "b").glob("tasks/*/CURRENT")), 60, "files to carry over")
            # The other one is stopped, so that its files are a disk that was pulled out and carried over.
            workers["b"].signal(signal.SIGSTOP)
            shutil.copytree(disk_of(world, "b"), disk)
            workers["b"].signal(signal.SIGCONT)
        workers[name] = on_disk(world, name, **SMALL)
    feeder.join()
    assert in_mid_stream >= 2, "the kills came too late to prove anything"
    world.wait_until_done(outputs_of(fed))
    world.audit(fed)
    for worker in workers.values():
        assert worker.stop() == 0, worker.log


def test_stores_that_are_ahead_or_of_another_cluster_are_rebuilt(world: World) -> None:
    fed = some_records(600)
    world.feed(fed)
    first = on_disk(world, "a")
    world.wait_until_done(outputs_of(fed))
    assert first.stop() == 0
    forge(world, 0, "offset", b"1000000")
    forge(world, 1, "identity", b'{"layout": 1, "cluster": "elsewhere"}')
    worker = on_disk(world, "a")
    assert recovered(worker) == changes(world) > 0
    reasons = re.findall(
        r"/tasks/(\d) is discarded and rebuilt from the changelog: (\w+ \w+ \w+)", worker.log
    )
    assert sorted(reasons) == [("0", "it is at"), ("1", "its cluster is")]
    assert worker.stop() == 0
    world.audit(fed)


def forge(world: World, task: int, name: str, value: bytes) -> None:
    """Write over what a store on disk "a" says of itself; in a process of its own, as the files are locked."""
    code = (
        "import sys; from rocksdict import Rdict, Options; db = Rdict(sys.argv[1], Options(raw_mode=True))\n"
        "name = b'\\0' + sys.argv[2].encode(); assert db[name]; db[name] = sys.argv[3].encode(); db.close()"
    )
    path = disk_of(world, "a") / "tasks" / str(task)
    subprocess.run([sys.executable, "-c", code, str(path), name, value.decode()], check=True)


def test_two_workers_cannot_share_a_directory(world: World) -> None:
    first = on_disk(world, "a", *LOYALTY)
    first.wait_for("ready: tasks ")
    second = on_disk(world, "a", *LOYALTY)
    assert second.exit_status() == 2
    assert f"is in use by another worker (process {first.process.pid})" in second.log
    assert second.log.strip().count("\n") <= 1, "no traceback"
    assert first.stop() == 0


def test_a_full_disk_ends_the_worker_with_status_74_and_nothing_is_lost(world: World) -> None:
    fed = some_records(12_000, keys=3_000)
    world.feed(fed)
    worker = Worker(
        ["sh", "-c", f"ulimit -f 300; exec {sys.executable} -m tests.toy_worker"],
        {
            **os.environ,
            **world.environment,
            **SMALL,
            "LOYALTY_STORE": "rocksdb",
            "LOYALTY_STATE_DIR": str(disk_of(world, "a")),
        },
        world.directory / "full.log",
    )
    world.workers.append(worker)
    assert worker.exit_status() == 74, worker.log
    lines = [line for line in worker.log.splitlines() if "CRITICAL" in line]
    assert len(lines) == 1 and "the disk of the store in" in lines[0] and "nothing is lost" in lines[0]
    assert "Traceback" not in worker.log
    assert world.lag() > 0
    mended = on_disk(world, "a")
    world.wait_until_done(outputs_of(fed))
    assert "discarded" not in mended.log
    assert mended.stop() == 0
    world.audit(fed)


def test_a_store_damaged_under_a_worker_is_rebuilt_at_the_next_start(world: World) -> None:
    fed = some_records(3_000, keys=300)
    world.feed(fed[:2_500])
    worker = on_disk(world, "a")
    world.wait_until_done(outputs_of(fed[:2_500]))
    worker.kill()
    for manifest in disk_of(world, "a").glob("tasks/*/MANIFEST-*"):
        manifest.write_bytes(bytes(manifest.stat().st_size))
    again = on_disk(world, "a")
    assert recovered(again) == changes(world)
    assert (
        again.log.count("is discarded and rebuilt from the changelog: it cannot be opened (Corruption") == 2
    )
    world.feed(fed[2_500:])
    world.wait_until_done(outputs_of(fed))
    assert again.stop() == 0
    world.audit(fed)


def some_lives(count: int) -> list[Fed]:
    """Histories of all operators whose accounts keep to themselves: links come when they come."""
    fed: list[tuple[datetime, Fed]] = []
    for seed in range(count):
        for moment, _, value in History(seed, ENGINE.codes.code).records:
            try:
                event = json.loads(value)
                topic = TOPIC_OF_TYPE[event["type"]]
                alone = event["type"] in DATA_OF_TYPE and not {"to", "code"} & set(event["data"])
            except (ValueError, KeyError, TypeError):
                continue
            if alone and isinstance(event.get("operator"), str) and isinstance(event.get("subject"), str):
                event["subject"] += f"-{seed}"
                key = f"{event['operator']}/{event['subject']}"
                fed.append((moment, Fed(topic, key, json.dumps(event), _ms(moment))))
    fed.sort(key=lambda pair: pair[0])
    return [record for _, record in fed]


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def in_memory(world: World) -> tuple[Lines, dict[bytes, bytes]]:
    """What rows in memory make of the records in Kafka, each task's merged by time."""
    order = [CLOCK.name, *(topic.name for topic in TASK if topic is not CLOCK)]
    tasks: dict[int, list[Any]] = defaultdict(list)
    for topic in order:
        for record in world.read(topic) if topic != LINKS.name else ():
            tasks[record.partition].append(record)
    lines: Lines = defaultdict(list)
    rows: dict[bytes, bytes] = {}
    for records in tasks.values():
        records.sort(key=lambda r: (r.timestamp, order.index(r.topic), r.offset))
        left = [Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value) for r in records]
        store = MemoryStore()
        task = TaskState(store, ENGINE)
        while left:
            result = task.fold(left)
            left = left[result.consumed :]
            store.put_many(dict(result.rows), None)
            task.committed()
            assert not [made for made in result.produce if made.topic == LINKS.name]
            for made in result.produce:
                if made.topic in OUTPUTS:
                    lines[made.topic, made.key or b""].append(made.value or b"")
        rows |= dict(store.items())
    return lines, rows


def test_outcomes_and_rows_are_those_of_the_memory_store_through_kills_and_restarts(world: World) -> None:
    fed = some_lives(8)
    world.feed(fed)
    last = max(record.time_ms for record in fed)
    for days in (30, 400):
        moment = datetime.fromtimestamp(last / 1000 + days * 86_400, UTC)
        tick = {
            "specversion": "1.0", "id": moment.isoformat(), "source": "/loyalty/clock",
            "type": "clock.advanced", "time": moment.isoformat(), "data": {},
        }  # fmt: skip
        world.feed_to_all_partitions(CLOCK.name, json.dumps(tick), _ms(moment))
    expected, expected_rows = in_memory(world)
    in_mid_stream = 0
    for _ in range(4):
        worker = on_disk(world, "a", *LOYALTY, LOYALTY_BATCH_RECORDS_MAX="10")
        worker.wait_for("ready: tasks ")
        time.sleep(0.7)
        worker.kill()
        in_mid_stream += 0 < world.lag() < len(fed)
    assert in_mid_stream >= 2, "the kills came too late to prove anything"
    worker = on_disk(world, "a", *LOYALTY)
    until(lambda: world.lag() == 0, 60, lambda: worker.log)
    assert worker.stop() == 0, worker.log
    found: Lines = defaultdict(list)
    for topic in OUTPUTS:
        for record in world.read(topic):
            found[topic, record.key or b""].append(record.value or b"")
    assert len(expected) > 100
    assert found == expected
    rows = {r.key: r.value for r in world.read(changelog_topic(world.application_id))}
    assert rows == expected_rows
    assert "discarded" not in "".join(worker.log for worker in world.workers)
