"""What must hold of any history: the same bytes again, split anywhere, however often the clock ticks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.fold import TaskState
from engine.decide import Engine
from schemas.account_codec import decode, encode
from schemas.record import Record
from tests.case_runner import new_engine
from tests.fold_world import FoldWorld, MemoryRows
from tests.histories import History

ENGINE: Final = new_engine()
SEEDS: Final = st.integers(0, 10**6)
END: Final = datetime(2027, 6, 2, tzinfo=UTC)
Produced = list[tuple[str, bytes | None, bytes | None]]


def world_of(seed: int, *, chaos: bool = False, partitions: int = 1) -> FoldWorld:
    """A history through the fold, worked off to the end."""
    world = FoldWorld(ENGINE, partitions, random.Random(seed) if chaos else None)
    for moment, key, value in History(seed, ENGINE.codes.code).records:
        world.clock(moment)
        world.event(key, value)
    world.settle()
    world.clock(END)
    world.settle()
    return world


def fold_in_batches(
    records: Sequence[Record], sizes: random.Random, *, rebuild: float, due_moments_max: int = 5_000
) -> tuple[Produced, dict[bytes, bytes]]:
    """The records through one task, in batches of any size; the task is lost and rebuilt now and then."""
    rows = MemoryRows()
    task = TaskState(rows, ENGINE, due_moments_max)
    produced: Produced = []
    left = list(records)
    while left:
        result = task.fold(left[: sizes.randrange(1, 40)])
        rows.put_many(result.rows, None)
        task.committed()
        produced += [(made.topic, made.key, made.value) for made in result.produce]
        left = left[result.consumed :]
        if sizes.random() < rebuild:
            task = TaskState(rows, ENGINE, due_moments_max)
    return produced, dict(rows)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.booleans())
def test_a_history_replayed_gives_the_same_bytes(seed: int, chaos: bool) -> None:
    first, second = (world_of(seed, chaos=chaos, partitions=2) for _ in range(2))
    assert first.produced == second.produced
    assert first.rows() == second.rows()


@settings(max_examples=25, deadline=None)
@given(SEEDS, SEEDS)
def test_batches_of_any_size_give_what_one_does_also_when_the_task_is_rebuilt_from_its_rows(
    seed: int, sizes: int
) -> None:
    world = world_of(seed)
    produced, rows = fold_in_batches(world.fed[0], random.Random(sizes), rebuild=0.3)
    assert produced == world.produced
    assert rows == world.rows()


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.data())
def test_one_run_is_two_runs_split_anywhere(seed: int, data: st.DataObject) -> None:
    world = world_of(seed)
    records = world.fed[0]
    cut = data.draw(st.integers(0, len(records)))
    rows = MemoryRows()
    produced: Produced = []
    for part in (records[:cut], records[cut:]):
        result = TaskState(rows, ENGINE).fold(part)
        assert result.consumed == len(part)
        rows.put_many(result.rows, None)
        produced += [(made.topic, made.key, made.value) for made in result.produce]
    assert produced == world.produced
    assert rows == world.rows()


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 3), SEEDS)
def test_due_moments_in_bounded_steps_give_what_they_give_at_once(
    seed: int, at_once: int, sizes: int
) -> None:
    world = world_of(seed)
    produced, rows = fold_in_batches(world.fed[0], random.Random(sizes), rebuild=0.1, due_moments_max=at_once)
    assert produced == world.produced
    assert rows == world.rows()


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(0, 2), SEEDS)
def test_the_clock_may_tick_as_often_as_it_likes(seed: int, often: int, moments: int) -> None:
    """Records in order of time: no ticks but the last, some, or many give the same outcomes and rows."""

    def through(ticks: int) -> FoldWorld:
        world, chance = FoldWorld(ENGINE), random.Random(moments)
        before: datetime | None = None
        for moment, key, value in History(seed, ENGINE.codes.code, late=False).records:
            for _ in range(ticks if before is not None else 0):
                assert before is not None
                world.clock(before + (moment - before) * chance.random())
            world.event(key, value)
            before = moment
        world.clock(END)
        world.settle()
        return world

    none, some = through(0), through(often)
    assert some.outcomes() == none.outcomes()
    assert some.rows() == none.rows()


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_rows_survive_being_written_and_read_and_their_balance_is_their_lots(seed: int) -> None:
    world = FoldWorld(ENGINE)
    records = History(seed, ENGINE.codes.code).records
    for moment, key, value in records[: len(records) * 3 // 4]:
        world.clock(moment)
        world.event(key, value)
    shown = {
        key: [o["data"]["balance"] for o in outcomes if "balance" in o["data"]]
        for key, outcomes in world.outcomes().items()
    }
    assert world.rows()
    for key, value in world.rows().items():
        operator, _, account = key.decode().partition("/")
        row = decode(operator, account, value)
        assert encode(row) == value
        assert row.balance == sum(lot.points for lot in row.lots) - row.debt
        assert all(lot.points > 0 for lot in row.lots)
        assert row.debt == 0 or (operator == "mts-cashback" and not row.lots)
        assert row.balance == (shown.get(key.decode()) or [0])[-1]


@pytest.mark.parametrize("partitions", [2, 5])
def test_the_number_of_partitions_changes_nothing(partitions: int) -> None:
    for seed in range(5):
        one, many = world_of(seed), world_of(seed, partitions=partitions)
        assert one.outcomes() == many.outcomes(), f"seed {seed}"
        assert one.rows() == many.rows(), f"seed {seed}"


def test_an_engine_made_anew_decides_the_same() -> None:
    other: Engine = new_engine()
    records = world_of(7).fed[0]
    rows = MemoryRows()
    result = TaskState(rows, other).fold(records)
    assert [(made.topic, made.key, made.value) for made in result.produce] == world_of(7).produced
