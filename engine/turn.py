"""One decision in progress: whose, why, when, and what has come of it so far."""

from __future__ import annotations

from typing import Any, Final

from mypy_extensions import mypyc_attr

from engine.rulebook import Rulebook
from schemas.account import Account
from schemas.link import Link
from schemas.outcome import Cause, Decision, Outcome
from schemas.told_cause import ToldCause


@mypyc_attr(acyclic=True, free_list_len=1)
class Turn:
    """One cause acting on one account row.

    `time` is the cause's instant, `text` the same in RFC 3339, `day` its local day; `outcomes` and `links` collect what
    follows.
    """

    __slots__ = (
        "_decision", "book", "cause", "day", "links", "outcomes", "row", "text", "time",
    )  # fmt: skip

    def __init__(self, book: Rulebook, row: Account, cause: Cause, text: str = "") -> None:
        self.book: Final = book
        self.row: Final = row
        self.cause: Final = cause
        self.time: Final = cause.time
        self.text: Final = text or book.zone.text(cause.time)
        self.day: Final = book.zone.day(cause.time)
        self.outcomes: Final[list[Outcome]] = []
        self.links: Final[list[Link]] = []
        self._decision: Decision | None = None

    def new_id(self, type: str, rule: str, position: str = "") -> str:
        """The id the next outcome of this type and rule will have; `position` tells equal ones apart."""
        if isinstance(self.cause, ToldCause):
            return self.cause.ids[len(self.outcomes)]
        same = 0
        for outcome in self.outcomes:
            if outcome.type == type and outcome.rule == rule:
                same += 1
        place = f"{position}#{same}" if position or same else "#0"  # as most are
        return self._shared().outcome_id(rule, type, place)

    def emit(
        self, type: str, rule: str, reason: str, data: dict[str, Any], *, id: str = "", position: str = ""
    ) -> Outcome:
        """Add an outcome for this account; `data` is what it says besides rule and reason, and nobody changes it."""
        id = id or self.new_id(type, rule, position)
        outcome = Outcome(self._shared(), type, id, rule, reason, data)
        self.outcomes.append(outcome)
        return outcome

    def send(self, kind: str, operator: str, account: str, data: dict[str, Any]) -> None:
        """Send a step to another account; it is applied there, by its own handler."""
        row = self.row
        self.links.append(Link(kind, operator, account, row.operator, row.id, self.cause, data))

    def _shared(self) -> Decision:
        """What the outcomes share, made for the first one: half of all turns have none."""
        decision = self._decision
        if decision is None:
            decision = self._decision = Decision(
                self.row.operator,
                self.row.id,
                self.row.id_json,
                self.text,
                self.cause,
                self.book.revision,
            )
        return decision
