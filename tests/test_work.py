"""Work per event does not grow unnoticed: calls, records and bytes are counted and compared with a baseline."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy

import pytest

from tests import work
from tests.work import Work

SAY = "if that is meant: make work-baseline, and say in the commit what it buys"


def counted(*arguments: str) -> Work:
    """Count in a process of its own: from source, and with nothing called before."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.work", *arguments],
        cwd=work.ROOT,
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: Work = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def as_it_is() -> Work:
    return counted()


def test_no_kind_of_event_has_become_more_work(as_it_is: Work) -> None:
    grown = work.growth(work.read_baseline(), as_it_is)
    assert not grown, "\n".join(["work per event has grown by more than a tenth:", *grown, SAY])


def test_no_kind_of_event_writes_more_with_the_modules_as_they_are_installed(as_it_is: Work) -> None:
    """The calls of compiled modules cannot be counted, but what they write can."""
    assert work.growth(as_it_is, work.measure(count_calls=False), work.COUNTED_WHEN_COMPILED) == []


def test_more_calls_for_each_event_are_counted_exactly_and_named(as_it_is: Work) -> None:
    burden = int(as_it_is["payment.received"]["calls"] * 0.25)
    more = counted("--burden", str(burden))
    assert more["payment.received"]["calls"] == as_it_is["payment.received"]["calls"] + burden
    assert more["payment.received"]["c_calls"] == as_it_is["payment.received"]["c_calls"]
    grown = work.growth(as_it_is, more)
    assert any(line.startswith("payment.received: ") and " calls an event, +2" in line for line in grown)


@pytest.mark.parametrize("figure", work.FIGURES)
def test_a_figure_that_grows_by_more_than_a_tenth_is_told_with_its_kind(figure: str) -> None:
    baseline: Work = {"payment.received": {"events": 7, **dict.fromkeys(work.FIGURES, 100.0)}}
    more, too_many = deepcopy(baseline), deepcopy(baseline)
    more["payment.received"][figure] = 110.0
    too_many["payment.received"][figure] = 111.0
    assert work.growth(baseline, more) == []
    assert work.growth(baseline, too_many) == [
        f"payment.received: 111.00 {figure} an event, +11% (baseline 100.00)"
    ]


def test_another_feed_is_not_compared() -> None:
    baseline: Work = {"payment.received": {"events": 7, **dict.fromkeys(work.FIGURES, 1.0)}}
    other: Work = {"payment.received": {**baseline["payment.received"], "events": 8}}
    assert "another one" in work.growth(baseline, other)[0]
