"""One partition of the journal without the account, and the rows that follow from it.

The account's own entries become closed books. Those of others lose its name, and the rows of those others are what a
replay of their entries gives afterwards: so journal and rows agree again, whatever the redaction did, and an audit
finds them equal. Where a replay does not even give the rows that are there now, nothing is touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import orjson

from agents.replay import Replay
from engine.decide import Engine
from engine.forgotten import closed_books
from loyalty.errors import LoyaltyError
from loyalty.forgetting.redaction import Redaction
from loyalty.row_fields import same
from schemas.account_codec import encode
from schemas.journal_erasure import WRITTEN_OFF, balance, count, forgotten_entry, is_head

DIFFERENT: Final = 1
"""Exit status when journal and rows do not agree to begin with."""


class Books:
    """Is shown every entry once (`look`), then gives what is kept of each (`kept`), then the rows (`rows`)."""

    def __init__(self, redaction: Redaction, engine: Engine) -> None:
        self._redaction: Final = redaction
        self._person: Final = redaction.person
        self._totals: Final[Counter[str]] = Counter()
        self._before: Final = Replay(engine)
        self._after: Final = Replay(engine)
        self.own = 0
        """Entries of the account itself."""
        self.others: Final[set[bytes]] = set()
        """Keys of the accounts whose entries name it."""

    @property
    def is_touched(self) -> bool:
        """Whether anything in this partition has to go."""
        return bool(self.own or self.others)

    def look(self, key: bytes | None, value: bytes | None) -> None:
        """Learn what an entry has to do with the account."""
        if key == self._person.key:
            self.own += 1
            count(self._totals, orjson.loads(value or b""))
        elif key == self._person.books_key:
            count(self._totals, orjson.loads(value or b""))
        elif key and value and self._redaction.entry(value) is not value:
            self.others.add(key)

    def closing(self, day: str) -> bytes:
        """The closed books: what the account moved in its lifetime, and what it still owed written off."""
        left = balance(self._totals)
        if left > 0:
            raise LoyaltyError(
                f"{left:,} points of the account are in no outcome that ended them; see 'loyalty audit'",
                DIFFERENT,
            )
        if left < 0:
            self._totals[WRITTEN_OFF] -= left
        return forgotten_entry(self._person.operator, self._person.books_name, day, self._totals)

    def kept(self, key: bytes | None, value: bytes | None, offset: int) -> bytes | None:
        """What is kept of an entry; None: it goes."""
        if key in (self._person.key, self._person.books_key) or value is None or is_head(value):
            return None
        if key not in self.others:
            return value
        after = self._redaction.entry(value)
        self._before.take(key, value, offset)
        self._after.take(key, after, offset)
        return after

    def rows(self, table: Mapping[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
        """The rows of others that change; `table` has those that are there.

        :raises LoyaltyError: a replay does not agree with what is there.
        """
        for key in sorted(self.others):
            before, after, there = self._before.row(key), self._after.row(key), table.get(key)
            if not same(before, there):
                raise LoyaltyError(
                    f"the journal of {key.decode()} does not give the row that the workers have, so it cannot be "
                    "rewritten; see 'loyalty audit' (LOYALTY_CODE_KEY and definitions must be those of the workers)",
                    DIFFERENT,
                )
            if after is not None and not same(after, there):
                yield key, after
        for replay in (self._before, self._after):
            if replay.disagreements:
                problem = replay.problems[0]
                raise LoyaltyError(
                    f"the journal of {problem.key} cannot be rewritten: {problem.what}; see 'loyalty audit'",
                    DIFFERENT,
                )

    def closed_row(self) -> bytes:
        """The row that says that the account was forgotten."""
        return encode(closed_books(self._person.operator, self._person.books_name))
