"""`loyalty simulate` against the plain reading of its lines: what it spares itself changes nothing that comes out."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from schemas.contract_examples import record_of
from tests import hostile
from tests.case_runner import lines_of, new_engine, read_cases, run
from tests.stream_world import ROOT

UNTIL = "2027-01-01T00:00:00+03:00"
ENGINE = new_engine()


def simulated(
    lines: list[bytes], file: Path, *arguments: str
) -> tuple[list[bytes], list[dict[str, object]], int]:
    """What the command prints for these lines, its dead letters, and its exit status."""
    file.write_bytes(b"\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "loyalty.cli", "simulate", "--events", str(file), *arguments],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    return done.stdout.splitlines(), [json.loads(line) for line in done.stderr.splitlines()], done.returncode


def told_again(line: bytes, chosen: random.Random) -> bytes:
    """The same event as a retry may bring it: as it came, written otherwise, or with another content."""
    record = json.loads(line)
    match chosen.randrange(4):
        case 0:
            return line
        case 1:
            return json.dumps(dict(reversed(record.items()))).encode()
        case 2:
            return json.dumps({**record, "note": "new"}, separators=(",", ":")).encode()
        case _:
            return line[:-1] + b',"id":"twice"}'


def mixed_lines() -> list[bytes]:
    """Events of every case, many of them told again somewhere later, and records that no honest system writes."""
    chosen = random.Random(6)
    lines: list[bytes] = []
    for number, case in enumerate(read_cases()):
        for line in lines_of(case, ENGINE):
            # A source of its own for each case: they number their events alike.
            lines.append(line.replace(b'/case"', b'/case-%d"' % number))
    # White space around a line is not part of it.
    lines += [
        b"".join(r.value.split(b"\n")).strip() for r in hostile.records() if r.value and len(r.value) < 5_000
    ]
    for line in chosen.sample(lines, len(lines) // 3):
        try:
            again = told_again(line, chosen)
        except (ValueError, AttributeError):  # no JSON, or no object
            again = line
        lines.insert(chosen.randrange(len(lines)), again)
    return [line for line in lines if line]


@pytest.mark.parametrize("as_arrived", [False, True])
def test_it_says_what_the_events_say_one_by_one(as_arrived: bool, tmp_path: Path) -> None:
    lines = mixed_lines()
    wanted, dead = run(ENGINE, lines, until=UNTIL, as_arrived=as_arrived)
    flags = ["--as-arrived"] if as_arrived else []
    outcomes, letters, status = simulated(lines, tmp_path / "events.ndjson", "--until", UNTIL, *flags)
    assert [json.loads(outcome) for outcome in outcomes] == wanted
    assert Counter((letter["reason"], letter["detail"]) for letter in letters) == Counter(
        (error.reason, error.detail) for error in dead
    )
    assert status == 3
    reasons = Counter(letter["reason"] for letter in letters)
    assert {"identity-conflict", "duplicate-key", "malformed-field"} <= reasons.keys(), "it shows little"
    assert len(wanted) > 200 and reasons["identity-conflict"] > 10, "it shows little"


def test_a_record_without_a_time_of_its_own_is_refused_whatever_time_stands_in_its_data(
    tmp_path: Path,
) -> None:
    record = record_of(
        "payment.received", {"amount": "1.00", "service": "internet", "time": "2025-09-01T10:00:00Z"}
    )
    lines = [orjson.dumps({name: value for name, value in record.items() if name != "time"})]
    _, letters, status = simulated(lines, tmp_path / "events.ndjson")
    assert [(letter["reason"], letter["line"]) for letter in letters] == [("missing-field", 1)]
    assert status == 3
