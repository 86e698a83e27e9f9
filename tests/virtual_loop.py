"""An event loop without a wall clock: time leaps to the next timer, and nothing outside decides what runs when.

What runs is decided by the timers alone, so whoever draws their delays from a seed has the same history again from
the same seed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

TURN_SECONDS: Final = 1e-6
"""How long a turn of the loop takes at least: a wait that is too short for the clock to show must end, too."""


class NothingHappens(Exception):
    """Everybody waits for somebody, and no timer runs."""


class _Leap:
    """In place of a selector: instead of waiting, it is later at once."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop: Final = loop

    def select(self, timeout: float | None) -> list[Any]:
        """Let `timeout` seconds pass."""
        if timeout is None:
            raise NothingHappens
        self._loop.now += max(timeout, TURN_SECONDS)
        return []

    def close(self) -> None:
        """Nothing is open."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs asyncio's own machinery in virtual seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self._selector: Final = _Leap(self)
        # Tasks that a killed process leaves behind fail with nobody to look at them.
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        """Virtual seconds."""
        return self.now

    def _process_events(self, event_list: Any) -> None:
        """There are no files."""

    def _write_to_self(self) -> None:
        """There are no other threads."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a loop of its own, and end whatever is left."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=100))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
