"""A witness of what was worked off: each transaction also tells which records it consumed.

The rows remember identities, so an event that is applied twice has no effect, and whoever looks at outcomes alone
would not notice. The witness's records are in the same transaction, so what read_committed shows of them is what
was really committed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from agents.fold import TaskState
from agents.records import FoldResult
from engine.decide import Engine
from schemas.record import Record
from streams.store import Store
from streams.task import FoldResult as Result

WITNESS: Final = "simulation.witness"


class Witnessed:
    """The real fold, with one more record for each step that consumes something."""

    def __init__(self, store: Store, engine: Engine, due_moments_max: int) -> None:
        self._state: Final = TaskState(store, engine, due_moments_max)

    def fold(self, records: Sequence[Record]) -> Result:
        """What the real one answers, and which records that were."""
        result: FoldResult = self._state.fold(records)
        if result.consumed:
            seen = [[record.topic, record.offset] for record in records[: result.consumed]]
            result.produce.add(WITNESS, None, json.dumps(seen).encode(), 0)
        return result

    def committed(self) -> None:
        """As the real one."""
        self._state.committed()
