"""docs/tutorial-cafe.md, done step by step: every command is run, every output compared.

`python -m tests.test_tutorial` writes the real outputs into the tutorial.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
TUTORIAL: Final = ROOT / "docs" / "tutorial-cafe.md"
FINISHED: Final = ROOT / "docs" / "examples" / "cafe" / "cafe.yaml"
BLOCK: Final = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """Somebody who follows the tutorial in a directory of their own that looks like the project's."""

    def __init__(self, home: Path) -> None:
        self._home: Final = home
        (home / "docs").symlink_to(ROOT / "docs")
        command = home / "bin" / "loyalty"
        command.parent.mkdir()
        python, root = shlex.quote(sys.executable), shlex.quote(str(ROOT))
        command.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {python} -m loyalty.cli "$@"\n', "utf-8")
        command.chmod(0o755)
        self._environment: Final = {
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            "LANG": "C.UTF-8",
        }
        self.file: Final = home / "my-cafe" / "cafe.yaml"

    def add(self, text: str) -> None:
        """Add a block to the definition."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(text)

    def run(self, command: str) -> str:
        """Run a command and return all that it prints."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self._home,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout


def commands(block: str) -> Iterator[str]:
    """The commands of a console block."""
    for line in block.splitlines():
        if line.startswith("$ "):
            yield line.removeprefix("$ ")


def followed(text: str, reader: Reader) -> str:
    """The tutorial with the outputs that its commands really have."""

    def done(match: re.Match[str]) -> str:
        kind, block = match.groups()
        if kind == "yaml":
            reader.add(block)
            return match[0]
        shown = "".join(f"$ {command}\n{reader.run(command)}" for command in commands(block))
        return f"```console\n{shown}```"

    return BLOCK.sub(done, text)


def test_every_step_does_what_the_tutorial_shows(tmp_path: Path) -> None:
    text = TUTORIAL.read_text("utf-8")
    reader = Reader(tmp_path)
    assert followed(text, reader) == text
    first, _, built = reader.file.read_text("utf-8").partition("\n")
    shown_first, _, finished = FINISHED.read_text("utf-8").partition("\n")
    assert built == finished
    assert [line.partition("=")[0] for line in (first, shown_first)] == [
        "# yaml-language-server: $schema"
    ] * 2


def test_the_finished_definition_finds_its_schema() -> None:
    target = FINISHED.read_text("utf-8").partition("\n")[0].partition("=")[2]
    assert (FINISHED.parent / target).is_file()


def test_the_tutorial_shows_what_it_promises() -> None:
    """A tutorial whose commands print nothing, or only errors, would pass the comparison too."""
    text = TUTORIAL.read_text("utf-8")
    for expected in (
        "did you mean 'calendar-year'?",
        '"points":12,"balance":12',
        "points.expired",
        "points.redeemed",
        "insufficient-points",
        "unknown-reward",
        "referral.completed",
        "unknown-code",
        "discount.granted",
        "discount.ended",
        '"points":8,"balance":8',
        '"points":10,"balance":10',
        "1 point for every 2.00 EUR",
    ):
        assert expected in text, expected
    assert text.count("my-cafe: no problems") == 3


def main() -> None:
    """Write the outputs that the commands have now into the tutorial."""
    with tempfile.TemporaryDirectory() as home:
        text = followed(TUTORIAL.read_text("utf-8"), Reader(Path(home)))
    TUTORIAL.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
