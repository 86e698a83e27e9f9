"""What takes part: a name, a guarantee, the processes to start, and the topics they write."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.cluster import MERGED
from streams import broker_guard

OUTCOMES: Final = ("points", "discounts", "members")


@dataclass(frozen=True)
class Run:
    """One run of a contender: the broker, a name for its group and topics, and a directory of its own."""

    bootstrap: str
    group: str
    directory: Path

    def topic(self, name: str) -> str:
        """The run's own topic of that name."""
        return f"{self.group}.{name}"


@dataclass(frozen=True)
class Contender:
    """One system that takes part."""

    name: str
    guarantee: str
    commands: Callable[[Run], Sequence[Sequence[str]]]
    environment: Callable[[Run], Mapping[str, str]] = lambda run: {}
    inputs: Sequence[str] = (MERGED,)
    outcomes: Callable[[Run], Sequence[str]] = lambda run: [run.topic(name) for name in OUTCOMES]
    letters: Callable[[Run], str] = lambda run: run.topic("dead-letters")
    others: Callable[[Run], Sequence[str]] = lambda run: [run.topic("journal"), run.topic("links")]
    compacted: Callable[[Run], Sequence[str]] = lambda run: []
    ready: str = "ready"
    """The first line of its log that holds this word is when it begins to read."""
    counts_only: bool = False
    """A floor: it decides nothing and writes one record for each event, which is what is checked."""
    share: float = 1.0
    """How much of the events it gets: the slowest get fewer, or nobody would wait for them."""
    needs: Sequence[str] = ()
    """Modules it needs; without them it is left out, and that is said."""
    commits: bool = True
    """Whether it commits offsets to its group; of one that does not, the end is when all outcomes have come."""
    processes: int = 1


def guarded(*command: str) -> list[str]:
    """The command behind a guard that ends it when we end, however we end."""
    return [sys.executable, "-I", "-S", broker_guard.__file__, "-", *command]


def topics(contender: Contender, run: Run) -> list[str]:
    """Every topic that a run writes, but for changelogs."""
    return [*contender.outcomes(run), contender.letters(run), *contender.others(run)]
