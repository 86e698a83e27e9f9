"""Contradictions that a validator can see: definitions that are well formed but cannot do what they say.

An error can never come right: a promotion that no account reaches, a reward that nobody affords. A warning
is possible but hardly meant: a revision that drops what members still hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from schemas.programme_check_points import check_points
from schemas.programme_check_promotions import check_promotions
from schemas.programme_check_revisions import check_revision
from schemas.programme_check_shadows import check_shadows
from schemas.programme_check_spending import check_spending
from schemas.programme_faults import Problem
from schemas.programme_files import Located, read_directory
from schemas.programme_finding import Finding, Neighbours


def check_directory(directory: Path) -> list[Problem]:
    """Every problem of a directory's definitions, errors and warnings, in the order of files and lines."""
    found, problems = read_directory(directory)
    problems += contradictions(found)
    return sorted(problems, key=lambda problem: (str(problem.file), problem.line))


def contradictions(definitions: Iterable[Located]) -> list[Problem]:
    """What is wrong with definitions that can be read, each within its operator's revisions."""
    by_operator: dict[str, list[Located]] = {}
    for located in definitions:
        by_operator.setdefault(located.programme.operator, []).append(located)
    problems: list[Problem] = []
    for revisions in by_operator.values():
        revisions.sort(key=lambda located: located.programme.effective_from)
        for number, located in enumerate(revisions):
            around = Neighbours(
                located.programme,
                revisions[number - 1].programme if number else None,
                revisions[number + 1].programme if number + 1 < len(revisions) else None,
            )
            problems += [
                located.problem(finding.path, finding.message, finding.severity)
                for finding in _findings(around)
            ]
    return problems


def _findings(around: Neighbours) -> Iterator[Finding]:
    yield from check_points(around.programme)
    yield from check_spending(around.programme)
    yield from check_promotions(around)
    yield from check_shadows(around.programme)
    yield from check_revision(around)
