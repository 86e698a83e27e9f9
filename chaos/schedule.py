"""Which fault comes when: a function of the seed."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator


def schedule(seed: int, faults: Collection[str]) -> Iterator[tuple[str, float]]:
    """(fault, seconds of quiet before it), without end: every kind once in each round, in an order of its own."""
    chosen = random.Random(f"schedule {seed}")
    while True:
        kinds = list(faults)
        chosen.shuffle(kinds)
        for kind in kinds:
            yield kind, chosen.uniform(0.2, 1.5)
