"""Journal entries: each applied event, link step or due moment with what it caused.

An entry is `{"kind", "operator", "account", "time", "revision", <what was applied>, "outcomes": […]}`, where
what was applied stands under `event` (what `schemas.journal_projection` keeps of the record: nothing that tells who
the member is), `link` (the step) or `due` (the moment). Beside an event stands `content`, the hash of the whole
record: what was left out cannot be hashed again, and replay needs it to remember identities as they were.
"""

from __future__ import annotations

from typing import Final

from engine.turn import Turn
from schemas.event import Event
from schemas.link import Link
from schemas.remembered import remember


def due_entry(turn: Turn, outcomes: list[bytes]) -> bytes:
    """The entry of a due moment."""
    pieces = _pieces(turn)
    head = f'{pieces.due}{turn.row.id_json},"time":"{turn.text}{pieces.revision},"due":"{turn.text}","outcomes":['
    return b"".join((head.encode(), b",".join(outcomes), b"]}")) if outcomes else f"{head}]}}".encode()


def event_entry(turn: Turn, event: Event, outcomes: list[bytes]) -> bytes:
    """The entry of an event."""
    pieces = _pieces(turn)
    head = (
        f'{pieces.event}{turn.row.id_json},"time":"{turn.text}{pieces.revision},"content":"{event.content.hex()}"'
        ',"event":'
    )
    return _entry(head, event.kept, outcomes)


def link_entry(turn: Turn, link: Link, outcomes: list[bytes]) -> bytes:
    """The entry of a step that another account sent."""
    pieces = _pieces(turn)
    head = f'{pieces.link}{turn.row.id_json},"time":"{turn.text}{pieces.revision},"link":'
    return _entry(head, link.encoded(), outcomes)


def _entry(head: str, applied: bytes, outcomes: list[bytes]) -> bytes:
    if not outcomes:
        return b"".join((head.encode(), applied, b',"outcomes":[]}'))
    return b"".join((head.encode(), applied, b',"outcomes":[', b",".join(outcomes), b"]}"))


class _Pieces:
    """What stands in all entries of one kind that one revision of a programme decides."""

    __slots__ = ("due", "event", "link", "revision")

    def __init__(self, operator: str, revision: str) -> None:
        self.due: Final = f'{{"kind":"due","operator":"{operator}","account":'
        self.event: Final = f'{{"kind":"event","operator":"{operator}","account":'
        self.link: Final = f'{{"kind":"link","operator":"{operator}","account":'
        self.revision: Final = f'","revision":"{revision}"'


_REVISIONS_REMEMBERED: Final = 1_000
_of_revision: Final[dict[str, _Pieces]] = {}
"""By the revision, which is a hash of the programme and so tells its operator, too."""


def _pieces(turn: Turn) -> _Pieces:
    book = turn.book
    found = _of_revision.get(book.revision)
    if found is None:
        pieces = _Pieces(book.operator, book.revision)
        found = remember(_of_revision, book.revision, pieces, _REVISIONS_REMEMBERED)
    return found
