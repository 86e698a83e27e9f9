"""Days, months and midnights of a time zone, on integers.

An instant is a count of microseconds since the Unix epoch; a day is a proleptic ordinal
(`date.toordinal()`); a month is `year * 12 + month - 1`.
"""

from __future__ import annotations

import datetime
from typing import Final
from zoneinfo import ZoneInfo

from mypy_extensions import mypyc_attr

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
_EPOCH_DAY: Final = datetime.date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_CACHED_DAYS: Final = 100_000
_LOCAL_DAYS_MAX: Final = 10_000
_CHANGES: Final = 2 * DAY
"""Stands for the offset of a day on which the zone changes it: no offset is that far."""
_NOT_ASKED: Final = -(2**62)
"""Stands for a midnight that nobody has asked for: no instant lies there."""

# Days and months stand in lists by their number: looking an int up in a dictionary takes ten times as long.
_FIRST_MONTH: Final = 1970 * 12
_MONTHS: Final = 400 * 12
_FIRST_DAYS: Final = [
    datetime.date(month // 12, month % 12 + 1, 1).toordinal()
    for month in range(_FIRST_MONTH, _FIRST_MONTH + _MONTHS + 1)
]
"""The first days of the months from 1970 on. After 400 years the calendar repeats itself."""
_DAYS: Final = _FIRST_DAYS[_MONTHS] - _EPOCH_DAY
"""How many days these months have."""
# Accounts share their days: each text is made once. There are as many as the contract's years have.
_texts: Final[dict[int, str]] = {}
# A text for every second of the day would push more useful things out of the processor's caches.
_HOURS: Final = [f"T{hour:02}" for hour in range(24)]
_SIXTIETHS: Final = [f":{number:02}" for number in range(60)]


@mypyc_attr(acyclic=True)
class _LocalDay:
    """A day in a zone, as long as one offset holds: from `start` until `end`, `ordinal` by the calendar.

    `date` and `offset` are what an instant's text has before and after the time; `midnight` is the text of `start`.
    """

    __slots__ = ("date", "end", "midnight", "offset", "ordinal", "start")

    def __init__(self, ordinal: int, start: int, end: int, offset: str) -> None:
        self.ordinal: Final = ordinal
        self.start: Final = start
        self.end: Final = end
        self.date: Final = iso(ordinal)
        self.offset: Final = offset
        self.midnight: Final = f"{self.date}T00:00:00{offset}"


class Zone:
    """Local time in one IANA zone. Remembers what it computes; the answers depend on nothing else."""

    __slots__ = ("_days", "_last", "_midnights", "_offsets", "_zone", "name")

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self._zone: Final = ZoneInfo(name)
        self._offsets: Final[dict[int, int]] = {}
        self._midnights: Final[list[int]] = []
        """Midnights of the days since 1970, as far as they were asked for."""
        self._days: Final[dict[int, _LocalDay]] = {}
        self._last = _LocalDay(_EPOCH_DAY, 0, 0, "")  # no instant lies in it
        """The day that was asked about last: the next question is mostly about it, too."""

    def day(self, time: int) -> int:
        """The local day of the instant `time`."""
        return self._local_day(time).ordinal

    def midnight(self, day: int) -> int:
        """The instant of 00:00 local of `day`."""
        known = self._midnights
        at = day - _EPOCH_DAY
        if 0 <= at < len(known):
            found = known[at]
            if found != _NOT_ASKED:
                return found
        return self._other_midnight(day)

    def _other_midnight(self, day: int) -> int:
        """The midnight of a day that was not asked for before."""
        local = datetime.datetime.combine(datetime.date.fromordinal(day), datetime.time(0), tzinfo=self._zone)
        midnight = (local - _EPOCH) // datetime.timedelta(microseconds=1)
        at = day - _EPOCH_DAY
        if 0 <= at < _DAYS:
            known = self._midnights
            known += [_NOT_ASKED] * (at + 1 - len(known))
            known[at] = midnight
        return midnight

    def text(self, time: int) -> str:
        """The instant in RFC 3339 with this zone's offset."""
        day = self._local_day(time)
        rest = time - day.start
        if rest == 0:
            return day.midnight
        second = rest // SECOND
        fraction = rest - second * SECOND
        minute = second // 60
        hour = minute // 60
        hours, minutes, seconds = (
            _HOURS[hour],
            _SIXTIETHS[minute - hour * 60],
            _SIXTIETHS[second - minute * 60],
        )
        if fraction:
            return f"{day.date}{hours}{minutes}{seconds}.{fraction:06}{day.offset}"
        return f"{day.date}{hours}{minutes}{seconds}{day.offset}"

    def spelled(self, time: int, given: str) -> str:
        """The same of an instant that somebody wrote as `given`, which mostly is this very text."""
        day = self._local_day(time)
        if len(given) == 25 and given.endswith(day.offset) and given[10] == "T" and given[17] != "6":
            return given
        return self.text(time)

    def _local_day(self, time: int) -> _LocalDay:
        day = self._last
        return day if day.start <= time < day.end else self._other_day(time)

    def _other_day(self, time: int) -> _LocalDay:
        """The local day of an instant; one on which the offset changes is made anew for each instant."""
        offset = self._offset(time)
        number = (time + offset) // DAY
        day = self._days.get(number)
        if day is None or not day.start <= time < day.end:
            start = number * DAY - offset
            end = start + DAY
            day = _LocalDay(number + _EPOCH_DAY, start, end, _offset_text(offset))
            if not offset == self._day_offset(start // DAY) == self._day_offset((end - 1) // DAY):
                return day
            if len(self._days) > _LOCAL_DAYS_MAX:
                self._days.clear()
            self._days[number] = day
        self._last = day
        return day

    def _offset(self, time: int) -> int:
        offset = self._day_offset(time // DAY)
        return self._offset_at(time) if offset == _CHANGES else offset

    def _day_offset(self, utc_day: int) -> int:
        """The zone's offset all through a day of UTC, or `_CHANGES`."""
        offset = self._offsets.get(utc_day)
        if offset is None:
            if len(self._offsets) > _CACHED_DAYS:
                self._offsets.clear()
            first = self._offset_at(utc_day * DAY)
            last = self._offset_at(utc_day * DAY + DAY - 1)
            offset = self._offsets[utc_day] = first if first == last else _CHANGES
        return offset

    def _offset_at(self, time: int) -> int:
        utc = _EPOCH + datetime.timedelta(microseconds=time)
        delta = utc.astimezone(self._zone).utcoffset()
        assert delta is not None, "a ZoneInfo always has an offset"
        return delta // datetime.timedelta(microseconds=1)


def month_of(day: int) -> int:
    """The month of a day."""
    since = day - _EPOCH_DAY
    if not 0 <= since < _DAYS:
        date = datetime.date.fromordinal(day)
        return date.year * 12 + date.month - 1
    # Months are nearly as long as they are on average: this is the right one, or the one before or after.
    at = since * _MONTHS // _DAYS
    if _FIRST_DAYS[at] > day:
        at -= 1
    elif _FIRST_DAYS[at + 1] <= day:
        at += 1
    return _FIRST_MONTH + at


def first_day(month: int) -> int:
    """The first day of a month."""
    at = month - _FIRST_MONTH
    if 0 <= at < _MONTHS:
        return _FIRST_DAYS[at]
    return datetime.date(month // 12, month % 12 + 1, 1).toordinal()


def days_in(month: int) -> int:
    """How many days a month has."""
    return first_day(month + 1) - first_day(month)


def day_in(month: int, number: int) -> int:
    """Day `number` (1-31) of a month, clamped to the month's end."""
    return min(first_day(month) + number, first_day(month + 1)) - 1


def add_months(day: int, months: int, *, past_missing_day: bool = False) -> int:
    """The same day `months` later, clamped to the month's end (SPEC section 1, month arithmetic).

    With `past_missing_day` a day that the month lacks becomes the day after its end.
    """
    month = month_of(day)
    number = day - first_day(month) + 1
    missing = number > days_in(month + months)
    return day_in(month + months, number) + (1 if past_missing_day and missing else 0)


def iso(day: int) -> str:
    """A day as `YYYY-MM-DD`."""
    text = _texts.get(day)
    if text is None:
        text = _texts[day] = datetime.date.fromordinal(day).isoformat()
    return text


def _offset_text(offset: int) -> str:
    sign = "-" if offset < 0 else "+"
    minutes, seconds = divmod(abs(offset) // SECOND, 60)
    shown = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return f"{shown}:{seconds:02}" if seconds else shown
