"""A real Kafka for the demo, the tests and the benchmarks: the user's, else Docker's, else our own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

from streams.broker_errors import BrokerError
from streams.broker_ready import reachable

__all__ = ["Broker", "BrokerError", "ExternalBroker", "broker", "start_broker"]

BOOTSTRAP_VARIABLE: Final = "KAFKA_BOOTSTRAP"


class Broker(Protocol):
    """A broker somebody runs for us: `bootstrap` is the `host:port` list that clients take."""

    @property
    def bootstrap(self) -> str:
        """Comma-separated `host:port` list; the same over `kill` and `restart`."""

    def kill(self) -> None:
        """SIGKILL, as a power cut would. Data and address stay."""

    def restart(self) -> None:
        """Starts it again on the same address and data."""

    def stop(self) -> None:
        """Ends it and removes its temporary data. May be called again."""


class ExternalBroker:
    """The broker that `KAFKA_BOOTSTRAP` names: used as it is, never ended by us."""

    def __init__(self, bootstrap: str) -> None:
        servers = [_server(entry.strip()) for entry in bootstrap.split(",")]
        if not any(reachable(host, port) for host, port in servers):
            raise BrokerError(
                f"{BOOTSTRAP_VARIABLE}={bootstrap}: nobody answers there; start that broker, "
                f"or unset {BOOTSTRAP_VARIABLE} to have one started"
            )
        self.bootstrap: Final = bootstrap

    def kill(self) -> None:
        """Refused: it is not ours."""
        raise BrokerError(f"the broker of {BOOTSTRAP_VARIABLE} is not ours to kill")

    def restart(self) -> None:
        """Refused: it is not ours."""
        raise BrokerError(f"the broker of {BOOTSTRAP_VARIABLE} is not ours to restart")

    def stop(self) -> None:
        """Leaves it alone."""


def start_broker(say: Callable[[str], None], *, environ: Mapping[str, str] | None = None) -> Broker:
    """A broker that serves: `KAFKA_BOOTSTRAP` if set, else in Docker if a daemon answers, else embedded.

    `say` is told, in a few words each, what is going on: the first start fetches some 45 MB. Blocks until
    the broker serves. Raises BrokerError, whose message is one line.
    """
    environ = os.environ if environ is None else environ
    if bootstrap := environ.get(BOOTSTRAP_VARIABLE, "").strip():
        return ExternalBroker(bootstrap)

    # Each kind brings its own heavy imports; only the one in use is paid for.
    from streams.broker_docker import DockerBroker, docker_answers

    if docker_answers():
        try:
            return DockerBroker(say)
        except BrokerError as error:
            say(f"{error}; using the embedded broker")

    from streams.broker_embedded import EmbeddedBroker

    return EmbeddedBroker(say)


@contextmanager
def broker(say: Callable[[str], None]) -> Iterator[str]:
    """`with broker(say) as bootstrap:` a broker for the length of the block; see `start_broker`."""
    running = start_broker(say)
    try:
        yield running.bootstrap
    finally:
        running.stop()


def _server(entry: str) -> tuple[str, int]:
    host, _, port = entry.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise BrokerError(
            f"{BOOTSTRAP_VARIABLE}: {entry!r} is not host:port; right would be 'localhost:9092'"
        )
    return host.strip("[]"), int(port)
