"""Events a second of `loyalty simulate` on one core, from 10,000 events up: is its cost a straight line?"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks import ROOT
from benchmarks.events import write_values


class Simulated(NamedTuple):
    """One run of `loyalty simulate` over a file."""

    events: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Events a second, start of the process to its end."""
        return self.events / self.seconds


def measure_simulate(events: int) -> Simulated:
    """Simulate so many events from a file; outcomes go nowhere."""
    with tempfile.TemporaryDirectory(prefix="loyalty-bench-") as directory:
        file = Path(directory) / "events.ndjson"
        count = write_values(events, file)
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "loyalty.cli", "simulate", "--events", str(file)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        seconds = time.monotonic() - started
        if done.returncode not in (0, 3):  # 3: there were dead letters, and there are meant to be
            raise RuntimeError(f"simulate ended with status {done.returncode}")
        return Simulated(count, seconds)
