"""The log on Kafka: the I/O process reads, the group's member answers what only it can know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from faust.types import TP

from streams.io_process import IoProcess
from streams.log import Committed
from streams.lost_records import Bounds
from streams.topic_identity import TopicIdentity


class Member(Protocol):
    """The client that is a member of the group."""

    async def bounds(self, tps: Iterable[TP]) -> dict[TP, Bounds]: ...
    async def identity(self, topic: str) -> TopicIdentity: ...
    async def committed(self, tps: Iterable[TP]) -> Committed: ...


class KafkaLog:
    """See `streams.log.TaskLog`, for all of it."""

    def __init__(self, member: Member, io: IoProcess) -> None:
        self.fetch: Final = io.fetch
        self.read_from: Final = io.read_from
        self.rest: Final = io.rest
        self.bounds: Final = member.bounds
        self.identity: Final = member.identity
        self.committed: Final = member.committed
