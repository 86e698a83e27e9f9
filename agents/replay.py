"""Replay: the rows of one partition's accounts, rebuilt from its journal through the same engine.

The journal holds what was applied, in the order applied; so replaying it gives the rows that the workers have, byte
for byte, if engine, definitions and code key are theirs. What comes out on the way is compared with what the
journal says came out. Memory only, no Kafka.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from engine.decide import Engine
from engine.forgotten import closed_books
from engine.turn import Turn
from schemas import seen
from schemas.account import Account
from schemas.account_codec import encode
from schemas.instant import parse_instant
from schemas.journal_erasure import FORGOTTEN, HEAD, balance
from schemas.link import Link
from schemas.told_cause import FORGOTTEN_SOURCE, ToldCause
from schemas.wire import read_kept

PROBLEMS_MAX: Final = 1_000
"""Problems that are kept; a wrong definition makes one of every entry."""


class Problem(NamedTuple):
    """An entry that replay disagrees with: whose, the entry's `offset`, `what` is wrong in a sentence."""

    key: str
    offset: int
    what: str


class Replay:
    """Takes the entries of one partition in order; `rows` is what they add up to."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._following: Final[dict[bytes, deque[Turn]]] = {}
        """Due moments that an event or link made act at once; their entries come next."""
        self.rows: Final[dict[bytes, Account]] = {}
        self.problems: Final[list[Problem]] = []
        self.disagreements = 0
        """All problems, those beyond `PROBLEMS_MAX` counted too."""
        self.entries = 0
        self.forgotten = 0
        """Accounts of which only closed books are left."""

    def take(self, key: bytes, value: bytes, offset: int) -> None:
        """Apply an entry. Whatever is wrong with it becomes a problem, and the next one is as welcome."""
        self.entries += 1
        try:
            entry = orjson.loads(value)
            kind = entry["kind"]
            if kind == "due":
                turn = self._due(key, offset, entry)
            elif kind == "event":
                turn = self._event(key, offset, entry)
            elif kind == "link":
                turn = self._link(key, offset, entry)
            elif kind in (FORGOTTEN, HEAD):
                turn = None
                self._after_a_forget(key, offset, entry)
            else:
                raise ValueError(f"no entry is of the kind {kind!r}")
            if turn is not None:
                self._compare(key, offset, entry, turn)
        except Exception as error:
            # Whatever an entry that nobody should have written does to the engine, the audit goes on.
            self._add(key, offset, f"cannot be replayed: {type(error).__name__}: {error}")

    def row(self, key: bytes) -> bytes | None:
        """The account's row as bytes, None if it has none."""
        row = self.rows.get(key)
        return None if row is None else encode(row)

    def _due(self, key: bytes, offset: int, entry: dict[str, Any]) -> Turn | None:
        following = self._following.get(key)
        if following:
            turn = following.popleft()
            if not following:
                del self._following[key]
            return turn
        row = self.rows.get(key)
        if row is None or row.next_due != parse_instant(entry["due"]):
            self._add(key, offset, f"nothing is due at {entry['due']}")
            return None
        return self._engine.act(row)

    def _event(self, key: bytes, offset: int, entry: dict[str, Any]) -> Turn:
        event = read_kept(entry["event"], bytes.fromhex(entry["content"]))
        row = self.rows.get(key) or Account(event.operator, event.account)
        turns = self._engine.apply(row, event, seen.find(row.seen, event.identity))
        self.rows[key] = row
        own = next(at for at, turn in enumerate(turns) if turn.cause.source and turn.cause.id == event.id)
        return self._split(key, offset, turns, own)

    def _link(self, key: bytes, offset: int, entry: dict[str, Any]) -> Turn | None:
        link = Link.decoded(orjson.dumps(entry["link"]))
        if link.cause.source == FORGOTTEN_SOURCE:
            link = link.because(ToldCause(link.cause, [outcome["id"] for outcome in entry["outcomes"]]))
        known = key in self.rows
        row = self.rows.get(key) or Account(link.operator, link.account)
        turns = self._engine.apply_link(row, link)
        if not turns:
            self._add(key, offset, "the link was applied before")
            return None
        if known:  # as in the fold: being asked alone makes no row
            self.rows[key] = row
        own = next(at for at, turn in enumerate(turns) if turn.cause is link.cause)
        return self._split(key, offset, turns, own)

    def _after_a_forget(self, key: bytes, offset: int, entry: dict[str, Any]) -> None:
        if entry["kind"] == HEAD:
            # What came before is about to be deleted, and follows again without what is forgotten.
            self.rows.clear()
            self.problems.clear()
            self._following.clear()
            self.disagreements = self.entries = self.forgotten = 0
            return
        # All that is left of an account: what it had must have gone where its totals say.
        left = balance(entry["points"])
        if left:
            self._add(key, offset, f"the books of a forgotten account do not close: {left} points are left")
        self.rows[key] = closed_books(entry["operator"], entry["account"])
        self.forgotten += 1

    def _split(self, key: bytes, offset: int, turns: Sequence[Turn], own: int) -> Turn:
        for turn in turns[:own]:
            self._add(key, offset, f"what was due at {turn.text} has no entry before it")
        if key in self._following:
            self._add(key, offset, "due moments that the entry before brought have no entry")
            del self._following[key]
        if turns[own + 1 :]:
            self._following[key] = deque(turns[own + 1 :])
        return turns[own]

    def _compare(self, key: bytes, offset: int, entry: dict[str, Any], turn: Turn) -> None:
        told = entry["outcomes"]
        found = [orjson.loads(outcome.encoded()) for outcome in turn.outcomes]
        if told == found:
            return
        if turn.book.revision != entry["revision"]:
            self._add(
                key, offset, f"decided by revision {entry['revision']}, replayed by {turn.book.revision}"
            )
        for at in range(max(len(told), len(found))):
            before = told[at] if at < len(told) else None
            now = found[at] if at < len(found) else None
            if before != now:
                self._add(key, offset, f"outcome {at + 1}: journal {_short(before)}, replay {_short(now)}")

    def _add(self, key: bytes, offset: int, what: str) -> None:
        self.disagreements += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(key.decode("utf-8", "backslashreplace"), offset, what))


def _short(outcome: dict[str, Any] | None) -> str:
    if outcome is None:
        return "none"
    return f"{outcome['type']} {orjson.dumps(outcome['data']).decode()}"
