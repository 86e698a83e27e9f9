"""The audit of what the project is built from notices each thing that must not be, and never takes silence for success."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from supply import __main__ as audit
from supply import advisories, licences, pins

PINS = "ours-a==1.0\nours-b==2.1\nonly-on-windows==3\nfuzzer==1.0\n"
PROJECT = """
[project]
name = "this"
dependencies = ["Ours.A[fast]>=1", "only-on-windows>=1; sys_platform == 'win32'"]
[project.optional-dependencies]
dev = []
fuzz = ["fuzzer>=1"]
"""


def install(where: Path, name: str, version: str, *lines: str) -> None:
    """Metadata as an installer leaves them."""
    directory = where / f"{name}-{version}.dist-info"
    directory.mkdir(parents=True)
    text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines])
    (directory / "METADATA").write_text(text + "\n", "utf-8")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An environment in which all is well, beside the project that it is for."""
    (tmp_path / "pyproject.toml").write_text(PROJECT, "utf-8")
    install(tmp_path, "this", "0.1")
    install(tmp_path, "pip", "99")
    needs = "Requires-Dist: ours_b; extra == 'fast'"
    install(tmp_path, "Ours.A", "1.0", "License-Expression: MIT", "Provides-Extra: fast", needs)
    install(tmp_path, "ours_b", "2.1.0", "Classifier: License :: OSI Approved :: BSD License")
    return tmp_path


def pin_problems(place: Path, text: str = PINS) -> list[str]:
    """What the pins' part says."""
    return pins.problems(text, pins.Project(place / "pyproject.toml"), pins.environment([str(place)]))


def test_an_environment_as_it_was_tested_is_right(place: Path) -> None:
    assert pin_problems(place) == []
    assert licences.problems(pins.environment([str(place)]).values(), "this") != [], (
        "pip says nothing of its licence"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (PINS.replace("ours-b==2.1\n", ""), "ours-b 2.1.0 is installed, but not pinned"),
        (PINS.replace("2.1", "2.2"), "ours-b 2.1.0 is installed, but 2.2 is pinned"),
        (PINS + "leftover==1\n", "leftover is pinned, but nothing asks for it"),
        (PINS.replace("windows==3", "windows==3rc1"), "only-on-windows==3rc1: not a release"),
        (PINS.replace("windows==3", "windows==3+ours"), "only-on-windows==3+ours: not a release"),
        (PINS.replace("windows==3", "windows>=3"), "only-on-windows>=3: a pin is NAME==VERSION"),
        (PINS.replace("windows==3", "windows==3.*"), "only-on-windows==3.*: a pin is NAME==VERSION"),
        (PINS + "ours_a==1.0\n", "ours_a==1.0: it is pinned twice"),
    ],
)
def test_each_wrong_pin_is_named(place: Path, text: str, problem: str) -> None:
    assert problem in pin_problems(place, text)


def test_what_is_installed_beside_and_what_is_missing_is_named(place: Path) -> None:
    install(place, "stranger", "6.6.6")
    assert pin_problems(place) == ["stranger 6.6.6 is installed, but not pinned"]
    (place / "ours_b-2.1.0.dist-info" / "METADATA").unlink()
    (place / "ours_b-2.1.0.dist-info").rmdir()
    assert "ours-b is needed, but not installed" in pin_problems(place)


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        (["License-Expression: Apache-2.0 AND MIT"], True),
        (["License-Expression: GPL-3.0-only OR (MIT AND BSD-3-Clause)"], True),
        (["License-Expression: MIT AND (GPL-3.0-only OR LGPL-2.1-only)"], False),
        (["License-Expression: AGPL-3.0-or-later"], False),
        (["License-Expression: MIT AND"], False),
        (["License-Expression: (MIT"], False),
        (["License: Apache 2.0"], True),
        (["License: All rights reserved"], False),
        (["License: whatever", "Classifier: License :: OSI Approved :: MIT License"], True),
        (
            ["License: MIT", "Classifier: License :: OSI Approved :: GNU Affero General Public License v3"],
            False,
        ),
        ([], False),
    ],
)
def test_licences_are_allowed_by_name_or_refused(tmp_path: Path, lines: list[str], right: bool) -> None:
    install(tmp_path, "thing", "1", *lines)
    found = licences.problems(metadata.distributions(path=[str(tmp_path)]), "this")
    assert (found == []) is right
    assert all(line.startswith("thing: ") for line in found)


def test_every_exception_says_why_and_is_needed() -> None:
    here = pins.environment()
    assert all(len(why) > 30 for why in licences.EXCEPTIONS.values())
    assert not [n for n in licences.EXCEPTIONS if n in here and licences.allowed(licences.licence(here[n]))]


def service(directory: Path, report: object, status: int = 0, said: str = "") -> list[str]:
    """A pip-audit that gives this report (None: none at all)."""
    code = (
        f"import sys; report = {json.dumps(report)!r}; print({said!r}, file=sys.stderr)\n"
        "if report != 'null': open(sys.argv[sys.argv.index('--output') + 1], 'w').write(report)\n"
        f"sys.exit({status})"
    )
    file = directory / "service.py"
    file.write_text(code, "utf-8")
    return [sys.executable, str(file)]


GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "X-2026-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("dependencies", "found", "asked", "failed"),
    [
        ([GOOD], [], 1, False),
        ([GOOD, BAD], ["b 2: X-2026-1, mended in 2.1"], 2, False),
        ([BAD, UNKNOWN], ["b 2: X-2026-1, mended in 2.1"], 1, True),
        ([UNKNOWN, UNKNOWN], [], 0, True),
        ([], [], 0, True),
    ],
)
def test_a_report_is_taken_for_what_it_says(
    tmp_path: Path, dependencies: list[object], found: list[str], asked: int, failed: bool
) -> None:
    told = advisories.fetch(pins.CONSTRAINTS, service(tmp_path, {"dependencies": dependencies}))
    assert (told.found, told.asked, bool(told.failure)) == (found, asked, failed)


def test_a_service_that_cannot_be_reached_is_told_in_one_line(tmp_path: Path) -> None:
    told = advisories.fetch(pins.CONSTRAINTS, service(tmp_path, None, 1, "Traceback\nno route to anywhere"))
    assert told == ([], 0, "no route to anywhere")
    assert advisories.fetch(pins.CONSTRAINTS, ["/no/such/program"]).failure


@pytest.mark.parametrize(
    ("wrong", "told", "status"),
    [
        ([], advisories.Advisories([], 9, ""), (0, 0)),
        ([], advisories.Advisories([], 0, "no route"), (0, 1)),
        ([], advisories.Advisories(["b 2: X"], 9, ""), (1, 1)),
        (["a is not pinned"], advisories.Advisories([], 0, "no route"), (1, 1)),
    ],
)
def test_the_status_is_1_for_findings_and_for_silence_only_when_asked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: list[str],
    told: advisories.Advisories,
    status: tuple[int, int],
) -> None:
    monkeypatch.setattr(audit, "offline", lambda: wrong)
    monkeypatch.setattr(advisories, "fetch", lambda constraints: told)
    assert (audit.main(online=False), audit.main(online=True)) == status
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 4
    assert ("could not be fetched (no route)" in lines[1]) is bool(told.failure)
    assert ("none" in lines[1]) is (not told.failure and not told.found), "silence is not success"
    assert all(problem in err for problem in (*wrong, *told.found))
