"""Feeds before Kafka: what is read, in which order, where it goes, when the clock ticks in between."""

from __future__ import annotations

import orjson
import pytest
from aiokafka.partitioner import DefaultPartitioner

from loyalty.demo_month import waves
from loyalty.feed import Fact, Refused, partition_of, read_feed, route, with_ticks
from loyalty.sample_events import event
from loyalty.ticks import hours, midnights, tick_value
from schemas.instant import parse_instant
from schemas.topics import CLOCK
from schemas.wire import read_event

PAID = {"amount": "650.00", "service": "internet"}


def paid(account: str, time: str, id_: str = "p") -> bytes:
    return event("payment.received", account, id_, parse_instant(time), PAID)


def read(
    lines: list[bytes], *, as_arrived: bool = False, raw: bool = False
) -> tuple[list[Fact], list[Refused]]:
    refused: list[Refused] = []
    facts = read_feed(
        lines, operators={"orgtechservice"}, refuse=refused.append, as_arrived=as_arrived, raw=raw
    )
    return facts, refused


def test_events_come_in_order_of_time_with_ties_in_the_order_of_the_file() -> None:
    late, first, second = (
        paid("A", "2025-01-02T00:00:00+03:00"),
        paid("B", "2025-01-01T00:00:00Z"),
        paid("C", "2025-01-01T03:00:00+03:00"),
    )
    facts, refused = read([late, first, b"", second])
    assert [fact.key for fact in facts] == [b"orgtechservice/B", b"orgtechservice/C", b"orgtechservice/A"]
    assert not refused
    assert [fact.value for fact in read([late, first, second], as_arrived=True)[0]] == [late, first, second]


def test_unreadable_lines_are_refused_with_their_number_and_sent_only_if_asked_to() -> None:
    good = paid("A", "2025-01-02T00:00:00+03:00")
    facts, refused = read([good, b"nonsense"])
    assert [fact.value for fact in facts] == [good]
    assert [(line.line, line.value, line.error.reason) for line in refused] == [(2, b"nonsense", "not-json")]
    facts, _ = read([good, b"nonsense"], raw=True)
    assert [(fact.value, fact.topic, fact.key, fact.time) for fact in facts][1] == (
        b"nonsense",
        "billing.payments",
        None,
        parse_instant("2025-01-02T00:00:00+03:00"),
    )


def test_ticks_in_the_file_are_left_out() -> None:
    assert read([tick_value(0), paid("A", "2025-01-02T00:00:00+03:00")])[0][0].topic == "billing.payments"


def test_a_tick_is_a_readable_event_of_the_clock() -> None:
    time = parse_instant("2025-01-02T00:00:00+03:00")
    tick = read_event(tick_value(time), key=None, topic=CLOCK.name, operators=())
    assert (tick.type, tick.time) == ("clock.advanced", time)


def test_a_tick_comes_before_what_happens_at_its_time_and_late_facts_do_not_turn_it_back() -> None:
    facts = [Fact(time, "t", b"k", b"v") for time in (5, 10, 7, 25)]
    times = [(fact.topic == CLOCK.name, fact.time) for fact in with_ticks(facts, [10, 20, 30])]
    assert times == [(False, 5), (True, 10), (False, 10), (False, 7), (True, 20), (False, 25), (True, 30)]


def test_midnights_are_those_of_every_zone() -> None:
    first, last = parse_instant("2025-01-01T12:00:00Z"), parse_instant("2025-01-02T21:00:00Z")
    both = midnights({"Europe/Moscow", "Asia/Bishkek"}, first, last)
    assert both == [
        parse_instant(text)
        for text in (
            "2025-01-02T00:00:00+06:00",
            "2025-01-02T00:00:00+03:00",
            "2025-01-03T00:00:00+06:00",
            "2025-01-03T00:00:00+03:00",
        )
    ]
    assert len(list(hours(first, last))) == 33


def test_an_event_goes_to_the_partition_that_kafka_would_choose_and_a_tick_to_all() -> None:
    choose = DefaultPartitioner()
    for number in range(200):
        key = f"orgtechservice/A-{number}".encode()
        assert partition_of(key, 7) == choose(key, list(range(7)), list(range(7)))
    entries = list(route([Fact(3_000, CLOCK.name, None, b"tick"), Fact(5_999, "t", b"k", b"v")], 3))
    assert [(entry.partition, entry.timestamp) for entry in entries[:3]] == [(0, 3), (1, 3), (2, 3)]
    assert (entries[3].partition, entries[3].timestamp) == (partition_of(b"k", 3), 5)


def test_a_wave_holds_nothing_whose_order_matters() -> None:
    facts = [
        Fact(1, "payments", b"A", b""),
        Fact(2, "payments", b"A", b""),
        Fact(3, "activations", b"B", b""),
        Fact(4, "activations", b"A", b""),
        Fact(5, CLOCK.name, None, b""),
        Fact(5, "payments", b"A", b""),
    ]
    assert [[fact.time for fact in wave] for wave in waves(facts)] == [[1, 2, 3], [4], [5, 5]]


@pytest.mark.parametrize("line", [b"{}", b"[1]", orjson.dumps({"specversion": "1.0"})])
def test_whatever_is_refused_says_why(line: bytes) -> None:
    _, refused = read([line])
    assert refused[0].error.reason and refused[0].error.detail
