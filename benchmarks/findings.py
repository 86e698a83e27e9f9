"""What was found, and what it says of what is aimed at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

from benchmarks.delay import Delay
from benchmarks.race import Result
from benchmarks.recovery import Recovery
from benchmarks.simulate import Simulated

OURS: Final = "ours"
IDLE_ACCOUNT_BYTES_MAX: Final = 600
STRAIGHT_MAX: Final = 1.25
"""How much more an event may cost in ten times as many."""


@dataclass
class Findings:
    """Everything measured, by the contenders' short names."""

    results: dict[str, list[Result]] = field(default_factory=dict)
    ours: dict[int, list[Result]] = field(default_factory=dict)
    """Events → the runs of this system over as many."""
    failures: dict[str, str] = field(default_factory=dict)
    outcomes: dict[int, int] = field(default_factory=dict)
    """Events → outcomes."""
    delays: dict[str, list[Delay]] = field(default_factory=dict)
    recoveries: dict[str, Recovery] = field(default_factory=dict)
    simulated: list[Simulated] = field(default_factory=list)

    def per_second(self, name: str) -> float:
        """The median of a contender."""
        return median(result.per_second for result in self.results[name])

    def p99_ms(self, name: str) -> float | None:
        """The median of a contender's 99th percentiles of delay; None: not measured."""
        runs = self.delays.get(name)
        return median(run.p99_ms for run in runs) if runs else None

    def ratio(self, one: str, other: str, rate: Callable[[Result], float]) -> float | None:
        """How many times as fast one is as the other, over the same events; None: not measured."""
        ours, theirs = self._same_events(one, other)
        return median(map(rate, ours)) / median(map(rate, theirs)) if ours else None

    def round_by_round(self, one: str, other: str) -> list[float]:
        """The same for events a second, of each round by itself: both had the same moments of the machine then."""
        ours, theirs = self._same_events(one, other)
        return [own.per_second / peer.per_second for own, peer in zip(ours, theirs, strict=False)]

    def _same_events(self, one: str, other: str) -> tuple[list[Result], list[Result]]:
        """The runs of both over the same events; none: not measured."""
        theirs = self.results.get(other, [])
        ours = self.ours.get(theirs[0].events if theirs else 0, []) if one == OURS else []
        ours = ours or self.results.get(one, [])
        if not ours or not theirs or ours[0].events != theirs[0].events:
            return [], []
        return ours, theirs


class Aim(NamedTuple):
    """One thing aimed at and what was measured; `met` None: not measured."""

    title: str
    aim: str
    measured: str
    met: bool | None
    remark: str = ""


# (title, contender, contender it is compared with, what is aimed at)
_RATIOS: Final = (
    ("one worker, memory / Kafka Streams, memory, one thread, commit 1000 ms", "ours", "streams", 1.3),
    ("one worker, memory / the same, committing every 100 ms (its default)", "ours", "streams-100ms", 1.3),
    ("one worker, RocksDB / Kafka Streams, RocksDB", "ours-rocksdb", "streams-rocksdb", 1.0),
    ("one worker / Quix Streams", "ours", "quix", 3.0),
    ("one worker / Bytewax", "ours", "bytewax", 3.0),
    ("one worker / Arroyo", "ours", "arroyo", 3.0),
    ("one worker / Pathway", "ours", "pathway", 3.0),
    ("one worker / Faust as in its guide", "ours", "faust", 30.0),
    ("one worker / bare confluent-kafka loop", "ours", "confluent", 0.5),
    ("two workers / one", "ours-2", "ours", 1.6),
)


def aims(findings: Findings) -> Iterator[Aim]:
    """Every aim, and whether it is met."""
    for title, one, other, least in _RATIOS:
        found = findings.ratio(one, other, lambda result: result.per_second)
        warm = findings.ratio(one, other, lambda result: result.per_second_warm)
        cost = findings.ratio(one, other, lambda result: 1 / max(result.cpu_us_per_event, 1e-9))
        if one in findings.failures or other in findings.failures:
            yield Aim(title, f"≥ {least}", "does not count", False)
            continue
        remark = (
            "" if warm is None or cost is None else f"second half {warm:.2f}, by processor time {cost:.2f}"
        )
        rounds = findings.round_by_round(one, other)
        if len(rounds) > 1:
            remark += f"; round by round {min(rounds):.2f} to {max(rounds):.2f}, median {median(rounds):.2f}"
        if found is not None and other == OURS:
            # Beyond the machine's processors no number of workers helps.
            busy = median(result.busy_share for result in findings.results[one])
            remark += f"; with two, {busy:.0%} of all processor time is taken"
        yield _compared(title, f"≥ {least}", found, lambda x, least=least: x >= least, "{:.2f}", remark)
    yield from _delays(findings)
    for store, ours, theirs in (
        ("memory", "ours", "streams"),
        ("RocksDB", "ours-rocksdb", "streams-rocksdb"),
    ):
        own, peer = findings.recoveries.get(ours), findings.recoveries.get(theirs)
        found = peer.net_seconds / own.net_seconds if own and peer else None
        title = f"recovery, {store}: as fast as Kafka Streams"
        yield _compared(title, "≥ 1", found, lambda x: x >= 1, "{:.2f} times as fast")
    memory = findings.recoveries.get(OURS)
    yield _compared(
        "bytes an idle account, memory store",
        f"≤ {IDLE_ACCOUNT_BYTES_MAX}",
        memory.bytes_an_account if memory else None,
        lambda x: x <= IDLE_ACCOUNT_BYTES_MAX,
        "{:.0f}",
    )
    yield from _line(findings)


def _delays(findings: Findings) -> Iterator[Aim]:
    ours = findings.p99_ms(OURS)
    for name, title in (
        (
            "streams-100ms",
            "p99 delay below Kafka Streams committing every 100 ms (its default with exactly once)",
        ),
        ("streams", "p99 delay below Kafka Streams committing every 1000 ms"),
    ):
        theirs = findings.p99_ms(name)
        if ours is None or theirs is None:
            yield Aim(title, "below", "", None)
        else:
            yield Aim(title, f"< {theirs:.0f} ms", f"{ours:.0f} ms", ours < theirs)


def _line(findings: Findings) -> Iterator[Aim]:
    """An event must not cost more among ten times as many; the start of the process is taken off."""
    runs = findings.simulated
    steps = [
        (after.seconds - before.seconds) / (after.events - before.events) for before, after in pairwise(runs)
    ]
    worst = max((later / steps[0] for later in steps[1:]), default=None)
    title = (
        f"simulate is a straight line up to {runs[-1].events:,} events"
        if runs
        else "simulate is a straight line"
    )
    yield _compared(
        title, f"≤ {STRAIGHT_MAX}", worst, lambda x: x <= STRAIGHT_MAX, "an event costs {:.2f} times as much"
    )


def _compared(
    title: str,
    aim: str,
    found: float | None,
    is_met: Callable[[float], bool],
    shape: str,
    remark: str = "",
) -> Aim:
    if found is None:
        return Aim(title, aim, "", None)
    return Aim(title, aim, shape.format(found), is_met(found), remark)
