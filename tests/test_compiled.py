"""The compiled form is the sources' own, and is never run in place of a source that has changed since."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import compiled
from compiled.build import LACKING, lacking, recipe
from compiled.build import main as build
from compiled.modules import digest, hot_modules
from loyalty.training import train

ROOT = Path(__file__).parent.parent
WHERE = """
import engine.decide, schemas.wire, agents.fold
print(engine.decide.__file__, schemas.wire.__file__, agents.fold.__file__)
"""


def where_modules_come_from(root: Path, wanted: str) -> subprocess.CompletedProcess[str]:
    """Imports hot modules in a process of its own, in the checkout at `root`."""
    environment = {**os.environ, compiled.VARIABLE: wanted, "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-c", WHERE], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def checkout(directory: Path) -> Path:
    """A checkout with the packages that hold hot modules, as links, and no build."""
    for package in ("compiled", "schemas", "engine", "agents", "streams"):
        (directory / package).mkdir()
        for file in (ROOT / package).glob("*.py"):
            (directory / package / file.name).write_bytes(file.read_bytes())
    return directory


def test_every_hot_module_exists_and_what_runs_once_an_event_is_among_them() -> None:
    modules = hot_modules(ROOT)
    assert all((ROOT / module).is_file() for module in modules)
    assert {"engine/decide.py", "engine/billing.py", "schemas/wire.py", "agents/fold.py"} <= {*modules}


def test_the_name_of_a_build_changes_with_any_hot_source(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    before = digest(root)
    with (root / "engine" / "money.py").open("a", encoding="utf-8") as source:
        source.write("# changed\n")
    assert digest(root) != before


def test_without_a_build_the_sources_run(tmp_path: Path) -> None:
    done = where_modules_come_from(checkout(tmp_path), "")
    assert done.returncode == 0, done.stderr
    assert all(path.endswith(".py") for path in done.stdout.split())


def test_who_demands_a_build_that_is_not_there_is_told_how_to_make_it(tmp_path: Path) -> None:
    done = where_modules_come_from(checkout(tmp_path), "1")
    assert done.returncode != 0
    assert "run `make compiled`" in done.stderr.splitlines()[-1]


def test_a_half_made_build_is_not_run(tmp_path: Path) -> None:
    root = checkout(tmp_path)
    (root / ".compiled" / digest(root) / "engine").mkdir(parents=True)
    done = where_modules_come_from(root, "")
    assert all(path.endswith(".py") for path in done.stdout.split()), done.stderr


@pytest.mark.parametrize(
    ("made", "lacks", "again"), [(True, None, 0), (False, None, 1), (False, "a compiler", 0)]
)
def test_a_build_that_was_made_otherwise_is_made_again_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool, lacks: str | None, again: int
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / compiled.FINISHED).write_text(recipe() if made else "", "utf-8")
    asked: list[Path] = []

    def refuse(work: Path) -> subprocess.CompletedProcess[str]:
        asked.append(work)
        return subprocess.CompletedProcess([], 1, "", "")

    monkeypatch.setattr("compiled.build.BUILDS", tmp_path)
    monkeypatch.setattr("compiled.build.build_directory", lambda: tmp_path / "there")
    monkeypatch.setattr("compiled.build.lacking", lambda: lacks)
    monkeypatch.setattr("compiled.build._compile", refuse)
    assert build() == again
    assert len(asked) == again
    assert (tmp_path / "there" / compiled.FINISHED).exists(), "what is there stays until there is another"


def test_what_a_machine_lacks_is_said_in_one_line(tmp_path: Path) -> None:
    environment = {**os.environ, "CC": "no-such-compiler", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "compiled.build"],
        cwd=checkout(tmp_path),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == LACKING
    assert "this machine lacks a C compiler (no-such-compiler)" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_where_a_build_is_demanded_it_is_what_runs() -> None:
    """In the second run of `make test`, which tests the compiled form, every hot module must come out of it."""
    if os.environ.get(compiled.VARIABLE) == "1":
        assert lacking() is None
        done = where_modules_come_from(ROOT, "1")
        assert all(path.endswith(".so") for path in done.stdout.split()), done.stdout + done.stderr
    else:
        assert compiled.in_use() is None


def test_what_the_compiler_is_trained_on_runs() -> None:
    """Where it fails the build is made without, and nobody is told."""
    assert train() > 1_000
