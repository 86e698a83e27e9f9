"""What processes have used: processor time and memory, from /proc. On other systems than Linux it is not known.

Processor time says what a system costs whatever else the machine does, which events a second do not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
KNOWN: Final = (_PROC / "self" / "stat").exists()
_TICK_SECONDS: Final = 1 / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    found: list[int] = []
    for children in (_PROC / str(pid) / "task").glob("*/children"):
        for child in _read(children).split():
            found += [int(child), *descendants(int(child))]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended."""
    stat = _read(_PROC / str(pid) / "stat")
    fields = stat[stat.rfind(")") + 2 :].split()  # the name of a process may hold blanks and brackets
    return sum(map(int, fields[11:15])) * _TICK_SECONDS


def resident_bytes(pid: int) -> int:
    """Memory that a process holds; of what it shares with others its share."""
    for line in _read(_PROC / str(pid) / "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return ""
