"""Where a worker begins: at the group's offsets, and nowhere at all when nobody can say them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from aiokafka.protocol.admin import DeleteGroupsRequest
from faust.types import TP

from chaos.proxy import FETCH_OFFSETS
from streams.offsets import committed_offsets
from tests.stream_world import World, until
from tests.test_streams_exactly_once import outputs_of, some_records
from tests.test_streams_stuck import Network, network, world

__all__ = ["network", "world"]

LOADING_SECONDS: Final = 4.0
"""Longer than a worker takes to come to the question: the client puts one of its own before."""
NOT_AVAILABLE: Final = 15
LOADING: Final = 14
NOT_COORDINATOR: Final = 16
NOT_AUTHORIZED: Final = 30


class Answer:
    """An answer of version 2 and later."""

    def __init__(self, code: int, topics: Sequence[Any] = ()) -> None:
        self.error_code: Final = code
        self.topics: Final = topics


class Coordinator:
    """The client's coordinator, giving these answers one after the other."""

    group_id = "group"

    def __init__(self, *answers: Answer) -> None:
        self._answers: Final = list(answers)
        self.deaths = 0

    async def ensure_coordinator_known(self) -> None:
        """It is."""

    def coordinator_dead(self) -> None:
        """It is to be looked for again."""
        self.deaths += 1

    async def _send_req(self, request: Any) -> Answer:
        return self._answers.pop(0)


RIGHT: Final = Answer(0, [("a", [(0, 7, "so", 0), (1, -1, None, 0)])])
ASKED: Final = (TP("a", 0), TP("a", 1))


def test_an_error_in_place_of_offsets_is_asked_about_again_and_is_no_offset() -> None:
    coordinator = Coordinator(Answer(LOADING), Answer(NOT_COORDINATOR), Answer(NOT_AVAILABLE), RIGHT)
    found = asyncio.run(committed_offsets(coordinator, ASKED))
    assert found == ({TP("a", 0): 7, TP("a", 1): None}, {TP("a", 0): "so", TP("a", 1): ""})
    assert coordinator.deaths == 2


def test_an_error_of_one_partition_is_asked_about_again() -> None:
    coordinator = Coordinator(Answer(0, [("a", [(0, -1, "", LOADING), (1, -1, "", 0)])]), RIGHT)
    assert asyncio.run(committed_offsets(coordinator, ASKED)).offsets[TP("a", 0)] == 7


def test_a_refusal_and_silence_are_failures() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        asyncio.run(committed_offsets(Coordinator(Answer(NOT_AUTHORIZED)), ASKED))
    with pytest.raises(KafkaError, match="said nothing of a partition 1"):
        asyncio.run(committed_offsets(Coordinator(Answer(0, [("a", [(0, 7, "", 0)])])), ASKED))


def test_a_worker_that_meets_a_coordinator_still_loading_does_nothing_again(
    network: Network, world: World
) -> None:
    fed = some_records(600)
    world.feed(fed[:300])
    first = world.worker()
    world.wait_until_done(outputs_of(fed[:300]))
    assert first.stop() == 0
    forged: list[tuple[float, int]] = []

    def loading(kind: int, version: int) -> bytes | None:
        """As the broker answers in the seconds after its start: version 3 has the throttle time before the rest."""
        if kind != FETCH_OFFSETS or (forged and monotonic() - forged[0][0] > LOADING_SECONDS):
            return None
        forged.append((monotonic(), version))
        return (b"\0\0\0\0" if version >= 3 else b"") + struct.pack(">ih", 0, LOADING)

    network.proxy.forged = loading
    second = world.worker(KAFKA_BOOTSTRAP=network.address)
    world.feed(fed[300:])
    world.wait_until_done(outputs_of(fed))
    network.proxy.forged = lambda kind, version: None
    assert second.stop() == 0, second.log
    assert len(forged) >= 5 and {version for _, version in forged} <= {2, 3}
    world.audit(fed)


def test_a_worker_whose_group_was_forgotten_does_not_begin_again(world: World) -> None:
    """As Kafka does with offsets a week after the last worker left."""
    fed = some_records(300)
    world.feed(fed)
    first = world.worker()
    world.wait_until_done(outputs_of(fed))
    assert first.stop() == 0

    async def forget() -> list[Any]:
        admin = AIOKafkaAdminClient(**world.settings.kafka())
        await admin.start()
        try:
            node = await admin.find_coordinator(world.application_id)
            answer = await admin._client.send(node, DeleteGroupsRequest([world.application_id]))
            return list(answer.results)
        finally:
            await admin.close()

    until(lambda: [code for _, code in asyncio.run(forget())] in ([0], [69]), 20, "the group to be deleted")
    second = world.worker()
    assert second.exit_status() == 69, second.log
    assert "has no offsets of task" in second.log and "offsets.retention.minutes" in second.log
    assert "Traceback" not in second.log
    world.audit(fed)
