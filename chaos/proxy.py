"""A TCP proxy on the loopback interface between workers and broker, which can stall and can reset connections.

The broker advertises the proxy's port on the listener behind it, so that clients which came through the proxy stay
with it. `pause` keeps connections open and passes nothing on, as a hanging network does; `hold` does so with requests
of some kinds only, as a broker that hangs in one place; `reset` cuts connections with RST.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Collection
from typing import Final

HOST: Final = "127.0.0.1"
PRODUCE: Final = 0
ADD_PARTITIONS: Final = 24
END_TRANSACTION: Final = 26
COMMIT_OFFSETS: Final = 28
FETCH_OFFSETS: Final = 9
"""Kinds of requests, as the protocol numbers them: each begins with its size (4 bytes), its kind and the kind's version
(2 each) and a number (4), which the answer repeats after its size."""
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


class Proxy:
    """Passes on what comes to `port` to `to_port` and back."""

    def __init__(self, port: int, to_port: int) -> None:
        self.port: Final = port
        self._to_port: Final = to_port
        self._flowing: Final = asyncio.Event()
        self._flowing.set()
        self._held: frozenset[int] = frozenset()
        self.forged: Callable[[int, int], bytes | None] = lambda kind, version: None
        """What a request of this kind and version is answered in the broker's stead; None: it goes to the broker."""
        self._let_go: Final = asyncio.Event()
        self._open: Final[set[asyncio.StreamWriter]] = set()
        self._pumps: Final[set[asyncio.Task[None]]] = set()
        self._server: asyncio.Server | None = None
        self.resets = 0
        """Connections that were reset."""
        self.stalled = 0
        """Pieces of data that had to wait because of a pause."""
        self.held = 0
        """Requests that had to wait because of their kind."""

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self._flowing.set()
        self.let_go()
        self._cut()
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def pause(self) -> None:
        """Pass nothing on until `go_on`."""
        self._flowing.clear()

    def go_on(self) -> None:
        """Pass on what waited."""
        self._flowing.set()

    def hold(self, kinds: Collection[int]) -> None:
        """Pass on no request of these kinds, nor what follows it on its connection, until `let_go`."""
        self._let_go.clear()
        self._held = frozenset(kinds)

    def let_go(self) -> None:
        """Pass on what was held."""
        self._held = frozenset()
        self._let_go.set()

    def reset(self) -> int:
        """Cut every connection with RST; returns how many."""
        count = self._cut()
        self.resets += count
        return count

    def _cut(self) -> int:
        count = 0
        for writer in list(self._open):
            raw = writer.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            writer.transport.abort()
            count += 1
        self._open.clear()
        return count // 2

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            other_reader, other_writer = await asyncio.open_connection(HOST, self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self._open.update((writer, other_writer))
        for passing in (self._requests(reader, other_writer, writer), self._answers(other_reader, writer)):
            pump = asyncio.ensure_future(passing)
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _requests(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await source.readexactly(12)
                size, kind, version, correlation = struct.unpack(">ihhi", head)
                rest = await source.readexactly(size - 8)
                if kind in self._held:
                    self.held += 1
                    await self._let_go.wait()
                answer = self.forged(kind, version)
                if answer is None:
                    await self._pass_on(head + rest, target)
                else:
                    await self._pass_on(struct.pack(">ii", len(answer) + 4, correlation) + answer, back)
        self._hang_up(target)

    async def _answers(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:  # one by one, for a forged one may come in between
                head = await source.readexactly(4)
                rest = await source.readexactly(int.from_bytes(head, "big"))
                await self._pass_on(head + rest, target)
        self._hang_up(target)

    async def _pass_on(self, data: bytes, target: asyncio.StreamWriter) -> None:
        if not self._flowing.is_set():
            self.stalled += 1
            await self._flowing.wait()
        target.write(data)
        await target.drain()

    def _hang_up(self, target: asyncio.StreamWriter) -> None:
        self._open.discard(target)
        target.close()
