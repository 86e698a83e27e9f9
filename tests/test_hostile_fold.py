"""Whatever is in a record: the fold goes on, it is one dead letter, and everything else is applied."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.dead_letters import KEY_BYTES_MAX
from agents.fold import TaskState
from schemas.contract_examples import record_of
from schemas.record import Record
from schemas.topics import CLOCK, DEAD_LETTERS, JOURNAL, LINKS, PAYMENTS, TASK, TOPIC_OF_TYPE
from tests.case_runner import new_engine
from tests.fold_world import MemoryRows
from tests.hostile import KEY, MEGABYTE, Hostile, event, marked, records

ENGINE = new_engine()
HOSTILE = list(records())
MESSAGE_BYTES_MAX = 1_048_588
"""What Kafka takes by default: a record's size, a bit of framing included."""


def fold(*given: Record) -> dict[str, list[dict[str, Any]]]:
    """Fold these in one batch, with a good event before and after; topic → what was produced."""
    task = TaskState(MemoryRows(), ENGINE)
    batch = [good("before"), *given, good("after")]
    result = task.fold(batch)
    assert result.consumed == len(batch)
    produced: dict[str, list[dict[str, Any]]] = {}
    for made in result.produce:
        assert len(made.value or b"") + len(made.key or b"") < MESSAGE_BYTES_MAX - 1_000, made.topic
        produced.setdefault(made.topic, []).append(orjson.loads(made.value or b"null"))
    applied = [entry["event"]["id"] for entry in produced[JOURNAL.name] if entry["kind"] == "event"]
    assert applied[0] == "before"
    assert applied[-1] == "after"
    return produced


def good(id: str) -> Record:
    """An event that is to be applied."""
    return Record(PAYMENTS.name, 0, 0, 0, KEY, orjson.dumps(event(id)))


