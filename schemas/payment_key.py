"""By which a refund finds its payment: 16 hash bits of the payment's source over 48 of its id.

The source only says which is meant where two payments of an account have one id. That two ids of an account have one
hash must not happen: a refund would take back the wrong payment.
"""

from __future__ import annotations

from typing import Final

from schemas.remembered import remember
from schemas.short_hash import ShortHash

ID_BYTES: Final = 6
ID_BITS: Final = 2 ** (8 * ID_BYTES) - 1
"""Those bits of a key that are the id's."""
_SOURCES_REMEMBERED: Final = 1024
_sources: Final[dict[str, int]] = {}
"""Source → its bits in the key: events come from a few sources, and each is hashed once."""
_ID_HASH: Final = ShortHash(ID_BYTES)
_SOURCE_HASH: Final = ShortHash(2)


def payment_key(source: str, id_hash: int) -> int:
    """The key of the payment of this source whose id has this hash."""
    found = _sources.get(source)
    if found is None:
        bits = int.from_bytes(_SOURCE_HASH.of(source.encode()))
        found = remember(_sources, source, bits << 8 * ID_BYTES, _SOURCES_REMEMBERED)
    return found | id_hash


def id_hash_of(text: str) -> int:
    """The hash bits of an event's id."""
    return int.from_bytes(_ID_HASH.of(text.encode()))
