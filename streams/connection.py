"""A broken connection is an error of the connection, under uvloop too.

The client catches OSError where it writes. A uvloop transport whose peer has just reset the connection raises
RuntimeError there, which passes the client's handlers and ends its background routines (fetching, sending, metadata)
for good and without a word: whoever waits for them waits for ever.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


def report_broken_connections() -> None:
    """Have the client's connections say KafkaConnectionError when they cannot write; again is no harm."""
    send = AIOKafkaConnection.send
    if getattr(send, "tells", False):
        return

    @wraps(send)
    def telling(self: Any, request: Any, expect_response: bool = True) -> Any:
        try:
            return send(self, request, expect_response)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error

    telling.tells = True  # type: ignore[attr-defined]
    AIOKafkaConnection.send = telling
