"""The demo from outside: what it shows is what simulate says, and it leaves nothing behind."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any, Final

import orjson
import psutil
import pytest
from rich.console import Console

from loyalty.demo_summary import totals
from loyalty.sample_events import OPERATOR, Arrival
from loyalty.sample_month import sample_month
from loyalty.tally import Tally
from loyalty.watch_view import View
from loyalty.words import in_words
from schemas.topics import DEAD_LETTERS, POINTS
from tests.case_runner import Outcome, new_engine, run

pytestmark = pytest.mark.kafka

ROOT: Final = Path(__file__).parent.parent
UNTIL: Final = "2025-10-01T00:00:00+03:00"
SECONDS_MAX: Final = 240.0
MARK: Final = "LOYALTY_TEST_MARK"
"""Inherited by every process that a demo starts, and by whatever those start."""


class Simulated:
    """What simulate makes of the sample month."""

    def __init__(self) -> None:
        engine = new_engine()
        self.arrivals: Final[list[Arrival]] = sample_month(
            lambda account: engine.codes.code(OPERATOR, account)
        )
        lines = [arrival.line for arrival in self.arrivals]
        self.outcomes, dead = run(engine, lines, until=UNTIL, as_arrived=True)
        self.tally: Final = Tally()
        for outcome in self.outcomes:
            self.tally.count(outcome)
        self.tally.dead_letters.update(letter.reason for letter in dead)


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return Simulated()


class Demo:
    """A demo running as a process, with a temporary directory of its own."""

    def __init__(self, directory: Path, *arguments: str, bootstrap: str | None = None) -> None:
        self.mark: Final = uuid.uuid4().hex
        self.directory: Final = directory
        environment = {name: text for name, text in os.environ.items() if name != "KAFKA_BOOTSTRAP"}
        environment |= {MARK: self.mark, "TMPDIR": str(directory), "PYTHONUNBUFFERED": "1"}
        if bootstrap is not None:
            environment["KAFKA_BOOTSTRAP"] = bootstrap
        self.process: Final = subprocess.Popen(
            [sys.executable, "-m", "loyalty.cli", "demo", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def finish(self) -> tuple[int, str, str]:
        """Wait for its end: status, what it printed, what it complained about."""
        try:
            out, err = self.process.communicate(timeout=SECONDS_MAX)
        finally:
            self.process.kill()
        return self.process.returncode, out.decode(), err.decode()

    def left_behind(self) -> list[Any]:
        """Processes that are still there a moment after its end, and files."""
        deadline = time.monotonic() + 5
        while (processes := self._processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [*processes, *self.directory.iterdir()]

    def _processes(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline())[:200])
            except psutil.Error:
                continue
        return found


def shown(tally: Tally) -> str:
    """The totals as the demo prints them."""
    out = io.StringIO()
    totals(Console(file=out, width=160), tally)
    return out.getvalue()


def test_it_shows_what_simulate_says_and_leaves_nothing_behind(tmp_path: Path, simulated: Simulated) -> None:
    """With a broker that it starts and ends by itself, and without a terminal."""
    demo = Demo(tmp_path, "--fast")
    status, out, err = demo.finish()
    assert (status, err) == (0, "")
    assert f"{len(simulated.arrivals):,} events became {len(simulated.outcomes):,} outcomes." in out
    assert shown(simulated.tally) in out
    assert "1 October " in out
    assert " reached level " in out or " earned " in out
    assert demo.left_behind() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_interrupted(number: signal.Signals, tmp_path: Path, kafka: str) -> None:
    demo = Demo(tmp_path, bootstrap=kafka)
    assert demo.process.stdout is not None
    for line in demo.process.stdout:
        if b"September  " in line:
            break
    demo.process.send_signal(number)
    ended, _, err = demo.finish()
    assert (ended, err.strip()) == (130, "")
    assert demo.left_behind() == []


def test_a_broker_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    demo = Demo(tmp_path, bootstrap="127.0.0.1:1")
    status, out, err = demo.finish()
    assert (status, out) == (2, "")
    assert err.startswith("loyalty: KAFKA_BOOTSTRAP=127.0.0.1:1: nobody answers there")
    assert err.count("\n") == 1


def test_the_commands_to_try_next_give_what_was_shown(tmp_path: Path, simulated: Simulated) -> None:
    demo = Demo(tmp_path, "--write-events", "-")
    status, out, _ = demo.finish()
    assert status == 0
    assert out.encode() == b"".join(arrival.line + b"\n" for arrival in simulated.arrivals)
    command = [
        sys.executable,
        "-m",
        "loyalty.cli",
        "simulate",
        "--events",
        "-",
        "--as-arrived",
        "--until",
        UNTIL,
    ]
    done = subprocess.run(command, cwd=ROOT, input=out.encode(), capture_output=True, check=False)
    assert done.returncode == 3, "the month has dead letters"
    assert [orjson.loads(line) for line in done.stdout.splitlines()] == simulated.outcomes


def test_the_month_has_something_of_everything(simulated: Simulated) -> None:
    """Otherwise a watcher would not see what the programme can do."""
    types = Counter(orjson.loads(a.line)["type"] for a in simulated.arrivals if a.line.startswith(b"{"))
    assert {
        "account.opened", "account.closed", "service.activated", "service.blocked", "service.unblocked",
        "legacy-discount.converted", "payment.received", "payment.refunded", "tariff.changed",
        "tariff.change-requested", "referral.code-registered", "points.redeem-requested",
        "points.gift-requested", "points.adjusted", "goal.set", "discount.extended",
    } <= types.keys()  # fmt: skip
    said = Counter((outcome["type"], outcome["data"]["reason"]) for outcome in simulated.outcomes)
    for type_, reason in (
        ("level.changed", "late-arrival"),
        ("level.changed", "missed-payment"),
        ("level.changed", "payment-refunded"),
        ("level.changed", "blocked"),
        ("points.credited", "billing-day"),
        ("points.expired", "account-closed"),
        ("discount.ended", "tariff-changed"),
        ("discount.refused", "exclusive-discount"),
    ):
        assert said[type_, reason], (type_, reason)
    assert set(simulated.tally.dead_letters) == {
        "not-json", "missing-field", "malformed-field", "unknown-type", "identity-conflict",
    }  # fmt: skip
    assert set(simulated.tally.discounts) == {"summer-2025", "ultra-half-price", "half-year", "loyalty-full"}
    assert simulated.tally.referrals_completed == 20
    assert len(simulated.tally.accounts_per_level()) == 10


def test_every_outcome_has_words(simulated: Simulated) -> None:
    silent = {
        (outcome["type"], outcome["data"].get("role"))
        for outcome in simulated.outcomes
        if in_words(outcome) is None
    }
    # One of the two sides of a referral speaks for both.
    assert silent == {("referral.accepted", "advocate"), ("referral.completed", "friend")}


def outcome(type_: str, **data: Any) -> Outcome:
    return {
        "id": "x",
        "type": type_,
        "subject": "A-1",
        "data": {"rule": "r", "reason": "on-time-payment", **data},
    }


def test_words() -> None:
    assert in_words(outcome("level.changed", **{"from": 3, "to": 4})) == "A-1 reached level 4"
    assert (
        in_words(outcome("level.changed", **{"from": 4, "to": 0})) == "A-1 fell to level 0 (on time payment)"
    )
    assert in_words(outcome("points.credited", points=1, balance=1200)) == (
        "A-1 earned 1 point (on time payment), has 1,200 now"
    )


def test_a_page_and_a_line_show_the_tally() -> None:
    tally = Tally()
    view = View(tally, console := Console(file=io.StringIO(), force_terminal=True, width=120), "title")
    credited = outcome("points.credited", points=13, balance=13)
    view.saw(POINTS.name, tally.take(POINTS.name, orjson.dumps(credited)))
    letter = {"reason": "not-json", "detail": "value: unexpected; more"}
    view.saw(DEAD_LETTERS.name, tally.take(DEAD_LETTERS.name, orjson.dumps(letter)))
    with view.show() as renew:
        renew()
    assert isinstance(console.file, io.StringIO)
    page = console.file.getvalue()
    for text in (
        "title",
        "points credited",
        "A-1 earned 13 points",
        "set aside: not-json; value: unexpected",
    ):
        assert text in page
    plain = Console(file=io.StringIO(), width=200)
    with View(tally, plain, "title").show() as renew:
        renew()
    assert isinstance(plain.file, io.StringIO)
    assert "13 points credited" in plain.file.getvalue()
