"""Which topic it is that has a name, as a broker tells it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    LeaderNotAvailableError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from loyalty.cli import run
from streams import topic_id_request
from streams.table import changelog_topic
from streams.topic_id_request import ask_identity
from streams.topic_identity import UNKNOWN, TopicIdentity
from tests.stream_world import World, delete_topics, deployment, empty_broker, world

__all__ = ["deployment", "empty_broker", "world"]

SOME_ID: Final = UUID(int=7)
NO_ID: Final = UUID(int=0)


class Client:
    """A client whose broker gives these answers one after the other."""

    def __init__(self, *answers: Any) -> None:
        self._answers: Final = list(answers)

    def get_random_node(self) -> int:
        """There is one."""
        return 0

    async def send(self, node: int, request: Any) -> Any:
        """The next answer."""
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(error: Any, topic_id: UUID) -> Any:
    """What a broker says of one topic."""
    code = 0 if error is None else error.errno
    return SimpleNamespace(cluster_id="c", topics=[(code, "rows", topic_id, False, [], 0, {})])


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_id_request, "_WAIT_SECONDS", 0.001)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([answer(None, SOME_ID)], str(SOME_ID)),
        ([answer(UnknownTopicOrPartitionError, NO_ID)] * 3 + [answer(None, SOME_ID)], str(SOME_ID)),
        ([answer(LeaderNotAvailableError, SOME_ID)], str(SOME_ID)),
        ([NotImplementedError(), SimpleNamespace(cluster_id="c")], UNKNOWN),
        ([answer(None, NO_ID)], UNKNOWN),
    ],
)
def test_an_id_is_what_the_broker_says_once_it_knows_the_topic(answers: list[Any], expected: str) -> None:
    assert asyncio.run(ask_identity(Client(*answers), "rows")) == TopicIdentity("c", expected)


@pytest.mark.parametrize(
    ("error", "asked"), [(UnknownTopicOrPartitionError, 50), (TopicAuthorizationFailedError, 1)]
)
def test_a_topic_that_is_not_there_or_must_not_be_seen_is_an_error(error: Any, asked: int) -> None:
    with pytest.raises(error, match="rows"):
        asyncio.run(ask_identity(Client(*[answer(error, NO_ID)] * asked), "rows"))


@pytest.mark.usefixtures("deployment")
def test_a_topic_that_was_deleted_and_made_again_is_another_one(world: World) -> None:
    name = changelog_topic(world.application_id)

    async def ask(topic: str) -> TopicIdentity:
        consumer = AIOKafkaConsumer(**world.settings.kafka())
        await consumer.start()
        try:
            return await ask_identity(consumer._client, topic)
        finally:
            await consumer.stop()

    first = asyncio.run(ask(name))
    assert first == asyncio.run(ask(name)) and first.topic_id != UNKNOWN
    asyncio.run(delete_topics(world.settings, {name}))
    with pytest.raises(UnknownTopicOrPartitionError):
        asyncio.run(ask(name))
    assert run(["topics"]) == 0
    second = asyncio.run(ask(name))
    assert second.cluster_id == first.cluster_id and second.topic_id != first.topic_id
