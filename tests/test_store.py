"""What every store keeps, in memory and on disk; and that the fold cannot tell one from the other."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agents.fold import TaskState
from agents.rows import Rows
from engine.due_queue import HeapQueue, IndexedQueue, due_queue
from schemas.account import NEVER
from schemas.account_codec import next_due
from streams.rocks_options import RocksMemory
from streams.rocks_store import RocksStore
from streams.store import MemoryStore, Store, StoreError
from tests.case_runner import new_engine
from tests.test_properties_fold import world_of

MEMORY: Final = RocksMemory(8)
ENGINE: Final = new_engine()

KEYS: Final = st.sampled_from(
    [b"", b"a", b"a\0", b"b", b"mts/7000", b"mts/70001", "op/Ж".encode(), b"\xff" * 9]
)
TIMES: Final = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([-62_135_596_800_000_000, 253_402_300_799_999_999, 1_700_000_000_000_000]),
)
MOMENTS: Final = st.one_of(st.just(NEVER), TIMES)


def row_of(moment: int, text: str = "") -> bytes:
    """A row as far as a store looks into it."""
    return orjson.dumps({"x": text} if moment == NEVER else {"due": moment, "x": text})


ROWS: Final = st.builds(row_of, MOMENTS, st.text(max_size=3))


def rocks_at(directory: str | Path, **identity: str | int) -> RocksStore:
    """A store on disk."""
    return RocksStore(Path(directory) / "0", {"cluster": "c", **identity}, MEMORY.options, next_due)


class _StoreMachine(RuleBasedStateMachine):
    """Whatever is done to a store, it holds what a dict would."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[bytes, bytes] = {}
        self.offset: int | None = None
        self.store = self.opened()

    def opened(self) -> Store:
        raise NotImplementedError

    @rule(
        rows=st.dictionaries(KEYS, st.one_of(st.none(), ROWS)),
        offset=st.one_of(st.none(), st.integers(0, 99)),
    )
    def write(self, rows: dict[bytes, bytes | None], offset: int | None) -> None:
        self.store.put_many(rows, offset)
        for key, row in rows.items():
            if row is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = row
        self.offset = self.offset if offset is None else offset

    @rule(key=KEYS)
    def read(self, key: bytes) -> None:
        assert self.store.get(key) == self.kept.get(key)

    @rule()
    @precondition(lambda self: len(self.kept) > 3)
    def forget(self) -> None:
        self.store.discard("a test says so")
        self.kept, self.offset = {}, None

    @invariant()
    def it_holds_what_was_written(self) -> None:
        assert dict(self.store.items()) == self.kept
        assert self.store.offset == self.offset

    def teardown(self) -> None:
        self.store.close()


class _MemoryMachine(_StoreMachine):
    def opened(self) -> Store:
        return MemoryStore()


class RocksMachine(_StoreMachine):
    """A store on disk, whose process ends and begins in between."""

    def opened(self) -> RocksStore:
        self.directory = tempfile.TemporaryDirectory()
        return rocks_at(self.directory.name)

    @property
    def rocks(self) -> RocksStore:
        assert isinstance(self.store, RocksStore)
        return self.store

    def due(self) -> list[tuple[int, bytes]]:
        """What the index must hold."""
        return sorted((moment, key) for key, row in self.kept.items() if (moment := next_due(row)) != NEVER)

    @rule()
    def open_it_again(self) -> None:
        self.store.close()
        self.store = rocks_at(self.directory.name)

    def teardown(self) -> None:
        super().teardown()
        self.directory.cleanup()


class _IndexedMachine(RocksMachine):
    @rule(until=MOMENTS, count_max=st.integers(1, 4))
    def ask_what_is_due(self, until: int, count_max: int) -> None:
        expected = [due for due in self.due() if due[0] <= until]
        found: list[tuple[int, bytes]] = []
        while page := self.rocks.due(found[-1] if found else None, until, count_max):
            assert len(page) <= count_max
            found += page
        assert found == expected

    @invariant()
    def nothing_else_is_in_the_index(self) -> None:
        assert self.rocks.due(None, NEVER - 1, 1000) == self.due()


class _ForgetfulRocksMachine(_IndexedMachine):
    """The same with a store that remembers the due moments of few rows."""

    def __init__(self) -> None:
        self.bound = pytest.MonkeyPatch()
        self.bound.setattr("streams.rocks_store.MOMENTS_MAX", 2)
        super().__init__()

    def teardown(self) -> None:
        self.bound.undo()
        super().teardown()


_MemoryMachine.TestCase.settings = settings(max_examples=30, deadline=None)
_IndexedMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
_ForgetfulRocksMachine.TestCase.settings = _IndexedMachine.TestCase.settings
TestMemoryStore = _MemoryMachine.TestCase
TestRocksStore = _IndexedMachine.TestCase
TestRocksStoreBeyondItsMemory = _ForgetfulRocksMachine.TestCase


@pytest.mark.parametrize("reopened", [False, True])
def test_a_write_that_failed_leaves_no_due_moment_behind(reopened: bool, tmp_path: Path) -> None:
    """Neither in a store that knew all its rows, nor in one that has read some."""
    readable = True

    def moment_of(row: bytes) -> int:
        if not readable and row == row_of(9):
            raise ValueError("a row of a version that is not known")
        return next_due(row)

    def opened() -> RocksStore:
        return RocksStore(tmp_path / "0", {"cluster": "c"}, MEMORY.options, moment_of)

    store = opened()
    store.put_many({b"a": row_of(1), b"b": row_of(2)}, 1)
    if reopened:
        store.close()
        store = opened()
        assert store.get(b"a") == row_of(1) and store.get(b"c") is None
    readable = False
    with pytest.raises(StoreError):
        store.put_many({b"a": row_of(5), b"c": row_of(6), b"d": row_of(9)}, 2)
    assert store.offset == 1 and store.due(None, 99, 99) == [(1, b"a"), (2, b"b")]
    readable = True
    store.put_many({b"a": row_of(5), b"b": None, b"c": row_of(NEVER)}, 2)
    assert store.due(None, 99, 99) == [(5, b"a")]
    store.close()


