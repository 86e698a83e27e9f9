"""What was found, as a page: ratios first, then figures, then the machine and how to repeat it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median

from benchmarks.contender import Contender
from benchmarks.delay import Delay
from benchmarks.race import Result
from benchmarks.recovery import Recovery
from benchmarks.simulate import Simulated
from streams.broker_jars import KAFKA_VERSION

QUIET_LOAD = 0.5
BAR = 40


@dataclass(frozen=True)
class Setting:
    """How it was measured; `load` is the machine's before it began."""

    events: int
    rounds: int
    rows: int
    load: float

    @property
    def is_busy(self) -> bool:
        """Whether others were using the machine: then figures mean little."""
        return self.load >= QUIET_LOAD


@dataclass
class Findings:
    """Everything measured, by the contenders' short names."""

    results: dict[str, list[Result]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    outcomes: dict[int, int] = field(default_factory=dict)
    """Events → outcomes."""
    delays: dict[str, Delay] = field(default_factory=dict)
    recoveries: dict[str, Recovery] = field(default_factory=dict)
    simulated: list[Simulated] = field(default_factory=list)

    def per_second(self, name: str) -> float:
        """The median of a contender."""
        return median(result.per_second for result in self.results[name])


# (title, contender, contender it is compared with, what is aimed at)
_RATIOS = (
    ("one worker, memory / Kafka Streams, memory, one thread", "ours", "streams", 1.3),
    ("the same, Kafka Streams committing every 100 ms (its default)", "ours", "streams-100ms", 1.3),
    ("RocksDB / Kafka Streams with RocksDB", "ours-rocksdb", "streams-rocksdb", 1.0),
    ("one worker / Quix Streams", "ours", "quix", 3.0),
    ("one worker / Bytewax", "ours", "bytewax", 3.0),
    ("one worker / Faust as in its guide", "ours", "faust", 30.0),
    ("one worker / bare confluent-kafka loop", "ours", "confluent", 0.5),
    ("two workers / one", "ours-2", "ours", 1.6),
)


def write_report(setting: Setting, contenders: dict[str, Contender], findings: Findings) -> str:
    """The page."""
    lines = ["# Results", ""]
    if setting.is_busy:
        lines += [
            f"> **Measured on a busy machine** (load {setting.load:.1f} before it began): these figures show that "
            "everything runs and that outcomes are equal, and nothing else.",
            "",
        ]
    parts = (_ratios, _figures, _failed, _delays, _recoveries, _simulated)
    for part in parts:
        section = list(part(contenders, findings))
        lines += [*section, ""] if section else []
    lines += list(_machine(setting, findings))
    return "\n".join(lines) + "\n"


def _ratios(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    results = findings.results
    rows = [row for row in _RATIOS if row[1] in results and row[2] in results]
    if rows:
        yield from ("| ratio of medians | found | aim |", "|---|---:|---:|")
        for title, one, other, aim in rows:
            found = findings.per_second(one) / findings.per_second(other)
            mark = "" if found >= aim else " (missed)"
            yield f"| {title} | {found:.2f}{mark} | ≥ {aim} |"


def _figures(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    if not findings.results:
        return
    yield from (
        "| contender | guarantee | events/s, median | lowest – highest | start, s | checked |",
        "|---|---|---:|---:|---:|---|",
    )
    ordered = sorted(findings.results, key=findings.per_second, reverse=True)
    for name in ordered:
        contender, runs = contenders[name], findings.results[name]
        rates = [run.per_second for run in runs]
        start = median(run.start_seconds for run in runs)
        checked = "count only" if contender.counts_only else "all outcomes"
        if contender.share < 1:
            checked += f", {runs[0].events:,} events"
        yield (
            f"| {contender.name} | {contender.guarantee} | {median(rates):,.0f} | "
            f"{min(rates):,.0f} – {max(rates):,.0f} | {start:.1f} | {checked} |"
        )
    yield from ("", "```")
    most = findings.per_second(ordered[0])
    width = max(len(contenders[name].name) for name in ordered)
    for name in ordered:
        rate = findings.per_second(name)
        yield f"{contenders[name].name:<{width}} {'█' * max(round(rate / most * BAR), 1):<{BAR}} {rate:>9,.0f}"
    yield "```"


def _failed(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    for name, why in findings.failures.items():
        yield f"- **{contenders[name].name}: does not count.** {why.splitlines()[0]}"


def _delays(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    if findings.delays:
        yield from (
            "Delay from an event's append until its outcome can be read, at a quarter of our full load:",
            "",
            "| contender | events/s | median, ms | p99, ms |",
            "|---|---:|---:|---:|",
        )
    for name, delay in findings.delays.items():
        yield f"| {contenders[name].name} | {delay.per_second:,} | {delay.median_ms:.0f} | {delay.p99_ms:.0f} |"


def _recoveries(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    if findings.recoveries:
        yield from (
            "Recovery of a process with an empty disk (its start with no rows taken off), and memory:",
            "",
            "| contender | rows | bytes a row | recovery, s | start with none, s | resident bytes an account |",
            "|---|---:|---:|---:|---:|---:|",
        )
    for name, found in findings.recoveries.items():
        memory = f"{found.bytes_an_account:.0f}" if name.startswith("ours") else "(a fixed heap)"
        yield (
            f"| {contenders[name].name} | {found.rows:,} | {found.row_bytes:.0f} | "
            f"{found.seconds - found.seconds_empty:.1f} | {found.seconds_empty:.1f} | {memory} |"
        )


def _simulated(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    if findings.simulated:
        yield from (
            "`loyalty simulate`, whole process:",
            "",
            "| events | seconds | events/s |",
            "|---:|---:|---:|",
        )
    for run in findings.simulated:
        yield f"| {run.events:,} | {run.seconds:.2f} | {run.per_second:,.0f} |"


def _machine(setting: Setting, findings: Findings) -> Iterator[str]:
    counts = ", ".join(
        f"{count:,} events → {outcomes:,} outcomes" for count, outcomes in findings.outcomes.items()
    )
    yield f"{counts or 'No races'}; {setting.rounds} interleaved rounds; medians."
    yield (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load before {setting.load:.2f}; {_processor()}, "
        f"{os.cpu_count()} cores, {_memory()}; {platform.system()} {platform.release()}; Python "
        f"{platform.python_version()}; Apache Kafka {KAFKA_VERSION}, one node on the same machine; {_versions()}."
    )
    yield "Repeat it: `make bench` (what is measured, and how: [README.md](README.md))."


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _versions() -> str:
    found = []
    for package in ("faust-streaming", "aiokafka", "confluent-kafka", "quixstreams", "bytewax"):
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
