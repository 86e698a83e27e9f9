"""The process in which a worker talks to Kafka: it fetches and writes, and decides nothing.

One interpreter does one thing at a time, and what a worker can least do without is the time of the one that decides.
So whatever comes before deciding and after it (the network, record batches, their checksums, what can be told of a record
without its account) is done by a process of its own, forked from the worker before anything else runs in it.

- The worker asks; each question has a number that its answers repeat. Small things go through a socket.
- Records go through memory that both share. What was fetched lies in one of two rooms until the worker has asked twice
  for more. What is to be written lies in one of some rooms until this process has taken it and said so.
- It knows nothing of groups and tasks, and keeps nothing. It ends when the worker's end of the socket closes, whatever
  the worker died of (on Linux the kernel sees to it even while it is stopped); and a worker whose I/O process is gone
  leaves.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from socket import socket
from typing import Any, Final

import uvloop
from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.columns import Columns
from schemas.unread import Unread
from streams import task_producer
from streams.frames import Frames, Message
from streams.log import Wanted
from streams.partition_reader import PartitionReader, Read
from streams.rooms import Laid, Rooms, lay, pick_up
from streams.settings import Settings
from streams.task_writer import ProducerWriter

log = logging.getLogger(__name__)

READ_AHEAD_AT_ONCE: Final = 1_000
"""Records that are read ahead in one turn of the loop. A commit takes several turns, and what is being decided
waits for commits: so no turn may be long."""

LONGS: Final = "q"
"""How the offsets and timestamps of what was fetched are packed (see `array`)."""

FETCH: Final = "fetch"
READ_FROM: Final = "read from"
REST: Final = "rest"
OPEN: Final = "open"
WRITE: Final = "write"
CLOSE: Final = "close"
CANCEL: Final = "cancel"

TAKEN: Final = "taken"
DONE: Final = "done"
FAILED: Final = "failed"

_LIBC: Final = ctypes.CDLL(None)
_PR_SET_PDEATHSIG: Final = 1

ReadAhead = Callable[[bytes | None, bytes | None], bytes]
"""What is read of a value and its key ahead: see `schemas.record.Record`."""


def serve(end: socket, rooms: Rooms, settings: Settings, ahead: Mapping[str, ReadAhead]) -> None:
    """Answer until the worker is gone; the process's whole life.

    The records of a topic in `ahead` are told with what is read of them ahead.
    """
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the worker's end is the sign, whoever else is told to stop
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(_Server(end, rooms, settings, ahead).run())


class _Server:
    def __init__(self, end: socket, rooms: Rooms, settings: Settings, ahead: Mapping[str, ReadAhead]) -> None:
        self._frames: Final = Frames(end, self._take, partial(os._exit, 0))
        self._rooms: Final = rooms
        self._settings: Final = settings
        self._ahead: Final = ahead
        self._running: Final[dict[int, asyncio.Task[None]]] = {}
        self._writers: Final[dict[int, ProducerWriter]] = {}
        """By the number of the question that opened them."""
        self._fetching: asyncio.Task[None] | None = None
        self._reading: asyncio.Future[PartitionReader] | None = None
        self._answers: Final[Mapping[str, Callable[..., Awaitable[Any]]]] = {
            FETCH: self._fetch,
            READ_FROM: self._read_from,
            REST: self._rest,
            OPEN: self._open,
            WRITE: self._write,
            CLOSE: self._close,
        }

    async def run(self) -> None:
        # Nothing here is worth a farewell: what was fetched is in Kafka, and what is open there will be aborted.
        await self._frames.begin()
        await asyncio.Event().wait()

    def _take(self, message: Message) -> None:
        number, what, *arguments = message
        if what == CANCEL:
            if (running := self._running.get(number)) is not None:
                running.cancel()
            return
        if what == WRITE:
            handle, room, laid = arguments
            arguments = [handle, *pick_up(self._rooms.written[room], laid)]
            self._frames.send((number, TAKEN))
        elif what == OPEN:
            arguments.append(number)
        task = self._running[number] = asyncio.ensure_future(self._answer(number, what, arguments))
        task.add_done_callback(lambda _: self._running.pop(number, None))
        if what == FETCH:
            # Whoever asks again has given up what was asked before.
            if self._fetching is not None:
                self._fetching.cancel()
            self._fetching = task

    async def _answer(self, number: int, what: str, arguments: Sequence[Any]) -> None:
        try:
            told = await self._answers[what](*arguments)
        except Exception as error:
            if not isinstance(error, KafkaError):
                log.exception("the I/O process could not %s", what)
            self._frames.send((number, FAILED, type(error).__name__, [str(told) for told in error.args]))
        else:
            self._frames.send((number, DONE, told))

    async def _reader(self) -> PartitionReader:
        if self._reading is None:
            self._reading = asyncio.ensure_future(PartitionReader.start(self._settings))
        return await asyncio.shield(self._reading)

    async def _fetch(
        self,
        wanted: Sequence[Sequence[tuple[str, int]]],
        timeout: float,
        records_max: int,
        room: int,
    ) -> tuple[Laid, list[Any]]:
        reader = await self._reader()
        read = await reader.fetch(Wanted(*map(_tps, wanted)), timeout, records_max)
        progress = [(tp.topic, tp.partition, *known) for tp, known in read.progress.items()]
        return lay(self._rooms.fetched[room], await self._packed(read)), progress

    async def _packed(self, read: Read) -> list[Any]:
        parts = []
        left = READ_AHEAD_AT_ONCE
        for tp, records in read.records.items():
            offsets = array(LONGS, [record.offset for record in records]).tobytes()
            timestamps = array(LONGS, [record.timestamp for record in records]).tobytes()
            keys = [record.key for record in records]
            values = [record.value for record in records]
            ahead: list[bytes] = []
            if (read_ahead := self._ahead.get(tp.topic)) is not None:
                while len(ahead) < len(values):
                    some = slice(len(ahead), len(ahead) + left)
                    told = list(map(read_ahead, values[some], keys[some]))
                    ahead += told
                    left -= len(told)
                    if left == 0:
                        await asyncio.sleep(0)
                        left = READ_AHEAD_AT_ONCE
            unread = []
            if Unread in set(map(type, values)):
                unread = [n for n, value in enumerate(values) if type(value) is Unread]
            parts.append((tp.topic, tp.partition, offsets, timestamps, keys, values, ahead, unread))
        return parts

    async def _read_from(self, offsets: Sequence[tuple[str, int, int | None]]) -> None:
        await (await self._reader()).read_from({TP(topic, n): offset for topic, n, offset in offsets})

    async def _rest(self, tps: Sequence[tuple[str, int]]) -> None:
        (await self._reader()).rest(_tps(tps))
        # A changelog has been read: its buffers are free, and glibc would keep them, 70 MB of a million rows.
        if hasattr(_LIBC, "malloc_trim"):
            _LIBC.malloc_trim(0)

    async def _open(self, partition: int, handle: int) -> None:
        open_producer = partial(task_producer.open_producer, self._settings)
        self._writers[handle] = await ProducerWriter.open(open_producer, self._settings, partition)

    async def _write(
        self,
        handle: int,
        sends: Sequence[tuple[str, int, list[bytes | None], list[bytes | None], list[int]]],
        offsets: Sequence[tuple[str, int, int]],
        note: str,
    ) -> list[int]:
        return await self._writers[handle].write(
            [(topic, to, Columns(keys, values, stamps)) for topic, to, keys, values, stamps in sends],
            {TP(topic, partition): offset for topic, partition, offset in offsets},
            note,
        )

    async def _close(self, handle: int) -> None:
        if (writer := self._writers.pop(handle, None)) is not None:
            await writer.close()


def _tps(plain: Sequence[tuple[str, int]]) -> list[TP]:
    return [TP(*tp) for tp in plain]
