"""What the checks of definitions share: a finding, and a revision between its neighbours."""

from __future__ import annotations

from typing import NamedTuple

from schemas.programme import Programme
from schemas.programme_faults import ERROR, WARNING


class Finding(NamedTuple):
    """A contradiction in one definition: how grave, in which field, what is wrong and what would be right."""

    severity: str
    path: tuple[str | int, ...]
    message: str


class Neighbours(NamedTuple):
    """A revision, and the operator's revisions before and after it."""

    programme: Programme
    before: Programme | None
    after: Programme | None


def error(message: str, *path: str | int) -> Finding:
    """A contradiction that can never come right."""
    return Finding(ERROR, path, message)


def warning(message: str, *path: str | int) -> Finding:
    """What is possible, but hardly meant."""
    return Finding(WARNING, path, message)
