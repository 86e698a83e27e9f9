"""`loyalty forget` on a real Kafka: nothing of the person is left in any topic, and nobody else notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest

from loyalty.cli import run
from schemas.topics import DEAD_LETTERS, JOURNAL
from streams.broker_embedded import EmbeddedBroker
from tests.auditor import Auditor
from tests.forget_world import (
    ANNA,
    NAMES,
    ON_DISK,
    OPERATOR,
    OUTCOMES,
    REFUSED,
    SECRETS,
    Lives,
    compact,
    consume,
    fed,
    files_with,
    outcomes_without_forgetting,
    settled,
    traces,
    worker_of,
)
from tests.stream_world import World, deployment, until, world

__all__ = ["deployment", "world"]

FORGET: Final = ["forget", OPERATOR, ANNA, "--yes"]
CLOSED, RUNNING = 3, 75
KILLING: Final = """
import os, signal, sys
from loyalty.forgetting import erasing
from loyalty.task_log import TaskLog
from loyalty.cli import run

where, left = sys.argv[1], int(sys.argv[2])

def die():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

if where == "before the commit":
    put = TaskLog._move
    async def move(self, group, *rest):
        await put(self, group, *rest)
        if group.endswith("-forget"):
            die()
    TaskLog._move = move
elif where == "after the commit":
    rewrite = TaskLog.rewrite
    async def rewritten(self, *given):
        await rewrite(self, *given)
        die()
    TaskLog.rewrite = rewritten
else:
    delete = erasing.delete_copied
    async def deleted(*given):
        count = await delete(*given)
        if count:
            die()
        return count
    erasing.delete_copied = deleted
sys.exit(run(sys.argv[3:]))
"""
DEATHS: Final = [
    ("before the commit", 1),
    ("after the commit", 1),
    ("after the deletion", 1),
    ("before the commit", 3),
    ("after the commit", 2),
]


@pytest.fixture(scope="module")
def empty_broker() -> Iterator[str]:
    """A broker that compacts at once, where it is asked to."""
    broker = EmbeddedBroker(print, properties={"log.cleaner.backoff.ms": "200"})
    yield broker.bootstrap
    broker.stop()


@pytest.mark.parametrize("deaths", [[], DEATHS], ids=["at once", "killed again and again"])
def test_nothing_of_her_is_left_and_nobody_else_notices(
    deployment: World, deaths: list[tuple[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    world, lives = deployment, Lives()
    worker = worker_of(world)
    world.feed_in_transactions([*fed(lives.first), *REFUSED], 1000)
    settled(world)
    assert {secret for _, _, secret in traces(world)} == set(SECRETS), "all of it is there to begin with"

    # She is closed while the workers run, and consumers hear of it.
    assert run(FORGET) == CLOSED, capsys.readouterr().err
    settled(world)
    heard = consume(world, "loyalty-consumer-sms")
    world.feed_in_transactions(fed(lives.then), 1000)
    settled(world)
    assert run(FORGET) == RUNNING
    assert "is running" in capsys.readouterr().err
    assert worker.stop() == 0
    assert files_with(world.directory / "rows", ON_DISK) != []
    last = [outcome for outcome in outcomes_of(world, ANNA) if outcome["type"] == "points.expired"][-1]
    assert (last["data"]["balance"], last["id"] in heard) == (0, True)

    # She is erased, whenever the command is killed.
    died = 0
    for where, number in deaths:
        command = [sys.executable, "-c", KILLING, where, str(number), *FORGET]
        done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        died += done.returncode != 0
    assert died >= 2 * bool(deaths)
    assert run(FORGET) == 0, capsys.readouterr().err
    assert "forgotten" in capsys.readouterr().out

    # Everybody else goes on where they were.
    assert run(["audit"]) == 0, capsys.readouterr().out
    assert "(1 forgotten): equal, every outcome too" in capsys.readouterr().out
    worker = worker_of(world)
    heard += consume(world, "loyalty-consumer-sms")
    expected = outcomes_without_forgetting(lives)
    for name in NAMES[1:]:
        ids = [outcome["id"] for outcome in outcomes_of(world, name)]
        assert sorted(ids) == sorted(expected[name]), name
        assert sorted(id for id in heard if id in expected[name]) == sorted(ids), "each outcome once"
    assert len(heard) == len(set(heard))
    auditor = Auditor()
    auditor.read(r.value for r in world.read(JOURNAL.name) if r.key)
    assert auditor.finish() == []

    # Nothing is left, in topics and on the worker's disk.
    compact(world)
    for _ in range(3):  # a segment is compacted once another one follows it
        world.feed(fed(lives.then[:5]))
        world.feed(fed([{**event, "id": f"{event['id']}-{_}"} for event in lives.then[:5]]))
        settled(world)
    until(lambda: not traces(world), 60, lambda: f"no traces: {traces(world)}")
    assert worker.stop() == 0
    assert files_with(world.directory / "rows", ON_DISK) == []

    # What comes of her afterwards is refused, and forgotten too.
    worker = worker_of(world)
    before = len(world.read(DEAD_LETTERS.name))
    world.feed(fed(lives.late))
    until(lambda: len(world.read(DEAD_LETTERS.name)) > before, 60, "a letter")
    letter = orjson.loads(world.read(DEAD_LETTERS.name)[-1].value)
    letters = [orjson.loads(record.value) for record in world.read(DEAD_LETTERS.name)]
    (letter,) = [one for one in letters if one["reason"] == "account-forgotten"]
    assert (letter["key"], letter["value"]) == (None, None)
    assert worker.stop() == 0
    assert {topic for topic, _, _ in traces(world)} == {"billing.payments"}, "where billing wrote it"
    assert run(FORGET) == 0, capsys.readouterr().err
    assert traces(world) == []
    assert run(["audit"]) == 0, capsys.readouterr().out


def outcomes_of(world: World, account: str) -> list[dict[str, Any]]:
    """The outcomes of an account, as they lie in the topics."""
    records = [record for topic in OUTCOMES for record in world.read(topic)]
    return [orjson.loads(record.value) for record in records if record.key == f"mts/{account}".encode()]
