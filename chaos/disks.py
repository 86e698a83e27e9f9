"""What befalls the disk under a worker's local store: it is full, or a file on it is not what was written."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Final

TABLE: Final = "table"
LOG: Final = "log"
FILES: Final[Mapping[str, str]] = {
    "pointer": "CURRENT",
    "manifest": "MANIFEST-*",
    TABLE: "*.sst",
    LOG: "*.log",
}
"""Kinds of file that a store consists of, and their names."""

STEP_BYTES: Final = 512
"""Less than a block: none of a file's checksums holds any more."""


def fill(process: int) -> None:
    """No file of this process may grow any more: what the disk says of every write is "File too large"."""
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, hard))


def make_room(process: int) -> None:
    """Files may grow again."""
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))


def damage(state: Path, kind: str) -> int:
    """Turn bytes over in the files of this kind of every store; how many files.

    A log is damaged from its middle on, so that something is left for the store to be misled by.
    """
    count = 0
    for file in state.glob(f"tasks/*/{FILES[kind]}"):
        size = file.stat().st_size
        with file.open("r+b") as opened:
            for at in range(size // 2 if kind == LOG else 0, size, STEP_BYTES):
                opened.seek(at)
                turned = opened.read(1)[0] ^ 0xFF
                opened.seek(at)
                opened.write(bytes([turned]))
        count += size > 0
    return count
