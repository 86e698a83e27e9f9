"""A cause that was erased: the ids that its outcomes were given stand beside it.

An outcome's id is a hash of its cause's full identity. Where the account behind the cause was forgotten, the journal
of another account cannot name the cause any more, and the ids that went out must stay what they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mypy_extensions import mypyc_attr

from schemas.outcome import Cause

FORGOTTEN_SOURCE: Final = "/loyalty/forgotten"
"""The source of every erased cause."""


@mypyc_attr(acyclic=True)
class ToldCause(Cause):
    """`ids` are those of its outcomes, in the order in which they are decided."""

    __slots__ = ("ids",)

    def __init__(self, cause: Cause, ids: Sequence[str]) -> None:
        super().__init__(cause.operator, cause.subject, cause.source, cause.id, cause.time)
        self.ids: Final = ids
