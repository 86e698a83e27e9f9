"""The fault-free run of the same feed: `loyalty simulate`, a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from chaos.load import Planned

ROOT: Final = Path(__file__).parent.parent


class FaultFree(NamedTuple):
    """What comes of a feed when nothing goes wrong."""

    outcomes: list[dict[str, Any]]
    """In the order produced."""
    refused: set[tuple[str, str]]
    """(reason, value) of the dead letters."""


def simulate(sent: Sequence[Planned], until_ms: int, directory: Path) -> FaultFree:
    """Run the feed with no broker.

    Raises RuntimeError when simulate itself fails.
    """
    feed, out, letters = (
        directory / "feed.ndjson",
        directory / "simulated.ndjson",
        directory / "refused.ndjson",
    )
    feed.write_bytes(b"".join(record.value + b"\n" for record in sent))
    until = datetime.fromtimestamp(until_ms / 1000, UTC).isoformat(timespec="milliseconds")
    command = [sys.executable, "-m", "loyalty.cli", "simulate", "--events", str(feed), "--until", until]
    with out.open("wb") as outcomes, letters.open("wb") as refused:
        done = subprocess.run(command, cwd=ROOT, stdout=outcomes, stderr=refused, check=False)
    if done.returncode not in (0, 3):
        raise RuntimeError(f"simulate ended with {done.returncode}: {letters.read_text()[-2000:]}")
    found = [json.loads(line) for line in letters.read_bytes().splitlines()]
    return FaultFree(
        [json.loads(line) for line in out.read_bytes().splitlines()],
        {(letter["reason"], letter["value"]) for letter in found},
    )
