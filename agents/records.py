"""What the fold hands on."""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from schemas.outbox import Outbox


@mypyc_attr(acyclic=True)
class FoldResult:
    """What some records caused.

    `consumed` of them are worked off completely; `produce` is to be written, and `rows` (key → encoded row)
    to the changelog, in one transaction with the offsets of the consumed ones.
    """

    __slots__ = ("consumed", "produce", "rows")

    def __init__(self, consumed: int, produce: Outbox, rows: dict[bytes, bytes]) -> None:
        self.consumed: Final = consumed
        self.produce: Final = produce
        self.rows: Final = rows
