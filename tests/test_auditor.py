"""Random histories of all operators, judged by the independent auditor, and held against simulate.

`LOYALTY_HISTORIES` (default 240) says how many, `LOYALTY_SEED` (default 0) where they begin; every failure
names its seed.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from engine.decide import Engine
from engine.simulation import Simulation
from engine.turn import Turn
from schemas.dead_letter import Unreadable
from schemas.instant import parse_instant
from schemas.topics import DISCOUNTS, MEMBERS, POINTS
from schemas.wire import read_event
from tests.auditor import Auditor
from tests.case_runner import new_engine
from tests.fold_world import FoldWorld, Outcomes
from tests.histories import History

HISTORIES: Final = int(os.environ.get("LOYALTY_HISTORIES", "240"))
FIRST_SEED: Final = int(os.environ.get("LOYALTY_SEED", "0"))
BLOCKS: Final = 12
END: Final = datetime(2027, 6, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine with the project's programmes."""
    return new_engine()


def seeds_of(block: int) -> Iterator[int]:
    """The seeds of one of the blocks into which the histories are divided."""
    seeds = range(FIRST_SEED + block, FIRST_SEED + HISTORIES, BLOCKS)
    print(f"seeds {list(seeds)}")
    yield from seeds


def orderly(engine: Engine, seed: int, partitions: int = 3) -> FoldWorld:
    """The history through the fold, with a tick before each record and links that arrive at once."""
    world = FoldWorld(engine, partitions)
    for moment, key, value in History(seed, engine.codes.code).records:
        world.clock(moment)
        world.event(key, value)
    return finished(world)


def unruly(engine: Engine, seed: int, partitions: int = 3) -> FoldWorld:
    """The history through the fold: late, doubled, shuffled links, any batches, tasks lost and rebuilt."""
    chaos = random.Random(seed)
    world = FoldWorld(engine, partitions, chaos)
    for moment, key, value in History(seed, engine.codes.code).records:
        if chaos.random() < 0.3:
            world.clock(moment)
        world.event(key, value)
    return finished(world)


def finished(world: FoldWorld) -> FoldWorld:
    """Everything worked off, and the clock far beyond the last event."""
    world.settle()
    world.clock(END)
    world.settle()
    return world


def judge(world: FoldWorld) -> Auditor:
    """The auditor, after reading the world's journal."""
    auditor = Auditor()
    auditor.read(world.journal)
    auditor.finish()
    return auditor


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("through", [orderly, unruly])
def test_the_auditor_agrees(engine: Engine, through: Callable[[Engine, int], FoldWorld], block: int) -> None:
    for seed in seeds_of(block):
        problems = judge(through(engine, seed)).problems
        assert not problems, f"seed {seed}: {len(problems)} problems, the first: {problems[0]}"


def test_histories_bring_about_every_type_of_outcome_and_many_reasons(engine: Engine) -> None:
    types: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for seed in range(60):
        for outcomes in orderly(engine, seed).outcomes().values():
            types.update(outcome["type"] for outcome in outcomes)
            reasons.update(o["data"]["reason"] for o in outcomes if o["type"] == "request.rejected")
    assert set(types) == {*POINTS.types, *DISCOUNTS.types, *MEMBERS.types}
    assert len(reasons) >= 20, reasons


@pytest.mark.parametrize("block", range(BLOCKS))
def test_simulate_says_the_same_as_the_fold_over_partitions(engine: Engine, block: int) -> None:
    for seed in [*seeds_of(block)][:5]:
        assert orderly(engine, seed).outcomes() == simulated(engine, seed), f"seed {seed}"


def simulated(engine: Engine, seed: int) -> Outcomes:
    """What `loyalty simulate --as-arrived` says of a history."""
    simulation = Simulation(engine)
    found: Outcomes = {}
    latest = datetime.min.replace(tzinfo=UTC)
    for moment, _, value in History(seed, engine.codes.code).records:
        latest = max(latest, moment)
        collect(found, simulation.advance(micros(latest)))
        try:
            event = read_event(value, key=None, topic=None, operators=engine.books.operators)
            collect(found, simulation.apply(event))
        except Unreadable:
            continue
    collect(found, simulation.advance(micros(END)))
    return found


def micros(moment: datetime) -> int:
    return parse_instant(moment.astimezone(UTC).isoformat())


def collect(found: Outcomes, turns: Iterable[Turn]) -> None:
    for turn in turns:
        for outcome in turn.outcomes:
            key = f"{outcome.operator}/{outcome.subject}"
            found.setdefault(key, []).append(json.loads(outcome.encoded()))


Tamper = Callable[[dict[str, Any]], bool]
"""Changes a journal entry if it can; says whether it did."""


def _on(type_: str, change: Callable[[dict[str, Any]], None]) -> Tamper:
    def tamper(entry: dict[str, Any]) -> bool:
        for outcome in entry["outcomes"]:
            if outcome["type"] == type_:
                change(outcome)
                return True
        return False

    return tamper


def _drop(type_: str) -> Tamper:
    def tamper(entry: dict[str, Any]) -> bool:
        found = [outcome for outcome in entry["outcomes"] if outcome["type"] == type_]
        entry["outcomes"] = [outcome for outcome in entry["outcomes"] if outcome not in found]
        return bool(found)

    return tamper


def _more(outcome: dict[str, Any]) -> None:
    outcome["data"]["points"] += 1


def _balance(outcome: dict[str, Any]) -> None:
    outcome["data"]["balance"] -= 1


TAMPERINGS: Final[dict[str, Tamper]] = {
    "a credit of one point more": _on("points.credited", _more),
    "a wrong balance": _on("points.redeemed", _balance),
    "a credit left out": _drop("points.credited"),
    "an expiry left out": _drop("points.expired"),
    "a gift that never arrives": _drop("points.received"),
    "a warning of more than there is": _on("points.expiring", _more),
    "a level that jumps": _on("level.changed", lambda outcome: outcome["data"].update(to=9)),
    "a level from nowhere": _on("level.changed", lambda outcome: outcome["data"].update({"from": 7})),
    "a discount that never ends": _drop("discount.ended"),
    "a discount ended on other terms": _on(
        "discount.ended", lambda outcome: outcome["data"].update(percent=1)
    ),
    "another cause": _on("points.reversed", lambda outcome: outcome.update(causationid="somebody else's")),
    "another lot": _on("points.redeemed", lambda outcome: outcome["data"]["lots"][0].update(lot="no-lot")),
    "another account's outcome": _on("request.rejected", lambda outcome: outcome.update(subject="Z")),
    "a referral on one side only": _drop("referral.completed"),
    "a pending purchase forgotten": _drop("points.pending"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_the_auditor_notices(engine: Engine, what: str) -> None:
    """It is no judge that cannot say no: one change in a journal, and it does."""
    for seed in range(20):
        entries = [json.loads(entry) for entry in orderly(engine, seed).journal]
        if any(TAMPERINGS[what](entry) for entry in entries):
            auditor = Auditor()
            auditor.read(json.dumps(entry).encode() for entry in entries)
            assert auditor.finish(), f"seed {seed}"
            return
    pytest.fail("no history had anything to tamper with")
