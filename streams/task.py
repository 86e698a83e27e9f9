"""What the stream asks of the code that decides.

A task is partition number p of all task topics together. The stream hands it records in order and publishes
what it answers; it knows nothing of events, programmes or accounts. These are protocols, so that
`agents.fold` (and a toy in a test) can fit without an import in this direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from schemas.outbox import Outbox
from schemas.record import Record
from streams.store import Store


class FoldResult(Protocol):
    """What some records caused.

    `consumed` records (at least one) are completely worked off, the rest must be given again; a step that
    works off none is allowed when it still makes progress (a clock record that touches very many rows).
    `rows` is one encoded row per touched account.
    """

    @property
    def consumed(self) -> int: ...
    @property
    def produce(self) -> Outbox: ...
    @property
    def rows(self) -> Mapping[bytes, bytes]: ...


class TaskState(Protocol):
    """The state of one task between two transactions."""

    def fold(self, records: Sequence[Record]) -> FoldResult:
        """Compute in memory what the records cause. Raises only on a bug."""
        ...

    def committed(self) -> None:
        """The transaction of the last fold has committed, and the store has its rows."""
        ...


class TaskFactory(Protocol):
    """Makes the state of one task on top of its recovered store."""

    def __call__(self, partition: int, store: Store) -> TaskState: ...


class Batch:
    """One unit of work, of atomicity and of commit: merged records of task `partition`.

    `assignment` numbers the assignment in which the records were fetched. A batch of an earlier one is not
    worked off: its records are fetched again by whoever owns the task now. `passed` has, by topic, the next offset to
    read once all the records are worked off, where that may be further than after the topic's last record.
    """

    __slots__ = ("assignment", "partition", "passed", "records")

    def __init__(
        self, partition: int, records: Sequence[Record], assignment: int, passed: Mapping[str, int]
    ) -> None:
        self.partition = partition
        self.records = records
        self.assignment = assignment
        self.passed = passed
