"""Run events through the same engine with no broker, and print what comes of them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import click
import orjson

from engine.decide import Engine
from engine.simulation import Simulation
from engine.turn import Turn
from loyalty.deployment import engine, programmes_option
from loyalty.errors import LoyaltyError
from schemas.dead_letter import Unreadable
from schemas.early_time import early_time
from schemas.event import Event
from schemas.instant import parse_instant
from schemas.seen import NO_CONTENT
from schemas.topics import CLOCK
from schemas.wire import read_event, same_content

DEAD_LETTERS: Final = 3
"""Exit status when there were dead letters."""

Line = tuple[int, bytes]
"""A line's number in the file, from 1, and what stands in it."""
Timed = tuple[int, int, bytes]
"""The time of a line's event, the line's number, and what stands in it."""


@click.command("simulate")
@click.option(
    "--events",
    "source",
    required=True,
    type=click.Path(allow_dash=True, dir_okay=False, path_type=str),
    help="NDJSON file of events, one CloudEvent a line; - for standard input.",
)
@click.option("--until", metavar="TIME", help="How far the clock goes: RFC 3339 with an offset.")
@programmes_option
@click.option(
    "--as-arrived",
    is_flag=True,
    help="Apply the events in the order of the file, late ones late, instead of in order of time.",
)
def command(source: str, until: str | None, programmes_dir: Path | None, as_arrived: bool) -> int:
    """Run events through the engine, with no broker, and print the outcomes as NDJSON.

    The clock stops at every due moment between the events (billing dates, expiries, ends of discounts) and,
    with --until, up to and including that time. Events after it are still applied. Outcomes come in the
    order produced. Lines that cannot be read, or are refused, go to standard error as one JSON object each,
    and the exit status is 3.

    \b
      loyalty simulate --events month.ndjson --until 2025-10-01T00:00:00+03:00
      loyalty demo --write-events - | loyalty simulate --events -
    """
    try:
        end = parse_instant(until) if until is not None else None
    except Unreadable as error:
        raise LoyaltyError(f"--until: {error.detail}") from error
    decide = engine(programmes_dir)
    try:
        stream: BinaryIO = sys.stdin.buffer if source == "-" else Path(source).open("rb")  # noqa: SIM115
    except OSError as error:
        raise LoyaltyError(f"--events: {source}: {error.strerror}") from error
    run = _Run(decide, as_arrived=as_arrived)
    # Rows and events form no cycles: looking for some among millions of objects costs a third of the time.
    gc.disable()
    with stream:
        try:
            run.all(stream, end)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # whoever reads us has seen enough
            sys.stderr.close()
            return 0
    gc.freeze()  # the interpreter's end would look for cycles among them after all
    return DEAD_LETTERS if run.dead_letters else 0


class _Run:
    """One simulation from a file to standard output."""

    def __init__(self, decide: Engine, *, as_arrived: bool) -> None:
        self._as_arrived = as_arrived
        self._timed: list[Timed] = []
        """All lines in order of time, unless they are applied as they arrive."""
        self._simulation = Simulation(decide, None if as_arrived else self._same)
        self._operators = decide.books.operators
        self._write = sys.stdout.buffer.write
        self.dead_letters = 0

    def all(self, stream: BinaryIO, until: int | None) -> None:
        if self._as_arrived:
            for number, value in _lines(stream):
                self._apply(number, value)
        else:
            self._put_in_order(_lines(stream))
            # From 1 on: 0 would be `NO_CONTENT`.
            for place, (time, number, value) in enumerate(self._timed, 1):
                self._apply(number, value, time, place.to_bytes(len(NO_CONTENT), "little"))
        if until is not None:
            for turn in self._simulation.advance(until):
                self._print(turn)

    def _put_in_order(self, lines: Iterable[Line]) -> None:
        """Put the lines in order of their events' times.

        Lines are kept, and events made of them when their turn comes: millions of events at once would take several
        times the memory, and be out of the processor's caches when they are applied. As all lines are at hand, an account
        remembers where one stands instead of a hash of what is in it.
        """
        for number, value in lines:
            time = early_time(value)
            if time is None:
                event = self._event(number, value)
                if event is None:
                    continue
                time = event.time
            self._timed.append((time, number, value))
        self._timed.sort()

    def _same(self, mark: bytes, event: Event) -> bool:
        """Whether the line that an account has remembered has the same content as an event."""
        if mark == NO_CONTENT:
            return False
        _, _, value = self._timed[int.from_bytes(mark, "little") - 1]
        return same_content(value, event.raw)

    def _event(self, number: int, value: bytes, time: int | None = None, mark: bytes = b"") -> Event | None:
        """The event of a line; None for one that has become a dead letter."""
        try:
            return read_event(value, key=None, topic=None, operators=self._operators, early=time, mark=mark)
        except Unreadable as error:
            self._bury(number, value, error)
            return None

    def _apply(self, number: int, value: bytes, time: int | None = None, mark: bytes = b"") -> None:
        event = self._event(number, value, time, mark)
        if event is None or event.type in CLOCK.types:
            return
        try:
            for turn in self._simulation.apply(event):
                self._print(turn)
        except Unreadable as error:
            self._bury(number, value, error)

    def _bury(self, line: int, value: bytes, error: Unreadable) -> None:
        self.dead_letters += 1
        letter = {
            "reason": error.reason,
            "detail": error.detail,
            "line": line,
            "value": value.decode("utf-8", "backslashreplace"),
        }
        print(orjson.dumps(letter).decode(), file=sys.stderr)

    def _print(self, turn: Turn) -> None:
        for outcome in turn.outcomes:
            self._write(outcome.encoded() + b"\n")


def _lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines that are not blank, numbered from 1."""
    for number, line in enumerate(stream, 1):
        value = line.strip()
        if value:
            yield number, value
