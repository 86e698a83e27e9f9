"""When a record says that it happened, found without reading it: for putting records in order before they are read."""

from __future__ import annotations

from typing import Final

from schemas.dead_letter import Unreadable
from schemas.instant import parse_instant

_NAME: Final = b'"time"'
_START: Final = b'"time":"'
_ESCAPE: Final = b"\\u"


def early_time(value: bytes) -> int | None:
    """The time that a record has if it can be read at all; None when only reading it can tell.

    The name stands once in most records. Where it does, it is the event's own, or the event has none and is refused;
    a name that is spelled with escapes could be a second one.
    """
    start = value.find(_START)
    if start < 0 or value.find(_NAME, start + 1) >= 0 or value.find(_NAME, 0, start) >= 0 or _ESCAPE in value:
        return None
    start += len(_START)
    end = value.find(b'"', start)
    try:
        return parse_instant(value[start:end].decode())
    except (Unreadable, UnicodeDecodeError):
        return None
