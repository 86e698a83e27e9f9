"""The merge of one task's topics: by time, never out of a topic's own order, never ahead of one that is behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.record import Record
from streams.merge import TaskBuffers

CLOCK, PAYMENTS, REQUESTS = "clock", "payments", "requests"
TOPICS = (CLOCK, PAYMENTS, REQUESTS)


def records(topic: str, *times: int, first: int = 0) -> list[Record]:
    """Records of a topic with these timestamps, at offsets from `first` on."""
    return [Record(topic, 0, first + n, time, None, None) for n, time in enumerate(times)]


def filled(
    contents: dict[str, Sequence[int]],
    behind: Sequence[str] = (),
    *,
    records_max: int = 1_000,
    idle_ms_max: float = 0,
    linger_ms_max: float = 0,
) -> TaskBuffers:
    """Buffers with these timestamps per topic, all caught up but for those named."""
    buffers = TaskBuffers(
        TOPICS, records_max=records_max, idle_ms_max=idle_ms_max, linger_ms_max=linger_ms_max
    )
    for topic in TOPICS:
        times = contents.get(topic, ())
        buffers.add(topic, records(topic, *times))
        buffers.progress(topic, len(times), len(times) + (1 if topic in behind else 0))
    return buffers


def taken(buffers: TaskBuffers, now_ms: float = 0) -> list[tuple[str, int]]:
    """The next batch as (topic, timestamp)."""
    return [(record.topic, record.timestamp) for record in buffers.take(now_ms)]


def test_records_of_several_topics_come_in_order_of_time() -> None:
    buffers = filled({PAYMENTS: [1, 4, 6], REQUESTS: [2, 3, 7]})
    assert [time for _, time in taken(buffers)] == [1, 2, 3, 4, 6, 7]
    assert len(buffers) == 0


def test_the_clock_comes_before_events_of_the_same_time() -> None:
    buffers = filled({REQUESTS: [5], PAYMENTS: [5], CLOCK: [5]})
    assert taken(buffers) == [(CLOCK, 5), (PAYMENTS, 5), (REQUESTS, 5)]


def test_a_late_record_stays_behind_its_predecessor_but_ahead_of_later_ones() -> None:
    buffers = filled({PAYMENTS: [5, 2, 8], REQUESTS: [4, 6]})
    assert taken(buffers) == [(REQUESTS, 4), (PAYMENTS, 5), (PAYMENTS, 2), (REQUESTS, 6), (PAYMENTS, 8)]


def test_a_topic_that_is_behind_with_nothing_buffered_holds_the_others_back() -> None:
    buffers = filled({PAYMENTS: [1, 2]}, behind=[REQUESTS])
    assert taken(buffers) == []
    buffers.progress(REQUESTS, 1, 1)
    assert taken(buffers) == [(PAYMENTS, 1), (PAYMENTS, 2)]


def test_nothing_goes_past_the_last_buffered_record_of_a_topic_that_is_behind() -> None:
    buffers = filled({PAYMENTS: [1, 3, 5], REQUESTS: [2, 3]}, behind=[REQUESTS])
    assert taken(buffers) == [(PAYMENTS, 1), (REQUESTS, 2), (PAYMENTS, 3), (REQUESTS, 3)]
    assert taken(buffers) == []
    buffers.add(REQUESTS, records(REQUESTS, 4, first=2))
    buffers.progress(REQUESTS, 3, 3)
    assert taken(buffers) == [(REQUESTS, 4), (PAYMENTS, 5)]


def test_a_tie_waits_for_a_topic_that_goes_first_and_is_behind() -> None:
    buffers = filled({CLOCK: [3], PAYMENTS: [3]}, behind=[CLOCK])
    assert taken(buffers) == [(CLOCK, 3)], "the clock's next record may be of the same time, and goes first"


def test_before_anything_is_known_of_a_topic_it_counts_as_behind() -> None:
    buffers = TaskBuffers(TOPICS, records_max=10)
    buffers.add(PAYMENTS, records(PAYMENTS, 1))
    for topic in TOPICS:
        assert taken(buffers) == []
        buffers.progress(topic, 1 if topic == PAYMENTS else None, 1)
    assert taken(buffers) == []
    buffers.progress(CLOCK, 0, 0)
    buffers.progress(REQUESTS, 0, 0)
    assert taken(buffers) == [(PAYMENTS, 1)]


def test_being_caught_up_says_nothing_of_what_arrived_later() -> None:
    buffers = TaskBuffers(TOPICS, records_max=10)
    for topic in TOPICS:
        buffers.progress(topic, 0, 0, seen_ms=100)
    buffers.add(PAYMENTS, records(PAYMENTS, 5), arrived_ms=100)
    buffers.add(PAYMENTS, records(PAYMENTS, 9, first=1), arrived_ms=200)
    buffers.progress(PAYMENTS, 2, 2, seen_ms=200)
    assert taken(buffers) == [(PAYMENTS, 5)]
    assert taken(buffers) == [], "the others may have had something earlier by then"
    buffers.add(REQUESTS, records(REQUESTS, 8), arrived_ms=210)
    buffers.progress(REQUESTS, 1, 1, seen_ms=210)
    buffers.progress(CLOCK, 0, 0, seen_ms=210)
    buffers.progress(PAYMENTS, 2, 2, seen_ms=210)
    assert taken(buffers) == [(REQUESTS, 8), (PAYMENTS, 9)]


def test_a_batch_is_bounded_and_the_rest_comes_next() -> None:
    buffers = filled({PAYMENTS: [1, 3, 5, 7], REQUESTS: [2, 4, 6]}, records_max=3)
    assert [time for _, time in taken(buffers)] == [1, 2, 3]
    assert [time for _, time in taken(buffers)] == [4, 5, 6]
    assert [time for _, time in taken(buffers)] == [7]


def test_a_topic_a_batch_ahead_is_not_fetched_until_it_is_worked_off() -> None:
    buffers = filled({PAYMENTS: [1, 2, 3]}, behind=[REQUESTS], records_max=3)
    assert not buffers.wants(PAYMENTS)
    assert buffers.wants(REQUESTS), "the one that is behind must be read, or nothing would move again"
    buffers.progress(REQUESTS, 1, 1)
    assert len(buffers.take(0)) == 3
    assert buffers.wants(PAYMENTS)


def test_records_wait_the_idle_time_for_topics_that_are_caught_up() -> None:
    buffers = filled({PAYMENTS: [5]}, idle_ms_max=100)
    assert taken(buffers, now_ms=1_000) == []
    assert buffers.wait_ms_left(now_ms=1_030) == 70
    buffers.add(REQUESTS, records(REQUESTS, 4))
    assert taken(buffers, now_ms=1_099) == []
    assert taken(buffers, now_ms=1_100) == [(REQUESTS, 4), (PAYMENTS, 5)]
    assert buffers.wait_ms_left(now_ms=1_100) is None


def test_nothing_waits_when_every_topic_has_something() -> None:
    buffers = filled({CLOCK: [1], PAYMENTS: [2], REQUESTS: [3]}, idle_ms_max=100)
    assert len(taken(buffers, now_ms=0)) == 3


def test_a_batch_that_is_not_full_lingers_and_a_full_one_does_not() -> None:
    buffers = filled({PAYMENTS: [1, 2]}, records_max=3, linger_ms_max=50)
    assert taken(buffers, now_ms=0) == []
    buffers.add(PAYMENTS, records(PAYMENTS, 3, first=2))
    assert len(taken(buffers, now_ms=1)) == 3


def test_what_ends_a_topic_without_a_record_is_passed_with_the_batch_that_empties_it() -> None:
    buffers = filled({PAYMENTS: [1, 3], REQUESTS: [2, 4]}, records_max=3)
    buffers.progress(PAYMENTS, 7, 7)  # five aborted records, or ends of transactions
    buffers.progress(CLOCK, 2, 2)
    assert len(taken(buffers)) == 3
    assert buffers.passed() == {CLOCK: 2, PAYMENTS: 7}, "one of the requests is still to come"
    assert taken(buffers) == [(REQUESTS, 4)]
    assert buffers.passed() == {REQUESTS: 2}, "what was told once need not be committed again"


def test_a_topic_of_which_nothing_is_known_is_not_passed() -> None:
    buffers = TaskBuffers(TOPICS, records_max=10)
    buffers.progress(PAYMENTS, None, 5)
    assert buffers.passed() == {}


def test_a_batch_of_no_records_is_refused() -> None:
    with pytest.raises(ValueError, match="records_max must be at least 1"):
        TaskBuffers(TOPICS, records_max=0)


def by_smallest_head(contents: dict[str, list[Record]], behind: set[str], limit: int) -> list[Record]:
    """The rule, word for word: take the smallest head, until a topic that is behind has none."""
    queues = {topic: deque(contents[topic]) for topic in TOPICS}
    batch: list[Record] = []
    while len(batch) < limit and not any(not queues[topic] for topic in behind):
        heads = [topic for topic in TOPICS if queues[topic]]
        if not heads:
            break
        batch.append(queues[min(heads, key=lambda topic: queues[topic][0].timestamp)].popleft())
    return batch


topic_times = st.lists(st.integers(0, 12), max_size=12)


@given(
    st.fixed_dictionaries({topic: topic_times for topic in TOPICS}),
    st.sets(st.sampled_from(TOPICS)),
    st.integers(1, 20),
)
def test_it_is_the_merge_by_smallest_head(
    times: dict[str, list[int]], behind: set[str], records_max: int
) -> None:
    buffers = filled(dict(times), behind=tuple(behind), records_max=records_max)
    left = {topic: records(topic, *times[topic]) for topic in TOPICS}
    while True:
        expected = by_smallest_head(left, behind, records_max)
        batch = buffers.take(0)
        assert [(r.topic, r.offset) for r in batch] == [(r.topic, r.offset) for r in expected]
        if not batch:
            break
        for record in batch:
            left[record.topic].pop(0)
    assert len(buffers) == sum(map(len, left.values()))


@given(
    st.lists(
        st.tuples(st.sampled_from(TOPICS), st.lists(st.integers(0, 12), min_size=1, max_size=6)), max_size=8
    ),
    st.integers(1, 8),
)
def test_it_is_the_merge_by_smallest_head_of_what_there_is_by_then(
    brought: list[tuple[str, list[int]]], records_max: int
) -> None:
    """A late record is due with its predecessor; of one that was handed on before it came it knows nothing."""
    buffers = filled({}, behind=(), records_max=records_max)
    left: dict[str, list[Record]] = {topic: [] for topic in TOPICS}
    ends = dict.fromkeys(TOPICS, 0)
    for topic, times in brought:
        new = [Record(topic, 0, ends[topic] + n, time, None, b"") for n, time in enumerate(times)]
        ends[topic] += len(new)
        left[topic] += new
        buffers.add(topic, new)
        expected = by_smallest_head(left, set(), records_max)
        assert [(r.topic, r.offset) for r in buffers.take(0)] == [(r.topic, r.offset) for r in expected]
        for record in expected:
            left[record.topic].pop(0)


def test_a_task_waits_for_the_topic_that_has_come_least_far() -> None:
    buffers = filled({CLOCK: [50], PAYMENTS: [10, 20], REQUESTS: [30]}, behind=(PAYMENTS, REQUESTS))
    assert [topic for topic in TOPICS if buffers.waits_for(topic)] == [PAYMENTS]
    assert taken(buffers) == [(PAYMENTS, 10), (PAYMENTS, 20)]
    buffers.add(PAYMENTS, records(PAYMENTS, 40, first=2))
    assert [topic for topic in TOPICS if buffers.waits_for(topic)] == [REQUESTS]
    buffers.progress(REQUESTS, 1, 1)
    assert [topic for topic in TOPICS if buffers.waits_for(topic)] == [PAYMENTS], "the others are caught up"
