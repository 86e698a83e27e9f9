"""See it all at work on this machine: a real Kafka, a worker, and a sample month, live."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from loyalty import deployment
from loyalty.errors import LoyaltyError
from loyalty.sample_events import OPERATOR, Arrival

if TYPE_CHECKING:
    from rich.console import Console

    from streams.settings import Settings

TERMINATED: Final = 143
"""What a shell reports for a process that SIGTERM ended."""


@click.command("demo")
@click.option("--telco", is_flag=True, help="Instead: 7,043 customers of a real table, 226,000 payments.")
@click.option("--fast", is_flag=True, help="As fast as it goes, not at a pace that one can follow.")
@click.option(
    "--write-events",
    type=click.Path(allow_dash=True, dir_okay=False, path_type=str),
    metavar="FILE",
    help="Only write the sample's events to FILE (- for standard output) as NDJSON; no Kafka.",
)
@click.option("--customers", type=click.IntRange(1), help="With --telco: only the first so many customers.")
def command(telco: bool, fast: bool, write_events: str | None, customers: int | None) -> int:
    """Start a real Apache Kafka and a worker, feed a sample month through them, and show what comes out.

    The Kafka is that of KAFKA_BOOTSTRAP if it is set, else one in Docker if that answers, else one of our
    own; the first start fetches it, some 45 MB. What the demo starts, it ends.

    \b
      loyalty demo
      loyalty demo --telco
      loyalty demo --write-events month.ndjson
    """
    if customers is not None and not telco:
        raise LoyaltyError("--customers: it limits --telco; add that, or leave it out")
    if write_events is not None:
        _write(write_events, _feed(telco, customers))
        return 0
    from loyalty.screen import screen

    signal.signal(signal.SIGTERM, _terminated)
    console = screen()
    return _on_broker(console, _telco(console, customers) if telco else _month(console, fast=fast))


def _month(console: Console, *, fast: bool) -> Callable[[Settings, Path], int]:
    from loyalty.cluster import talk
    from loyalty.demo_month import DAY_S, run_month
    from loyalty.demo_summary import month_summary

    def run(settings: Settings, directory: Path) -> int:
        arrivals = _feed(False, None)
        console.print(
            "150 residents have been with the provider since spring; 50 newcomers come in August and September.\n"
            "Eight months of history first, then September, day by day.\n"
        )
        view = talk(
            settings,
            lambda known: run_month(known, arrivals, directory, console, day_s=0.0 if fast else DAY_S),
        )
        month_summary(console, view)
        return 0

    return run


def _telco(console: Console, customers: int | None) -> Callable[[Settings, Path], int]:
    from loyalty.demo_telco import run_telco

    def run(settings: Settings, directory: Path) -> int:
        return run_telco(settings, _feed(True, customers), directory, console)

    return run


def _on_broker(console: Console, run: Callable[[Settings, Path], int]) -> int:
    """A broker and a temporary directory for as long as it takes; both go, whatever happens."""
    from loyalty.cluster import settings_of
    from loyalty.stage import fresh
    from streams.broker import BrokerError, start_broker

    def say(text: str) -> None:
        console.print(text, style="dim", highlight=False)

    try:
        broker = start_broker(say)
    except BrokerError as error:
        raise LoyaltyError(str(error)) from error
    try:
        settings = fresh(settings_of(bootstrap=broker.bootstrap))
        with tempfile.TemporaryDirectory(prefix="loyalty-demo-") as directory:
            return run(settings, Path(directory))
    finally:
        broker.stop()


def _feed(telco: bool, customers: int | None) -> list[Arrival]:
    codes = deployment.engine(None).codes

    def code(account: str) -> str:
        return codes.code(OPERATOR, account)

    if telco:
        from loyalty.telco import telco_feed

        return telco_feed(code, customers=customers)
    from loyalty.sample_month import sample_month

    return sample_month(code)


def _write(file: str, arrivals: list[Arrival]) -> None:
    content = b"".join(arrival.line + b"\n" for arrival in arrivals)
    try:
        if file == "-":
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            Path(file).write_bytes(content)
    except BrokenPipeError:  # whoever reads us has seen enough
        sys.stderr.close()
    except OSError as error:
        raise LoyaltyError(f"--write-events: {file}: {error.strerror}") from error


def _terminated(number: int, frame: object) -> None:
    raise SystemExit(TERMINATED)
