"""Which fault comes when: a function of the seed."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType


def schedule(
    seed: int, faults: Collection[str], often: Mapping[str, int] = MappingProxyType({})
) -> Iterator[tuple[str, float]]:
    """(fault, seconds of quiet before it), without end: every kind in each round, in an order of its own.

    Once, or as often as `often` says.
    """
    chosen = random.Random(f"schedule {seed}")
    while True:
        kinds = [kind for kind in faults for _ in range(often.get(kind, 1))]
        chosen.shuffle(kinds)
        for kind in kinds:
            yield kind, chosen.uniform(0.2, 1.5)
