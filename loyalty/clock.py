"""Writing ticks: time, told to every partition, never backwards and never by a leap nobody meant."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Final

from loyalty.errors import LoyaltyError
from loyalty.feed import Fact, route
from loyalty.lookup import Lookup
from loyalty.sending import Sender
from loyalty.ticks import shown, tick_value
from schemas.instant import SECOND_US
from schemas.topics import CLOCK
from streams.settings import Settings

REFUSED: Final = 1
"""Exit status when a tick was refused."""
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"([0-9]{1,6})([smhd])").fullmatch


def seconds(text: str) -> int | None:
    """A duration such as `30s`, `5m`, `12h` or `7d` in seconds; None if it is none, or nothing."""
    match = _DURATION(text)
    return int(match[1]) * _UNITS_S[match[2]] or None if match else None


class Clock:
    """The clock of a deployment. `jump_s_max` is how far one tick may leap from the last, in seconds."""

    def __init__(self, settings: Settings, jump_s_max: int) -> None:
        self._settings: Final = settings
        self._jump_s_max: Final = jump_s_max
        self._last: int | None = None
        """The latest time that any partition has been told, in microseconds."""

    async def look(self) -> int | None:
        """Read what the partitions were told last; the latest of it."""
        async with Lookup(self._settings) as lookup:
            told = [await lookup.last_tick(partition) for partition in range(self._settings.partitions)]
        self._last = max((tick for tick in told if tick is not None), default=None)
        return self._last

    async def tick(self, sender: Sender, now: int, *, force: bool = False) -> None:
        """Tell every partition that it is `now`, in microseconds; `force` allows any leap forward.

        :raises LoyaltyError: that would turn the clock back, or leap too far.
        """
        if self._last is not None and now < self._last:
            raise LoyaltyError(
                f"the clock never goes back: {shown(now)} is before the last tick, {shown(self._last)}",
                REFUSED,
            )
        if not force and self._last is not None and now - self._last > self._jump_s_max * SECOND_US:
            days = (now - self._last) / SECOND_US / _UNITS_S["d"]
            raise LoyaltyError(
                f"{shown(now)} is {days:,.1f} days after the last tick, {shown(self._last)}: everything due in "
                "between would act at once and cannot be undone; if that is meant, add --force",
                REFUSED,
            )
        await sender.send(route([Fact(now, CLOCK.name, None, tick_value(now))], self._settings.partitions))
        self._last = now

    async def run(self, every_s: int, said: Callable[[int], None], *, force: bool = False) -> None:
        """Tick with the wall clock, at its full multiples of `every_s` seconds, until cancelled.

        While the wall clock stands behind the last tick (it was set back) no tick is written. `force` holds
        for the first tick.
        """
        async with Sender(self._settings) as sender:
            while True:
                now = time.time_ns() // 1_000_000_000 // every_s * every_s * SECOND_US
                if self._last is None or now > self._last:
                    await self.tick(sender, now, force=force)
                    force = False
                    said(now)
                await asyncio.sleep(every_s - time.time() % every_s)

    async def once(self, now: int, *, force: bool = False) -> None:
        """One tick."""
        async with Sender(self._settings) as sender:
            await self.tick(sender, now, force=force)
