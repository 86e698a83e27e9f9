"""The load: seeded days in the life of seven operators, with what billing systems do wrong now and then.

Made so that the promise can be checked to the byte although records between accounts take their time: whoever
receives from others (advocates, friends, receivers of gifts) decides nothing that depends on when it arrives.
Everybody else's outcomes must be those of a fault-free run, in the same order.

The calendar has three parts: what `mts-2019` was until it closed, the enrolments of `mts`, and then, day by day from
August 2025, all of them together. A chunk is never longer than the 45 days in which an identity is remembered,
so that one that is sent again has no effect.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from chaos.habits import Data, Habits, Wish

ZONE: Final = ZoneInfo("Europe/Moscow")
MAIN_START: Final = date(2025, 8, 1)
MAIN_DAYS_MAX: Final = 300
"""Points of MTS live a year and are announced a month before: what a receiver is told must not depend on delays."""
MONTHS_OF_2019: Final = (
    date(2018, 4, 1),
    date(2018, 5, 1),
    date(2019, 1, 1),
    date(2019, 3, 1),
    date(2019, 4, 1),
    date(2019, 5, 1),
)
CLOSED_FROM: Final = date(2019, 3, 25)
"""From here on `mts-2019` gives nothing away, for the same reason."""


class Planned(NamedTuple):
    """One record to be sent. `time_ms` is the event's time; `accepted` whether it must be journalled."""

    time_ms: int
    key: bytes
    type: str
    value: bytes
    accepted: bool


class Chunk(NamedTuple):
    """What becomes visible together: records in order of time, and ticks (ms) to be told among them."""

    records: list[Planned]
    ticks: list[int]


class Load:
    """All chunks of one seed, in order of time."""

    def __init__(
        self, seed: int, code_of: Callable[[str, str], str], partition_of: Callable[[str], int]
    ) -> None:
        self._random: Final = random.Random(seed)
        self._habits: Final = Habits(self._random, code_of, partition_of)
        self._number = 0
        self._last_ms = 0

    def prologue(self) -> Iterator[Chunk]:
        """What came before: to be worked off before the first fault."""
        for first in MONTHS_OF_2019:
            wishes = self._habits.of_2019(first, gives=first < CLOSED_FROM)
            yield self._chunk(first, 28, wishes, [first, first + timedelta(14)])
        yield self._chunk(date(2021, 8, 1), 28, self._habits.enrolment(), [date(2021, 8, 1)])

    def days(self) -> Iterator[Chunk]:
        """The days on which the faults happen."""
        for number in range(MAIN_DAYS_MAX):
            day = MAIN_START + timedelta(number)
            yield self._chunk(day, 1, self._habits.of_day(day, number), [day])

    def end(self) -> Chunk:
        """The last tick: after it everything is due that fell into the days sent."""
        self._last_ms += 1000
        return Chunk([], [self._last_ms])

    def _chunk(self, first: date, days: int, wishes: list[Wish], ticks: list[date]) -> Chunk:
        chosen = self._random
        start = datetime.combine(first, time(0, 1), ZONE)
        seconds = sorted(chosen.randrange(days * 86_400 - 120) for _ in wishes)
        records: list[Planned] = []
        for second, wish in zip(seconds, wishes, strict=True):
            moment = start + timedelta(seconds=second)
            at = max(int(moment.timestamp() * 1000), self._last_ms + 1)
            self._last_ms = at
            records += self._records(at, wish)
        told = [int(datetime.combine(day, time(), ZONE).timestamp() * 1000) for day in ticks]
        return Chunk(records, told)

    def _records(self, time_ms: int, wish: Wish) -> Iterator[Planned]:
        chosen = self._random
        self._number += 1
        event: Data = {
            "specversion": "1.0",
            "id": f"c{self._number}" if wish.id is None else wish.id,
            "source": f"/{wish.operator}/chaos",
            "type": wish.type,
            "subject": wish.account,
            "operator": wish.operator,
            "time": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "data": wish.data,
        }
        key = f"{wish.operator}/{wish.account}".encode()
        yield Planned(time_ms, key, wish.type, _bytes(event), True)
        chance = chosen.random()
        if chance < 0.02:  # billing repeats itself …
            yield Planned(time_ms, key, wish.type, _bytes(event), False)
        elif chance < 0.025:  # … contradicts itself …
            event["data"] = {**wish.data, "note": "not what was said before"}
            yield Planned(time_ms, key, wish.type, _bytes(event), False)
        elif chance < 0.03:  # … or writes nonsense.
            yield Planned(time_ms, key, wish.type, b'{"nonsense":%d}' % self._number, False)


def _bytes(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()
