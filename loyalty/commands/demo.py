"""See it all at work on this machine: a real Kafka, a worker, and a sample month, live."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loyalty import deployment
from loyalty.errors import LoyaltyError
from loyalty.sample_events import OPERATOR, Arrival

if TYPE_CHECKING:
    from rich.console import Console

    from streams.settings import Settings


@click.command("demo")
@click.option("--telco", is_flag=True, help="Instead: 7,043 customers of a real table, 226,000 payments.")
@click.option("--fast", is_flag=True, help="As fast as it goes, not at a pace that one can follow.")
@click.option(
    "--write-events",
    type=click.Path(allow_dash=True, dir_okay=False, path_type=str),
    metavar="FILE",
    help="Only write the sample's events to FILE (- for standard output) as NDJSON; no Kafka.",
)
@click.option(
    "--table",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --telco: where the table lies (default: examples/telco-customers.csv of the source tree).",
)
@click.option("--customers", type=click.IntRange(1), help="With --telco: only the first so many customers.")
def command(
    telco: bool, fast: bool, write_events: str | None, table: Path | None, customers: int | None
) -> int:
    """Start a real Apache Kafka and a worker, feed a sample month through them, and show what comes out.

    The Kafka is that of KAFKA_BOOTSTRAP if it is set, else one in Docker if that answers, else one of our
    own; the first start fetches it, some 45 MB. What the demo starts, it ends.

    \b
      loyalty demo
      loyalty demo --telco
      loyalty demo --write-events month.ndjson
    """
    for option, value in (("--customers", customers), ("--table", table)):
        if value is not None and not telco:
            raise LoyaltyError(f"{option}: it belongs to --telco; add that, or leave it out")
    arrivals = _telco_feed(table, customers) if telco else _month_feed()
    if write_events is not None:
        _write(write_events, arrivals)
        return 0
    from loyalty.screen import screen

    # A shell that starts us in the background lets us ignore SIGINT, through which SIGTERM ends us too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminated)
    console = screen()
    return _on_broker(console, _telco(console, arrivals) if telco else _month(console, arrivals, fast=fast))


def _month(console: Console, arrivals: list[Arrival], *, fast: bool) -> Callable[[Settings, Path], int]:
    from loyalty.cluster import talk
    from loyalty.demo_month import DAY_S, run_month
    from loyalty.demo_summary import month_summary

    def run(settings: Settings, directory: Path) -> int:
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


def _telco(console: Console, arrivals: list[Arrival]) -> Callable[[Settings, Path], int]:
    from loyalty.demo_telco import run_telco

    def run(settings: Settings, directory: Path) -> int:
        return run_telco(settings, arrivals, directory, console)

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


def _month_feed() -> list[Arrival]:
    from loyalty.sample_month import sample_month

    return sample_month(_codes())


def _telco_feed(table: Path | None, customers: int | None) -> list[Arrival]:
    from loyalty.telco import telco_feed

    return telco_feed(_codes(), table=table, customers=customers)


def _codes() -> Callable[[str], str]:
    codes = deployment.engine(None).codes
    return lambda account: codes.code(OPERATOR, account)


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
    """End as on Ctrl-C, for which everything is prepared."""
    signal.raise_signal(signal.SIGINT)
