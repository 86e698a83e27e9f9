"""`python -m benchmarks.run`: everything side by side, interleaved, medians, into RESULTS.md.

Exit status: 0 when every run counted; 1 when one did not (other outcomes than the engine's, or it stalled);
2 for bad use.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import click

from benchmarks import ROOT
from benchmarks.cluster import BenchBroker, Cluster
from benchmarks.contender import Contender
from benchmarks.delay import Delay, measure_delay
from benchmarks.events import Feed, make_feed
from benchmarks.findings import OURS, Findings
from benchmarks.lineup import NoPeer, build_peer, everybody, kafka_streams, missing_modules, ours
from benchmarks.outcomes import Truth, expected
from benchmarks.race import Result, RunFailed, race
from benchmarks.recovery import Recovery, measure_recovery
from benchmarks.report import Setting, write_chart, write_report
from benchmarks.simulate import Simulated, measure_simulate

PARTS = ("races", "delay", "recovery", "simulate")
SHARED_LEAST = 20_000
"""No share is smaller: with fewer events to begin with, everybody gets all of them."""
DELAY_ROUNDS_MOST = 3
"""Delay takes a minute a run."""
SIMULATED_OFTEN_MOST = 1_000_000
"""Up to so many events a simulation is repeated."""
SHOWN_MOST = 50_000
"""Up to so many events the outcomes are kept, so that those that differ can be shown."""


def say(text: str) -> None:
    """Tell whoever waits what is going on."""
    print(text, file=sys.stderr, flush=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--events", default=1_000_000, type=click.IntRange(1_000, 10_000_000), show_default=True)
@click.option(
    "--rounds", default=5, type=click.IntRange(1, 99), show_default=True, help="Runs of each contender."
)
@click.option("--quick", is_flag=True, help="3 rounds.")
@click.option("--only", metavar="A,B,…", help="Only these contenders (and no word of the others).")
@click.option("--whole", is_flag=True, help="Slow peers get all events, too, instead of a share of them.")
@click.option("--parts", default=",".join(PARTS), metavar="A,B,…", show_default=True)
@click.option(
    "--rows", default=1_000_000, type=click.IntRange(1_000), show_default=True, help="Rows to recover."
)
@click.option(
    "--simulate-most",
    type=click.IntRange(10_000, 10_000_000),
    help="Simulate up to so many events; without it as many as --events, at most 1,000,000. (10,000,000 take "
    "half an hour and 10 GB.)",
)
@click.option(
    "--out", default=ROOT / "benchmarks" / "RESULTS.md", type=click.Path(path_type=Path), show_default=True
)
def main(
    events: int,
    rounds: int,
    quick: bool,
    only: str | None,
    whole: bool,
    parts: str,
    rows: int,
    simulate_most: int | None,
    out: Path,
) -> None:
    """Measure this system and its peers on the same events, one broker, one machine; see README.md."""
    wanted = set(parts.split(","))
    if wanted - set(PARTS):
        raise click.BadParameter(f"there are {', '.join(PARTS)}", param_hint="--parts")
    field = _field(only)
    if whole:
        field = {name: replace(one, share=1.0) for name, one in field.items()}
    started = time.monotonic()
    arguments = f' BENCH_ARGS="{shlex.join(sys.argv[1:])}"' if sys.argv[1:] else ""
    setting = Setting(events, 3 if quick else rounds, rows, os.getloadavg()[0], arguments)
    if setting.is_busy:
        say(
            f"the machine is busy (load {setting.load:.1f}): what is measured now means little, and the results say so"
        )
    findings = Findings()
    out.parent.mkdir(parents=True, exist_ok=True)
    measures: dict[str, Callable[[], None]] = {
        "races": lambda: _races(field, setting, findings),
        "delay": lambda: _delays(field, setting, findings),
        "recovery": lambda: _recoveries(field, setting, findings),
        "simulate": lambda: _simulate(setting, simulate_most or min(events, SIMULATED_OFTEN_MOST), findings),
    }
    for part in PARTS:
        if part in wanted:
            measures[part]()
            _write(out, replace(setting, minutes=(time.monotonic() - started) / 60), field, findings)
    say(f"results: {out}")
    if findings.failures:
        sys.exit(1)


def _write(out: Path, setting: Setting, field: dict[str, Contender], findings: Findings) -> None:
    """What has been found so far: it took long, and the next part may fail."""
    chart = out.with_suffix(".svg")
    chart.write_text(write_chart(field, findings), "utf-8")
    out.write_text(write_report(setting, field, findings, chart.name), "utf-8")


def _field(only: str | None) -> dict[str, Contender]:
    """Who takes part: all that were asked for and can run here; of the others it is said why not."""
    field = everybody()
    names = only.split(",") if only else list(field)
    unknown = set(names) - set(field)
    if unknown:
        raise click.BadParameter(
            f"no contender {', '.join(sorted(unknown))}; there are {', '.join(field)}", param_hint="--only"
        )
    peer: str | None = None
    if any(name.startswith("streams") for name in names):
        try:
            build_peer()
        except NoPeer as error:
            peer = str(error)
            say(peer)
    taking_part = {}
    for name in names:
        missing = missing_modules(field[name])
        if missing:
            say(
                f"{field[name].name} is left out: {', '.join(missing)} is not installed (benchmarks/requirements.txt)"
            )
        elif peer is None or not name.startswith("streams"):
            taking_part[name] = field[name]
    return taking_part


def _races(field: dict[str, Contender], setting: Setting, findings: Findings) -> None:
    counts = {name: _events_of(one, setting) for name, one in field.items()}
    for count in sorted(set(counts.values()), reverse=True):
        say(f"{count} events: making them and deciding them without a stream")
        feed = make_feed(count)
        truth = expected(feed, keep=count <= SHOWN_MOST)
        say(f"{len(truth.outcomes)} outcomes, dead letters: {dict(truth.letters)}")
        findings.outcomes.setdefault(count, len(truth.outcomes))
        broker = BenchBroker(say)
        try:
            cluster = Cluster(broker)
            cluster.write(feed)
            racing = {n: one for n, one in field.items() if counts[n] == count or n == OURS}
            results = _rounds(cluster, racing, setting, feed, truth, findings)
            findings.ours[feed.events] = results.get(OURS, [])
            findings.results |= {n: runs for n, runs in results.items() if counts[n] == count}
        finally:
            broker.stop()


def _events_of(contender: Contender, setting: Setting) -> int:
    """How many events it gets."""
    return max(int(setting.events * contender.share), min(setting.events, SHARED_LEAST))


def _rounds(
    cluster: Cluster,
    racing: dict[str, Contender],
    setting: Setting,
    feed: Feed,
    truth: Truth,
    findings: Findings,
) -> dict[str, list[Result]]:
    """Every contender once, then every one again: what the machine does meanwhile hits all alike."""
    results: dict[str, list[Result]] = defaultdict(list)
    for number in range(setting.rounds):
        for name, contender in racing.items():
            if name in findings.failures:
                continue
            try:
                result = race(cluster, name, contender, feed, truth)
            except RunFailed as error:
                findings.failures[name] = str(error)
                say(f"{contender.name}: does not count: {error}")
                continue
            results[name].append(result)
            say(f"round {number + 1}: {contender.name}: {result.per_second:,.0f} events/s")
    return {name: runs for name, runs in results.items() if name not in findings.failures}


def _delays(field: dict[str, Contender], setting: Setting, findings: Findings) -> None:
    if not findings.results.get(OURS):
        say("no delay is measured: the rate is a quarter of ours in the races, and we were not in them")
        return
    rate = int(median(result.per_second for result in findings.results[OURS]) / 4)
    measured = [name for name in ("ours", "streams-100ms", "streams") if name in field]
    for _ in range(min(setting.rounds, DELAY_ROUNDS_MOST)):
        for name in measured:
            try:
                delay: Delay = measure_delay(field[name], rate, 20)
            except (RunFailed, RuntimeError) as error:
                say(f"{field[name].name}: no delay measured: {error}")
                continue
            findings.delays.setdefault(name, []).append(delay)
            say(f"{field[name].name}: p99 {delay.p99_ms:.0f} ms at {rate} events/s")


def _recoveries(field: dict[str, Contender], setting: Setting, findings: Findings) -> None:
    recovering = {
        "ours": (ours(), "ready: tasks"),
        "ours-rocksdb": (ours(store="rocksdb"), "ready: tasks"),
        "streams": (kafka_streams(), "running"),
        "streams-rocksdb": (kafka_streams(store="rocksdb"), "running"),
    }
    broker = BenchBroker(say)
    try:
        cluster = Cluster(broker)
        cluster.write(make_feed(min(setting.events, 200_000)))
        for name, (contender, ready) in recovering.items():
            if name in field:
                found: Recovery = measure_recovery(cluster, name, contender, ready, setting.rows)
                findings.recoveries[name] = found
                say(f"{contender.name}: {found.rows} rows in {found.net_seconds:.1f} s")
    finally:
        broker.stop()


def _simulate(setting: Setting, most: int, findings: Findings) -> None:
    count = 10_000
    while count <= most:
        repeated = min(setting.rounds, 3) if count <= SIMULATED_OFTEN_MOST else 1
        runs: list[Simulated] = [measure_simulate(count) for _ in range(repeated)]
        findings.simulated.append(sorted(runs, key=lambda run: run.seconds)[len(runs) // 2])
        say(f"simulate, {count} events: {findings.simulated[-1].per_second:,.0f} events/s")
        count *= 10


if __name__ == "__main__":
    main()
