"""Parity: replaying the journal gives the live rows, byte for byte, and whatever does not is shown."""

from __future__ import annotations

import json
import random
import threading
import time
from datetime import timedelta
from typing import Any

import orjson
import pytest

from agents.fold import TaskState
from agents.replay import Replay
from loyalty.cli import run
from schemas.account_codec import decode, encode
from schemas.contract import DATA_OF_TYPE, identifies
from schemas.contract_examples import record_of
from schemas.record import Record
from schemas.topics import JOURNAL, TOPIC_OF_TYPE
from streams.table import changelog_topic
from tests.case_runner import new_engine
from tests.fed_histories import fed_history
from tests.fold_world import FoldWorld, MemoryRows
from tests.histories import History
from tests.stream_world import World, deployment, empty_broker, until, world

__all__ = ["deployment", "empty_broker", "world"]

ENGINE = new_engine()
SECRETS = ("Петрова-Водкина", "+7 918 000-11-22", "passport 4509")


def replayed(journal: list[bytes]) -> Replay:
    """The replay of these entries."""
    replay = Replay(ENGINE)
    for offset, entry in enumerate(journal):
        fields = orjson.loads(entry)
        replay.take(f"{fields['operator']}/{fields['account']}".encode(), entry, offset)
    return replay


def lived(seed: int) -> FoldWorld:
    """A history of all operators through the fold, with unruly links and tasks thrown away."""
    chosen = random.Random(seed)
    fold = FoldWorld(ENGINE, chosen.choice((1, 3)), chosen, due_moments_max=chosen.choice((1, 5, 5000)))
    records = History(seed, ENGINE.codes.code).records
    ticked = records[0][0]
    for moment, key, value in records:
        if moment - ticked > timedelta(days=chosen.choice((1, 40))):
            fold.clock(moment)
            ticked = moment
        fold.event(key, value)
    fold.clock(records[-1][0] + timedelta(days=400))
    fold.settle()
    return fold


@pytest.mark.parametrize("seed", range(12))
def test_replay_gives_the_rows_byte_for_byte(seed: int) -> None:
    fold = lived(seed)
    replay = replayed(fold.journal)
    assert replay.problems == []
    assert replay.entries == len(fold.journal) > 100
    assert {key: replay.row(key) for key in replay.rows} == fold.rows()


def test_an_entry_that_was_changed_dropped_or_invented_is_found() -> None:
    fold = lived(1)
    places = [at for at, entry in enumerate(fold.journal) if b"points.credited" in entry]
    at = places[len(places) // 2]
    entry = orjson.loads(fold.journal[at])
    credited = next(o for o in entry["outcomes"] if o["type"] == "points.credited")
    credited["data"]["points"] += 1
    changed = replayed([*fold.journal[:at], orjson.dumps(entry), *fold.journal[at + 1 :]])
    assert [problem.offset for problem in changed.problems] == [at]
    assert "points.credited" in changed.problems[0].what

    dropped = replayed(fold.journal[:at] + fold.journal[at + 1 :])
    assert dropped.problems or {key: dropped.row(key) for key in dropped.rows} != fold.rows()

    for invented in (
        b"",
        b"[]",
        b'{"kind":"due","operator":"mts","account":"A","due":"2025"}',
        b'{"kind":"x"}',
    ):
        replay = Replay(ENGINE)
        replay.take(b"mts/A", invented, 7)
        assert [(p.key, p.offset) for p in replay.problems] == [("mts/A", 7)]


def test_the_journal_does_not_tell_who_a_member_is() -> None:
    """Marked and unknown fields are left out wherever they stand; replay is exact without them."""
    marked = {
        (type_, name)
        for type_, model in DATA_OF_TYPE.items()
        for name, field in model.model_fields.items()
        if identifies(field)
    }
    assert marked == {("owner.changed", "new_owner"), ("line.linked", "line")}
    records = []
    for number, type_ in enumerate(t for t in DATA_OF_TYPE if t != "clock.advanced"):
        record: dict[str, Any] = record_of(type_)
        record["id"], record["passport"] = f"e{number}", SECRETS[2]
        record["data"] |= {"line": SECRETS[1], "new_owner": SECRETS[0], "note": {"passport": SECRETS[2]}}
        if "tariff" in record["data"]:
            record["data"]["tariff"] = {**record["data"]["tariff"], "owner": SECRETS[0]}
        value = json.dumps(record, ensure_ascii=bool(number % 2)).encode()
        records.append(Record(TOPIC_OF_TYPE[type_], 0, number, 0, b"orgtechservice/A-1", value))
    store = MemoryRows()
    task = TaskState(store, ENGINE)
    result = task.fold(records)
    journal = [made.value for made in result.produce if made.topic == JOURNAL.name]
    events = [entry for entry in map(orjson.loads, filter(None, journal)) if entry["kind"] == "event"]
    assert len(events) == len(records)
    text = json.dumps([orjson.loads(entry or b"") for entry in journal], ensure_ascii=False)
    assert not [secret for secret in SECRETS if secret in text]
    assert '"city": "Лабинск"' in text, "what a rule needs is kept"
    replay = replayed([entry for entry in journal if entry is not None])
    assert replay.problems == []
    assert {key: replay.row(key) for key in replay.rows} == result.rows


@pytest.mark.usefixtures("deployment")
def test_the_audit_agrees_with_workers_that_go_on_and_finds_a_row_that_was_changed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = world.worker("loyalty.cli", "worker", "--development-key", LOYALTY_BATCH_RECORDS_MAX="50")
    worker.wait_for("ready: ")
    feeding = threading.Event()
    feeder = threading.Thread(target=_feed_steadily, args=(world, feeding))
    feeder.start()
    try:
        until(lambda: len(world.read(JOURNAL.name)) > 200, 60, "a journal")
        for _ in range(2):
            assert run(["audit"]) == 0, capsys.readouterr().out
            assert "equal, every outcome too" in capsys.readouterr().out
    finally:
        feeding.set()
        feeder.join()
    until(lambda: world.lag() == 0, 60, "an end")
    latest = {r.key: r for r in world.read(changelog_topic(world.application_id))}
    record = next(r for key, r in sorted(latest.items()) if key.startswith(b"orgtechservice/"))
    row = decode("orgtechservice", "", record.value)
    row.level += 1
    world.write(record.topic, record.partition, record.key, encode(row))
    assert run(["audit", "mts"]) == 0
    capsys.readouterr()
    assert run(["audit", "orgtechservice", "--json"]) == 1
    facts = orjson.loads(capsys.readouterr().out)
    assert [(one["account"], list(one["fields"])) for one in facts["differences"]] == [
        (record.key.decode(), ["level"])
    ]
    assert run(["audit"]) == 1
    assert "  level: the journal gives" in capsys.readouterr().out
    assert worker.stop() == 0


def test_bad_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "nobody"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def _feed_steadily(world: World, stop: threading.Event) -> None:
    seed = 0
    while not stop.is_set():
        seed += 1
        fed = fed_history(seed)
        for at in range(0, len(fed), 40):
            world.feed(fed[at : at + 40])
            time.sleep(0.05)
