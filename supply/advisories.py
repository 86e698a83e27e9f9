"""Known vulnerabilities of what is pinned, asked of pip-audit's advisory service, if it can be reached.

pip-audit ends with "no known vulnerabilities" when the service knows none of the distributions, as behind a mirror
that serves packages only. So its report is read: what was not looked up counts as not looked up.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

COMMAND: Final = (sys.executable, "-m", "pip_audit")
OPTIONS: Final = (
    "--disable-pip", "--no-deps", "--progress-spinner", "off", "--timeout", "5", "--format", "json",
)  # fmt: skip
SECONDS_MAX: Final = 300.0


class Advisories(NamedTuple):
    """What came of asking."""

    found: list[str]
    """Vulnerabilities, one line each."""
    asked: int
    """How many distributions were looked up."""
    failure: str
    """Why not all were; "" if all were."""


def fetch(constraints: Path, command: Sequence[str] = COMMAND) -> Advisories:
    """Look up everything that is pinned."""
    with tempfile.TemporaryDirectory(prefix="loyalty-audit-") as directory:
        report = Path(directory) / "report.json"
        call = [*command, *OPTIONS, "--requirement", str(constraints), "--output", str(report)]
        try:
            done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return Advisories([], 0, f"no answer within {SECONDS_MAX:.0f} s")
        except OSError as error:
            return Advisories([], 0, str(error))
        try:
            dependencies: list[dict[str, Any]] = json.loads(report.read_bytes())["dependencies"]
        except (OSError, ValueError, KeyError):
            last = (done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode}"])[-1]
            return Advisories([], 0, last)
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version'}"
        for one in dependencies
        for flaw in one.get("vulns", ())
    ]
    skipped = [one for one in dependencies if "skip_reason" in one]
    asked = len(dependencies) - len(skipped)
    why = (
        f"{len(skipped)} of {len(dependencies)} are unknown to the service"
        if skipped or not dependencies
        else ""
    )
    return Advisories(found, asked, why)
