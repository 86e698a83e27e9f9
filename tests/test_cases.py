"""The project's given/then cases, each a test of its own: what a product manager would ask, and the answer."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pytest

from tests.case_runner import CASES, new_engine, problems_of, read_cases

ALL_CASES: Final = read_cases()
ENGINE: Final = new_engine()


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: f"{case['file']}: {case['case']}")
def test_it_is_as_the_case_says(case: dict[str, Any]) -> None:
    assert not problems_of(case, ENGINE)


def test_every_file_has_cases_and_no_two_say_the_same() -> None:
    files = {path.stem for path in CASES.glob("*.yaml")}
    assert {case["file"] for case in ALL_CASES} == files
    assert {"contract", "orgtechservice"} <= files
    twice = [sentence for sentence, count in Counter(case["case"] for case in ALL_CASES).items() if count > 1]
    assert not twice


def test_a_case_that_asks_for_what_does_not_happen_fails() -> None:
    """The runner itself: each kind of expectation can fail."""
    case = next(case for case in ALL_CASES if case["file"] == "contract" and "balance" in case)
    for wrong in (
        {"expect": [{"type": "points.credited", "subject": "R", "points": 12345}]},
        {"expect": [], "only": ["points.credited"]},
        {"none": ["points.credited"]},
        {"balance": {"R": 12345}},
        {"dead_letters": 77},
    ):
        assert problems_of({**case, **wrong}, ENGINE), wrong
