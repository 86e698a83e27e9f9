"""Topics on a real broker: created right, and told apart from those that are not."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import InvalidTimestampError

from loyalty.cli import run
from schemas.topics import CLOCK, INBOUND, JOURNAL, LINKS, PAYMENTS, POINTS
from streams.settings import Settings, read_settings
from streams.table import changelog_topic
from streams.topics import check_topics, create_topics, wanted_topics, worker_problems
from tests.hostile import event
from tests.stream_world import World, _empty_topics, empty_broker, world

__all__ = ["empty_broker", "world"]


async def remake(settings: Settings, name: str, partitions: int, config: dict[str, str]) -> None:
    """Delete a topic and create it otherwise."""
    admin = AIOKafkaAdminClient(**settings.kafka())
    await admin.start()
    try:
        await admin.delete_topics([name])
        while name in await admin.list_topics():
            await asyncio.sleep(0.1)
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
        while name not in await admin.list_topics():
            await asyncio.sleep(0.1)
    finally:
        await admin.close()


def test_topics_just_created_are_as_they_must_be_and_creating_again_changes_nothing(world: World) -> None:
    assert asyncio.run(check_topics(world.settings)) == []
    assert asyncio.run(create_topics(world.settings)) == []


def test_a_topic_that_would_lose_old_events_is_told(world: World) -> None:
    asyncio.run(remake(world.settings, JOURNAL.name, 2, {"retention.ms": "604800000"}))
    told = {(d.topic, d.what): (d.found, d.right) for d in asyncio.run(check_topics(world.settings))}
    assert told[JOURNAL.name, "retention.ms"] == ("604800000", "-1")
    assert all(topic == JOURNAL.name for topic, _ in told)


def test_a_wrong_number_of_partitions_keeps_a_worker_from_starting(world: World) -> None:
    asyncio.run(remake(world.settings, PAYMENTS.name, 3, {"retention.ms": "-1"}))
    problems = asyncio.run(worker_problems(world.settings))
    assert [(d.topic, d.what, d.found, d.right) for d in problems] == [
        (PAYMENTS.name, "number of partitions", "3", "2")
    ]
    assert "LOYALTY_PARTITIONS" in str(problems[0])


def test_a_missing_topic_is_told_and_a_changelog_that_deletes(world: World) -> None:
    name = changelog_topic(world.application_id)
    asyncio.run(remake(world.settings, name, 2, {"cleanup.policy": "compact,delete"}))
    other = world.settings.model_copy(update={"application_id": f"{world.application_id}-other"})
    missing = changelog_topic(other.application_id)
    assert [(d.topic, d.found) for d in asyncio.run(worker_problems(other))] == [(missing, "missing")]
    assert [(d.topic, d.what) for d in asyncio.run(worker_problems(world.settings))] == [
        (name, "cleanup.policy")
    ]


def test_nothing_is_wanted_twice_and_only_the_changelog_is_compacted(world: World) -> None:
    wanted = wanted_topics(world.settings)
    assert len({topic.name for topic in wanted}) == len(wanted)
    compacted = [topic.name for topic in wanted if "compact" in topic.config["cleanup.policy"]]
    assert compacted == [changelog_topic(world.application_id)]
    assert POINTS.name in {topic.name for topic in wanted}


def test_an_event_too_far_ahead_is_refused_before_it_is_in_the_log_if_so_wished(world: World) -> None:
    limited = world.settings.model_copy(update={"ahead_ms_max": 86_400_000})
    asyncio.run(_empty_topics(limited))
    assert asyncio.run(check_topics(limited)) == []
    differing = {(d.topic, d.what) for d in asyncio.run(check_topics(world.settings))}
    assert differing == {(t.name, "message.timestamp.after.max.ms") for t in (*INBOUND, CLOCK)}
    now, day = int(time.time() * 1000), 86_400_000

    async def write() -> None:
        async with AIOKafkaProducer(**world.settings.kafka()) as producer:
            for topic in (*INBOUND, CLOCK):
                with pytest.raises(InvalidTimestampError):
                    await producer.send_and_wait(topic.name, b"{}", key=b"k", timestamp_ms=now + 30 * day)
                for right in (now - 900 * day, now, now + day // 2):
                    await producer.send_and_wait(topic.name, b"{}", key=b"k", timestamp_ms=right)
            # What workers write follows from what was let in, and a write that fails would stop a task.
            for topic in (LINKS, JOURNAL, POINTS):
                await producer.send_and_wait(topic.name, b"{}", key=b"k", timestamp_ms=now + 60_000 * day)

    asyncio.run(write())


def test_a_feed_that_is_refused_for_its_times_is_told_in_one_line(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    limited = {**world.environment, "LOYALTY_AHEAD_MS_MAX": "86400000"}
    asyncio.run(_empty_topics(read_settings(limited)))
    for name, value in limited.items():
        monkeypatch.setenv(name, value)
    feed = tmp_path / "far.ndjson"
    far = [event(f"far-{n}", subject=f"A-{n}", time="2199-12-31T00:00:00Z") for n in range(9)]
    feed.write_bytes(b"\n".join(map(orjson.dumps, far)))
    capfd.readouterr()
    for command in (["send", str(feed)], ["clock", "--at", "2199-01-01T00:00:00Z", "--force"]):
        assert run(command) == 69
        gc.collect()
        told = [line for line in capfd.readouterr().err.splitlines() if line != "no tick so far"]
        assert len(told) == 1 and "farther ahead" in told[0] and "LOYALTY_AHEAD_MS_MAX" in told[0]
