"""`python -m supply [--online]`: exit status 1 when something that this project is built from must not be.

What can be told on this machine is always told. Advisories need a service: when it cannot be reached that is said, and
with `--online` it is a failure, too.
"""

from __future__ import annotations

import subprocess
import sys

from supply import advisories, licences, pins


def offline() -> list[str]:
    """What is wrong as far as this machine can tell."""
    project, installed = pins.Project(), pins.environment()
    found = pins.problems(pins.CONSTRAINTS.read_text("utf-8"), project, installed)
    found += licences.problems(installed.values(), project.name)
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        found += [f"pip check: {line}" for line in (done.stdout + done.stderr).splitlines()]
    return found


def main(online: bool) -> int:
    """Tell all of it."""
    wrong = offline()
    told = advisories.fetch(pins.CONSTRAINTS)
    for problem in (*wrong, *told.found):
        print(problem, file=sys.stderr)
    print(f"pins and licences: {len(pins.environment())} distributions, problems: {len(wrong) or 'none'}")
    if told.failure:
        print(f"advisories: could not be fetched ({told.failure}); {told.asked} distributions were looked up")
    else:
        print(f"advisories: {told.asked} distributions looked up, vulnerable: {len(told.found) or 'none'}")
    return 1 if wrong or told.found or (online and told.failure) else 0


if __name__ == "__main__":
    sys.exit(main(online="--online" in sys.argv[1:]))
