"""The worker's end of its I/O process (`streams.io_server`)."""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import signal
import socket
import time
from array import array
from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from math import ceil
from typing import Any, Final

from aiokafka import errors
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from schemas.record import Fields
from schemas.unread import Unread
from streams.frames import Frames, Message
from streams.io_server import (
    CANCEL,
    CLOSE,
    FAILED,
    FETCH,
    LONGS,
    OPEN,
    READ_FROM,
    REST,
    TAKEN,
    WRITE,
    ReadAhead,
    serve,
)
from streams.log import Fetched, Known, Wanted
from streams.rooms import Laid, Rooms, lay, pick_up
from streams.settings import Settings
from streams.task_writer import Sends

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 60.0
"""How long an answer may take beyond what was asked for."""
TICK_SECONDS: Final = 5.0
"""Patience is counted in ticks of this process's own: one that was frozen for an hour has not waited for an hour."""
END_SECONDS: Final = 2.0


class IoProcess:
    """A process that talks to Kafka for this one. Made before anything else runs here: it is a copy of what there is."""

    def __init__(self, settings: Settings, ahead: Mapping[str, ReadAhead]) -> None:
        self._rooms: Final = Rooms()
        self._settings: Final = settings
        self._end, other = socket.socketpair()
        self._pid: Final = os.fork()
        if self._pid == 0:
            self._end.close()
            try:
                serve(other, self._rooms, settings, ahead)
            except BaseException:
                log.critical("the I/O process failed", exc_info=True)
            finally:
                os._exit(1)
        other.close()
        self._frames: Frames | None = None
        self._number = 0
        self._fetches = 0
        self._asked: Final[dict[int, asyncio.Future[Message]]] = {}
        self._lent: Final[dict[int, int]] = {}
        """The room that the data of a question lies in until it is taken."""
        self._free: Final[asyncio.Queue[int]] = asyncio.Queue()
        for room in range(len(self._rooms.written)):
            self._free.put_nowait(room)

    async def connect(self) -> None:
        """Begin to listen, in the loop that is to ask."""
        self._frames = Frames(self._end, self._take, self._lost)
        await self._frames.begin()

    def fetch(self, wanted: Wanted, timeout: float, records_max: int) -> Awaitable[Fetched]:
        """See `streams.log.TaskLog`; the question is put at once, not when its answer is first waited for."""
        plain = [[tuple(tp) for tp in tps] for tps in wanted]
        room = self._fetches % len(self._rooms.fetched)
        self._fetches += 1
        question = (FETCH, plain, timeout, records_max, room)
        return self._fetched(self._put(self._next(), *question), room)

    async def _fetched(self, number: int, room: int) -> Fetched:
        laid, progress = await self._answer(number)
        return Fetched(
            partial(self._picked_up, room, laid),
            {TP(topic, partition): Known(*known) for topic, partition, *known in progress},
        )

    def _picked_up(self, room: int, laid: Laid) -> dict[TP, Fields]:
        parts = pick_up(self._rooms.fetched[room], laid)
        return {TP(topic, partition): _fields(*columns) for topic, partition, *columns in parts}

    async def read_from(self, offsets: Mapping[TP, int | None]) -> None:
        """See `streams.log.TaskLog`."""
        await self._ask(READ_FROM, [(*tp, offset) for tp, offset in offsets.items()])

    async def rest(self, tps: Iterable[TP]) -> None:
        """See `streams.log.TaskLog`."""
        await self._ask(REST, [tuple(tp) for tp in tps])
        if hasattr(mmap, "MADV_REMOVE"):
            # A changelog comes in larger pieces than anything after it.
            for room in self._rooms.fetched:
                room.madvise(mmap.MADV_REMOVE)

    async def open_writer(self, partition: int) -> IoWriter:
        """See `streams.task_writer.OpenWriter`."""
        number = self._next()
        await self._ask(OPEN, partition, number=number)
        return IoWriter(self, number)

    async def write(self, handle: int, sends: Sends, offsets: Mapping[TP, int], note: str) -> list[int]:
        """Have a writer that was opened write."""
        room = await self._free.get()
        number = self._next()
        self._lent[number] = room  # given back when the data has been taken, whatever becomes of the question
        laid = lay(
            self._rooms.written[room],
            (
                [(topic, to, c.keys, c.values, c.timestamps) for topic, to, c in sends],
                [(*tp, offset) for tp, offset in offsets.items()],
                note,
            ),
        )
        limit = self._settings.transaction_ms_max / 1000
        ends: list[int] = await self._ask(WRITE, handle, room, laid, number=number, seconds=limit)
        return ends

    async def close_writer(self, handle: int) -> None:
        """Have a writer that was opened close its connection."""
        await self._ask(CLOSE, handle)

    def end(self) -> None:
        """Have the process end, and see that it does."""
        self._end.close()
        if self._frames is not None:
            self._frames.close()
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                return
            time.sleep(0.005)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _ask(self, *question: Any, number: int | None = None, seconds: float = 0) -> Any:
        return await self._answer(self._put(number or self._next(), *question), seconds)

    def _put(self, number: int, *question: Any) -> int:
        """Put a question; returns its number."""
        assert self._frames is not None, "connected before anyone asks"
        self._asked[number] = asyncio.get_running_loop().create_future()
        self._frames.send((number, *question))
        return number

    async def _answer(self, number: int, seconds: float = 0) -> Any:
        """The answer to a question. `seconds` is how long it takes at most when all is well.

        Raises KafkaError.
        """
        assert self._frames is not None, "the question was put"
        answer = self._asked[number]
        try:
            for _ in range(ceil((seconds + PATIENCE_SECONDS) / TICK_SECONDS)):
                if (await asyncio.wait([answer], timeout=TICK_SECONDS))[0]:
                    break
            else:
                raise KafkaConnectionError("the I/O process does not answer")
        except BaseException:
            self._frames.send((number, CANCEL))
            raise
        finally:
            del self._asked[number]
        kind, *told = answer.result()
        if kind == FAILED:
            raise _error(*told)
        return told[0]

    def _take(self, message: Message) -> None:
        number, *told = message
        if told[0] == TAKEN:
            self._free.put_nowait(self._lent.pop(number))
            return
        answer = self._asked.get(number)
        if answer is not None and not answer.done():
            answer.set_result(tuple(told))

    def _lost(self) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(KafkaConnectionError("the I/O process is gone"))


class IoWriter:
    """See `streams.task_writer.TaskWriter`: one that the I/O process has opened."""

    def __init__(self, io: IoProcess, handle: int) -> None:
        self._io: Final = io
        self._handle: Final = handle

    async def write(self, sends: Sends, offsets: Mapping[TP, int], note: str) -> list[int]:
        """See `TaskWriter`."""
        return await self._io.write(self._handle, sends, offsets, note)

    async def close(self) -> None:
        """See `TaskWriter`."""
        await self._io.close_writer(self._handle)


def _fields(
    offsets: bytes,
    timestamps: bytes,
    keys: list[bytes | None],
    values: list[bytes | None],
    ahead: list[bytes],
    unread: list[int],
) -> Fields:
    for index in unread:
        values[index] = Unread(values[index] or b"")
    return Fields(array(LONGS, offsets).tolist(), array(LONGS, timestamps).tolist(), keys, values, ahead)


def _error(name: str, told: list[str]) -> Exception:
    """What failed there, to be raised here."""
    kind: Any = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, errors.KafkaError):
        error: Exception = kind(*told)
        return error
    return RuntimeError(f"the I/O process failed: {name}: {', '.join(told)}")
