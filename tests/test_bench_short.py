"""The benchmarks in small: everybody starts, decides the same, and a run that does not is found out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest

from benchmarks import ROOT
from benchmarks.chart import Bar, draw
from benchmarks.cluster import task_token
from benchmarks.events import PARTITIONS, make_feed, merged, write_values
from benchmarks.findings import Findings, aims
from benchmarks.lineup import PEER_JAR, everybody
from benchmarks.outcomes import Tally, expected
from benchmarks.race import Result, Sample, summed_up
from benchmarks.report import Setting, write_report
from benchmarks.simulate import Simulated
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


def run_of(events: int, seconds: float) -> Result:
    """A run that has used a second of the processor."""
    return Result(events, 1.0, seconds, seconds / 2, cpu_seconds=1.0, broker_cpu_seconds=0.5)


def test_a_run_is_summed_up_from_its_samples() -> None:
    samples = [
        Sample(10.0, 0, 3.0, 7.0),
        Sample(14.0, 400, 4.0, 7.5),
        Sample(15.0, 600, 4.5, 8.0),
        Sample(16.0, 1000, 5.0, 8.5),
    ]
    result = summed_up(2_000, 8.0, samples)
    assert result == Result(2_000, 2.0, 6.0, 1.5, cpu_seconds=2.0, broker_cpu_seconds=1.5)
    assert (result.per_second, result.per_second_warm) == (2_000 / 6, 1_000 / 1.5)
    assert (result.cpu_us_per_event, result.broker_cpu_us_per_event) == (1_000, 750)
    assert result.busy_share * (os.cpu_count() or 1) == pytest.approx(3.5 / 6)


def test_a_run_that_commits_once_at_its_end_has_a_second_half() -> None:
    samples = [Sample(10.0, 0, 0.0, 0.0), Sample(14.0, 100, 1.0, 1.0)]
    assert summed_up(100, 9.0, samples).second_half_seconds == 2.0


def test_the_report_says_when_the_machine_was_busy_and_an_aim_was_missed() -> None:
    field = everybody()
    findings = Findings(
        results={"ours": [run_of(100, 1.0)], "streams": [run_of(100, 1.0)], "faust": [run_of(20, 4.0)]},
        ours={100: [run_of(100, 1.0)], 20: [run_of(20, 0.1)]},
    )
    busy = write_report(Setting(100, 1, 10, load=3.0), field, findings)
    assert "Measured on a busy machine" in busy
    assert "| ≥ 1.3 | 1.00 | **no** | second half 1.00, by processor time 1.00 |" in busy
    assert "one worker / Faust as in its guide | ≥ 30.0 | 40.00 | yes |" in busy
    assert "one worker / Bytewax | ≥ 3.0 |  | not measured |" in busy
    findings.results["ours-2"] = [run_of(100, 1.5 / (os.cpu_count() or 1))]
    assert "; with two, 100% of all processor time is taken |" in write_report(
        Setting(100, 1, 10, load=0.1), field, findings
    )
    findings.failures["bytewax"] = "other outcomes"
    failed = write_report(Setting(100, 1, 10, load=0.1), field, findings)
    assert "one worker / Bytewax | ≥ 3.0 | does not count | **no** |" in failed
    assert "busy machine" not in write_report(Setting(100, 1, 10, load=0.1), field, findings)


def test_what_was_not_run_over_the_same_events_is_not_compared() -> None:
    findings = Findings(results={"ours": [run_of(100, 1.0)], "faust": [run_of(20, 4.0)]})
    assert findings.ratio("ours", "faust", lambda result: result.per_second) is None
    assert findings.round_by_round("ours", "faust") == []


def test_rounds_are_compared_by_themselves_too() -> None:
    ours = [run_of(100, seconds) for seconds in (1.0, 2.0, 4.0)]
    streams = [run_of(100, seconds) for seconds in (1.0, 4.0, 2.0)]
    findings = Findings(results={"ours": ours, "streams": streams})
    assert findings.ratio("ours", "streams", lambda result: result.per_second) == 1.0
    assert findings.round_by_round("ours", "streams") == [1.0, 2.0, 0.5]
    assert "; round by round 0.50 to 2.00, median 1.00" in next(iter(aims(findings))).remark


@pytest.mark.parametrize(("seconds", "met"), [((1.0, 1.9, 10.9), True), ((1.0, 1.9, 16.0), False)])
def test_a_simulation_is_a_straight_line_or_it_is_not(seconds: tuple[float, float, float], met: bool) -> None:
    runs = [Simulated(10**power, took) for power, took in zip((4, 5, 6), seconds, strict=True)]
    line = list(aims(Findings(simulated=runs)))[-1]
    assert line.title == "simulate is a straight line up to 1,000,000 events"
    assert line.met is met


def test_the_chart_is_a_drawing_with_every_bar() -> None:
    drawn = draw("Events & seconds", [Bar("ours", 10, 9, 11, True), Bar("others", 5, 5, 5, False)])
    root = ElementTree.fromstring(drawn)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["Events & seconds", "ours", "10", "others", "5"]


def test_events_written_in_parts_are_the_same_events(tmp_path: Path) -> None:
    file = tmp_path / "events"
    assert write_values(EVENTS, file, accounts_at_once=77) == EVENTS
    values = [entry.value for entry in make_feed(EVENTS).entries if entry.key is not None]
    assert file.read_bytes().splitlines() == values


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
