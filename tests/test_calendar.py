"""Days, months and midnights, against the calendar of the standard library."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine import calendar
from engine.calendar import Zone
from schemas.instant import parse_instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BEGINS, ENDS = (
    datetime(1970, 1, 2, tzinfo=UTC).replace(tzinfo=None),
    datetime(2199, 12, 30, tzinfo=UTC).replace(tzinfo=None),
)
ZONES = {name: Zone(name) for name in ("Europe/Moscow", "Europe/Berlin", "Asia/Kathmandu", "UTC")}


@given(st.dates())
@example(date(1970, 1, 1))
@example(date(1969, 12, 31))
@example(date(2369, 12, 31))
@example(date(2370, 1, 1))
@example(date(2024, 2, 29))
def test_months_are_those_of_the_calendar(day: date) -> None:
    ordinal = day.toordinal()
    month = calendar.month_of(ordinal)
    assert month == day.year * 12 + day.month - 1
    assert calendar.first_day(month) == day.replace(day=1).toordinal()
    if month + 1 < 10_000 * 12:
        assert calendar.day_in(month, day.day) == ordinal
        assert calendar.day_in(month, 31) == calendar.first_day(month + 1) - 1
        assert calendar.days_in(month) == calendar.day_in(month, 31) - calendar.first_day(month) + 1
    assert calendar.iso(ordinal) == day.isoformat()


def test_every_day_of_the_contract_lies_in_its_month() -> None:
    day = date(1970, 1, 1).toordinal()
    for month in range(1970 * 12, 2200 * 12):
        length = calendar.days_in(month)
        assert {calendar.month_of(day + n) for n in range(length)} == {month}
        day += length
    assert day == date(2200, 1, 1).toordinal()


@given(st.sampled_from(sorted(ZONES)), st.lists(st.dates(date(1940, 1, 1), date(2400, 1, 1)), max_size=5))
@example("Europe/Berlin", [date(2025, 3, 30), date(2400, 1, 1), date(1960, 1, 1), date(2025, 3, 30)])
def test_midnights_are_those_of_the_zone_in_whatever_order_they_are_asked_for(
    name: str, days: list[date]
) -> None:
    new = Zone(name)
    for day in days:
        wanted = (datetime.combine(day, time(0), tzinfo=ZoneInfo(name)) - EPOCH) // MICROSECOND
        assert ZONES[name].midnight(day.toordinal()) == wanted
        assert new.midnight(day.toordinal()) == wanted
        assert new.midnight(day.toordinal()) == wanted, "asking leaves the same behind"


@given(
    st.sampled_from(sorted(ZONES)),
    st.datetimes(BEGINS, ENDS),
    st.sampled_from(["", ".5", ".000001"]),
    st.sampled_from(["Z", "z", "+03:00", "+02:00", "+01:00", "+05:45", "-11:30"]),
    st.sampled_from("Tt"),
)
def test_what_somebody_wrote_is_only_taken_over_if_it_is_the_very_text(
    name: str, moment: datetime, fraction: str, offset: str, mark: str
) -> None:
    given_text = moment.strftime(f"%Y-%m-%d{mark}%H:%M:%S{fraction}{offset}")
    instant = parse_instant(given_text)
    assert ZONES[name].spelled(instant, given_text) == ZONES[name].text(instant)


@pytest.mark.parametrize("text", ["2016-12-31T23:59:60+03:00", "2016-12-31T23:59:60Z"])
def test_a_leap_second_is_shown_as_the_last_microsecond(text: str) -> None:
    zone = ZONES["Europe/Moscow"]
    instant = parse_instant(text)
    assert zone.spelled(instant, text) == zone.text(instant) != text
