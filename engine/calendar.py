"""Days, months and midnights of a time zone, on integers.

An instant is a count of microseconds since the Unix epoch; a day is a proleptic ordinal
(`date.toordinal()`); a month is `year * 12 + month - 1`.
"""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
_EPOCH_DAY: Final = datetime.date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_CACHED_DAYS: Final = 100_000
# One event asks for the same instant several times, and accounts share their midnights.
_CACHED_TEXTS: Final = 10_000


class Zone:
    """Local time in one IANA zone. Caches what it computes; the answers depend on nothing else."""

    __slots__ = ("_midnights", "_offsets", "_shown_offsets", "_texts", "_zone", "name")

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self._zone: Final = ZoneInfo(name)
        self._offsets: Final[dict[int, int | None]] = {}
        self._midnights: Final[dict[int, int]] = {}
        self._shown_offsets: Final[dict[int, str]] = {}
        self._texts: Final[dict[int, str]] = {}

    def day(self, time: int) -> int:
        """The local day of the instant `time`."""
        return (time + self._offset(time)) // DAY + _EPOCH_DAY

    def midnight(self, day: int) -> int:
        """The instant of 00:00 local of `day`."""
        found = self._midnights.get(day)
        if found is None:
            if len(self._midnights) > _CACHED_DAYS:
                self._midnights.clear()
            local = datetime.datetime.combine(
                datetime.date.fromordinal(day), datetime.time(0), tzinfo=self._zone
            )
            found = self._midnights[day] = (local - _EPOCH) // datetime.timedelta(microseconds=1)
        return found

    def text(self, time: int) -> str:
        """The instant in RFC 3339 with this zone's offset."""
        found = self._texts.get(time)
        if found is None:
            if len(self._texts) > _CACHED_TEXTS:
                self._texts.clear()
            found = self._texts[time] = self._text(time)
        return found

    def _text(self, time: int) -> str:
        offset = self._offset(time)
        shown = self._shown_offsets.get(offset)
        if shown is None:
            shown = self._shown_offsets[offset] = _offset_text(offset)
        day, rest = divmod(time + offset, DAY)
        seconds, fraction = divmod(rest, SECOND)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        parts = f".{fraction:06}" if fraction else ""
        return f"{iso(day + _EPOCH_DAY)}T{hour:02}:{minute:02}:{second:02}{parts}{shown}"

    def _offset(self, time: int) -> int:
        utc_day = time // DAY
        try:
            offset = self._offsets[utc_day]
        except KeyError:
            if len(self._offsets) > _CACHED_DAYS:
                self._offsets.clear()
            first = self._offset_at(utc_day * DAY)
            last = self._offset_at(utc_day * DAY + DAY - 1)
            offset = self._offsets[utc_day] = first if first == last else None
        if offset is None:  # the zone changes its offset on this day
            return self._offset_at(time)
        return offset

    def _offset_at(self, time: int) -> int:
        utc = _EPOCH + datetime.timedelta(microseconds=time)
        delta = utc.astimezone(self._zone).utcoffset()
        assert delta is not None, "a ZoneInfo always has an offset"
        return delta // datetime.timedelta(microseconds=1)


@lru_cache(_CACHED_DAYS)
def month_of(day: int) -> int:
    """The month of a day."""
    date = datetime.date.fromordinal(day)
    return date.year * 12 + date.month - 1


@lru_cache(_CACHED_DAYS)
def first_day(month: int) -> int:
    """The first day of a month."""
    return datetime.date(month // 12, month % 12 + 1, 1).toordinal()


def days_in(month: int) -> int:
    """How many days a month has."""
    return first_day(month + 1) - first_day(month)


@lru_cache(_CACHED_DAYS)
def day_in(month: int, number: int) -> int:
    """Day `number` (1-31) of a month, clamped to the month's end."""
    return first_day(month) + min(number, days_in(month)) - 1


@lru_cache(_CACHED_DAYS)
def add_months(day: int, months: int, *, past_missing_day: bool = False) -> int:
    """The same day `months` later, clamped to the month's end (SPEC section 1, month arithmetic).

    With `past_missing_day` a day that the month lacks becomes the day after its end.
    """
    date = datetime.date.fromordinal(day)
    month = date.year * 12 + date.month - 1 + months
    missing = date.day > days_in(month)
    return day_in(month, date.day) + (1 if past_missing_day and missing else 0)


@lru_cache(_CACHED_DAYS)
def iso(day: int) -> str:
    """A day as `YYYY-MM-DD`."""
    return datetime.date.fromordinal(day).isoformat()


def _offset_text(offset: int) -> str:
    sign = "-" if offset < 0 else "+"
    minutes, seconds = divmod(abs(offset) // SECOND, 60)
    shown = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return f"{shown}:{seconds:02}" if seconds else shown
