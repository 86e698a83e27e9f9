"""The same hostile records through a real worker: it goes on, tells of each, and tells no log what is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from loyalty.cli import run
from schemas.contract_examples import record_of
from schemas.topics import DEAD_LETTERS, JOURNAL, PAYMENTS, TOPIC_OF_TYPE
from tests.hostile import KEY, Hostile, event, records
from tests.stream_world import World, empty_broker, until, world

__all__ = ["empty_broker", "world"]

MARK = "do-not-log-7e57ab1e"


async def feed(world: World, fed: Sequence[Hostile]) -> None:
    """Write records to partition 1, where good ones are written too."""
    producer = AIOKafkaProducer(**world.settings.kafka(), max_request_size=1_048_588, max_batch_size=500_000)
    async with producer:
        for one in fed:
            await producer.send_and_wait(
                one.topic, one.value, key=one.key, partition=1, timestamp_ms=1_756_710_000_000
            )


def applied(world: World) -> list[str]:
    """Ids of the events in the journal."""
    entries = [orjson.loads(record.value) for record in world.read(JOURNAL.name)]
    return [entry["event"]["id"] for entry in entries if entry["kind"] == "event"]


@pytest.mark.parametrize("level", ["DEBUG"])
def test_a_worker_goes_on_and_its_log_tells_no_payload(
    world: World, level: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = world.worker("loyalty.cli", "worker", "--development-key", LOYALTY_LOG_LEVEL=level)
    worker.wait_for("ready: ")
    # The client writes no record that has neither key nor value.
    hostile = [one for one in records() if one.key is not None or one.value is not None]
    told = event(f"{MARK}-id", subject="A-1", data={"amount": "7.00", "service": MARK, "passport": MARK})
    fed = []
    for number, one in enumerate(hostile):
        fed += [one, Hostile("good", PAYMENTS.name, KEY, orjson.dumps(event(f"good-{number}")), None)]
    fed.append(Hostile("marked", PAYMENTS.name, KEY, orjson.dumps(told), None))
    fed.append(
        Hostile("marked", PAYMENTS.name, f"x/{MARK}".encode(), orjson.dumps(told | {"id": "2"}), "wrong-key")
    )
    fed.append(Hostile("marked", PAYMENTS.name, KEY, MARK.encode(), "not-json"))
    asyncio.run(feed(world, fed))
    wanted = [one for one in fed if one.reason is not None]
    until(lambda: world.lag() == 0, 90, lambda: f"lag {world.lag()}\n{worker.log[-3000:]}")
    until(lambda: len(world.read(DEAD_LETTERS.name)) >= len(wanted), 60, lambda: worker.log[-3000:])

    letters = [orjson.loads(record.value) for record in world.read(DEAD_LETTERS.name)]
    assert (
        len(letters)
        == len({(one["topic"], one["partition"], one["offset"]) for one in letters})
        == len(wanted)
    )
    found = sorted(one["reason"] for one in letters if one["topic"] != "loyalty.links")
    assert found == sorted(str(one.reason) for one in wanted if one.topic != "loyalty.links")
    ids = applied(world)
    assert [id for id in ids if id.startswith("good-")] == [f"good-{n}" for n in range(len(hostile))]

    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    assert run(["audit"]) == 0, capsys.readouterr()
    assert worker.stop() == 0, worker.log
    assert MARK not in worker.log
    assert "orgtechservice/A-1" not in worker.log


def test_an_account_with_very_many_events_does_not_outgrow_its_record(world: World) -> None:
    """45 days of identities of a busy account are more than the megabyte that Kafka takes by default."""
    worker = world.worker("loyalty.cli", "worker", "--development-key")
    worker.wait_for("ready: ")
    charge = record_of("charge.posted", {"amount": "1.00", "category": "calls-on-net"}) | {"operator": "mts"}
    count = 40_000

    async def write() -> None:
        async with AIOKafkaProducer(
            **world.settings.kafka(), linger_ms=5, max_batch_size=500_000
        ) as producer:
            topic = TOPIC_OF_TYPE["charge.posted"]
            for number in range(count):
                value = orjson.dumps(charge | {"id": f"c-{number}"})
                await producer.send(topic, value, key=b"mts/A-1", partition=1, timestamp_ms=1_756_710_000_000)
            await producer.flush()

    asyncio.run(write())
    until(lambda: world.lag() == 0 or worker.process.poll() is not None, 120, lambda: worker.log[-3000:])
    assert worker.process.poll() is None, worker.log[-3000:]
    again = world.worker("loyalty.cli", "worker", "--development-key")
    again.wait_for("ready: ")
    assert worker.stop() == 0
    assert again.stop() == 0
