"""The engine with no broker: every account in memory, and one clock that stops at each due moment on its way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from engine.decide import DUPLICATE, Engine, Same
from engine.due_queue import HeapQueue, Moments
from engine.turn import Turn
from schemas.account import NEVER, Account
from schemas.event import Event


class _MomentsOf(Moments):
    def __init__(self, rows: dict[bytes, Account]) -> None:
        self._rows: Final = rows

    def of(self, key: bytes) -> int:
        return self._rows[key].next_due


class Simulation:
    """All accounts of all operators.

    `same` is needed where the events have marks instead of content hashes (`Engine.refuse`).

    What falls due acts in order of due moment, then account; what one account sends to another is applied
    before the next event.
    """

    def __init__(self, engine: Engine, same: Same | None = None) -> None:
        self._engine: Final = engine
        self._same: Final = same
        self.rows: Final[dict[bytes, Account]] = {}
        """Key of an account's records → its row."""
        self.now = -NEVER
        """The latest time of all."""
        self._due: Final = HeapQueue({}, _MomentsOf(self.rows))

    def row(self, operator: str, account: str) -> Account:
        """The account's row; a new one if there is none."""
        return self._row(f"{operator}/{account}".encode(), operator, account)

    def apply(self, event: Event) -> Iterable[Turn]:
        """Advance the clock to the event, apply it, and what it sends to others.

        The clock may have gone past what that makes due, in accounts it had not moved: that acts at once.

        :raises Unreadable: now or when the turns are gone through: the event is refused as a record; nothing has
            changed but the clock.
        """
        if self._due.first(event.time) is None:
            return self._apply(event)
        return self._advance_and_apply(event)

    def advance(self, until: int) -> Iterator[Turn]:
        """Let everything act that is due up to and including `until`; the clock never goes back."""
        self.now = max(self.now, until)
        while (key := self._due.first(self.now)) is not None:
            row = self.rows[key]
            queued = row.next_due
            yield self._engine.act(row)
            self._keep(key, row, queued)

    def _advance_and_apply(self, event: Event) -> Iterator[Turn]:
        yield from self.advance(event.time)
        yield from self._apply(event)

    def _apply(self, event: Event) -> list[Turn]:
        """Apply an event before which nothing is due."""
        self.now = max(self.now, event.time)
        key = f"{event.operator}/{event.account}".encode()
        row = self._row(key, event.operator, event.account)
        known = self._engine.refuse(row, event, self._same)
        if known == DUPLICATE:
            return []
        queued = row.next_due
        turns = self._engine.apply(row, event, known)
        self._keep(key, row, queued)
        self._deliver(turns)
        turns.extend(self.advance(self.now))
        return turns

    def _deliver(self, turns: list[Turn]) -> None:
        """Apply what the turns send to other accounts, and what that sends; the turns it makes join the others."""
        for turn in turns:  # those that join are gone through in their turn
            for link in turn.links:
                key = f"{link.operator}/{link.account}".encode()
                row = self._row(key, link.operator, link.account)
                queued = row.next_due
                turns.extend(self._engine.apply_link(row, link))
                if key in self.rows:  # an account that no event has named keeps nothing of having been asked
                    self._keep(key, row, queued)

    def _row(self, key: bytes, operator: str, account: str) -> Account:
        return self.rows.get(key) or Account(operator, account)

    def _keep(self, key: bytes, row: Account, queued: int) -> None:
        """Keep a changed row; `queued` is the due moment that it had before."""
        self.rows[key] = row
        if row.next_due != queued:
            self._due.put(key, row.next_due)
