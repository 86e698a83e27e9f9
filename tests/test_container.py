"""The container's files, as far as text tells: no daemon is needed, so what only a daemon can tell is not here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml

from agents.worker import STOP_SECONDS_MAX
from loyalty.cli import LazyGroup
from streams.broker_jars import KAFKA_VERSION
from streams.broker_ready import free_port
from streams.settings import variables

ROOT: Final = Path(__file__).parent.parent
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE: Final = (ROOT / "docker-compose.yml").read_text("utf-8")
COMMANDS: Final = LazyGroup("loyalty").list_commands(click.Context(click.Command("loyalty")))
OURS: Final = ("topics", "worker", "clock")


def compose() -> dict[str, Any]:
    """What docker-compose.yml says."""
    loaded = yaml.safe_load(COMPOSE)
    assert isinstance(loaded, dict)
    return loaded


def test_containers_run_the_kafka_that_the_tests_run() -> None:
    assert compose()["services"]["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


@pytest.mark.parametrize("service", OURS)
def test_containers_run_commands_that_exist_with_settings_that_exist(service: str) -> None:
    described = compose()["services"][service]
    assert described["command"][0] in COMMANDS
    assert set(described["environment"]) <= {name for name, _, _ in variables()}


def test_containers_wait_for_what_they_need_and_are_watched() -> None:
    services = compose()["services"]
    assert services["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert "healthcheck" in services["kafka"]
    assert "\nHEALTHCHECK " in DOCKERFILE
    assert DOCKERFILE.index("\nUSER 10001\n") < DOCKERFILE.index("\nENTRYPOINT")


def test_the_image_holds_every_package() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert copied == set(packed["wheel"]["packages"])
    let_in = re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    assert copied <= set(let_in), "what is ignored cannot be copied"


def test_every_image_is_named_with_a_tag_that_the_project_uses() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert set(images) == {f"python:{oldest.removeprefix('>=')}-slim"}
    built = {name for name, service in compose()["services"].items() if "build" in service}
    assert built == set(OURS), "the others are named with a tag, which the test of the Kafka version compares"


def test_nobody_in_the_image_is_root_or_may_become_root() -> None:
    user = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert len(user) == 1 and user[0].isdigit() and int(user[0]) > 0, "a number: clusters check it by number"
    assert f"--uid {user[0]} " in DOCKERFILE
    for name in OURS:
        service = compose()["services"][name]
        assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service and "volumes" not in service


def test_a_worker_is_given_the_time_that_it_takes_to_stop() -> None:
    seconds = int(compose()["services"]["worker"]["stop_grace_period"].removesuffix("s"))
    assert seconds > STOP_SECONDS_MAX


def test_no_secret_is_in_the_files_or_comes_into_the_image() -> None:
    for text in (DOCKERFILE, COMPOSE):
        for line in text.splitlines():
            if re.search(r"KEY|PASSWORD|SECRET|TOKEN", line) and not line.strip().startswith("#"):
                assert "${LOYALTY_CODE_KEY:?" in line, line
    assert "ARG " not in DOCKERFILE and "COPY . " not in DOCKERFILE
    first, *let_in = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert first == "*" and not [name for name in let_in if ".env" in name or ".git" in name]


@pytest.mark.parametrize("name", ["kafka", *OURS])
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in compose()["services"][name].get("ports", ()))


def test_the_health_check_is_well_with_a_broker_and_ill_without(kafka: str) -> None:
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.*?\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert found is not None
    python, *arguments = json.loads(found[1])
    assert python == "python"
    for bootstrap, well in ((kafka, True), (f"127.0.0.1:{free_port()}", False)):
        environment = {**os.environ, "KAFKA_BOOTSTRAP": bootstrap}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode == 0) is well, done.stderr.decode()
