"""Instants and dates as they are spelled on the wire (SPEC section 1).

An instant is RFC 3339 with an offset and becomes microseconds since the Unix epoch; a date is `YYYY-MM-DD`
and becomes a proleptic ordinal (`date.toordinal()`). Both must lie in the years 1970 to 2199.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from schemas.dead_letter import MALFORMED_FIELD, NAIVE_TIME, TIME_OUT_OF_RANGE, Unreadable
from schemas.remembered import remember

YEAR_FIRST: Final = 1970
YEAR_LAST: Final = 2199
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
"""`date.toordinal()` of the Unix epoch's day."""

ORDINAL_FIRST: Final = date(YEAR_FIRST, 1, 1).toordinal()
ORDINAL_LAST: Final = date(YEAR_LAST, 12, 31).toordinal()
DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000
MINUTE_US: Final = 60_000_000
SECOND_US: Final = 1_000_000
INSTANT_END_US: Final = (ORDINAL_LAST + 1 - EPOCH_ORDINAL) * DAY_US

_INSTANT: Final = re.compile(
    r"(([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([01][0-9]|2[0-3]))"
    r":([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]+))?(Z|z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
).fullmatch
"""Groups: what stands before the minutes (date, hour), minute, second, fraction, offset. The offset is
optional only so that a naive time can be told from garbage."""
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})").fullmatch

_REMEMBERED_MAX: Final = 50_000

# Pieces of times seen before, in microseconds: they only spare arithmetic, and are forgotten when there are
# too many. They are cut small, so that all that are in use fit into the processor's caches.
_days_us: Final[dict[str, int]] = {}
_hours_us: Final[dict[str, int]] = {}
_minutes_us: Final[dict[str, int]] = {}
_tails_us: Final[dict[str, int]] = {}


def parse_instant(text: str) -> int:
    """RFC 3339 with an offset → microseconds since the Unix epoch.

    `T` and `Z` may be lower case; fractions of any length are cut to microseconds; the leap second 60 is
    59.999999. Raises `Unreadable`: `naive-time` without an offset, `time-out-of-range` outside the years
    1970 to 2199 (in UTC), `malformed-field` otherwise.
    """
    if text[19:20] == ".":
        return _parse_fraction(text)
    try:
        instant = _hours_us[text[:13]] + _minutes_us[text[13:16]] + _tails_us[text[16:]]
    except KeyError:
        return _parse_carefully(text)
    if 0 <= instant < INSTANT_END_US:
        return instant
    raise _out_of_range(text)


def parse_date(text: str) -> int:
    """`YYYY-MM-DD` → `date.toordinal()`.

    Raises `Unreadable`: `time-out-of-range` outside the years 1970 to 2199, `malformed-field` otherwise.
    """
    ordinal = _parse_day(text) // DAY_US + EPOCH_ORDINAL
    if ORDINAL_FIRST <= ordinal <= ORDINAL_LAST:
        return ordinal
    raise _out_of_range(text)


def _parse_fraction(text: str) -> int:
    """The instant of a text whose seconds have a fraction; without it, it may be a text seen before."""
    end = -1 if text[-1] in "Zz" else -6
    digits = text[20:end]
    if not (digits.isdecimal() and digits.isascii()):
        return _parse_carefully(text)
    try:
        whole_us = _hours_us[text[:13]] + _minutes_us[text[13:16]] + _tails_us[text[16:19] + text[end:]]
    except KeyError:
        return _parse_carefully(text)
    instant = whole_us + int(digits[:6].ljust(6, "0"))
    if text[17:19] != "60" and 0 <= instant < INSTANT_END_US:
        return instant
    return _parse_carefully(text)


def _parse_carefully(text: str) -> int:
    """The instant of a text that is new in part; remembers its parts."""
    match = _INSTANT(text)
    if match is None:
        raise Unreadable(
            MALFORMED_FIELD,
            f"{_shown(text)}; a time is RFC 3339 with an offset such as 2025-09-01T10:00:00+03:00",
        )
    head, day, hour, minute, second, fraction, offset = match.groups()
    hour_us = _parse_day(day) + int(hour) * HOUR_US
    if offset is None:
        raise Unreadable(
            NAIVE_TIME, f"{_shown(text)} has no offset; write one, as in 2025-09-01T10:00:00+03:00"
        )
    minute_us = int(minute) * MINUTE_US
    tail_us = int(second) * SECOND_US if second != "60" else MINUTE_US - 1
    if offset not in ("Z", "z"):
        ahead_us = int(offset[1:3]) * HOUR_US + int(offset[4:6]) * MINUTE_US
        tail_us += ahead_us if offset[0] == "-" else -ahead_us
    fraction_us = int(fraction[:6].ljust(6, "0")) if fraction and second != "60" else 0
    instant = hour_us + minute_us + tail_us + fraction_us
    if not 0 <= instant < INSTANT_END_US:
        raise _out_of_range(text)
    remember(_hours_us, head, hour_us, _REMEMBERED_MAX)
    remember(_minutes_us, f":{minute}", minute_us, _REMEMBERED_MAX)
    remember(_tails_us, f":{second}{offset}", tail_us, _REMEMBERED_MAX)
    return instant


def _parse_day(text: str) -> int:
    """Microseconds from the epoch to the start of a day, of any year from 0000 to 9999."""
    known = _days_us.get(text)
    if known is not None:
        return known
    match = _DATE(text)
    if match is not None:
        year, month, day = map(int, match.groups())
        try:
            # `date` has no year 0; 400 has the same calendar and is as far out of range.
            ordinal = date(year or 400, month, day).toordinal()
        except ValueError:
            pass
        else:
            days = (ordinal - EPOCH_ORDINAL) * DAY_US
            remember(_days_us, text, days, _REMEMBERED_MAX)
            return days
    raise Unreadable(MALFORMED_FIELD, f"{_shown(text)}; a date is a day of the calendar such as 2025-09-01")


def _out_of_range(text: str) -> Unreadable:
    return Unreadable(TIME_OUT_OF_RANGE, f"{_shown(text)}; the years {YEAR_FIRST} to {YEAR_LAST} can be told")


def _shown(text: str) -> str:
    """The text, quoted and short enough for one line."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}…"
