"""What a read_committed consumer finds in the topics: the verifier's only source besides what was sent."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import DEAD_LETTERS, DISCOUNTS, JOURNAL, LINKS, MEMBERS, POINTS

OUTCOME_TOPICS: Final = (POINTS.name, DISCOUNTS.name, MEMBERS.name)
READ: Final = (*OUTCOME_TOPICS, JOURNAL.name, DEAD_LETTERS.name, LINKS.name)


class Found(NamedTuple):
    """One committed record: its key, its value as JSON, and where it stands."""

    key: str
    value: dict[str, Any]
    partition: int
    offset: int


Topics = Mapping[str, Sequence[Found]]
"""Topic → records, each partition in its order."""


async def read_topics(kafka: Mapping[str, Any], partitions: int, topics: Sequence[str] = READ) -> Topics:
    """Everything committed so far."""
    found: dict[str, list[Found]] = {topic: [] for topic in topics}
    tps = [TopicPartition(topic, partition) for topic in topics for partition in range(partitions)]
    by_place: dict[TopicPartition, list[Found]] = defaultdict(list)
    async with AIOKafkaConsumer(**kafka, isolation_level="read_committed") as consumer:
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        ends = await consumer.end_offsets(tps)
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                by_place[tp] += [
                    Found((r.key or b"").decode(), json.loads(r.value), tp.partition, r.offset)
                    for r in records
                ]
    for tp in tps:
        found[tp.topic] += by_place[tp]
    return found
