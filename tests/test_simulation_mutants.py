"""The simulation finds bugs: each of those made on purpose within so many seeds."""

from __future__ import annotations

from typing import Final

import pytest

from tests.simulated_world import run_history
from tests.simulation_mutants import MUTANTS, Change, mutated

SEEDS_MAX: Final = 400

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_bug_is_found(mutant: str) -> None:
    with mutated(MUTANTS[mutant]):
        found = next((seed for seed in range(SEEDS_MAX) if not run_history(seed).clean), None)
    assert found is not None, f"{SEEDS_MAX} histories, and nobody noticed: {mutant}"
    assert run_history(found).clean, "it is not the bug that was found"


def test_a_mutant_of_something_that_is_no_more_is_refused() -> None:
    from streams.transactions import Transactions

    with pytest.raises(LookupError), mutated((Change(Transactions, "_step", "never said", ""),)):
        pass
