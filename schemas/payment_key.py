"""By which a refund finds its payment: 32 hash bits of the payment's source over 32 of its id."""

from __future__ import annotations

from typing import Final

from schemas.remembered import remember
from schemas.short_hash import ShortHash

_SOURCES_REMEMBERED: Final = 1024
_sources: Final[dict[str, int]] = {}
"""Source → its hash: events come from a few sources, and each is hashed once."""
_HASH: Final = ShortHash(4)


def payment_key(source: str, id_hash: int) -> int:
    """The key of the payment of this source whose id has this hash."""
    found = _sources.get(source)
    if found is None:
        found = remember(_sources, source, id_hash_of(source), _SOURCES_REMEMBERED)
    return found << 32 | id_hash


def id_hash_of(text: str) -> int:
    """32 hash bits of an event's id."""
    return int.from_bytes(_HASH.of(text.encode()))