def test_a_new_store_takes_rows_without_looking_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As recovery writes them: the same row several times, and the last one counts."""

    def refuse(self: RocksStore, key: bytes) -> Any:
        raise AssertionError(f"it looks for {key!r}")

    store = rocks_at(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(RocksStore, "_read_moment", refuse)
        for moment in (1, 2, NEVER, 4):
            store.put_many({b"a": row_of(moment), b"%d" % moment: row_of(moment)}, moment)
        store.put_many({b"1": None}, 5)
    assert store.due(None, 99, 99) == [(2, b"2"), (4, b"4"), (4, b"a")]
    store.close()


NO_ROWS: Final = Rows(MemoryStore())


def test_only_the_store_on_disk_has_an_index_and_the_queue_makes_use_of_it(tmp_path: Path) -> None:
    store = rocks_at(tmp_path)
    assert isinstance(due_queue(store, NO_ROWS), IndexedQueue)
    assert isinstance(due_queue(MemoryStore(), NO_ROWS), HeapQueue)
    store.close()


def test_a_task_is_opened_without_reading_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = rocks_at(tmp_path)
    store.put_many({b"mts/%d" % n: row_of(n) for n in range(100)}, 100)

    def refuse(self: RocksStore) -> Any:
        raise AssertionError("it goes through all rows")

    monkeypatch.setattr(RocksStore, "items", refuse)
    TaskState(store, ENGINE)
    assert due_queue(store, NO_ROWS).first(0) == b"mts/0"
    store.close()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_both_queues_give_the_same_rows_in_the_same_order_what_is_not_committed_included(
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patched:
        patched.setattr("engine.due_queue.PAGE_ENTRIES", data.draw(st.sampled_from([1, 2, 3, 1000])))
        store, latest = rocks_at(directory), MemoryStore()
        before = data.draw(st.dictionaries(KEYS, ROWS))
        store.put_many(before, None)
        latest.put_many(before, None)
        now = Rows(latest)
        changed: dict[bytes, bytes | None] = {}
        queues = (IndexedQueue(store), HeapQueue(latest, now))
        for _ in range(data.draw(st.integers(1, 25))):
            step = data.draw(st.sampled_from(["first", "first", "put", "act", "commit"]))
            until, moment = data.draw(TIMES), data.draw(MOMENTS)
            key: bytes | None = data.draw(KEYS)
            if step in ("first", "act"):
                key, other = (queue.first(until) for queue in queues)
                assert key == other
            if step in ("put", "act") and key is not None and moment != now.of(key):
                changed[key] = row_of(moment)
                latest.put_many({key: row_of(moment)}, None)
                for queue in queues:
                    queue.put(key, moment)
            elif step == "commit":
                store.put_many(changed, None)
                changed = {}
                for queue in queues:
                    queue.committed()
        store.close()


def test_more_rows_than_a_page_are_due_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.due_queue.PAGE_ENTRIES", 7)
    store = rocks_at(tmp_path)
    chosen = random.Random(1)
    moments = {b"k%03d" % n: chosen.randrange(30) for n in range(100)}
    store.put_many({key: row_of(moment) for key, moment in moments.items()}, None)
    queue = IndexedQueue(store)
    found: list[tuple[int, bytes]] = []
    while (key := queue.first(29)) is not None:
        found.append((moments[key], key))
        moments[key] += 7 if len(found) < 200 else 1000
        queue.put(key, moments[key])
        if chosen.random() < 0.1:
            store.put_many({key: row_of(moment) for key, moment in moments.items()}, None)
            queue.committed()
    assert found == sorted(found) and len(found) >= 200
    store.close()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([1, 3, 5_000]))
def test_the_fold_over_a_store_on_disk_gives_the_same_bytes(
    seed: int, sizes: int, due_moments_max: int
) -> None:
    world = world_of(seed)
    with tempfile.TemporaryDirectory() as directory:
        produced, rows = _folded(
            world.fed[0], random.Random(sizes), due_moments_max, lambda: rocks_at(directory)
        )
    assert produced == world.produced
    assert rows == world.rows()


def _folded(
    records: list[Any], sizes: random.Random, due_moments_max: int, opened: Callable[[], RocksStore]
) -> tuple[list[tuple[str, bytes | None, bytes | None]], dict[bytes, bytes]]:
    """The records through one task on disk, in batches of any size, opened again now and then."""
    store = opened()
    task = TaskState(store, ENGINE, due_moments_max)
    produced: list[tuple[str, bytes | None, bytes | None]] = []
    while records:
        result = task.fold(records[: sizes.randrange(1, 40)])
        store.put_many(result.rows, None)
        task.committed()
        produced += [(made.topic, made.key, made.value) for made in result.produce]
        records = records[result.consumed :]
        if sizes.random() < 0.1:
            store.close()
            store = opened()
            task = TaskState(store, ENGINE, due_moments_max)
    rows = dict(store.items())
    store.close()
    return produced, rows
