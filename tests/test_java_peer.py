"""The Kafka Streams peer decides as this engine does: byte for byte, in the same order, with no stream in between.

The races compare multisets, and nothing in them may depend on when a step between two accounts arrives. Here
steps arrive at once, so that more can be asked: the programme's cases, and advocates who become firms.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pytest

from benchmarks.customers import OPERATOR, account_of, read_customers
from benchmarks.events import EVENTS_AN_ACCOUNT, make_feed, merged
from benchmarks.life import Happening, is_advocate
from benchmarks.lineup import NoPeer, build_peer, peer
from benchmarks.outcomes import new_engine
from engine.decide import Engine
from engine.simulation import Simulation
from loyalty.feed import Entry
from loyalty.ticks import tick_value
from schemas.dead_letter import Unreadable
from schemas.instant import parse_instant
from schemas.topics import CLOCK, TOPIC_OF_TYPE
from schemas.wire import read_event
from tests.case_runner import lines_of, read_cases

EVENTS = 20_000
ACCOUNTS = EVENTS // EVENTS_AN_ACCOUNT
CASES = [case for case in read_cases() if case["operator"] == OPERATOR and "raw" not in case]

World = list[Entry]


@pytest.fixture(scope="module")
def built() -> None:
    try:
        build_peer()
    except NoPeer as error:
        pytest.skip(str(error))


def decided(engine: Engine, world: World) -> Iterator[str]:
    """Outcomes, and reasons of dead letters, in their order."""
    simulation = Simulation(engine)
    for entry in world:
        try:
            event = read_event(
                entry.value, key=entry.key, topic=entry.topic, operators=engine.books.operators
            )
            turns = simulation.advance(event.time) if entry.key is None else simulation.apply(event)
            for turn in turns:
                yield from (outcome.encoded().decode() for outcome in turn.outcomes)
        except Unreadable as error:
            yield error.reason


def decided_by_the_peer(worlds: Iterable[World]) -> list[list[str]]:
    """The same by the peer."""
    given = b"\n".join(
        b"".join(b"%b\t%b\t%b\n" % (e.topic.encode(), e.key or b"", e.value) for e in world)
        for world in worlds
    )
    done = subprocess.run(peer("bench.Decide"), input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    decisions: list[list[str]] = [[]]
    for line in done.stdout.decode().splitlines():
        if line:
            decisions[-1].append(line)
        else:
            decisions.append([])
    return decisions


def world_of(case: dict[str, Any], engine: Engine) -> World:
    """A case as records."""
    entries = []
    for line in lines_of(case, engine):
        said = orjson.loads(line)
        time, key = parse_instant(said["time"]), f"{OPERATOR}/{said['subject']}".encode()
        entries.append(Entry(TOPIC_OF_TYPE[said["type"]], 0, time, key, line))
    if not case.get("as_arrived", False):
        entries.sort(key=lambda entry: entry.timestamp)
    if "until" in case:
        until = parse_instant(str(case["until"]))
        entries.append(Entry(CLOCK.name, 0, until, None, tick_value(until)))
    return entries


def firms(accounts: int) -> Iterator[Happening]:
    """Of every three advocates one becomes a firm while friends have registered its code, and not yet paid."""
    customers = read_customers()
    for number in filter(is_advocate, range(0, accounts, 3)):
        account, moment = account_of(customers, number), (75 + number % 50) * 86_400 + 5 * 3600
        data = {"segment": "business", "dwelling": "house"}
        yield Happening(
            moment, moment, account, "account.opened", f"firm-{number}", f"/{OPERATOR}/billing", data
        )


@pytest.mark.usefixtures("built")
def test_it_decides_every_case_of_the_programme_as_this_engine_does() -> None:
    assert len(CASES) > 30
    engine = new_engine()
    worlds = [world_of(case, engine) for case in CASES]
    for case, world, by_peer in zip(CASES, worlds, decided_by_the_peer(worlds), strict=True):
        assert by_peer == list(decided(engine, world)), case["case"]


@pytest.mark.usefixtures("built")
def test_it_decides_half_a_year_in_which_advocates_become_firms_as_this_engine_does() -> None:
    world = merged(make_feed(EVENTS, also=firms(ACCOUNTS)))
    (by_peer,) = decided_by_the_peer([world])
    assert by_peer == list(decided(new_engine(), world))


def test_that_half_year_has_what_the_rarer_rules_decide() -> None:
    """Late half-years that bring a discount, dates behind many blocks, friends of firms: or equality says little."""
    history = 36
    firm_since = {firm.account: firm.happened for firm in firms(ACCOUNTS)}
    world = merged(make_feed(EVENTS, also=firms(ACCOUNTS)))
    blocks = Counter(entry.key for entry in world if b'"service.blocked"' in entry.value)
    half_years, put_right, behind_blocks, of_firms = set(), set(), 0, 0
    start = parse_instant("2025-06-01T00:00:00+03:00")
    for line in decided(new_engine(), world):
        if not line.startswith("{"):  # the reason of a dead letter
            continue
        said = orjson.loads(line)
        match said["type"], said["data"].get("reason"):
            case "discount.granted", "payment":
                half_years.add(said["causationid"])
            case "level.changed", "late-arrival":
                put_right.add(said["causationid"])
            case "points.credited", "late-arrival":
                behind_blocks += blocks[f"{OPERATOR}/{said['subject']}".encode()] > history
            case "referral.completed", _ if said["subject"] in firm_since:
                moment = start + firm_since[said["subject"]] * 1_000_000
                of_firms += parse_instant(said["time"]) > moment
    assert half_years & put_right
    assert behind_blocks > 0
    assert of_firms > 0
