"""What an account is entitled to, as one object for all accounts that are entitled to the same: accounts are many, the
terms few.

Sharing spares making the objects and writing them, and a processor's caches hold what many rows point to.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from mypy_extensions import mypyc_attr

from schemas.remembered import remember
from schemas.short_json import lengthened, shortened

SHARED_MAX: Final = 10_000
"""Entitlements shared before sharing starts afresh; those shared before live on in their rows."""


@mypyc_attr(acyclic=True)
class Entitlements:
    """Entitlement → its terms, in the order granted; nobody changes it. `packed` is all of it as rows keep it."""

    __slots__ = ("packed", "terms")

    def __init__(self, terms: dict[str, dict[str, Any]], packed: bytes) -> None:
        self.terms: Final = terms
        self.packed: Final = packed


NONE: Final = Entitlements({}, b"")

_shared: Final[dict[bytes, Entitlements]] = {}
"""By their terms as JSON."""
_packed: Final[dict[bytes, Entitlements]] = {}
"""By `Entitlements.packed`."""


def shared(terms: dict[str, dict[str, Any]]) -> Entitlements:
    """The object for these entitlements, which must not change from now on."""
    if not terms:
        return NONE
    json = orjson.dumps(terms)
    known = _shared.get(json)
    if known is None:
        known = remember(_shared, json, Entitlements(terms, shortened(json)), SHARED_MAX)
    return known


class Grant:
    """An entitlement on certain terms, to be granted to many accounts; nobody changes the terms."""

    __slots__ = ("_brings", "name", "terms")

    def __init__(self, name: str, terms: dict[str, Any]) -> None:
        self.name: Final = name
        self.terms: Final = terms
        self._brings: Final[dict[bytes, Entitlements]] = {}
        """`Entitlements.packed` of an account before → its entitlements with this one."""

    def to(self, before: Entitlements) -> Entitlements:
        """The entitlements of an account that had those before."""
        more = self._brings.get(before.packed)
        if more is None:
            more = shared({**before.terms, self.name: self.terms})
            remember(self._brings, before.packed, more, SHARED_MAX)
        return more


def unpacked(packed: bytes) -> Entitlements:
    """The entitlements of an `Entitlements.packed` that a row kept."""
    known = _packed.get(packed)
    if known is None:
        known = remember(_packed, packed, shared(orjson.loads(lengthened(packed))), SHARED_MAX)
    return known
