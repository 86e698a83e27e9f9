"""The tasks that a worker has: the store and the state of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from streams.reader import TaskReader
from streams.settings import Settings
from streams.store import Store, StoreFactory
from streams.task import FoldResult, TaskFactory, TaskState
from streams.topic_identity import TopicIdentity


class Tasks:
    """Stores and states by partition number; `changelog` is the topic that their rows are written to."""

    def __init__(self, changelog: str, new_task: TaskFactory, new_store: StoreFactory) -> None:
        self.changelog: Final = changelog
        self._make_task: Final = new_task
        self._make_store: Final = new_store
        self._stores: Final[dict[int, Store]] = {}
        self._states: Final[dict[int, TaskState]] = {}
        self._identity: TopicIdentity | None = None

    def keep_only(self, partitions: Iterable[int]) -> None:
        """Close what is no longer assigned, and forget every task state: each is made anew once recovered."""
        self._states.clear()
        for partition in self._stores.keys() - set(partitions):
            self._stores.pop(partition).close()

    def belong_to(self, identity: TopicIdentity) -> None:
        """Say which topic the changelog is, before a store is opened. Stores of another one are closed."""
        if identity != self._identity:
            self.keep_only(())
            self._identity = identity

    def store(self, partition: int) -> Store:
        """The store of a task, opened when first asked for."""
        if partition not in self._stores:
            assert self._identity is not None, "recovery says it first"
            self._stores[partition] = self._make_store(partition, self._identity)
        return self._stores[partition]

    def opened(self, partition: int) -> Store | None:
        """The store of a task if it is open."""
        return self._stores.get(partition)

    def open_task(self, partition: int) -> TaskState:
        """Make the state of a task on top of its store, which must have been recovered."""
        state = self._states[partition] = self._make_task(partition, self.store(partition))
        return state

    def task_state(self, partition: int) -> TaskState:
        """The state of an assigned task."""
        return self._states[partition]


class Worker(Protocol):
    """What transactions and recovery ask of the worker they are part of."""

    @property
    def settings(self) -> Settings: ...
    @property
    def task_topics(self) -> tuple[str, ...]: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def reader(self) -> TaskReader: ...
    @property
    def assignment(self) -> int:
        """Numbers the assignments; what belongs to an earlier one must not be begun any more."""
        ...

    @property
    def failure(self) -> object | None:
        """Why the worker has to leave, None while it need not."""
        ...

    @property
    def should_stop(self) -> bool: ...
    def worked_off(
        self, partition: int, result: FoldResult, fold_seconds: float, commit_seconds: float
    ) -> None:
        """Count a committed step."""
        ...
