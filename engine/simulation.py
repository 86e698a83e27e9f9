"""The engine with no broker: every account in memory, and one clock that stops at each due moment on its way."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Final

from engine.decide import Engine
from engine.turn import Turn
from schemas.account import NEVER, Account
from schemas.event import Event
from schemas.link import Link


class Simulation:
    """All accounts of all operators.

    What falls due acts in order of due moment, then account; what one account sends to another is applied
    before the next event.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self.rows: Final[dict[tuple[str, str], Account]] = {}
        self.now = -NEVER
        """The latest time of all."""
        self._due: Final[list[tuple[int, str, str]]] = []
        self._queued: Final[dict[tuple[str, str], int]] = {}

    def row(self, operator: str, account: str) -> Account:
        """The account's row; a new one if there is none."""
        key = (operator, account)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Account(operator, account)
        return row

    def apply(self, event: Event) -> Iterator[Turn]:
        """Advance the clock to the event, apply it, and what it sends to others.

        The clock may have gone past what that makes due, in accounts it had not moved: that acts at once.

        :raises Unreadable: the event is refused as a record; nothing has changed but the clock.
        """
        yield from self.advance(event.time)
        row = self.row(event.operator, event.account)
        if self._engine.refuse(row, event):
            return
        turns = self._engine.apply(row, event)
        self._queue(row)
        yield from turns
        yield from self._deliver(turns)
        yield from self.advance(self.now)

    def advance(self, until: int) -> Iterator[Turn]:
        """Let everything act that is due up to and including `until`; the clock never goes back."""
        self.now = max(self.now, until)
        while self._due and self._due[0][0] <= self.now:
            moment, operator, account = heapq.heappop(self._due)
            row = self.rows[operator, account]
            if self._queued.get((operator, account)) != moment:
                continue
            del self._queued[operator, account]
            yield self._engine.act(row)
            self._queue(row)

    def _deliver(self, turns: list[Turn]) -> Iterator[Turn]:
        waiting: deque[Link] = deque(link for turn in turns for link in turn.links)
        while waiting:
            link = waiting.popleft()
            known = (link.operator, link.account) in self.rows
            row = self.row(link.operator, link.account)
            turns = self._engine.apply_link(row, link)
            if known:
                self._queue(row)
            else:  # an account that no event has named keeps nothing of having been asked
                del self.rows[link.operator, link.account]
            waiting.extend(link for turn in turns for link in turn.links)
            yield from turns

    def _queue(self, row: Account) -> None:
        key = (row.operator, row.id)
        moment = row.next_due
        if moment != NEVER and self._queued.get(key) != moment:
            self._queued[key] = moment
            heapq.heappush(self._due, (moment, row.operator, row.id))
        elif moment == NEVER:
            self._queued.pop(key, None)
