"""Messages between a worker and its I/O process, over a socket that both ends have from birth.

A message is a tuple of plain values. `marshal` writes it, after its length in four bytes: both ends are one program,
and nothing else can write into the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import marshal
from collections.abc import Callable
from socket import socket
from struct import Struct
from typing import Any, Final, cast

PLAIN: Final = 2
"""The version of marshal's format that writes a value each time it comes: looking up what came before costs more."""
_LENGTH: Final = Struct("<I")

Message = tuple[Any, ...]


class Frames(asyncio.Protocol):
    """One end: `take` is called with each message that comes, `lost` once the other end is gone."""

    def __init__(self, end: socket, take: Callable[[Message], None], lost: Callable[[], None]) -> None:
        self._end: Final = end
        self._take: Final = take
        self._lost: Final = lost
        self._came: Final = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    async def begin(self) -> None:
        """Begin to listen."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=self._end)

    def send(self, message: Message) -> None:
        """Write a message; once the other end is gone, nothing."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        data = marshal.dumps(message, PLAIN)
        data = _LENGTH.pack(len(data)) + data
        if not transport.get_write_buffer_size():
            # At once, not at the end of the loop's turn: until then a whole batch may be folded.
            with contextlib.suppress(OSError):  # full, or broken: the transport finds out which
                data = data[self._end.send(data) :]
        if data:
            transport.write(data)

    def close(self) -> None:
        """Close this end: the other one sees it at once."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket may be written to."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand on what is complete."""
        came = self._came
        came += data
        at = 0
        while len(came) - at >= _LENGTH.size:
            start = at + _LENGTH.size
            end = start + _LENGTH.unpack_from(came, at)[0]
            if end > len(came):
                break
            message = marshal.loads(came[start:end])
            at = end
            self._take(message)
        del came[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is gone."""
        self._lost()
