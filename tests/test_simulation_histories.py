"""Simulated histories, the short form: random ones, one with a crash at each of its steps, some on RocksDB.

`LOYALTY_SIMULATIONS` (default 100) says how many random ones, `LOYALTY_SEED` (default 0) where they begin.
`LOYALTY_EVERY_STEP=1` strikes at every request of one history instead of every eighth. `make simulate-faults` is the
long form. A failure names its seed, and the seed is the failure again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.rocks_disk import RocksDisk
from tests.simulate_faults import again
from tests.simulated_process import Fate, Strike
from tests.simulated_world import History, run_history

HISTORIES: Final = int(os.environ.get("LOYALTY_SIMULATIONS", "100"))
FIRST_SEED: Final = int(os.environ.get("LOYALTY_SEED", "0"))
ON_ROCKS: Final = 4
STRUCK_SEED: Final = 36
"""A history on disks with several workers; `test_the_history_that_is_struck_is_worth_it` says what it must have."""
EVERY_TH: Final = int(os.environ.get("LOYALTY_EVERY_STEP", "8"))
ROOT: Final = Path(__file__).parent.parent

# Of a process that is killed before it has begun with something.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")


def assert_clean(history: History, how: str = "") -> None:
    """Nothing was lost, doubled or wrong; if not: what, the seed, and the command that shows it again."""
    problems = "\n".join(history.problems)
    assert history.clean, f"SEED={history.seed}{how}\n{problems}\nto see it again: {again(history.seed)}"


def test_random_histories_lose_nothing_and_double_nothing() -> None:
    counted: Counter[str] = Counter()
    met: Counter[tuple[str, str]] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + HISTORIES):
        history = run_history(seed)
        assert_clean(history)
        counted += history.counted
        met += history.met
    if HISTORIES < 100:
        return
    print(counted, met)
    for what in (
        "committed", "aborted", "aborted by the next owner", "lost by a restart", "open for too long", "fenced",
        "rebalances", "zombies", "kill one", "freeze one", "cut one off", "records compacted away", "lag behind",
        "lost disks", "foreign disks", "ended with 69", "ended with 75", "late loads", "on disk",
    ):  # fmt: skip
        assert counted[what] > 0, f"no history had: {what}"
    assert {fate for _, fate in met} == set(Fate)


@pytest.mark.parametrize("fate", list(Fate))
def test_one_fate_at_each_step_of_a_history(fate: Fate) -> None:
    """Nothing else happens in it, so whatever is wrong then is due to this one."""
    steps = quiet().steps
    first_of_kind = {steps.index(step) for step in set(steps)}
    every = set(range(list(Fate).index(fate) % EVERY_TH, len(steps), EVERY_TH))
    struck: set[str] = set()
    for request in sorted(first_of_kind | every):
        history = run_history(STRUCK_SEED, strike=Strike(request, fate))
        assert_clean(history, f", strike {request} {fate}")
        struck.update(step for step, _ in history.met)
    assert struck == set(steps) >= {"open", "fetch", "ends", "committed", "send", "offsets", "commit"}


def quiet() -> History:
    """The history that is struck, before it is."""
    return run_history(STRUCK_SEED, strike=Strike(-1, Fate.REFUSED))


def test_the_history_that_is_struck_is_worth_it() -> None:
    history = quiet()
    assert_clean(history)
    assert history.counted["workers"] >= 2 and history.counted["on disk"]
    assert history.counted["committed"] > 10


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + ON_ROCKS))
def test_histories_on_a_real_disk(seed: int, tmp_path: Path) -> None:
    assert_clean(run_history(seed, new_disk=lambda name: RocksDisk(tmp_path / name)))


def test_a_seed_is_the_same_history_again_in_any_process() -> None:
    """Hashes of texts differ from process to process, and with them the order of sets."""
    code = (
        "import hashlib, logging; from tests.simulated_world import run_history; logging.disable()\n"
        "print(*[hashlib.sha256('\\n'.join(run_history(s).trace).encode()).hexdigest() for s in range(8)])"
    )
    told = [hashlib.sha256("\n".join(run_history(seed).trace).encode()).hexdigest() for seed in range(8)]
    for salt in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": salt}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == told
