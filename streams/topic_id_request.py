"""Asks a broker for the identity of a topic.

The client's own metadata request is of a version that knows names only. Here is a later one, asked where the broker has it
(Kafka since 2.8).
"""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any, Final
from uuid import UUID

from aiokafka.errors import NoError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from streams.topic_identity import UNKNOWN, TopicIdentity

_METADATA: Final = 3
"""The number of the request (Kafka protocol guide)."""
_VERSION: Final = 10
"""The first one that tells ids of topics."""
_ATTEMPTS: Final = 50
_WAIT_SECONDS: Final = 0.1
"""A broker does not know a topic at once that was just made."""


async def ask_identity(client: Any, topic: str) -> TopicIdentity:
    """Ask a broker that `client` is connected with.

    Raises KafkaError if it does not know the topic, or does not answer.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_WAIT_SECONDS)
        try:
            answer = await client.send(client.get_random_node(), _TopicIdRequest(topic))
        except NotImplementedError:  # the broker is too old
            answer = await client.send(client.get_random_node(), MetadataRequest([]))
            return TopicIdentity(str(answer.cluster_id), UNKNOWN)
        [(error_code, _, topic_id, *_)] = answer.topics
        error = for_code(error_code)
        if topic_id.int or error is NoError:
            return TopicIdentity(str(answer.cluster_id), str(topic_id) if topic_id.int else UNKNOWN)
        if error is not UnknownTopicOrPartitionError:
            break
    raise error(f"asked which topic {topic} is")


class _Uuid(AbstractType[UUID]):  # type: ignore[misc]  # the client tells no types
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_TEXT: Final = CompactString("utf-8")
_TAGS: Final = ("tags", TaggedFields)


class _TopicIdResponse(Response):  # type: ignore[misc]  # the client tells no types
    API_KEY = _METADATA
    API_VERSION = _VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), _TAGS),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                _TAGS,
            ),
        ),
        ("authorized_operations", Int32),
        _TAGS,
    )


class _TopicIdRequestStruct(RequestStruct):  # type: ignore[misc]  # the client tells no types
    API_KEY = _METADATA
    API_VERSION = _VERSION
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _TopicIdResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _TEXT), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _TopicIdRequest(Request[_TopicIdRequestStruct]):  # type: ignore[misc]  # the client tells no types
    API_KEY = _METADATA

    def __init__(self, topic: str) -> None:
        self._topic: Final = topic

    def build(self, request_struct_class: type[_TopicIdRequestStruct]) -> _TopicIdRequestStruct:
        return request_struct_class([(UUID(int=0), self._topic, {})], False, False, False, {})
