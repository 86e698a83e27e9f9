"""The broker we bring along: it serves, keeps what it was told, and never outlives who started it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import psutil
import pytest
import requests
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams import broker, broker_docker, broker_jars
from streams.broker_config import as_environment, as_properties
from streams.broker_embedded import EmbeddedBroker
from streams.broker_errors import BrokerError
from streams.broker_jars import kafka_jars
from streams.broker_ready import free_port, serves

pytestmark = pytest.mark.kafka

YEAR_MS: Final = 365 * 24 * 3600 * 1000
GONE_S: Final = 10.0


def silent(text: str) -> None:
    """Nobody listens."""


def make_topic(bootstrap: str, topic: str) -> None:
    """One partition."""

    async def make() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
        finally:
            await admin.close()

    asyncio.run(make())


def write(bootstrap: str, topic: str, value: bytes, timestamp_ms: int) -> None:
    """One record, acknowledged."""

    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        await producer.start()
        try:
            await producer.send_and_wait(topic, value, timestamp_ms=timestamp_ms)
        finally:
            await producer.stop()

    asyncio.run(send())


def read(bootstrap: str, topic: str, count: int) -> list[tuple[bytes, int]]:
    """The first `count` records: (value, timestamp)."""

    async def fetch() -> list[tuple[bytes, int]]:
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            records = [await asyncio.wait_for(consumer.getone(), 20) for _ in range(count)]
        finally:
            await consumer.stop()
        return [(record.value, record.timestamp) for record in records]

    return asyncio.run(fetch())


def test_it_keeps_its_address_and_records_over_a_power_cut(own_broker: EmbeddedBroker) -> None:
    bootstrap = own_broker.bootstrap
    make_topic(bootstrap, "kept")
    write(bootstrap, "kept", b"before", 1)

    own_broker.kill()
    assert not own_broker.running
    own_broker.restart()

    assert own_broker.bootstrap == bootstrap
    write(bootstrap, "kept", b"after", 2)
    assert read(bootstrap, "kept", 2) == [(b"before", 1), (b"after", 2)]


def test_event_times_far_from_now_are_welcome(kafka: str, unique: Callable[[str], str]) -> None:
    topic, now_ms = unique("times"), int(time.time() * 1000)
    make_topic(kafka, topic)
    times = [now_ms - 20 * YEAR_MS, now_ms, now_ms + 2 * YEAR_MS]
    for at in times:
        write(kafka, topic, b"", at)
    assert [timestamp for _, timestamp in read(kafka, topic, 3)] == times


@contextmanager
def program(code: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process of this project that is certainly gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that nobody has waited for yet does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool]) -> bool:
    """Whether it comes true within `GONE_S`."""
    deadline = time.monotonic() + GONE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_it_needs_no_java_on_the_machine_and_dies_with_a_killed_parent() -> None:
    """No PATH, no JAVA_HOME: only the wheel's Java can be at work."""
    code = (
        "import time; from streams.broker_embedded import EmbeddedBroker\n"
        "broker = EmbeddedBroker(lambda text: None)\n"
        "print(broker.log.parent, flush=True)\n"
        "time.sleep(600)"
    )
    keep = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR") if name in os.environ}
    kafka_jars(broker_jars.cache_dir(os.environ), silent)
    with program(code, PATH="/nonexistent", **keep) as parent:
        assert parent.stdout is not None
        directory = Path(parent.stdout.readline().strip())
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) == 2, "a guard and its server"
        assert directory.is_dir()

        parent.kill()

        assert wait_until(lambda: not any(alive(process) for process in family)), "a process stayed behind"
        assert wait_until(lambda: not directory.exists()), "data stayed behind"


def test_the_server_dies_with_a_killed_guard() -> None:
    running = EmbeddedBroker(silent)
    try:
        assert running._process is not None
        guard = psutil.Process(running._process.pid)
        (server,) = guard.children()
        guard.kill()
        assert wait_until(lambda: not alive(server))
    finally:
        running.stop()
    assert not running.log.parent.exists()


def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    port = free_port()
    arguments = [
        sys.executable,
        "-m",
        "loyalty.cli",
        "broker",
        "--port",
        str(port),
        "--data-dir",
        str(tmp_path),
    ]

    for visit in ("first", "second"):
        with subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as command:
            try:
                assert command.stdout is not None
                bootstrap = command.stdout.readline().strip()
                assert bootstrap == f"127.0.0.1:{port}"
                if visit == "first":
                    make_topic(bootstrap, "kept")
                    write(bootstrap, "kept", b"value", 1)
                    again = subprocess.run(arguments, capture_output=True, text=True, check=False)
                    assert again.returncode == 2
                    assert again.stderr.count("\n") == 1
                    assert f"port {port}" in again.stderr
                else:
                    assert read(bootstrap, "kept", 1) == [(b"value", 1)]
                command.send_signal(signal.SIGTERM)
                assert command.wait(30) == 0
            finally:
                command.kill()
        assert not serves("127.0.0.1", port)


