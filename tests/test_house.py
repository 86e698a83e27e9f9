"""The rules of the house, checked: style, types, imports, sizes, links, pins, commands."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest

from loyalty.cli import LazyGroup, run
from supply.__main__ import offline

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("schemas", "engine", "agents", "streams", "loyalty")
LINES_MAX: Final = 400
COMMANDS: Final = LazyGroup("loyalty").list_commands(click.Context(click.Command("loyalty")))
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
HEADING: Final = re.compile(r"^#{1,6} +(.*)$", re.MULTILINE)
CODE_BLOCK: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def tool(name: str, *arguments: str) -> None:
    """Runs a tool of this environment in the project; what it complains about is the failure."""
    command = [str(Path(sys.executable).with_name(name)), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name} complains:\n{done.stdout}{done.stderr}"


def test_the_code_obeys_the_linter() -> None:
    tool("ruff", "check", "--no-cache", ".")


def test_the_code_is_formatted() -> None:
    """`make format` does it."""
    tool("ruff", "format", "--no-cache", "--check", ".")


def test_the_types_hold() -> None:
    tool("mypy")


def test_imports_point_one_way() -> None:
    tool("lint-imports", "--no-cache")


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_grows_beyond_reading(package: str) -> None:
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in (ROOT / package).rglob("*.py")
    }
    assert sizes, f"no files in {package}"
    assert not {name: lines for name, lines in sizes.items() if lines > LINES_MAX}


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def anchors(document: Path) -> set[str]:
    """The fragments that its headings can be linked by, spelt as the usual viewers do."""
    text = CODE_BLOCK.sub("", document.read_text("utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in HEADING.findall(text)
    }


def test_there_is_something_to_read() -> None:
    names = {path.name for path in documents()}
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= names


def test_links_between_documents_lead_somewhere() -> None:
    broken: list[str] = []
    for document in documents():
        text = CODE_BLOCK.sub("", document.read_text("utf-8"))
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, fragment = target.partition("#")
            file = (document.parent / path) if path else document
            missing_anchor = bool(fragment) and file.suffix == ".md" and fragment not in anchors(file)
            if not file.exists() or missing_anchor:
                broken.append(f"{document.relative_to(ROOT)}: {target}")
    assert not broken


def test_what_it_is_built_from_is_what_was_tested_and_may_be_used() -> None:
    """The part of `make audit` that needs no network: pins, licences, `pip check`."""
    assert offline() == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "loyalty" / "commands" / f"{name.replace('-', '_')}.py"
    first_line = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]
    assert 20 <= len(first_line) <= 110, "its first line is what `loyalty --help` shows"
    assert importlib.import_module(f"loyalty.commands.{path.stem}").command.name == name
    assert run([name, "--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 5


def test_help_names_every_command_without_importing_one() -> None:
    code = (
        "import sys; from loyalty.cli import run; assert run(['--help']) == 0\n"
        "print(sorted(name for name in sys.modules if name.startswith('loyalty.commands.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(re.search(rf"^  {name} ", done.stdout, re.MULTILINE) for name in COMMANDS)


def test_simulate_starts_without_kafka() -> None:
    """It must start in 0.3 s; Faust alone takes longer to import."""
    code = "import sys, loyalty.commands.simulate; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"faust", "aiokafka", "docker", "jgo", "asyncio", "rich"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["brokr"], "loyalty: no command 'brokr': did you mean 'broker'? (see 'loyalty --help')"),
        (["--colour"], "loyalty: No such option: --colour (see 'loyalty --help')"),
        (["broker", "--port", "0"], "loyalty broker: Invalid value for '--port': 0 is not in the range"),
        (["broker", "now"], "loyalty broker: Got unexpected extra argument (now)"),
        (["xyzzy"], "loyalty: no command 'xyzzy': it is one of "),
    ],
)
def test_bad_use_is_one_line_and_status_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(complaint)
    assert captured.err.count("\n") == 1


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert re.fullmatch(r"loyalty \d+\.\d+\.\d+\n", capsys.readouterr().out)
