"""The toy worker with a client that says when a connection is closed by a loop that is not its own.

Loops are not made for that: uvloop's ends the process now and then, by a signal.
"""

from __future__ import annotations

import asyncio
import sys
from functools import wraps
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection

from tests.toy_worker import main

CLOSED_BY_ANOTHER: Final = "a connection was closed by another loop than its own"


def tell_of_foreign_closes() -> None:
    """Have connections look at who closes them."""
    close = AIOKafkaConnection.close

    @wraps(close)
    def looking(self: Any, *arguments: Any, **named: Any) -> Any:
        if asyncio.get_running_loop() is not self._loop:
            print(CLOSED_BY_ANOTHER, flush=True)
        return close(self, *arguments, **named)

    AIOKafkaConnection.close = looking


if __name__ == "__main__":
    tell_of_foreign_closes()
    sys.exit(main())
