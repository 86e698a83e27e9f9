"""Rows that the changelog no longer has: accounts are not begun anew because somebody deleted what they had.

The changelog keeps the latest row of every account for ever, and should it be shortened all the same (a topic that was
deleted and made again, records deleted from its beginning, a broker that came back with less than it had), a worker would
see accounts that nobody has heard of, while its group's offsets say that their events are applied. So each commit of a
task carries a note of how far the changelog was, and a task whose changelog has less is not begun. `loyalty restore`
writes the rows again from the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.lost_records import Bounds

_REMEDY: Final = "accounts have lost their rows; 'loyalty restore' writes them again from the journal"


def note_of(offset: int | None) -> str:
    """What a commit is to carry: the changelog `offset` that the task's store has reached, None if there was no row yet."""
    return "" if offset is None else str(offset)


def reached(notes: Iterable[str]) -> int:
    """How far the changelog was by these notes of the task's topics; others than `note_of` has made say nothing."""
    return max([int(note) for note in notes if note.isdecimal()], default=0)


def refuse_cut(begins: Mapping[TP, int | None], bounds: Mapping[TP, Bounds]) -> None:
    """`begins`: from where on each changelog is to be read, None for its beginning.

    Raises KafkaError if one no longer has what is there to be read.
    """
    for tp, offset in begins.items():
        first = bounds[tp].first
        if (offset or 0) < first:
            raise KafkaError(
                f"{tp.topic} partition {tp.partition} begins at offset {first}, and {offset or 0} was to be read next: "
                f"{_REMEDY}, once the topic is deleted and made again"
            )


def refuse_shortened(changelog: TP, end: int, notes: Iterable[str]) -> None:
    """`notes`: those of what the group has committed of the task's topics.

    Raises KafkaError if the changelog ends before what they say.
    """
    known = reached(notes)
    if known > end:
        raise KafkaError(
            f"{changelog.topic} partition {changelog.partition} ends at offset {end}, and it was at {known} when the group "
            f"last committed: {_REMEDY}"
        )
