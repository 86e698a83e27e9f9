"""Simulated histories for as long as one likes: `make simulate-faults`, or `python -m tests.simulate_faults`.

With `--seed` alone that one history is run and told step by step; with `--minutes` too, the histories from that
seed on. A failure prints its seed and the command that runs it again; the status is 1 then.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import secrets
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from tests.rocks_disk import RocksDisk
from tests.simulated_world import History, run_history

SEEDS_AT_ONCE: Final = 20
ROCKS_EVERY: Final = 50
"""One in so many histories has RocksDB on a real disk."""
TELL_SECONDS: Final = 10.0
SEED_MAX: Final = 10**9


class Some(NamedTuple):
    """What became of some histories."""

    histories: int
    seconds: float
    """Of processor time."""
    failed: list[tuple[int, str]]
    counted: Counter[str]
    met: Counter[tuple[str, str]]


def one(seed: int) -> History:
    """The history of a seed, on the kind of disk that belongs to the seed."""
    if seed % ROCKS_EVERY:
        return run_history(seed)
    with TemporaryDirectory() as directory:
        return run_history(seed, new_disk=lambda name: RocksDisk(Path(directory) / name))


def some(first: int) -> Some:
    """The histories from a seed on."""
    logging.disable(logging.CRITICAL)  # stores that are discarded, batches that do not finish: on purpose
    warnings.filterwarnings("ignore", "coroutine .* was never awaited")  # of processes that were killed
    began = time.process_time()
    failed: list[tuple[int, str]] = []
    counted: Counter[str] = Counter()
    met: Counter[tuple[str, str]] = Counter()
    for seed in range(first, first + SEEDS_AT_ONCE):
        history = one(seed)
        counted.update(history.counted)
        met.update(history.met)
        if not history.clean:
            failed.append((seed, "\n".join(history.problems)))
    return Some(SEEDS_AT_ONCE, time.process_time() - began, failed, counted, met)


def again(seed: int) -> str:
    """The command that runs a history again."""
    return f"make simulate-faults SEED={seed}"


def tell(seed: int) -> int:
    """Run one history and tell all that happened."""
    history = one(seed)
    print("\n".join(history.trace))
    print(", ".join(f"{what} {count}" for what, count in history.counted.items()))
    print(f"SEED={seed}: " + ("nothing lost, doubled or wrong" if history.clean else "FAILED"))
    return 0 if history.clean else 1


def run_for(seconds: float, first: int, jobs: int) -> int:
    """Histories from a seed on, on several processors, until the time is up or one has failed."""
    print(f"SEED={first}, {jobs} processes, {seconds:.0f} s", flush=True)
    started = told = time.monotonic()
    histories, busy = 0, 0.0
    counted: Counter[str] = Counter()
    met: Counter[tuple[str, str]] = Counter()
    failed: list[tuple[int, str]] = []

    def firsts() -> Iterator[int]:
        seed = first
        while time.monotonic() - started < seconds and not failed:
            yield seed
            seed += SEEDS_AT_ONCE

    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        # `imap` would draw all the seeds at once: what is under way is bounded by hand.
        seeds, under_way = firsts(), []
        under_way = [pool.apply_async(some, (seed,)) for _, seed in zip(range(2 * jobs), seeds, strict=False)]
        while under_way:
            found = under_way.pop(0).get()
            histories += found.histories
            busy += found.seconds
            counted.update(found.counted)
            met.update(found.met)
            failed += found.failed
            if (seed := next(seeds, None)) is not None:
                under_way.append(pool.apply_async(some, (seed,)))
            now = time.monotonic()
            if now - told >= TELL_SECONDS or not under_way:
                told = now
                pace, alone = (histories * 60 / seconds for seconds in (now - started, busy))
                print(
                    f"{now - started:6.0f} s: {histories:,} histories, {pace:,.0f} a minute; {alone:,.0f} for each "
                    "minute of a processor",
                    flush=True,
                )
    print(", ".join(f"{what} {count:,}" for what, count in counted.most_common()))
    print(f"{sum(met.values()):,} requests met with a fate, in {len(met)} combinations of step and fate")
    for seed, problems in failed:
        print(f"FAILED SEED={seed}\n{problems}\nto see it again: {again(seed)}")
    print(f"{len(failed)} of {histories:,} histories failed")
    return 1 if failed else 0


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="the history to tell, or the first one with --minutes")
    parser.add_argument("--minutes", type=float, help="how long (1, unless a seed is given)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args()
    if options.seed is not None and options.minutes is None:
        return tell(options.seed)
    first = secrets.randbelow(SEED_MAX) if options.seed is None else options.seed
    return run_for(60 * (options.minutes or 1), first, options.jobs)


if __name__ == "__main__":
    sys.exit(main())
