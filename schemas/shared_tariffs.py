"""One `Tariff` object for all records and rows that tell the same terms: accounts are many, their tariffs few.

Sharing spares making the object, and a processor's caches hold what many rows point to.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import orjson

from schemas.event import Tariff
from schemas.remembered import remember
from schemas.short_json import lengthened

SHARED_MAX: Final = 10_000
"""Tariffs shared before sharing starts afresh; those shared before live on in their rows."""

_shared: Final[dict[bytes, Tariff]] = {}
"""By `Tariff.packed`."""


def shared(tariff: Tariff) -> Tariff:
    """The tariff that stands for all that are as this one is."""
    known = _shared.get(tariff.packed)
    return remember(_shared, tariff.packed, tariff, SHARED_MAX) if known is None else known


def unpacked(packed: bytes) -> Tariff:
    """The tariff of a `Tariff.packed` that a row kept."""
    known = _shared.get(packed)
    return of_parts(orjson.loads(lengthened(packed))) if known is None else known


def of_parts(parts: list[Any]) -> Tariff:
    """The tariff of a `Tariff.parts` that was kept as JSON."""
    code, family, speed, price, prepaid, notice = parts
    return shared(Tariff(code, family, speed, None if price is None else Decimal(price), prepaid, notice))
