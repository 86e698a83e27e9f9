"""Imports of our own packages from their source, even where a compiled module lies beside it.

What a compiled function calls cannot be counted, and a count must not depend on what happens to be built. To
be installed before the first import of what is counted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Final

PACKAGES: Final = ("schemas", "engine", "agents", "streams", "loyalty")


class PureSource(MetaPathFinder):
    """Finds `*.py` only, and only in some packages."""

    def __init__(self, packages: Sequence[str] = PACKAGES) -> None:
        self._packages: Final = frozenset(packages)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's source; None leaves it to the finders behind."""
        if fullname.partition(".")[0] not in self._packages:
            return None
        for place in sys.path if path is None else path:
            spec = FileFinder(place, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(fullname, target)
            if spec is not None and spec.loader is not None:
                return spec
        return None


def install() -> None:
    """Import from source from now on."""
    sys.meta_path.insert(0, PureSource())
