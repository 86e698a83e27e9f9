"""Rows that the changelog has lost: no worker begins without them, and `loyalty restore` brings them back."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from faust.types import TP

from loyalty.cli import run
from schemas.account_codec import decode, encode
from schemas.topics import POINTS
from streams.lost_records import Bounds
from streams.lost_rows import note_of, reached, refuse_cut, refuse_shortened
from streams.table import changelog_topic
from tests.fed_histories import fed_history
from tests.forget_world import compact
from tests.stream_world import Fed, Worker, World, delete_topics, deployment, empty_broker, until, world
from tests.test_lost_records import delete_before

__all__ = ["deployment", "empty_broker", "world"]

A, B = TP("rows", 0), TP("rows", 1)


def test_a_note_says_how_far_the_changelog_was_and_foreign_notes_say_nothing() -> None:
    assert reached([note_of(None), note_of(7), note_of(120), "", "a note of somebody's", "-3"]) == 120
    assert reached([]) == 0


def test_a_changelog_that_ends_before_what_was_committed_is_refused() -> None:
    refuse_shortened(A, 120, ["7", "120"])
    with pytest.raises(
        KafkaError, match=r"rows partition 0 ends at offset 119, and it was at 120 .*loyalty restore"
    ):
        refuse_shortened(A, 119, ["7", "120"])


def test_a_changelog_that_no_longer_has_what_a_store_lacks_is_refused() -> None:
    refuse_cut({A: None, B: 5}, {A: Bounds(0, 9), B: Bounds(5, 9)})
    with pytest.raises(KafkaError, match=r"rows partition 1 begins at offset 6, and 5 was to be read next"):
        refuse_cut({A: None, B: 5}, {A: Bounds(0, 9), B: Bounds(6, 9)})
    with pytest.raises(KafkaError, match=r"rows partition 0 begins at offset 1, and 0 was to be read next"):
        refuse_cut({A: None}, {A: Bounds(1, 9)})


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
@pytest.mark.usefixtures("deployment")
def test_a_deleted_changelog_stops_the_workers_and_is_restored_from_the_journal(
    world: World, capsys: pytest.CaptureFixture[str], store: str
) -> None:
    history = fed_history(3)
    half = len(history) // 2
    worked_off(world, history[:half], store)
    before = rows(world)
    make_anew(world)

    refused = a_worker(world, store)
    assert refused.exit_status() == 69, refused.log
    (last,) = [line for line in refused.log.splitlines() if "CRITICAL" in line]
    assert "ends at offset 0, and it was at" in last and "loyalty restore" in last
    assert "discarded" not in refused.log, "a store that may have what the changelog has lost was thrown away"

    capsys.readouterr()
    assert run(["restore", "--yes"]) == 0
    assert f"{len(before):,} rows written" in capsys.readouterr().out
    assert rows(world) == before
    assert run(["restore", "--yes"]) == 0
    assert "every row was there" in capsys.readouterr().out

    worked_off(world, history[half:], store)
    assert run(["audit"]) == 0, capsys.readouterr().out


@pytest.mark.usefixtures("deployment")
def test_a_store_of_a_changelog_that_was_deleted_and_restored_is_rebuilt_though_the_new_one_is_longer(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    history = fed_history(3)
    half = len(history) // 2
    life(world, history[:6], "rocksdb")
    shutil.copytree(world.directory / "state", world.directory / "early")
    worked_off(world, history[6:half], "rocksdb")
    before = rows(world)
    make_anew(world)
    assert run(["restore", "--yes"]) == 0
    assert rows(world) == before

    shutil.rmtree(world.directory / "state")
    (world.directory / "early").rename(world.directory / "state")
    worker = life(world, history[half:], "rocksdb")
    assert worker.log.count("is discarded and rebuilt from the changelog: its topic id is") == 2, worker.log
    assert run(["audit"]) == 0, capsys.readouterr().out


@pytest.mark.usefixtures("deployment")
def test_a_changelog_cut_at_its_beginning_stops_the_workers(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    worked_off(world, fed_history(4), "memory")
    before = rows(world)
    name = changelog_topic(world.application_id)
    world.configure(
        name, {"cleanup.policy": "delete"}
    )  # Kafka deletes nothing from a topic that is compacted
    delete_before(world.settings, {TP(name, p): 5 for p in range(2)})
    world.configure(name, {"cleanup.policy": "compact"})

    refused = a_worker(world, "memory")
    assert refused.exit_status() == 69, refused.log
    assert "begins at offset 5, and 0 was to be read next" in refused.log
    assert run(["restore", "--yes"]) == 2
    assert "kafka-topics.sh --delete" in capsys.readouterr().err

    make_anew(world)
    assert run(["restore", "--yes"]) == 0
    assert rows(world) == before


@pytest.mark.usefixtures("deployment")
def test_compaction_is_no_loss(world: World) -> None:
    name, history = changelog_topic(world.application_id), fed_history(6)
    worked_off(world, history[:-40], "memory")
    compact(world)
    written = len(world.read(name))
    for at in range(-40, 0, 10):  # a segment is compacted once another one follows it
        worked_off(world, history[at : at + 10 or None], "memory")
    until(lambda: len(world.read(name)) < written, 60, "fewer records than there were")
    worked_off(world, [], "memory")


@pytest.mark.usefixtures("deployment")
def test_only_what_is_older_is_restored_and_nothing_while_a_worker_runs(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    worked_off(world, fed_history(5), "memory")
    before = rows(world)
    some = next(record for record in latest(world) if record.key.startswith(b"orgtechservice/"))
    row = decode("orgtechservice", "", some.value)
    row.level += 1
    world.write(some.topic, some.partition, some.key, encode(row))
    assert run(["restore", "--yes"]) == 0
    assert "1 rows written" in capsys.readouterr().out
    assert rows(world) == before

    row.clock += 1
    world.write(some.topic, some.partition, some.key, encode(row))
    assert run(["restore", "--yes"]) == 1
    assert "1 rows of partition" in (said := capsys.readouterr().err) and some.key.decode() in said
    world.write(some.topic, some.partition, some.key, some.value)
    world.write(some.topic, some.partition, b"mts/nobody", some.value)
    assert run(["restore", "--yes"]) == 1
    assert "mts/nobody" in capsys.readouterr().err
    assert rows(world) == {**before, b"mts/nobody": some.value}, "something was written all the same"

    worker = a_worker(world, "memory")
    worker.wait_for("ready: ")
    assert run(["restore", "--yes"]) == 75
    assert capsys.readouterr().err.count("\n") == 1
    assert worker.stop() == 0, "restoring has shut a worker out"


def a_worker(world: World, store: str) -> Worker:
    """A real worker, whose disk is that of the ones before it."""
    state = str(world.directory / "state")
    arguments = ("loyalty.cli", "worker", "--development-key")
    return world.worker(*arguments, LOYALTY_STORE=store, LOYALTY_STATE_DIR=state)


def life(world: World, fed: Sequence[Fed], store: str) -> Worker:
    """A worker that has applied these events and ended."""
    world.feed(fed)
    worker = a_worker(world, store)
    worker.wait_for("ready: ")
    until(lambda: world.lag() == 0, 60, "an end")
    assert worker.stop() == 0, worker.log
    return worker


def worked_off(world: World, fed: Sequence[Fed], store: str) -> None:
    """Feed events and have a worker apply all of them."""
    life(world, fed, store)
    assert world.read(POINTS.name), "these events move no points"


def latest(world: World) -> list[ConsumerRecord]:
    """The last record of each row that is there."""
    found = {record.key: record for record in world.read(changelog_topic(world.application_id))}
    return [record for record in found.values() if record.value is not None]


def rows(world: World) -> dict[bytes, bytes]:
    """The rows as the changelog has them."""
    return {record.key: record.value for record in latest(world)}


def make_anew(world: World) -> None:
    """Delete the changelog, and have the command make it again."""
    asyncio.run(delete_topics(world.settings, {changelog_topic(world.application_id)}))
    assert run(["topics"]) == 0