@pytest.mark.parametrize("hostile", HOSTILE, ids=[one.what for one in HOSTILE])
def test_each_is_one_dead_letter_or_applied(hostile: Hostile) -> None:
    produced = fold(Record(hostile.topic, 3, 77, 5, hostile.key, hostile.value))
    letters = produced.get(DEAD_LETTERS.name, [])
    if hostile.reason is None:
        assert not letters, marked(hostile)
        assert len(produced[JOURNAL.name]) == 3
        return
    (letter,) = letters
    assert (letter["topic"], letter["partition"], letter["offset"]) == (hostile.topic, 3, 77)
    assert letter["detail"]
    assert len(letter["detail"]) < 1_000
    assert len(letter["key"] or "") <= 4 * KEY_BYTES_MAX
    if hostile.topic != LINKS.name:
        assert letter["reason"] == hostile.reason, letter
    assert len(produced[JOURNAL.name]) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A right record of some type with a few things done to it."""
    type_ = draw(st.sampled_from(sorted(TOPIC_OF_TYPE.keys() & set(map(str, _types())))))
    record: dict[str, Any] = record_of(type_)
    for _ in range(draw(st.integers(0, 3))):
        target = draw(st.sampled_from([record, record.get("data") or record]))
        if not isinstance(target, dict):
            continue
        name = draw(st.sampled_from(sorted(target) or ["id"]) | st.text(max_size=6))
        target[name] = draw(JSON)
    value = json.dumps(record, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        at = draw(st.integers(0, len(value)))
        value = value[:at] + draw(st.binary(max_size=4)) + value[at + draw(st.integers(0, 4)) :]
    return value


def _types() -> list[str]:
    return [type_ for topic in TASK for type_ in topic.types]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    value=st.none() | st.binary(max_size=200) | mangled(),
    key=st.none() | st.binary(max_size=20) | st.just(KEY),
    topic=st.sampled_from([topic.name for topic in TASK]),
)
def test_no_bytes_stop_the_fold(value: bytes | None, key: bytes | None, topic: str) -> None:
    produced = fold(Record(topic, 1, 2, 3, key, value))
    entries = [e for e in produced[JOURNAL.name] if e["kind"] != "due"]
    assert len(produced.get(DEAD_LETTERS.name, [])) + len(entries) - 2 in (0, 1)


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(
        ["referral.claim", "referral.answer", "referral.conversion", "referral.result", "transfer.offer", "transfer.return"]
    ),
    change=st.dictionaries(
        st.sampled_from(["v", "kind", "operator", "account", "sender", "sender_operator", "cause", "data"]), JSON,
        max_size=2,
    ),
    data=JSON,
)  # fmt: skip
def test_no_link_stops_the_fold(kind: str, change: dict[str, Any], data: Any) -> None:
    link = {
        "v": 1, "kind": kind, "operator": "orgtechservice", "account": "A-1", "sender_operator": "orgtechservice",
        "sender": "B", "cause": ["orgtechservice", "B", "/s", "e", 1_756_710_000_000_000], "data": data,
    }  # fmt: skip
    value = json.dumps({**link, **change}).encode("utf-8", "surrogatepass")
    fold(Record(LINKS.name, 1, 2, 3, KEY, value))


def adjusted(account: str, time: str, id: str = "far") -> Record:
    """Staff gives a point."""
    data = {"points": 1, "reason": "test", "by": "staff"}
    record = {**record_of("points.adjusted", data), "subject": account, "time": time, "id": id}
    return Record(
        TOPIC_OF_TYPE["points.adjusted"], 0, 0, 0, f"orgtechservice/{account}".encode(), orjson.dumps(record)
    )


def _opened(account: str) -> list[Record]:
    found = []
    for type_ in ("account.opened", "service.activated"):
        record = {**record_of(type_), "subject": account, "id": type_}
        found.append(
            Record(TOPIC_OF_TYPE[type_], 0, 0, 0, f"orgtechservice/{account}".encode(), orjson.dumps(record))
        )
    return found


@pytest.mark.parametrize("by", ["events", "the clock"])
def test_the_far_future_comes_in_bounded_steps(by: str) -> None:
    """Thousands of due moments of each of some accounts: no transaction has more than its share of them."""
    accounts = [f"A-{n}" for n in range(5)]
    store = MemoryRows()
    task = TaskState(store, ENGINE, due_moments_max=1_000)
    result = task.fold([record for account in accounts for record in _opened(account)])
    store.put_many(result.rows, None)
    task.committed()
    tick = {**record_of("clock.advanced"), "time": "2199-12-31T00:00:00Z"}
    batch = (
        [adjusted(account, "2199-12-31T00:00:00Z") for account in accounts]
        if by == "events"
        else [Record(CLOCK.name, 0, 0, 0, None, orjson.dumps(tick))]
    )
    left, steps, due = batch, 0, 0
    while left:
        started = time.monotonic()
        result = task.fold(left)
        assert time.monotonic() - started < 10
        kinds = [
            orjson.loads(made.value or b"")["kind"] for made in result.produce if made.topic == JOURNAL.name
        ]
        assert kinds.count("due") <= 1_000
        assert not [made for made in result.produce if made.topic == DEAD_LETTERS.name]
        store.put_many(result.rows, None)
        if steps % 3:
            task.committed()
        else:  # as after a crash: made anew from what was committed
            task = TaskState(store, ENGINE, due_moments_max=1_000)
        left, steps, due = left[result.consumed :], steps + 1, due + kinds.count("due")
    assert due > 5 * 2_000
    assert steps >= due / 1_000


def test_stepwise_gives_what_one_step_gives() -> None:
    rows = []
    for due_moments_max in (7, 1_000_000):
        store = MemoryRows()
        task = TaskState(store, ENGINE, due_moments_max)
        left = [
            *_opened("A-1"),
            adjusted("A-1", "2031-01-01T00:00:00Z"),
            adjusted("A-1", "2033-01-01T00:00:00Z", "x"),
        ]
        journal: list[bytes | None] = []
        while left:
            result = task.fold(left)
            store.put_many(result.rows, None)
            task.committed()
            journal += [made.value for made in result.produce if made.topic == JOURNAL.name]
            left = left[result.consumed :]
        rows.append((dict(store), journal))
    assert rows[0] == rows[1]


def test_an_account_in_the_far_future_says_so_to_whoever_writes_to_it() -> None:
    """Its later events are refused one by one, each with the clock that it has reached: never silently."""
    task = TaskState(MemoryRows(), ENGINE)
    result = task.fold(
        [adjusted("A-1", "2199-12-31T00:00:00Z"), adjusted("A-1", "2025-10-01T00:00:00Z", "now")]
    )
    (letter,) = [
        orjson.loads(made.value or b"") for made in result.produce if made.topic == DEAD_LETTERS.name
    ]
    assert letter["reason"] == "too-old"
    assert "2199-12-31" in letter["detail"]


def test_a_letter_is_small_enough_whatever_it_is_about() -> None:
    for value in (b"\x00" * MEGABYTE, b"\xff" * MEGABYTE, "\u2028é".encode() * 200_000, b'"' * MEGABYTE):
        produced = fold(Record(PAYMENTS.name, 0, 0, 0, b"\x01" * 900_000, value))
        (letter,) = produced[DEAD_LETTERS.name]
        assert letter["value_bytes"] == len(value)


def test_a_record_without_a_timestamp_has_a_letter_that_can_be_written() -> None:
    result = TaskState(MemoryRows(), ENGINE).fold([Record(PAYMENTS.name, 0, 0, -1, KEY, b"")])
    assert [made.timestamp for made in result.produce] == [0]
