"""Journal entries: each applied event, link step or due moment with what it caused.

An entry is `{"kind", "operator", "account", "time", "revision", <what was applied>, "outcomes": […]}`, where
what was applied stands under `event` (what `schemas.journal_projection` keeps of the record: nothing that tells who
the member is), `link` (the step) or `due` (the moment). Beside an event stands `content`, the hash of the whole
record: what was left out cannot be hashed again, and replay needs it to remember identities as they were.
"""

from __future__ import annotations

from engine.turn import Turn
from schemas.event import Event
from schemas.link import Link


def due_entry(turn: Turn, outcomes: list[bytes]) -> bytes:
    """The entry of a due moment."""
    return _entry("due", turn, f'"{turn.text}"'.encode(), outcomes)


def event_entry(turn: Turn, event: Event, outcomes: list[bytes]) -> bytes:
    """The entry of an event."""
    return _entry("event", turn, event.kept, outcomes, f',"content":"{event.content.hex()}"')


def link_entry(turn: Turn, link: Link, outcomes: list[bytes]) -> bytes:
    """The entry of a step that another account sent."""
    return _entry("link", turn, link.encoded(), outcomes)


def _entry(kind: str, turn: Turn, applied: bytes, outcomes: list[bytes], beside: str = "") -> bytes:
    head = (
        f'{{"kind":"{kind}","operator":"{turn.row.operator}","account":{turn.account_json}'
        f',"time":"{turn.text}","revision":"{turn.book.revision}"{beside},"{kind}":'
    )
    return b"".join((head.encode(), applied, b',"outcomes":[', b",".join(outcomes), b"]}"))
