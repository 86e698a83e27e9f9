"""The verifier notices: from topics that are right, each kind of damage is found and called by its name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import pytest

from chaos.feeder import partition_of
from chaos.load import Load, Planned
from chaos.oracle import FaultFree, simulate
from chaos.topics_read import OUTCOME_TOPICS, READ, Found
from chaos.verdict import Verdict
from chaos.verifier import verify
from schemas.topics import DEAD_LETTERS, JOURNAL, LINKS, POINTS
from tests.case_runner import new_engine
from tests.fold_world import FoldWorld

Topics = dict[str, list[Found]]
PARTITIONS: Final = 8
DAYS: Final = 25


class Right:
    """A feed, its fault-free run, and the topics as a run without faults leaves them."""

    def __init__(self, directory: Path) -> None:
        engine = new_engine()
        world = FoldWorld(engine)
        load = Load(7, engine.codes.code, lambda key: partition_of(key, PARTITIONS))
        self.sent: Final[list[Planned]] = []
        chunks = [*load.prologue(), *islice(load.days(), DAYS), load.end()]
        for chunk in chunks:
            for record in chunk.records:
                world.event(record.key, record.value)
            self.sent.extend(chunk.records)
        last = max(chain.from_iterable(chunk.ticks for chunk in chunks))
        world.clock(datetime.fromtimestamp(last / 1000, UTC))
        world.settle()
        self.fault_free: Final[FaultFree] = simulate(self.sent, last, directory)
        self._topics: Final[Topics] = {topic: [] for topic in READ}
        for number, (topic, key, value) in enumerate(world.produced):
            content = json.loads(value or b"")
            if topic == DEAD_LETTERS.name:
                content["offset"] = number  # the records of that world have no places of their own
            self._topics[topic].append(Found((key or b"").decode(), content, 0, number))

    def topics(self) -> Topics:
        """The topics, to be damaged."""
        return copy.deepcopy(self._topics)

    def judge(self, topics: Topics) -> Verdict:
        """What the verifier says."""
        return verify(topics, self.sent, self.fault_free)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Right:
    """Made once; each test damages a copy."""
    return Right(tmp_path_factory.mktemp("verifier"))


def first(records: list[Found], wanted: Callable[[dict[str, Any]], bool]) -> int:
    """Where the first record like that stands."""
    return next(number for number, record in enumerate(records) if wanted(record.value))


def is_event(entry: dict[str, Any]) -> bool:
    """Whether a journal entry is that of an event with an outcome."""
    return entry["kind"] == "event" and bool(entry["outcomes"])


def lose_event(topics: Topics) -> None:
    """An event is never journalled."""
    del topics[JOURNAL.name][first(topics[JOURNAL.name], is_event)]


def double_event(topics: Topics) -> None:
    """An event is applied twice."""
    topics[JOURNAL.name].append(topics[JOURNAL.name][first(topics[JOURNAL.name], is_event)])


def lose_outcome(topics: Topics) -> None:
    """An outcome is decided but never published."""
    del topics[POINTS.name][20]


def double_outcome(topics: Topics) -> None:
    """An outcome is published twice."""
    topics[POINTS.name].append(topics[POINTS.name][20])


def swap_events(topics: Topics) -> None:
    """Two events of an account are applied in the other order."""
    journal = topics[JOURNAL.name]
    a = first(journal, is_event)
    b = a + 1 + first(journal[a + 1 :], lambda e: is_event(e) and e["account"] == journal[a].value["account"]
                      and e["operator"] == journal[a].value["operator"])  # fmt: skip
    journal[a], journal[b] = journal[b], journal[a]


def lose_link(topics: Topics) -> None:
    """A step between accounts is never applied."""
    journal = topics[JOURNAL.name]
    del journal[first(journal, lambda e: e["kind"] == "link")]


def double_link(topics: Topics) -> None:
    """A step between accounts is written twice."""
    topics[LINKS.name].append(topics[LINKS.name][0])


def lose_gift(topics: Topics) -> None:
    """A gift leaves and arrives nowhere, and nothing else tells of it."""
    journal, points = topics[JOURNAL.name], topics[POINTS.name]
    at = first(journal, lambda e: any(o["type"] == "points.received" for o in e["outcomes"]))
    id_ = journal[at].value["outcomes"][0]["id"]
    del journal[at]
    del points[first(points, lambda o: o["id"] == id_)]


def change_points(topics: Topics) -> None:
    """A credit is one point too high, wherever it is told."""
    id_ = topics[POINTS.name][first(topics[POINTS.name], lambda o: o["type"] == "points.credited")].value[
        "id"
    ]
    entries = [e.value["outcomes"] for e in topics[JOURNAL.name]]
    published = [[record.value] for topic in OUTCOME_TOPICS for record in topics[topic]]
    for outcome in chain.from_iterable((*entries, *published)):
        if outcome["id"] == id_:
            outcome["data"]["points"] += 1


def lose_one_side(topics: Topics) -> None:
    """A referral completes on one side only."""
    journal = topics[JOURNAL.name]
    at = first(journal, lambda e: any(o["type"] == "referral.completed" for o in e["outcomes"]))
    outcomes = journal[at].value["outcomes"]
    outcomes[:] = [o for o in outcomes if o["type"] != "referral.completed"]


def lose_letter(topics: Topics) -> None:
    """A refused record leaves no dead letter."""
    del topics[DEAD_LETTERS.name][0]


def double_letter(topics: Topics) -> None:
    """A refused record leaves two."""
    topics[DEAD_LETTERS.name].append(topics[DEAD_LETTERS.name][0])


def test_topics_that_are_right_are_found_right(right: Right) -> None:
    verdict = right.judge(right.topics())
    assert verdict.clean, str(verdict)
    assert min(verdict.checked.values()) > 0 and len(verdict.checked) >= 10, verdict.checked


@pytest.mark.parametrize(
    ("damage", "kind", "text"),
    [
        (lose_event, "lost", "events: "),
        (double_event, "doubled", "events: "),
        (lose_outcome, "lost", "outcomes: "),
        (double_outcome, "doubled", "outcome id "),
        (swap_events, "wrong", "order of "),
        (lose_link, "lost", "links applied: "),
        (double_link, "doubled", "links: "),
        (lose_gift, "lost", "gift of "),
        (change_points, "wrong", "books of "),
        (change_points, "wrong", "final balance of "),
        (lose_one_side, "lost", "referral.completed of "),
        (lose_letter, "lost", "refused records: "),
        (double_letter, "doubled", "dead letters: "),
    ],
)
def test_damage_is_found_and_called_by_its_name(
    right: Right, damage: Callable[[Topics], None], kind: str, text: str
) -> None:
    topics = right.topics()
    damage(topics)
    verdict = right.judge(topics)
    assert any(problem.startswith(text) for problem in getattr(verdict, kind)), str(verdict)
