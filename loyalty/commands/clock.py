"""Tell every partition what time it is: billing dates, expiries and ends come when the clock says so."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from typing import Final

import click

from loyalty.clock import Clock, seconds
from loyalty.cluster import bootstrap_option, need_topics, settings_of, talk
from loyalty.errors import LoyaltyError
from loyalty.ticks import shown
from schemas.dead_letter import Unreadable
from schemas.instant import parse_instant
from streams.settings import Settings

JUMP: Final = "7d"
"""Longer than a weekend's outage, far shorter than a wrong clock's error."""


@click.command("clock")
@bootstrap_option
@click.option(
    "--every", default="1m", show_default=True, metavar="DURATION", help="How often: 30s, 5m, 1h, 1d."
)
@click.option("--at", metavar="TIME", help="Write one tick of this time (RFC 3339 with an offset) and end.")
@click.option(
    "--max-jump",
    default=JUMP,
    show_default=True,
    metavar="DURATION",
    help="The farthest that one tick may be from the last.",
)
@click.option("--force", is_flag=True, help="Let the first tick leap as far as it must.")
def command(bootstrap: str | None, every: str, at: str | None, max_jump: str, force: bool) -> int:
    """Write clock.advanced to every partition, with the wall clock, until Ctrl-C or SIGTERM.

    Time is an event like any other here: what is due acts when the log says that it is due, so a replay
    decides as the first run did. How often the clock ticks changes when outcomes come, not what they are.
    The clock never goes back, and a leap farther than --max-jump is refused, because what falls due cannot
    be undone: after a long outage, say --force once. Exit status 1 when a tick was refused.

    One clock is enough; two do no harm.

    \b
      loyalty clock --every 30s
      loyalty clock --at 2025-10-01T00:00:00+03:00
    """
    every_s, jump_s = _duration("--every", every), _duration("--max-jump", max_jump)
    settings = settings_of(bootstrap=bootstrap)
    instant = None
    if at is not None:
        try:
            instant = parse_instant(at)
        except Unreadable as error:
            raise LoyaltyError(f"--at: {error.detail}") from error
    talk(settings, lambda known: _tick(known, every_s, jump_s, instant, force=force))
    return 0


async def _tick(settings: Settings, every_s: int, jump_s: int, at: int | None, *, force: bool) -> None:
    await need_topics(settings)
    clock = Clock(settings, jump_s)
    last = await clock.look()
    click.echo(f"last tick: {shown(last)}" if last is not None else "no tick so far", err=True)
    if at is not None:
        await clock.once(at, force=force)
        click.echo(f"ticked {shown(at)} on {settings.partitions} partitions", err=True)
        return
    if last is not None and last > time.time_ns() // 1000:
        click.echo("that is ahead of the wall clock: no tick before it is over", err=True)
    running = asyncio.ensure_future(
        clock.run(every_s, lambda now: click.echo(f"ticked {shown(now)}", err=True), force=force)
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    with suppress(asyncio.CancelledError):
        await running


def _duration(option: str, text: str) -> int:
    found = seconds(text)
    if found is None:
        raise LoyaltyError(
            f"{option}: {text!r} is no duration; write a number and a unit, as in 30s, 5m, 12h or 7d"
        )
    return found
