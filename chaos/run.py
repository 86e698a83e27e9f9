"""A run: load without a pause, fault after fault, then rest and the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from chaos.crew import ENDS_ALLOWED
from chaos.faults import FAULTS, Fired, fire
from chaos.load import MAIN_DAYS_MAX
from chaos.points import KILL, POINTS
from chaos.schedule import schedule
from chaos.stage import ChaosError, Stage, staged
from chaos.verdict import Verdict

DAY_SECONDS_MIN: Final = 0.5
KILLS_A_ROUND: Final = 3
"""In a long run: three rounds, which is what five minutes have, come to all nine points."""
LONG_SECONDS: Final = 120.0
FAULT_SECONDS: Final = 12
"""About how long a fault and the recovery from it take, for the pace of the calendar."""
SPARE: Final = 2.5
"""How many times as long as planned the calendar lasts: on a busy machine faults take longer."""


class Report:
    """What happened and what was found."""

    def __init__(self, seed: int, faults: Collection[str]) -> None:
        self.seed: Final = seed
        self._faults: Final = faults
        self.fired: Final[list[Fired]] = []
        self.verdict = Verdict()
        self.events = 0
        self.accepted = 0
        """Events that had to be journalled: all but repetitions, contradictions and nonsense."""
        self.seconds = 0.0
        self.exits: Counter[str] = Counter()
        self.chunks_sent_again = 0
        self.died_at: Counter[str] = Counter()
        """How often a worker was killed at each named point."""

    @property
    def missing(self) -> set[str]:
        """Kinds of fault that never fired, and points at which nobody was killed."""
        points = set(POINTS) if KILL in self._faults else set()
        return (set(self._faults) - {fired.kind for fired in self.fired}) | (points - self.died_at.keys())

    def __str__(self) -> str:
        times: defaultdict[str, list[float]] = defaultdict(list)
        for fired in self.fired:
            times[fired.kind].append(fired.seconds)
        lines = [
            f"seed {self.seed}: {self.events:,} events, {len(self.fired)} faults in {self.seconds:.0f} s"
        ]
        lines += [
            f"  {kind:<12} {len(found):>3} times, recovered in {min(found):.1f} to {max(found):.1f} s"
            for kind, found in sorted(times.items())
        ]
        lines.append("  killed at: " + ", ".join(f"{p} {self.died_at[p]}" for p in POINTS if self.died_at[p]))
        lines.append("  workers ended: " + ", ".join(f"{how} {n}" for how, n in sorted(self.exits.items())))
        lines.append(f"  chunks that billing sent again: {self.chunks_sent_again}")
        lines.append("  looked at: " + ", ".join(f"{what} {n:,}" for what, n in self.verdict.checked.items()))
        lines.append(str(self.verdict))
        return "\n".join(lines)


async def run(
    seed: int,
    seconds: float,
    say: Callable[[str], None],
    *,
    faults: Collection[str] = tuple(FAULTS),
    directory: Path | None = None,
) -> Report:
    """Faults for at least `seconds`, and until every kind has fired. Raises ChaosError."""
    async with staged(seed, say, directory=directory) as stage:
        return await perform(stage, seed, seconds, say, faults)


async def perform(
    stage: Stage,
    seed: int,
    seconds: float,
    say: Callable[[str], None],
    faults: Collection[str] = tuple(FAULTS),
) -> Report:
    """The same on a stage that is open already; its workers have ended afterwards."""
    report = Report(seed, faults)
    report.died_at = stage.died_at
    chosen = random.Random(f"faults {seed}")
    started = time.monotonic()
    pace = max(DAY_SECONDS_MIN, max(seconds, FAULT_SECONDS * len(faults)) * SPARE / MAIN_DAYS_MAX)
    feeding = asyncio.ensure_future(_feed(stage, pace))
    try:
        for kind, quiet in schedule(seed, faults, {KILL: KILLS_A_ROUND} if seconds >= LONG_SECONDS else {}):
            if time.monotonic() - started > seconds and not report.missing:
                break
            await asyncio.sleep(quiet)
            fired = await fire(kind, stage, chosen)
            report.fired.append(fired)
            at = time.monotonic() - started
            say(f"{at:6.1f} s  {kind}: {fired.proof}; recovered in {fired.seconds:.1f} s")
            if feeding.done():
                feeding.result()
                if report.missing:
                    left = ", ".join(sorted(report.missing))
                    raise ChaosError(f"the feed was over before all had fired; left after {at:.0f} s: {left}")
    finally:
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding
    report.seconds = time.monotonic() - started
    report.verdict = await stage.finish()
    report.events = len(stage.feeder.sent)
    report.accepted = sum(record.accepted for record in stage.feeder.sent)
    report.chunks_sent_again = stage.feeder.retries
    report.exits = Counter(
        ENDS_ALLOWED.get(member.status, "badly") for member in stage.crew.all if member.status is not None
    )
    return report


async def _feed(stage: Stage, pace_seconds: float) -> None:
    """A day of the calendar every `pace_seconds`, whatever happens meanwhile."""
    for chunk in stage.days:
        started = time.monotonic()
        sending = asyncio.ensure_future(stage.feeder.send(chunk))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await sending  # half a chunk would be a feed that nobody can compare with
            raise
        await asyncio.sleep(max(0.0, pace_seconds - (time.monotonic() - started)))
