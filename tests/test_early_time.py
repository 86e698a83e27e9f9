"""What puts a file's lines in order before they are read agrees with reading them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import Unreadable
from schemas.early_time import early_time
from schemas.wire import read_event

EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/shop",
    "type": "payment.received",
    "subject": "A",
    "operator": "mts",
    "time": "2025-10-01T10:00:00+03:00",
    "data": {"amount": "650.00", "currency": "RUB", "service": "internet"},
}
AT = 1_759_302_000_000_000
LATER = '"2026-01-01T00:00:00Z"'


def line(**changed: object) -> str:
    return json.dumps({**EVENT, **changed}, separators=(",", ":"))


def read(value: bytes, early: int | None = None) -> int | None:
    try:
        return read_event(value, key=None, topic=None, operators={"mts"}, early=early).time
    except Unreadable:
        return None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (line(), AT),
        (line(time="2025-10-01T07:00:00.5Z"), AT + 500_000),
        (json.dumps(EVENT), AT),
        (line().replace('"time":', '"time":\t'), None),
        (line(data={**EVENT["data"], "time": "2026-01-01T00:00:00Z"}), None),  # type: ignore[dict-item]
        (line()[:-1] + f',"time":{LATER}}}', None),
        (line()[:-1] + rf',"t\u0069me":{LATER}}}', None),
        (line().replace('"time"', r'"\u0074ime"', 1), None),
        (line(time="2025-10-01T10:00:00"), None),
        (line(time="yesterday"), None),
        (line(time=5), None),
        ("not json", None),
        ('{"time":"2025-10-01T10:00:00+03:00', None),
    ],
)
def test_a_time_is_found_where_it_can_only_be_the_events_own(text: str, found: int | None) -> None:
    assert early_time(text.encode()) == found


NAMES = st.sampled_from(["time", "t\\u0069me", "\\u0074ime", 'x\\"time', "note", "TIME", "time "])
TIMES = st.sampled_from(["2025-10-01T10:00:00+03:00", "2026-01-01T00:00:00Z", "never", ""])
SPACES = st.sampled_from(["", " ", "\t"])


@given(st.data())
def test_a_readable_line_has_the_time_that_was_found_early(data: st.DataObject) -> None:
    def members(count: int) -> list[str]:
        return [
            f'"{data.draw(NAMES)}"{data.draw(SPACES)}:{data.draw(SPACES)}"{data.draw(TIMES)}"'
            for _ in range(count)
        ]

    known = [f'"{name}":{json.dumps(value)}' for name, value in EVENT.items() if name not in ("time", "data")]
    nested = [
        '"amount":"650.00","currency":"RUB","service":"internet"',
        *members(data.draw(st.integers(0, 2))),
    ]
    parts = [*known, *members(data.draw(st.integers(0, 2))), '"data":{' + ",".join(nested) + "}"]
    value = ("{" + ",".join(data.draw(st.permutations(parts))) + "}").encode()
    early, time = early_time(value), read(value)
    assert early is None or time is None or early == time
    assert read(value, early) == time, "who was told early refuses the same lines"
