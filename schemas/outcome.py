"""What this system says: outcomes, and what they look like on the wire."""

from __future__ import annotations

from typing import Any, Final

import orjson
from mypy_extensions import mypyc_attr

from schemas.json_text import quoted
from schemas.short_hash import ShortHash

_dumps: Final = orjson.dumps
_ID: Final = ShortHash(16)


@mypyc_attr(acyclic=True)
class Cause:
    """What an outcome follows from: an event, or a due moment of the account itself.

    `operator`, `subject`, `source` and `id` are the full identity of the causing event; for a due moment
    `source` is empty and `id` is `due/` and the moment. `time` is in microseconds since the epoch.
    """

    __slots__ = ("id", "operator", "source", "subject", "time")

    def __init__(self, operator: str, subject: str, source: str, id: str, time: int) -> None:
        self.operator: Final = operator
        self.subject: Final = subject
        self.source: Final = source
        self.id: Final = id
        self.time: Final = time

    @property
    def is_due(self) -> bool:
        """Whether it is a due moment: every event has a source."""
        return not self.source

    def packed(self) -> list[Any]:
        """As a JSON array."""
        return [self.operator, self.subject, self.source, self.id, self.time]

    @classmethod
    def unpacked(cls, packed: list[Any]) -> Cause:
        """From a JSON array."""
        return cls(*packed)


@mypyc_attr(acyclic=True)
class Decision:
    """What all outcomes of one decision share: whose they are, what they follow from, when and by which revision.

    `time` is RFC 3339 in the operator's zone; `subject_json` is the account's id as JSON text.
    """

    __slots__ = ("cause", "cause_json", "operator", "revision", "subject", "subject_json", "time")

    def __init__(
        self, operator: str, subject: str, subject_json: str, time: str, cause: Cause, revision: str
    ) -> None:
        self.operator: Final = operator
        self.subject: Final = subject
        self.subject_json: Final = subject_json
        self.time: Final = time
        self.cause: Final = cause
        self.cause_json: Final = quoted(cause.id)
        self.revision: Final = revision

    def outcome_id(self, rule: str, type: str, position: str) -> str:
        """The id of an outcome: a pure function of whom it concerns, its cause's full identity, rule and position."""
        cause = self.cause
        text = "\0".join(
            (
                self.operator,
                self.subject,
                cause.operator,
                cause.subject,
                cause.source,
                cause.id,
                rule,
                type,
                position,
            )
        )
        return _ID.of(text.encode()).hex()


@mypyc_attr(acyclic=True)
class Outcome:
    """One decided fact about one account; `data` holds `rule`, `reason` and what SPEC section 1 names for the type."""

    __slots__ = ("data", "decision", "id", "type")

    def __init__(self, decision: Decision, type: str, id: str, data: dict[str, Any]) -> None:
        self.decision: Final = decision
        self.type: Final = type
        self.id: Final = id
        self.data: Final = data

    @property
    def operator(self) -> str:
        """Whose programme decided."""
        return self.decision.operator

    @property
    def subject(self) -> str:
        """The account it concerns."""
        return self.decision.subject

    def encoded(self) -> bytes:
        """The CloudEvents 1.0 structured-mode JSON of this outcome; the same outcome gives the same bytes."""
        said = self.decision
        head = (
            f'{{"specversion":"1.0","id":"{self.id}","source":"/loyalty/{said.operator}","type":"{self.type}"'
            f',"subject":{said.subject_json},"operator":"{said.operator}","time":"{said.time}"'
            f',"causationid":{said.cause_json},"revision":"{said.revision}"'
            ',"datacontenttype":"application/json","data":'
        )
        return b"".join((head.encode(), _dumps(self.data), b"}"))
