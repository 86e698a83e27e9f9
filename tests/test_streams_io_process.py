"""The process in which a worker talks to Kafka: neither outlives the other, and nothing is lost between them."""

from __future__ import annotations

import asyncio
import marshal
import os
import signal
import socket
import threading
from itertools import pairwise
from pathlib import Path
from struct import Struct
from typing import Any, Final

import pytest
from aiokafka import errors
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams import io_process, io_server
from streams.expansion import Refused
from streams.frames import Frames, Message
from streams.partition_reader import Read
from streams.rooms import Rooms
from streams.settings import read_settings
from tests.stream_world import World, empty_broker, until, world
from tests.test_streams_exactly_once import outputs_of, some_records

__all__ = ["empty_broker", "world"]

SMALL: Final = {"LOYALTY_BATCH_RECORDS_MAX": "200"}
LENGTH: Final = Struct("<I")


def is_there(process: int) -> bool:
    """Whether a process runs."""
    return Path(f"/proc/{process}").exists()


@pytest.mark.parametrize("world", [2], indirect=True)
@pytest.mark.parametrize("is_stopped", [False, True])
def test_it_ends_when_its_worker_is_killed(world: World, is_stopped: bool) -> None:
    worker = world.worker()
    worker.wait_for("ready: tasks 0, 1")
    io = worker.io_process()
    if is_stopped:
        os.kill(io, signal.SIGSTOP)
    worker.kill()
    until(lambda: not is_there(io), 5, f"process {io} to end")


@pytest.mark.parametrize("world", [2], indirect=True)
def test_it_ends_when_its_worker_stops_and_takes_no_signal_for_it(world: World) -> None:
    worker = world.worker()
    worker.wait_for("ready: tasks 0, 1")
    io = worker.io_process()
    os.kill(io, signal.SIGTERM)
    os.kill(io, signal.SIGINT)
    fed = some_records(100)
    world.feed(fed)
    world.wait_until_done(outputs_of(fed))
    assert is_there(io)
    assert worker.stop() == 0, worker.log
    assert not is_there(io)


@pytest.mark.parametrize("world", [2], indirect=True)
def test_a_worker_without_it_leaves_and_nothing_is_lost_or_done_twice(world: World) -> None:
    fed = some_records(20_000, keys=100)
    worker = world.worker(**SMALL)
    worker.wait_for("ready: tasks 0, 1")
    feeder = threading.Thread(target=world.feed, args=(fed,))
    feeder.start()
    until(lambda: world.lag() > 200, 30, "records to be on their way")
    os.kill(worker.io_process(), signal.SIGKILL)
    assert worker.exit_status(30) == 69, worker.log
    last = [line for line in worker.log.splitlines() if "CRITICAL" in line]
    assert len(last) == 1 and "the I/O process is gone" in last[0], worker.log
    feeder.join()
    assert world.lag() > 0, "the kill came too late to prove anything"
    heir = world.worker()
    world.wait_until_done(outputs_of(fed))
    world.audit(fed)
    assert heir.stop() == 0, heir.log


@pytest.mark.parametrize("world", [2], indirect=True)
def test_what_does_not_fit_into_shared_memory_goes_through_the_socket(world: World) -> None:
    fed = some_records(3_000)
    worker = world.worker("tests.small_rooms")
    world.feed(fed)
    world.wait_until_done(outputs_of(fed))
    assert worker.stop() == 0, worker.log
    world.audit(fed)


MESSAGES: Final = st.lists(
    st.tuples(st.integers(), st.text(), st.binary(max_size=3_000), st.none(), st.lists(st.integers())),
    max_size=6,
)


@given(MESSAGES, st.data())
def test_messages_come_whole_however_the_socket_cuts_them(
    messages: list[Message], data: st.DataObject
) -> None:
    came: list[Message] = []
    frames = Frames(socket.socket(), came.append, lambda: None)
    stream = b"".join(LENGTH.pack(len(text)) + text for text in (marshal.dumps(one, 2) for one in messages))
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        frames.data_received(stream[:size])
        stream = stream[size:]
    assert came == messages


@pytest.mark.parametrize(
    "error",
    [
        errors.ProducerFenced(),
        errors.KafkaTimeoutError("slow"),
        errors.KafkaError("it broke"),
        errors.GroupLoadInProgressError("wait"),
        errors.TopicAuthorizationFailedError("billing.payments"),
    ],
)
def test_what_kafka_refused_there_is_raised_here(error: errors.KafkaError) -> None:
    told = io_process._error(type(error).__name__, [str(argument) for argument in error.args])
    assert type(told) is type(error)
    assert str(told) == str(error)


def test_a_bug_there_is_a_bug_here() -> None:
    told = io_process._error("ZeroDivisionError", ["division by zero"])
    assert not isinstance(told, errors.KafkaError)
    assert str(told) == "the I/O process failed: ZeroDivisionError: division by zero"


def test_while_what_was_fetched_is_read_ahead_others_are_answered() -> None:
    done = 0
    between: list[int] = []

    def read_ahead(value: bytes | None, key: bytes | None) -> bytes:
        nonlocal done
        done += 1
        return b"read of %b with %b" % (value or b"", key or b"")

    async def answer_others() -> None:
        while True:
            between.append(done)
            await asyncio.sleep(0)

    async def play() -> list[Any]:
        mine, other = socket.socketpair()
        with mine, other:
            server = io_server._Server(mine, Rooms(), read_settings({}), {"ahead": read_ahead})
            records = [Refused(n, n, b"key of %d" % n, b"%d" % n) for n in range(2_500)]
            others = asyncio.ensure_future(answer_others())
            ones = {
                TP("ahead", 0): records[:1_500],
                TP("ahead", 1): records[1_500:1_900],
                TP("ahead", 2): records[1_900:],
            }
            read = Read({**ones, TP("plain", 0): records}, {})
            packed = await server._packed(read)
            others.cancel()
            return packed

    *parts, (*_, none, _) = asyncio.run(play())
    for _, _, _, _, keys, values, ahead, _ in parts:
        assert ahead == [b"read of %b with %b" % pair for pair in zip(values, keys, strict=True)]
    assert sum(len(ahead) for *_, ahead, _ in parts) == 2_500
    assert none == []
    steps = [later - earlier for earlier, later in pairwise([0, *between, done])]
    assert sum(steps) == 2_500 and max(steps) == io_server.READ_AHEAD_AT_ONCE
