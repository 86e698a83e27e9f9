"""The console that commands print to."""

from __future__ import annotations

import sys
from typing import Final

from rich.console import Console

PLAIN_WIDTH: Final = 160
"""Columns where there is no terminal, so that lines in files and pipes are not broken early."""


def screen() -> Console:
    """Standard output: as wide as the terminal, or plain and wide where there is none."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
