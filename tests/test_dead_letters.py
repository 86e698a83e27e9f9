"""Dead letters on a real broker: found, understood, corrected, applied; and nothing counts twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from loyalty.cli import run
from loyalty.corrections import corrected, sendable
from loyalty.dead_letter_box import Coordinates, Letter, Wanted
from loyalty.errors import LoyaltyError
from schemas.contract_examples import record_of
from schemas.dead_letter import IDENTITY_CONFLICT, MALFORMED_FIELD, TOO_OLD
from schemas.topics import DEAD_LETTERS, JOURNAL, PAYMENTS, REQUESTS
from tests.stream_world import World, deployment, empty_broker, until, world

__all__ = ["deployment", "empty_broker", "world"]

OPERATORS = {"orgtechservice", "mts"}
ADJUSTED = {"points": 5, "reason": "test", "by": "staff"}


def payment(id: str, **data: Any) -> dict[str, Any]:
    """A payment of A-1."""
    record = record_of("payment.received", {"amount": "650.00", "service": "internet", **data})
    return {**record, "id": id}


class Case:
    """A deployment with a worker, and the command line pointed at it."""

    def __init__(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        self.world = world
        self._capsys = capsys

    def feed(self, topic: str, *values: bytes, key: bytes | None = b"orgtechservice/A-1") -> None:
        """Write records to partition 1."""

        async def write() -> None:
            async with AIOKafkaProducer(**self.world.settings.kafka()) as producer:
                for value in values:
                    await producer.send_and_wait(
                        topic, value, key=key, partition=1, timestamp_ms=1_756_710_000_000
                    )

        asyncio.run(write())

    def loyalty(self, *arguments: str, status: int = 0) -> str:
        """What `loyalty dead-letters` prints on standard output, or on standard error if it fails."""
        self._capsys.readouterr()
        found = run(["dead-letters", *arguments])
        out, err = self._capsys.readouterr()
        assert found == status, (out, err)
        assert "Traceback" not in err
        return err if status in (1, 2) else out

    def letters(self, count: int) -> None:
        """Wait until there are so many."""
        until(lambda: len(self.world.read(DEAD_LETTERS.name)) >= count, 60, f"{count} letters")

    def applied(self) -> list[str]:
        """Ids of the events in the journal."""
        entries = [orjson.loads(record.value) for record in self.world.read(JOURNAL.name)]
        return [entry["event"]["id"] for entry in entries if entry["kind"] == "event"]


@pytest.fixture
def case(deployment: World, capsys: pytest.CaptureFixture[str]) -> Case:
    deployment.worker("loyalty.cli", "worker", "--development-key").wait_for("ready: ")
    return Case(deployment, capsys)


def test_from_a_letter_to_an_applied_event(case: Case, tmp_path: Path) -> None:
    case.feed(PAYMENTS.name, orjson.dumps(payment("p-1", amount=650)), b"\x1b[2Jnot json \xff")
    case.feed(PAYMENTS.name, orjson.dumps(payment("p-2")), key=b"mts/A-1")
    case.letters(3)

    # Found.
    lines = case.loyalty().splitlines()
    assert [line.split()[0] for line in lines] == [f"{PAYMENTS.name}/1/{n}" for n in range(3)]
    assert len(case.loyalty("list", "--reason", "malformed-field").splitlines()) == 1
    assert len(case.loyalty("list", "--operator", "mts").splitlines()) == 0, "the value says whose it is"
    assert len(case.loyalty("list", "--operator", "orgtechservice").splitlines()) == 3
    assert len(case.loyalty("list", "--limit", "1").splitlines()) == 1
    assert case.loyalty("list", "--topic", REQUESTS.name) == ""
    assert case.loyalty("list", "--since", "2025-09-02T00:00:00Z") == ""
    assert orjson.loads(case.loyalty("list", "--json", "--limit", "1"))["reason"] == "wrong-key"

    # Understood.
    page = case.loyalty("show", f"{PAYMENTS.name}/1/0")
    assert "wrong   data.amount: the JSON number 650" in page
    assert 'right   money is a decimal string such as "650.00"' in page
    assert "\x1b" not in case.loyalty("show", f"{PAYMENTS.name}/1/1"), "a stranger's bytes rule no terminal"
    assert "can be read as it is" in case.loyalty("show", f"{PAYMENTS.name}/1/2")
    assert "no dead letter" in case.loyalty("show", f"{PAYMENTS.name}/1/99", status=1)
    assert case.loyalty("show", "somewhere", status=2).count("\n") == 1

    # Corrected and applied, however often it is sent.
    assert "would be refused again" in case.loyalty("resend", f"{PAYMENTS.name}/1/0", status=2)
    for _ in range(2):
        sent = case.loyalty("resend", f"{PAYMENTS.name}/1/0", "--set", "data.amount=650.00")
        assert '"amount":"650.00"' in sent
    case.loyalty("resend", f"{PAYMENTS.name}/1/2")
    file = tmp_path / "right.json"
    file.write_bytes(orjson.dumps(payment("p-3")))
    case.loyalty("resend", f"{PAYMENTS.name}/1/1", "--edit", str(file))
    until(lambda: set(case.applied()) >= {"p-1", "p-2", "p-3"}, 60, lambda: str(case.applied()))
    # All of one account, so of one partition: what was sent before p-3 has been judged before it.
    assert sorted(case.applied()) == ["p-1", "p-2", "p-3"]

    # Corrected in two ways: the second is another fact under the same name.
    case.loyalty("resend", f"{PAYMENTS.name}/1/0", "--set", "data.amount=651.00")
    case.letters(4)
    (conflict,) = case.loyalty("list", "--reason", "identity-conflict").splitlines()
    at = conflict.split()[0]
    assert "give it a new id" in case.loyalty("resend", at, status=2)
    case.loyalty("resend", at, "--set", "id=p-4")
    until(lambda: "p-4" in case.applied(), 60, lambda: str(case.applied()))
    assert len(case.world.read(DEAD_LETTERS.name)) == 4


def test_many_at_once_by_way_of_a_file(case: Case, tmp_path: Path) -> None:
    bad = [orjson.dumps(payment(f"p-{n}", months=0)) for n in range(3)]
    case.feed(PAYMENTS.name, *bad, b"[]")
    case.letters(4)
    lines = [orjson.loads(line) for line in case.loyalty("export").splitlines()]
    assert [line["reason"] for line in lines] == ["malformed-field"] * 3 + ["not-a-cloudevent"]
    for line in lines[:2]:
        line["record"]["data"]["months"] = 1
    file = tmp_path / "letters.ndjson"
    file.write_bytes(
        b"\n".join([*map(orjson.dumps, lines), b"{}", orjson.dumps({**lines[0], "at": "x/1/7"})])
    )
    case.loyalty("send", str(file), status=3)
    until(lambda: sorted(case.applied()) == ["p-0", "p-1"], 60, lambda: str(case.applied()))
    assert len(case.world.read(DEAD_LETTERS.name)) == 4, "what would be refused again was kept back"


def letter(reason: str, record: dict[str, Any]) -> Letter:
    """A letter about a record."""
    return Letter(reason, "x: y; z", Coordinates("t", 0, 1), 0, None, orjson.dumps(record))


def test_identity_rules_hold_before_anything_is_sent() -> None:
    record = payment("p-1")
    for reason, change, refused in (
        (MALFORMED_FIELD, {}, False),
        (IDENTITY_CONFLICT, {}, True),
        (IDENTITY_CONFLICT, {"id": "p-9"}, False),
        (IDENTITY_CONFLICT, {"source": "/other"}, False),
        (TOO_OLD, {}, True),
        (TOO_OLD, {"time": "2025-10-01T00:00:00Z"}, False),
    ):
        value = orjson.dumps({**record, **change})
        if refused:
            with pytest.raises(LoyaltyError, match="refused again"):
                sendable(value, OPERATORS, reason, record)
        else:
            assert sendable(value, OPERATORS, reason, record).topic == PAYMENTS.name
    tick = orjson.dumps(record_of("clock.advanced"))
    with pytest.raises(LoyaltyError, match="clock"):
        sendable(tick, OPERATORS, MALFORMED_FIELD, None)


def test_a_value_becomes_what_the_contract_says() -> None:
    record = payment("1", months=0)
    changed = orjson.loads(
        corrected(record, ["data.amount=650.00", "data.months=3", "id=7", "data.new=[1]"], [])
    )
    assert changed["data"] == {"amount": "650.00", "service": "internet", "months": 3, "new": [1]}
    assert changed["id"] == "7"
    tariff = record_of("tariff.changed")
    changed = orjson.loads(
        corrected(tariff, ["data.tariff.monthly_price=1", "data.tariff.prepaid=false"], [])
    )
    assert (changed["data"]["tariff"]["monthly_price"], changed["data"]["tariff"]["prepaid"]) == ("1", False)
    assert b"months" not in corrected(record, [], ["data.months"])
    for sets, removes in ((["nothing"], []), (["id.x=1"], []), ([], ["data.nope"])):
        with pytest.raises(LoyaltyError):
            corrected(record, sets, removes)
    with pytest.raises(LoyaltyError, match="--edit"):
        corrected([], ["id=1"], [])


def test_filters() -> None:
    one = letter(MALFORMED_FIELD, payment("1"))
    assert Wanted(operator="orgtechservice").takes(one)
    assert not Wanted(operator="mts").takes(one)
    assert Wanted(operator="mts").takes(one._replace(value=b"\xff", key="mts/A"))
    assert not Wanted(since=1).takes(one)
    assert not Wanted(topic="u").takes(one)


def test_coordinates() -> None:
    assert Coordinates.parse("a/b/1/22") == Coordinates("a/b", 1, 22)
    for text in ("", "a", "a/1", "/1/2", "a/x/1", "a/1/-1"):
        with pytest.raises(ValueError, match=r"^"):
            Coordinates.parse(text)
