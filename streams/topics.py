"""Create the topics, or say how those that exist differ from what this system needs.

Record timestamps are event times, and Kafka deletes by record timestamp: with the usual seven days a replay
of last year vanishes minutes after it was written. It also refuses timestamps an hour ahead of the broker's
clock. So both are set, for every topic, and checked. What producers write may be given a limit of its own: an event
of a broken clock is refused before it is in the log, where it would be a fact like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.topics import ALL, TASK, Role
from streams.settings import Settings
from streams.table import changelog_topic

UNLIMITED_MS: Final = 2**63 - 1
RECORD_BYTES_MAX: Final = 16 * 2**20
"""Largest record of the topics that workers write. The row of an account with 45 days of many events a day outgrows
Kafka's usual megabyte, and a row that cannot be written would stop its task for ever."""
_METADATA_ATTEMPTS: Final = 50
_METADATA_WAIT_SECONDS: Final = 0.1


class Wanted(NamedTuple):
    """How a topic must be set up: partitions, replicas, and the configuration entries that matter."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


class Difference(NamedTuple):
    """One thing that is not as it must be: of which topic, what it is and what would be right."""

    topic: str
    what: str
    found: str
    right: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.what} is {self.found}, should be {self.right}; {self.remedy}"


def wanted_topics(settings: Settings) -> list[Wanted]:
    """Every topic of this deployment, the changelog last."""
    common = {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": str(UNLIMITED_MS),
        "message.timestamp.after.max.ms": str(UNLIMITED_MS),
        "min.insync.replicas": "2" if settings.replication >= 3 else "1",
    }
    kept = {**common, "cleanup.policy": "delete", "retention.ms": str(settings.retention_ms)}
    kept["retention.bytes"] = "-1"
    ahead = settings.ahead_ms_max
    told = {**kept, "message.timestamp.after.max.ms": str(UNLIMITED_MS if ahead < 0 else ahead)}
    large = {"max.message.bytes": str(RECORD_BYTES_MAX)}
    topics = [
        Wanted(
            topic.name,
            settings.partitions,
            settings.replication,
            told if topic.role in (Role.INBOUND, Role.CLOCK) else {**kept, **large},
        )
        for topic in ALL
    ]
    changelog = {**common, "cleanup.policy": "compact", **large}
    name = changelog_topic(settings.application_id)
    return [*topics, Wanted(name, settings.partitions, settings.replication, changelog)]


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing and wait until it can be used; the names of what was created.

    Existing topics are left as they are: see `check_topics`. Raises KafkaError.
    """
    async with _Admin(settings) as admin:
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted_topics(settings) if topic.name not in existing]
        if not missing:
            return []
        response = await admin.create_topics(
            [
                NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=dict(topic.config))
                for topic in missing
            ]
        )
        created = []
        for name, code, message in (entry[:3] for entry in response.topic_errors):
            error = for_code(code)
            if code == 0:
                created.append(name)
            elif error is not TopicAlreadyExistsError:
                raise error(f"topic {name} could not be created: {message}")
        await _wait_until_led(admin, missing)
        return created


async def check_topics(settings: Settings) -> list[Difference]:
    """How the topics differ from what is needed; empty when all is well. Raises KafkaError."""
    wanted = wanted_topics(settings)
    async with _Admin(settings) as admin:
        existing = set(await admin.list_topics())
        there = [topic for topic in wanted if topic.name in existing]
        described = {entry["topic"]: entry for entry in await _describe(admin, there)}
        configs = await _configs(admin, there)
    differences = [
        Difference(topic.name, "the topic", "missing", "there", "create it with 'loyalty topics'")
        for topic in wanted
        if topic.name not in existing
    ]
    for topic in there:
        differences += _shape_differences(topic, described[topic.name])
        differences += _config_differences(topic, configs[topic.name])
    return differences


async def worker_problems(settings: Settings) -> list[Difference]:
    """What a worker cannot start with: a topic that is missing, or a wrong number of partitions."""
    vital = {topic.name for topic in TASK} | {changelog_topic(settings.application_id)}
    return [
        difference
        for difference in await check_topics(settings)
        if difference.what == "the topic"
        or difference.what == "number of partitions"
        or (difference.what == "cleanup.policy" and difference.topic in vital)
    ]


def _shape_differences(topic: Wanted, described: Mapping[str, Any]) -> list[Difference]:
    differences = []
    partitions = described["partitions"]
    if len(partitions) != topic.partitions:
        differences.append(
            Difference(
                topic.name,
                "number of partitions",
                str(len(partitions)),
                str(topic.partitions),
                "it decides which task an account belongs to and cannot be changed while there is state: "
                "set LOYALTY_PARTITIONS to it, or start with new topics",
            )
        )
    replicas = {len(partition["replicas"]) for partition in partitions}
    if replicas and min(replicas) < topic.replication:
        differences.append(
            Difference(
                topic.name,
                "number of replicas",
                str(min(replicas)),
                str(topic.replication),
                "reassign the partitions with more replicas, or set LOYALTY_REPLICATION",
            )
        )
    return differences


def _config_differences(topic: Wanted, found: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(topic.name, name, found[name], right, f"set the topic's {name} to {right}")
        for name, right in topic.config.items()
        if name in found and found[name] != right and not _is_better(name, found[name], right)
    ]


def _is_better(name: str, found: str, right: str) -> bool:
    return name in ("min.insync.replicas", "max.message.bytes") and int(found) > int(right)


async def _wait_until_led(admin: AIOKafkaAdminClient, topics: Sequence[Wanted]) -> None:
    """A topic that was just created has no leaders for a moment; whoever writes then has to retry."""
    for _ in range(_METADATA_ATTEMPTS):
        described = await _describe(admin, topics)
        if all(
            entry["error_code"] == 0
            and entry["partitions"]
            and all(partition["leader"] >= 0 for partition in entry["partitions"])
            for entry in described
        ):
            return
        await asyncio.sleep(_METADATA_WAIT_SECONDS)


async def _describe(admin: AIOKafkaAdminClient, topics: Sequence[Wanted]) -> list[Any]:
    if not topics:
        return []
    described: list[Any] = await admin.describe_topics([topic.name for topic in topics])
    return described


async def _configs(admin: AIOKafkaAdminClient, topics: Sequence[Wanted]) -> dict[str, dict[str, str]]:
    if not topics:
        return {}
    responses = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=None) for topic in topics]
    )
    found: dict[str, dict[str, str]] = {}
    for response in responses:
        for code, message, _, name, entries in response.resources:
            if code != 0:
                raise for_code(code)(f"the configuration of topic {name} could not be read: {message}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


class _Admin:
    """An admin client that is closed again."""

    def __init__(self, settings: Settings) -> None:
        self._client: Final = AIOKafkaAdminClient(**settings.kafka())

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self._client.start()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
