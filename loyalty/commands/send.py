"""Send a file of events to the Kafka topics, in order of time, with clock ticks if you like."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
import orjson

from loyalty.cluster import bootstrap_option, need_topics, settings_of, talk
from loyalty.deployment import load, programmes_option
from loyalty.errors import LoyaltyError
from loyalty.feed import Fact, Refused, read_feed, route, with_ticks
from loyalty.ticks import hours, midnights
from schemas.dead_letter import Unreadable
from schemas.instant import parse_instant
from schemas.programme import Programme
from streams.settings import Settings

REFUSED: Final = 3
"""Exit status when there were lines that are no events."""
SHOW_AFTER: Final = 5_000
"""Records from which on a progress bar is worth it."""


@click.command("send")
@click.argument("file", type=click.Path(allow_dash=True, dir_okay=False, path_type=str))
@bootstrap_option
@programmes_option
@click.option(
    "--as-arrived",
    is_flag=True,
    help="Send in the order of the file, late events late, instead of in order of time.",
)
@click.option("--raw", is_flag=True, help="Send unreadable lines too, as they are, to billing.payments.")
@click.option(
    "--clock",
    type=click.Choice(["day", "hour", "none"]),
    default="none",
    show_default=True,
    help="Put clock.advanced records in between: at every midnight of the operators' zones, or every hour.",
)
@click.option("--until", metavar="TIME", help="Where the clock stops (default: the last event).")
@click.option("--quiet", is_flag=True, help="No progress bar and no summary.")
def command(
    file: str,
    bootstrap: str | None,
    programmes_dir: Path | None,
    as_arrived: bool,
    raw: bool,
    clock: str,
    until: str | None,
    quiet: bool,
) -> int:
    """Send FILE (- for standard input), one CloudEvent a line, each to the topic of its type.

    A record's key is operator/account, its timestamp the event's own time. Lines that cannot be read are
    not sent: they go to standard error as one JSON object each, and the exit status is 3. With --raw they
    are sent as well, and the worker makes dead letters of them.

    What is sent goes into the topics in transactions, so that workers, running or started later, see the
    events of an account in order of time although they lie on several topics. Without --clock nothing
    falls due after an account's last event.

    \b
      loyalty send month.ndjson --clock day --until 2025-10-01T00:00:00+03:00
      loyalty demo --write-events - | loyalty send -
    """
    end = _instant(until)
    if end is not None and clock == "none":
        raise LoyaltyError(
            "--until: it says where the clock stops, so --clock day or --clock hour is needed too"
        )
    settings = settings_of(bootstrap=bootstrap)
    programmes = load(programmes_dir)
    refused: list[Refused] = []
    with _opened(file) as stream:
        facts = read_feed(
            stream,
            operators={programme.operator for programme in programmes},
            refuse=refused.append,
            as_arrived=as_arrived,
            raw=raw,
        )
    if not raw:
        for line in refused:
            print(_told(line), file=sys.stderr)
    ticks = _ticks(clock, facts, programmes, end)
    talk(settings, lambda known: _send(known, facts, ticks, quiet=quiet))
    return REFUSED if refused and not raw else 0


async def _send(settings: Settings, facts: Sequence[Fact], ticks: Sequence[int], *, quiet: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from loyalty.sending import Sender

    await need_topics(settings)
    console = Console(stderr=True)
    total = len(facts) + len(ticks) * settings.partitions
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    shown = not quiet and total >= SHOW_AFTER and console.is_terminal
    started = time.monotonic()
    async with Sender(settings) as sender:
        with bar if shown else nullcontext():
            task = bar.add_task("sending", total=total)
            await sender.send(
                route(with_ticks(facts, ticks), settings.partitions), lambda n: bar.advance(task, n)
            )
    if not quiet:
        speed = f"{total / (time.monotonic() - started):,.0f} records/s"
        words = (
            f" and {len(ticks):,} clock ticks for each of {settings.partitions} partitions" if ticks else ""
        )
        click.echo(f"sent {len(facts):,} events{words} to {settings.bootstrap}, {speed}", err=True)


def _ticks(clock: str, facts: Sequence[Fact], programmes: Sequence[Programme], end: int | None) -> list[int]:
    if clock == "none" or not facts:
        return []
    first = min(fact.time for fact in facts)
    last = end if end is not None else max(fact.time for fact in facts)
    if clock == "hour":
        times = list(hours(first, last))
    else:
        present = {fact.key.partition(b"/")[0].decode() for fact in facts if fact.key is not None}
        times = midnights({p.zone for p in programmes if p.operator in present}, first, last)
    if end is not None and end > first and (not times or times[-1] != end):
        times.append(end)
    return times


def _instant(text: str | None) -> int | None:
    try:
        return None if text is None else parse_instant(text)
    except Unreadable as error:
        raise LoyaltyError(f"--until: {error.detail}") from error


def _opened(file: str) -> Any:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        stream: BinaryIO = Path(file).open("rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise LoyaltyError(f"FILE: {file}: {error.strerror}") from error
    return stream


def _told(refused: Refused) -> str:
    letter = {
        "reason": refused.error.reason,
        "detail": refused.error.detail,
        "line": refused.line,
        "value": refused.value.decode("utf-8", "backslashreplace"),
    }
    return orjson.dumps(letter).decode()