def test_a_broker_of_the_users_own_is_used_and_left_alone(kafka: str) -> None:
    used = broker.start_broker(silent, environ={"KAFKA_BOOTSTRAP": kafka})
    assert used.bootstrap == kafka
    with pytest.raises(BrokerError, match="not ours"):
        used.kill()
    used.stop()
    host, _, port = kafka.partition(",")[0].rpartition(":")
    assert serves(host, int(port))


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("localhost:kafka", "'localhost:kafka' is not host:port; right would be 'localhost:9092'"),
        ("localhost", "'localhost' is not host:port"),
        ("localhost:0", "'localhost:0' is not host:port"),
        ("a:1,,b:2", "'' is not host:port"),
        ("127.0.0.1:1", "nobody answers there; start that broker, or unset KAFKA_BOOTSTRAP"),
    ],
)
def test_a_wrong_address_is_told_in_one_line(value: str, complaint: str) -> None:
    with pytest.raises(BrokerError) as caught:
        broker.start_broker(silent, environ={"KAFKA_BOOTSTRAP": value})
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_docker_that_cannot_run_the_image_gives_way_to_the_embedded_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(say: Callable[[str], None]) -> None:
        raise BrokerError("Docker answers, but cannot run it")

    monkeypatch.setattr(broker_docker, "docker_answers", lambda: True)
    monkeypatch.setattr(broker_docker, "DockerBroker", refuse)
    said: list[str] = []
    running = broker.start_broker(said.append, environ={})
    try:
        assert isinstance(running, EmbeddedBroker)
        assert said[0] == "Docker answers, but cannot run it; using the embedded broker"
    finally:
        running.stop()


class RefusedContainer:
    """A stand-in for a container whose image cannot be had: there is no Docker daemon in the tests."""

    made: ClassVar[list[RefusedContainer]] = []

    def __init__(self, image: str) -> None:
        self.image = image
        self.ports: dict[str, tuple[str, int]] = {}
        self.environ: dict[str, str] = {}
        self.stopped = False
        self.made.append(self)

    def with_env(self, name: str, value: str) -> None:
        """Remembers it."""
        self.environ[name] = value

    def start(self) -> None:
        """As docker does when an image cannot be pulled."""
        raise RuntimeError("pull access denied\nfor a reason")

    def stop(self) -> None:
        """Remembers it."""
        self.stopped = True


def test_a_container_listens_on_loopback_only_and_a_refused_one_is_tidied_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("testcontainers.core.container.DockerContainer", RefusedContainer)
    with pytest.raises(BrokerError, match=r"cannot run apache/kafka:[\d.]+: pull access denied$"):
        broker_docker.DockerBroker(silent)
    container = RefusedContainer.made.pop()
    assert container.stopped
    ((host, port),) = container.ports.values()
    assert host == "127.0.0.1"
    assert container.environ["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://127.0.0.1:{port}"
    assert container.environ["KAFKA_TRANSACTION_STATE_LOG_MIN_ISR"] == "1"


def test_no_docker_daemon_is_found_out_quickly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    before = time.monotonic()
    assert not broker_docker.docker_answers()
    assert time.monotonic() - before < 5


def test_a_port_that_listens_but_does_not_serve_is_not_ready() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not serves("127.0.0.1", listener.getsockname()[1])


class Download:
    """A stand-in for one artifact of the registry: each `resolve` gives the next of `contents`."""

    def __init__(self, path: Path, contents: list[bytes]) -> None:
        self.cached_path = path
        self.contents = contents

    def resolve(self) -> Path:
        """Writes the next content, unless a file is there already: as the real one does."""
        if not self.cached_path.exists():
            self.cached_path.parent.mkdir(parents=True, exist_ok=True)
            self.cached_path.write_bytes(self.contents.pop(0))
        return self.cached_path


def jar(tmp_path: Path) -> bytes:
    """The bytes of a small whole jar."""
    with zipfile.ZipFile(tmp_path / "small.zip", "w") as archive:
        archive.writestr("Main.class", b"\0" * 1000)
    return (tmp_path / "small.zip").read_bytes()


def test_a_damaged_download_is_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = jar(tmp_path)
    cache = tmp_path / "cache"

    def resolve(context: Any) -> list[Any]:
        return [Download(context.repo_cache / "a.jar", [whole[:500], whole])]

    monkeypatch.setattr(broker_jars, "_resolve", resolve)
    assert kafka_jars(cache, silent) == [cache / "a.jar"]
    assert (cache / "a.jar").read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "cache.lock", "small.zip"]


@pytest.mark.parametrize("stage", ["look up", "fetch a.jar"])
def test_without_a_network_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: str
) -> None:
    tries: list[int] = []

    def fail() -> Any:
        tries.append(1)
        raise requests.ConnectionError("no route\nto host")

    unreachable = SimpleNamespace(cached_path=tmp_path / "a.jar", resolve=fail)
    monkeypatch.setattr(
        broker_jars, "_resolve", lambda context: fail() if stage == "look up" else [unreachable]
    )
    with pytest.raises(BrokerError) as caught:
        kafka_jars(tmp_path / "cache", silent)
    assert f"cannot {stage}" in str(caught.value)
    assert "set KAFKA_BOOTSTRAP" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(tries) == 3
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BrokerError, match="XDG_CACHE_HOME"):
        kafka_jars(tmp_path / "file" / "cache", silent)


def test_a_data_directory_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BrokerError, match="cannot write the broker's data"):
        EmbeddedBroker(silent, data_dir=tmp_path / "file" / "data")


def test_two_brokers_do_not_share_a_data_directory(tmp_path: Path) -> None:
    first = EmbeddedBroker(silent, data_dir=tmp_path)
    try:
        with pytest.raises(BrokerError, match="in use by another broker"):
            EmbeddedBroker(silent, data_dir=tmp_path)
        assert first.running
    finally:
        first.stop()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=77\n")
    with pytest.raises(BrokerError, match=r"Kafka ended while starting: .*77"):
        EmbeddedBroker(silent, data_dir=tmp_path)


def test_settings_are_spelt_for_a_file_and_for_a_container() -> None:
    settings = {"node.id": "1", "a-b.c_d": "x"}
    assert as_properties(settings) == "node.id=1\na-b.c_d=x\n"
    assert as_environment(settings) == {"KAFKA_NODE_ID": "1", "KAFKA_A___B_C__D": "x"}
