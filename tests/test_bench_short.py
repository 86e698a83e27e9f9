"""The benchmarks in small: everybody starts, decides the same, and a run that does not is found out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from benchmarks import ROOT
from benchmarks.cluster import task_token
from benchmarks.events import PARTITIONS, make_feed, merged
from benchmarks.lineup import PEER_JAR, everybody
from benchmarks.outcomes import Tally, expected
from benchmarks.race import Result
from benchmarks.report import Findings, Setting, write_report
from loyalty.feed import partition_of
from schemas.topics import CLOCK

EVENTS = 3_000


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmarks as `make bench` does."""
    command = [sys.executable, "-m", "benchmarks.run", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_same_number_gives_the_same_events() -> None:
    assert make_feed(EVENTS) == make_feed(EVENTS)


def test_the_events_are_of_all_types_that_the_programme_knows() -> None:
    types = set(make_feed(20_000).types())
    assert types >= {
        *("account.opened", "service.activated", "service.blocked", "service.unblocked", "account.closed"),
        *("owner.changed", "line.linked", "legacy-discount.converted", "tariff.changed"),
        *("tariff.change-requested", "payment.received", "payment.refunded", "referral.code-registered"),
        *("points.redeem-requested", "points.gift-requested", "points.adjusted", "discount.extended"),
        *("clock.advanced",),
    }


def test_a_late_record_is_applied_when_it_comes_and_not_when_it_happened() -> None:
    feed = make_feed(EVENTS)
    order = merged(feed)
    assert Counter(order) == Counter(feed.entries)
    reached: Counter[tuple[str, int]] = Counter()
    clock: Counter[int] = Counter()
    late = 0
    for entry in order:
        source = entry.topic, entry.partition
        late += entry.timestamp < reached[source]
        reached[source] = max(reached[source], entry.timestamp)
        if entry.topic == CLOCK.name:
            clock[entry.partition] = entry.timestamp
        else:
            assert reached[source] >= clock[entry.partition], "the clock has not passed its topic"
    assert late > 0
    for source in reached:
        assert [e for e in order if (e.topic, e.partition) == source] == [
            e for e in feed.entries if (e.topic, e.partition) == source
        ]


def test_a_task_token_leads_to_its_partition() -> None:
    assert [partition_of(task_token(p), PARTITIONS) for p in range(PARTITIONS)] == list(range(PARTITIONS))


def test_the_engine_decides_something_of_everything() -> None:
    truth = expected(make_feed(20_000))
    assert {
        "level.changed",
        "points.credited",
        "discount.granted",
        "referral.completed",
        "points.redeemed",
    } <= set(truth.outcomes.types)
    assert {"identity-conflict", "too-old"} <= set(truth.letters)


@pytest.mark.parametrize("change", ["lost", "twice", "other"])
def test_a_tally_finds_one_outcome_among_thousands(change: str) -> None:
    outcomes = [
        ("points.credited", f"A-{number}".encode(), orjson.dumps({"points": number}))
        for number in range(3_000)
    ]
    right, came = Tally(()), Tally(())
    for outcome in outcomes:
        right.add(*outcome)
    changed = {
        "lost": outcomes[1:],
        "twice": [*outcomes, outcomes[7]],
        "other": [*outcomes[1:], ("points.credited", b"A-0", b'{"points":9}')],
    }[change]
    for outcome in reversed(changed):
        came.add(*outcome)
    assert came != right
    assert came.differences(right)
    assert right.differences(right) == []


def test_only_the_balances_of_accounts_in_referrals_are_left_out() -> None:
    one, other = Tally({"A"}), Tally({"A"})
    one.add("points.credited", b"A", b'{"points":3,"balance":3,"lot":"x"}')
    other.add("points.credited", b"A", b'{"points":3,"balance":303,"lot":"x"}')
    assert one == other
    one.add("points.credited", b"B", b'{"points":3,"balance":3,"lot":"x"}')
    other.add("points.credited", b"B", b'{"points":3,"balance":303,"lot":"x"}')
    assert one != other


def test_the_report_says_when_the_machine_was_busy_and_an_aim_was_missed() -> None:
    field = everybody()
    findings = Findings(results={"ours": [Result(100, 1.0, 1.0)], "streams": [Result(100, 1.0, 1.0)]})
    busy = write_report(Setting(100, 1, 10, load=3.0), field, findings)
    assert "Measured on a busy machine" in busy
    assert "| 1.00 (missed) | ≥ 1.3 |" in busy
    assert "busy machine" not in write_report(Setting(100, 1, 10, load=0.1), field, findings)


@pytest.mark.timeout(600)
def test_the_contenders_decide_the_same_on_a_real_broker(tmp_path: Path) -> None:
    """With a JDK and Maven the Kafka Streams peer too; it writes byte for byte the same outcomes."""
    report = tmp_path / "RESULTS.md"
    done = bench(
        *("--events", str(EVENTS), "--rounds", "1", "--parts", "races", "--out", str(report)),
        *("--only", "ours,streams-100ms,aiokafka"),
    )
    assert done.returncode == 0, done.stderr
    text = report.read_text("utf-8")
    assert "loyalty-streams, memory, 1 worker | exactly once |" in text
    assert "bare loop, aiokafka" in text
    if shutil.which("mvn") and shutil.which("javac") and PEER_JAR.exists():
        assert "Kafka Streams 4.1, memory, 1 thread, commit 100 ms | exactly once (EOS v2) |" in text
    else:
        assert "Kafka Streams is left out: " in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--only", "nobody"), ("--parts", "races,nothing"), ("--events", "many")]
)
def test_bad_use_is_one_helpful_line(arguments: tuple[str, ...]) -> None:
    done = bench(*arguments)
    assert done.returncode == 2
    assert "Error: " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
