"""Which topic it is that has a name: one that was deleted and made again under its name is another one."""

from __future__ import annotations

from typing import Final, NamedTuple

UNKNOWN: Final = "unknown"
"""The id of all topics at a broker that tells none."""


class TopicIdentity(NamedTuple):
    """The cluster that has a topic, and the id that the topic was given when it was made."""

    cluster_id: str
    topic_id: str
