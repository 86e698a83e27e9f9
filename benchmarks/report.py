"""What was found, as a page: aims first, then figures, then the machine and how to repeat it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Final

import compiled
from benchmarks.chart import Bar, draw
from benchmarks.contender import Contender
from benchmarks.findings import OURS, Findings, aims
from streams.broker_jars import KAFKA_VERSION

QUIET_LOAD: Final = 0.5
_PEERS: Final = (
    "faust-streaming",
    "aiokafka",
    "confluent-kafka",
    "quixstreams",
    "bytewax",
    "sentry-arroyo",
    "pathway",
)
_MET: Final = {True: "yes", False: "**no**", None: "not measured"}


@dataclass(frozen=True)
class Setting:
    """How it was measured; `load` is the machine's before it began."""

    events: int
    rounds: int
    rows: int
    load: float
    arguments: str = ""
    minutes: float = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether others were using the machine: then figures mean little."""
        return self.load >= QUIET_LOAD


def write_report(
    setting: Setting, contenders: dict[str, Contender], findings: Findings, chart: str | None = None
) -> str:
    """The page; `chart` is the name of a drawing beside it."""
    lines = ["# Results", ""]
    if setting.is_busy:
        lines += [
            f"> **Measured on a busy machine** (load {setting.load:.1f} before it began): these figures show that "
            "everything runs and that outcomes are equal, and nothing else.",
            "",
        ]
    lines += [*_aims(findings), ""]
    if chart and findings.results:
        lines += [f"![Events a second]({chart})", ""]
    for part in (_figures, _failed, _delays, _recoveries, _simulated):
        section = list(part(contenders, findings))
        lines += [*section, ""] if section else []
    lines += _machine(setting, findings)
    return "\n".join(lines) + "\n"


def write_chart(contenders: dict[str, Contender], findings: Findings) -> str:
    """The drawing: medians, with a line from the slowest run to the fastest."""
    bars = []
    for name, runs in findings.results.items():
        rates = [run.per_second for run in runs]
        bars.append(Bar(contenders[name].name, median(rates), min(rates), max(rates), name.startswith(OURS)))
    return draw("Events a second (median; the line: slowest to fastest run)", bars)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> Iterator[str]:
    """A table; a column whose head ends with a colon is aligned to the right. No rows, no table."""
    rows = list(rows)
    if not rows:
        return
    if title:
        yield from (title, "")
    yield "| " + " | ".join(column.removesuffix(":") for column in head) + " |"
    yield "|" + "|".join("---:" if column.endswith(":") else "---" for column in head) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def _aims(findings: Findings) -> Iterator[str]:
    return _table(
        ("aim", "wanted:", "measured:", "met", "besides"),
        ((aim.title, aim.aim, aim.measured, _MET[aim.met], aim.remark) for aim in aims(findings)),
    )


def _figures(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    everything = [*findings.results.items()]
    measured = {runs[0].events for runs in findings.results.values()}
    shared = [(OURS, runs) for events, runs in findings.ours.items() if events in measured]
    everything += [(name, runs) for name, runs in shared if (name, runs) not in everything]
    rows = []
    for name, runs in sorted(everything, key=lambda item: -median(run.per_second for run in item[1])):
        contender, rates = contenders[name], [run.per_second for run in runs]
        rows.append(
            (
                contender.name,
                contender.guarantee,
                f"{runs[0].events:,}",
                f"{median(rates):,.0f}",
                f"{min(rates):,.0f} – {max(rates):,.0f}",
                f"{median(run.per_second_warm for run in runs):,.0f}",
                f"{median(run.cpu_us_per_event for run in runs):.1f}",
                f"{median(run.broker_cpu_us_per_event for run in runs):.1f}",
                f"{median(run.busy_share for run in runs):.0%}",
                f"{median(run.start_seconds for run in runs):.1f}",
                "count only" if contender.counts_only else "all outcomes",
            )
        )
    head = ("contender", "guarantee", "events:", "events/s, median:", "slowest – fastest:", "second half:")
    costs = ("processor µs an event:", "broker's µs:", "processors busy:", "start, s:", "checked")
    return _table((*head, *costs), rows)


def _failed(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    for name, why in findings.failures.items():
        yield f"- **{contenders[name].name}: does not count.** {why.splitlines()[0]}"


def _delays(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    return _table(
        ("contender", "events/s:", "runs:", "median, ms:", "p99, ms:", "p99 of the runs, ms:"),
        (
            (
                contenders[name].name,
                f"{runs[0].per_second:,}",
                f"{len(runs)}",
                f"{median(run.median_ms for run in runs):.0f}",
                f"{findings.p99_ms(name):.0f}",
                f"{min(run.p99_ms for run in runs):.0f} – {max(run.p99_ms for run in runs):.0f}",
            )
            for name, runs in findings.delays.items()
        ),
        "Delay from an event's append until its outcome can be read, at a quarter of our full load (medians of the runs):",
    )


def _recoveries(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    return _table(
        (
            *("contender", "rows:", "bytes a row:", "recovery, s:", "rows/s:", "start with none, s:"),
            "resident bytes an account:",
        ),
        (
            (
                contenders[name].name,
                f"{found.rows:,}",
                f"{found.row_bytes:.0f}",
                f"{found.net_seconds:.1f}",
                f"{found.rows / found.net_seconds:,.0f}",
                f"{found.seconds_empty:.1f}",
                f"{found.bytes_an_account:.0f}" if name.startswith(OURS) else "(a fixed heap)",
            )
            for name, found in findings.recoveries.items()
        ),
        "Recovery of a process with an empty disk (its start with no rows taken off), and memory:",
    )


def _simulated(contenders: dict[str, Contender], findings: Findings) -> Iterator[str]:
    del contenders
    return _table(
        ("events:", "seconds:", "events/s:"),
        ((f"{run.events:,}", f"{run.seconds:.2f}", f"{run.per_second:,.0f}") for run in findings.simulated),
        "`loyalty simulate`, whole process:",
    )


def _machine(setting: Setting, findings: Findings) -> list[str]:
    counts = ", ".join(
        f"{count:,} events → {outcomes:,} outcomes" for count, outcomes in findings.outcomes.items()
    )
    return [
        f"{counts or 'No races'}; {setting.rounds} interleaved rounds; medians; {setting.minutes:.0f} minutes.",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load before {setting.load:.2f}; {_processor()}, "
        f"{os.cpu_count()} cores, {_memory()}; {platform.system()} {platform.release()}; Python "
        f"{platform.python_version()}; Apache Kafka {KAFKA_VERSION}, one node on the same machine; {_versions()}.",
        f"Our fold, which all Python peers but the bare loops call too, runs {_form()}.",
        f"Repeat it: `make bench{setting.arguments}` (what is measured, and how: [README.md](README.md)).",
    ]


def _form() -> str:
    return "as Python" if compiled.in_use() is None else "compiled"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _versions() -> str:
    found = []
    for package in _PEERS:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
