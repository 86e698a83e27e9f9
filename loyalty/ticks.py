"""Ticks: the `clock.advanced` records by which time itself becomes an event in the log."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import orjson

from engine.calendar import Zone
from schemas.instant import HOUR_US
from schemas.topics import CLOCK

_UTC: Final = Zone("UTC")
SOURCE: Final = "/loyalty/clock"


def tick_value(time: int) -> bytes:
    """The record that says `time` (microseconds since the epoch) has come. The same time, the same bytes."""
    text = shown(time)
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"tick/{text}",
            "source": SOURCE,
            "type": CLOCK.types[0],
            "time": text,
            "data": {},
        }
    )


def shown(time: int) -> str:
    """An instant in RFC 3339, in UTC."""
    return _UTC.text(time).replace("+00:00", "Z")


def midnights(zones: Collection[str], first: int, last: int) -> list[int]:
    """Every 00:00 local of any of the zones, after `first` and up to and including `last`."""
    found = {
        zone.midnight(day) for zone in map(Zone, zones) for day in range(zone.day(first), zone.day(last) + 1)
    }
    return sorted(time for time in found if first < time <= last)


def hours(first: int, last: int) -> Iterator[int]:
    """Every full hour of UTC after `first`, up to and including `last`."""
    return iter(range((first // HOUR_US + 1) * HOUR_US, last + 1, HOUR_US))
