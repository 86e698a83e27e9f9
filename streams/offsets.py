"""The group's committed offsets, asked so that "I do not know yet" is never taken for "there are none".

A coordinator that has just started, or has just been given the group, answers with an error in place of offsets. The
client reads that as no offset at all for any partition, and a worker that believes it begins again with the first
record ever written. So the question is put here, until it is answered.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NoError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest
from faust.types import TP

from streams.log import Committed

AGAIN_SECONDS: Final = 0.1
NONE: Final = -1


async def committed_offsets(coordinator: Any, tps: Iterable[TP]) -> Committed:
    """What the client's group coordinator says is committed.

    Asks again for as long as the brokers cannot say. Raises KafkaError when they refuse.
    """
    topics: defaultdict[str, list[int]] = defaultdict(list)
    for tp in tps:
        topics[tp.topic].append(tp.partition)
    while True:
        await coordinator.ensure_coordinator_known()
        try:
            answer = await coordinator._send_req(
                OffsetFetchRequest(coordinator.group_id, list(topics.items()))
            )
            return _read(answer, topics)
        except KafkaError as error:
            if isinstance(error, NotCoordinatorForGroupError | GroupCoordinatorNotAvailableError):
                coordinator.coordinator_dead()
            elif not (error.retriable or isinstance(error, GroupLoadInProgressError)):
                raise
        await asyncio.sleep(AGAIN_SECONDS)


def _read(answer: Any, topics: dict[str, list[int]]) -> Committed:
    _raise_for(getattr(answer, "error_code", 0))
    found = Committed({}, {})
    for topic, partitions in answer.topics:
        for partition, offset, note, code in partitions:
            _raise_for(code)
            tp = TP(topic, partition)
            found.offsets[tp] = None if offset == NONE else offset
            found.notes[tp] = note or ""
    silent = [
        TP(topic, p)
        for topic, partitions in topics.items()
        for p in partitions
        if TP(topic, p) not in found.offsets
    ]
    if silent:
        raise KafkaError(
            f"the group's coordinator said nothing of {silent[0].topic} partition {silent[0].partition}"
        )
    return found


def _raise_for(code: int) -> None:
    error = for_code(code)
    if error is not NoError:
        raise error()
