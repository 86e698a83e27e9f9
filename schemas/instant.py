"""Instants and dates as they are spelled on the wire (SPEC section 1).

An instant is RFC 3339 with an offset and becomes microseconds since the Unix epoch; a date is `YYYY-MM-DD`
and becomes a proleptic ordinal (`date.toordinal()`). Both must lie in the years 1970 to 2199.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from schemas.dead_letter import MALFORMED_FIELD, NAIVE_TIME, TIME_OUT_OF_RANGE, Unreadable

YEAR_FIRST: Final = 1970
YEAR_LAST: Final = 2199
EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
"""`date.toordinal()` of the Unix epoch's day."""

ORDINAL_FIRST: Final = date(YEAR_FIRST, 1, 1).toordinal()
ORDINAL_LAST: Final = date(YEAR_LAST, 12, 31).toordinal()
DAY_US: Final = 86_400_000_000
MINUTE_US: Final = 60_000_000
SECOND_US: Final = 1_000_000
INSTANT_END_US: Final = (ORDINAL_LAST + 1 - EPOCH_ORDINAL) * DAY_US

INSTANT_PATTERN: Final = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"([Tt]([01][0-9]|2[0-3]):([0-5][0-9]))"
    r"(:([0-5][0-9]|60)(?:\.([0-9]+))?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?)"
)
"""Groups: date, `T` hour and minute (hour, minute), the rest (second, fraction, offset). The offset is
optional here only so that a naive time can be told from garbage."""

_INSTANT: Final = re.compile(INSTANT_PATTERN).fullmatch
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})").fullmatch

_TAILS_KEPT_MAX: Final = 10_000
_GREGORIAN_CYCLE_YEARS: Final = 400

# Pieces of instants seen before, in microseconds. They only spare arithmetic and are bounded: dates by the
# years allowed, minutes by the day, tails by a limit.
_day_us: Final[dict[str, int]] = {}
_minute_us: Final[dict[str, int]] = {}
_tail_us: Final[dict[str, int]] = {}


def parse_instant(text: str) -> int:
    """RFC 3339 with an offset → microseconds since the Unix epoch.

    `T` and `Z` may be lower case; fractions of any length are cut to microseconds; the leap second 60 is
    59.999999. Raises `Unreadable`: `naive-time` without an offset, `time-out-of-range` outside the years
    1970 to 2199 (in UTC), `malformed-field` otherwise.
    """
    try:
        instant = _day_us[text[:10]] + _minute_us[text[10:16]] + _tail_us[text[16:]]
    except KeyError:
        return _parse_carefully(text)
    if 0 <= instant < INSTANT_END_US:
        return instant
    raise _out_of_range(text)


def parse_date(text: str) -> int:
    """`YYYY-MM-DD` → `date.toordinal()`.

    Raises `Unreadable`: `time-out-of-range` outside the years 1970 to 2199, `malformed-field` otherwise.
    """
    days = _day_us.get(text)
    if days is None:
        days = _parse_day(text)
    ordinal = days // DAY_US + EPOCH_ORDINAL
    if ORDINAL_FIRST <= ordinal <= ORDINAL_LAST:
        return ordinal
    raise _out_of_range(text)


def _parse_carefully(text: str) -> int:
    """The instant of a text whose pieces have not all been seen; remembers its pieces."""
    match = _INSTANT(text)
    if match is None:
        raise Unreadable(
            MALFORMED_FIELD,
            f"{_shown(text)}; a time is RFC 3339 with an offset such as 2025-09-01T10:00:00+03:00",
        )
    day, minute, hour, minutes, tail, second, fraction, offset = match.groups()
    day_us = _parse_day(day)
    if offset is None:
        raise Unreadable(
            NAIVE_TIME, f"{_shown(text)} has no offset; write one, as in 2025-09-01T10:00:00+03:00"
        )
    minute_us = (int(hour) * 60 + int(minutes)) * MINUTE_US
    if second == "60":
        tail_us = MINUTE_US - 1
    else:
        tail_us = int(second) * SECOND_US + int(((fraction or "") + "000000")[:6])
    if offset not in ("Z", "z"):
        ahead_us = (int(offset[1:3]) * 60 + int(offset[4:6])) * MINUTE_US
        tail_us += ahead_us if offset[0] == "-" else -ahead_us
    _minute_us[minute] = minute_us
    if fraction is None and len(_tail_us) < _TAILS_KEPT_MAX:
        _tail_us[tail] = tail_us
    instant = day_us + minute_us + tail_us
    if 0 <= instant < INSTANT_END_US:
        return instant
    raise _out_of_range(text)


def _parse_day(text: str) -> int:
    """Microseconds from the epoch to the start of a day, of any year from 0000 to 9999; remembers it when it
    can be part of an instant or date that is in range."""
    match = _DATE(text)
    if match is not None:
        year, month, day = map(int, match.groups())
        # `date` has no year 0; the calendar repeats exactly every 400 years.
        cycles = 0 if year else 1
        try:
            ordinal = date(year + cycles * _GREGORIAN_CYCLE_YEARS, month, day).toordinal() - cycles * 146_097
        except ValueError:
            pass
        else:
            days = (ordinal - EPOCH_ORDINAL) * DAY_US
            if YEAR_FIRST - 1 <= year <= YEAR_LAST + 1:
                _day_us[text] = days
            return days
    raise Unreadable(MALFORMED_FIELD, f"{_shown(text)}; a date is a day of the calendar such as 2025-09-01")


def _out_of_range(text: str) -> Unreadable:
    return Unreadable(TIME_OUT_OF_RANGE, f"{_shown(text)}; the years {YEAR_FIRST} to {YEAR_LAST} can be told")


def _shown(text: str) -> str:
    """The text, quoted and short enough for one line."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}…"
