"""Which form of the hot modules runs: their Python source, or the same source compiled to machine code.

`python -m compiled.build` compiles the modules that `compiled.modules` lists with mypyc, into a directory whose name
tells the content of those sources. A package that holds some of them looks there first (`search_path`), so an edited
source is never shadowed by a build of what it was before: it just runs as Python again, until the next build.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from compiled.modules import digest

ROOT: Final = Path(__file__).parent.parent
BUILDS: Final = ROOT / ".compiled"
VARIABLE: Final = "LOYALTY_COMPILED"
FINISHED: Final = "finished"
"""A file that a build writes last: a directory without it was left half made."""


class NotCompiled(ImportError):
    """The compiled form was asked for and is not there."""


def build_directory() -> Path:
    """Where the build of the sources as they are now belongs."""
    return BUILDS / digest(ROOT)


@lru_cache(1)
def in_use() -> Path | None:
    """The build that this process runs, None for the Python source.

    `LOYALTY_COMPILED` decides: `0` never, `1` always; unset: if there is one of these very sources. Or it names the
    directory of one, whatever its sources were: so is a build run that is still in the making.

    :raises NotCompiled: it is `1`, and there is no build.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "0":
        return None
    named = os.sep in wanted
    directory = Path(wanted) if named else build_directory()
    if named or (directory / FINISHED).exists():
        sys.path.append(str(directory))  # where the modules find what they share
        return directory
    if wanted == "1":
        raise NotCompiled(f"{VARIABLE}=1, but these sources are not compiled: run `make compiled`")
    return None


def search_path(package: str, path: Iterable[str]) -> list[str]:
    """Where a package looks for its modules: the build first, then its own directory."""
    directory = in_use()
    return [*path] if directory is None else [str(directory / package), *path]
