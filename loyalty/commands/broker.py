"""Run a real Apache Kafka on this machine, with no Docker, Java or Maven needed."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Final

import click

from loyalty.errors import LoyaltyError

POLL_S: Final = 0.2
SERVER_ENDED: Final = 1
"""Exit status when Kafka ends without being asked to."""


@click.command("broker")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=9092,
    show_default=True,
    help="Port of 127.0.0.1 to listen on.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the topics in this directory and find them there again next time. "
    "Without it they go when the broker ends.",
)
def command(port: int, data_dir: Path | None) -> None:
    """Run a single-node Apache Kafka in the foreground until Ctrl-C.

    Prints its address on standard output once it serves, and how it comes along on standard error. The
    first start fetches Kafka itself, some 45 MB, into ~/.cache/loyalty-streams. For work on one machine:
    it listens on 127.0.0.1 only, without passwords, and keeps one copy of everything.

    \b
    In another terminal:
      export KAFKA_BOOTSTRAP=127.0.0.1:9092
      loyalty topics
      loyalty worker
    """
    from streams.broker_embedded import EmbeddedBroker
    from streams.broker_errors import BrokerError

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        broker = EmbeddedBroker(lambda text: click.echo(text, err=True), port=port, data_dir=data_dir)
    except BrokerError as error:
        raise LoyaltyError(str(error)) from error
    try:
        click.echo(broker.bootstrap)
        click.echo("serving; Ctrl-C ends it", err=True)
        while broker.running:
            time.sleep(POLL_S)
        raise LoyaltyError(f"Kafka ended by itself; {broker.log} says why", SERVER_ENDED)
    except KeyboardInterrupt:
        click.echo("stopping", err=True)
    finally:
        broker.stop()
