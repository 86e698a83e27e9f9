"""The same single-node broker in a container, for machines where a Docker daemon answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

from streams.broker_config import SINGLE_NODE, as_environment
from streams.broker_errors import BrokerError
from streams.broker_jars import KAFKA_VERSION
from streams.broker_ready import free_port, serves

IMAGE: Final = f"apache/kafka:{KAFKA_VERSION}"
HOST: Final = "127.0.0.1"
PORT_INSIDE: Final = 9092
CONTROLLER_PORT: Final = 9093
LOCAL_DAEMONS: Final = ("http+docker://", "http://localhost", "http://127.0.0.1")
"""Beginnings of the addresses that the client library uses for sockets and loopback ports."""
PING_S: Final = 2
START_S: Final = 90.0
POLL_S: Final = 0.1


def docker_answers() -> bool:
    """Whether a Docker daemon of this machine answers within `PING_S` seconds.

    One of another machine (`DOCKER_HOST`) does not count: its ports are not on our loopback interface.
    """
    import docker
    import docker.errors
    import requests

    try:
        client = docker.from_env(timeout=PING_S)
    except (docker.errors.DockerException, requests.RequestException):
        return False
    try:
        return client.api.base_url.startswith(LOCAL_DAEMONS) and bool(client.ping())
    except (docker.errors.DockerException, requests.RequestException):
        return False
    finally:
        client.close()


class DockerBroker:
    """A broker in a container; testcontainers' reaper removes it when our process dies.

    `bootstrap` stays the same over `kill` and `restart`, and so do the data. Raises BrokerError when the
    container cannot be had or does not come to serve.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        from testcontainers.core.container import DockerContainer

        self._container: Any = None
        self._port: Final = free_port()
        self.bootstrap: Final = f"{HOST}:{self._port}"
        settings = {
            **SINGLE_NODE,
            "listeners": f"PLAINTEXT://:{PORT_INSIDE},CONTROLLER://:{CONTROLLER_PORT}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"1@localhost:{CONTROLLER_PORT}",
        }
        say(f"starting {IMAGE} in Docker (its image is fetched the first time)")
        try:
            self._container = DockerContainer(IMAGE)
            # Bound to the loopback interface: the broker asks nobody for a password.
            self._container.ports[f"{PORT_INSIDE}/tcp"] = (HOST, self._port)
            for name, value in as_environment(settings).items():
                self._container.with_env(name, value)
            self._container.start()
            self._wait()
        except BrokerError:
            self.stop()
            raise
        except (
            Exception
        ) as error:  # testcontainers lets through whatever docker, requests and it itself raise
            self.stop()
            raise BrokerError(f"Docker answers, but cannot run {IMAGE}: {_first_line(error)}") from error

    def kill(self) -> None:
        """Ends the server the hard way (SIGKILL), as a power cut would. Data and address stay."""
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        """Starts the server again on the same address and data."""
        self._container.get_wrapped_container().restart(timeout=0)
        self._wait()

    def stop(self) -> None:
        """Removes the container and its data. May be called again."""
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(Exception):  # it is gone already, or so is the daemon
                container.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while not serves(HOST, self._port):
            if time.monotonic() > deadline:
                raise BrokerError(f"{IMAGE} does not serve on {self.bootstrap} after {START_S:.0f} s")
            time.sleep(POLL_S)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0]
