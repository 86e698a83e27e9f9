"""The consumer groups of the topics: none may be running while records move, and each is moved along with them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from loyalty.errors import LoyaltyError

if TYPE_CHECKING:
    from aiokafka import TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

RUNNING: Final = 75
"""Exit status when somebody is running who must not (`EX_TEMPFAIL` of sysexits.h)."""
_NO_MEMBERS: Final = "Empty"


class Position(NamedTuple):
    """How far a group has read a partition, with the note it left there."""

    offset: int
    note: str


Positions = dict[str, dict["TopicPartition", Position]]
"""Group → partition → how far it is; only partitions for which it has committed an offset."""


class Groups:
    """Looks at all groups of the cluster that have to do with `topics`."""

    def __init__(self, admin: AIOKafkaAdminClient, topics: Collection[str]) -> None:
        self._admin: Final = admin
        self._topics: Final = frozenset(topics)

    async def at_rest(self) -> Positions:
        """How far every group is that has read any of the topics.

        :raises LoyaltyError: one of them is running, or cannot be told to be at rest.
        """
        found: Positions = {}
        for name, _ in sorted(await self._admin.list_consumer_groups()):
            positions = await self.positions(name)
            state, members = await self._state(name)
            if (positions or self._subscribes(members)) and state != _NO_MEMBERS:
                raise LoyaltyError(
                    f"the consumer group {name!r} is running ({state}, {len(members)} members): records are about to "
                    "move, and it would get them twice; stop it and run this again",
                    RUNNING,
                )
            if positions:
                found[name] = positions
        return found

    async def is_running(self, name: str) -> bool:
        """Whether a group has members."""
        return bool((await self._state(name))[1])

    async def positions(self, name: str) -> dict[TopicPartition, Position]:
        """How far one group is in the topics."""
        offsets = await self._admin.list_consumer_group_offsets(name)
        return {
            tp: Position(entry.offset, entry.metadata or "")
            for tp, entry in offsets.items()
            if tp.topic in self._topics and entry.offset >= 0
        }

    async def _state(self, name: str) -> tuple[str, list[Any]]:
        described = await self._admin.describe_consumer_groups([name])
        group = described[0].groups[0]
        return str(group[2]), list(group[5])

    def _subscribes(self, members: Collection[Any]) -> bool:
        """Whether a member has asked for one of the topics, by whatever protocol."""
        said = [part for member in members for part in member if isinstance(part, bytes)]
        return any(topic.encode() in part for part in said for topic in self._topics)
