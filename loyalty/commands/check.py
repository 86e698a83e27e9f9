"""Check programme definitions: every fault with its file, line and field, and what would be right."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click
import orjson

from loyalty.deployment import programmes_directory
from loyalty.errors import LoyaltyError
from schemas.programme_checks import check_directory
from schemas.programme_faults import ERROR, Problem

FAULTY: Final = 1
"""Exit status when there is an error."""


@click.command("check")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of text.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
def command(directory: Path | None, as_json: bool, strict: bool) -> int:
    """Check the programme definitions in DIR (default: those that come with this program).

    Finds what cannot be read (misspelt fields and values, wrong forms) and what contradicts itself: revisions
    that begin on the same day or silently drop what members hold, promotions that nobody can reach, rewards
    that nobody can afford, codes that bring nothing, warnings that come too late. All problems at once, each
    with file, line, field and what would be right. Exit status: 0 without errors, 1 with errors.

    \b
      loyalty check programmes/
      loyalty check --json my-programmes | jq .field
    """
    where = directory if directory is not None else programmes_directory()
    if not where.is_dir():
        raise LoyaltyError(f"DIR: {where}: not a directory; programme definitions are its *.yaml files")
    problems = check_directory(where)
    for problem in problems:
        print(_json(problem) if as_json else f"{problem.severity}: {problem}")
    errors = sum(1 for problem in problems if strict or problem.severity == ERROR)
    if not as_json:
        sys.stdout.flush()
        print(_summary(where, errors, len(problems) - errors), file=sys.stderr if problems else sys.stdout)
    return FAULTY if errors else 0


def _json(problem: Problem) -> str:
    return orjson.dumps(
        {
            "severity": problem.severity,
            "file": str(problem.file),
            "line": problem.line or None,
            "field": problem.field or None,
            "message": problem.message,
        }
    ).decode()


def _summary(where: Path, errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return f"{where}: no problems"
    return f"{where}: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
