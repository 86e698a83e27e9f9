"""Records that were deleted before they were applied: what they would have caused is never skipped in silence.

Kafka deletes what is older than a topic's retention whether or not anyone has read it, and the client would go on at the
first record that is left. So a task whose next offset its topic no longer has is not begun, unless the settings say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from aiokafka.errors import KafkaError
from faust.types import TP

MARKER: Final = 1
"""The end of a transaction takes an offset of its own, which is no record: the group's offset may stand before it."""


class Bounds(NamedTuple):
    """Of a partition: the first offset that is there, and the last stable one, before which everything is decided."""

    first: int
    end: int


class Lost(NamedTuple):
    """Where to read each partition from (None: from the beginning), and what was lost before that, a line each."""

    read_from: dict[TP, int | None]
    told: list[str]


def find_lost(committed: Mapping[TP, int | None], bounds: Mapping[TP, Bounds]) -> Lost:
    """What lies between the offsets that a group has committed and what is still there."""
    lost = Lost(dict(committed), [])
    for tp, offset in committed.items():
        first, end = bounds[tp]
        if offset is None or first <= offset <= end:
            continue
        name = f"{tp.topic} partition {tp.partition}"
        if offset > end:
            lost.read_from[tp] = None
            lost.told.append(
                f"{name} ends at offset {end}, and {offset} was to be read next: the topic was deleted and made again, or "
                "has lost records"
            )
            continue
        lost.read_from[tp] = first
        if first - offset > MARKER:
            lost.told.append(
                f"{name} begins at offset {first}, and {offset} was to be read next: what lay between was deleted "
                "(retention.ms) before it was applied"
            )
    return lost


def refuse_lost_records(lost: Lost) -> None:
    """Raises KafkaError if anything was lost."""
    if lost.told:
        raise KafkaError(
            f"{'; '.join(lost.told)}; bring the records again under the same ids if anyone has them, or set "
            "LOYALTY_SKIP_LOST_RECORDS=true to go on without them"
        )
