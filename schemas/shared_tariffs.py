"""One `Tariff` object for all records and rows that tell the same terms: accounts are many, their tariffs few.

Sharing spares making the object, and a processor's caches hold what many rows point to.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from schemas.event import Tariff
from schemas.remembered import remember

SHARED_MAX: Final = 10_000
"""Tariffs shared before sharing starts afresh; those shared before live on in their rows."""

_shared: Final[dict[tuple[Any, ...], Tariff]] = {}
"""By `Tariff.packed`."""


def shared(tariff: Tariff) -> Tariff:
    """The tariff that stands for all that are as this one is."""
    known = _shared.get(tariff.packed)
    return _share(tariff) if known is None else known


def unpacked(packed: list[Any]) -> Tariff:
    """The tariff of a `Tariff.packed` that was kept as JSON."""
    known = _shared.get(tuple(packed))
    if known is not None:
        return known
    code, family, speed, price, prepaid, notice = packed
    return _share(Tariff(code, family, speed, None if price is None else Decimal(price), prepaid, notice))


def _share(tariff: Tariff) -> Tariff:
    return remember(_shared, tariff.packed, tariff, SHARED_MAX)
