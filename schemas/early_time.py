"""When a record says that it happened, found without reading it: for putting records in order before they are read."""

from __future__ import annotations

from typing import Final

from schemas.dead_letter import Unreadable
from schemas.instant import parse_instant

_NAME: Final = b'"time"'
_THEN: Final = (b':"', b': "')
"""How the usual writers go on."""
_QUOTE: Final = b'"'
_ESCAPES: Final = b"\\"


def early_time(value: bytes) -> int | None:
    """The time that a record has if it can be read at all; None when only reading it can tell.

    The name stands once in most records. Where it does, it is the event's own, or the event has none and is refused;
    where anything is escaped, a second one could be spelled so.
    """
    name = value.find(_NAME)
    then = name + len(_NAME)
    # `find` for all three: searching from the end is slower, and `in` asks first whether its left side is a number.
    if name < 0 or value.find(_NAME, then) >= 0 or value.find(_ESCAPES) >= 0:
        return None
    if not value.startswith(_THEN, then):
        return None
    start = value.find(_QUOTE, then) + 1
    try:
        return parse_instant(value[start : value.find(_QUOTE, start)].decode())
    except (Unreadable, UnicodeDecodeError):
        return None
