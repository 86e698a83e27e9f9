"""What this system says: outcomes, and what they look like on the wire."""

from __future__ import annotations

from typing import Any, Final

import orjson
from mypy_extensions import mypyc_attr

from schemas.json_text import quoted
from schemas.remembered import remember
from schemas.short_hash import ShortHash

_dumps: Final = orjson.dumps
_ID: Final = ShortHash(16)
_NAMES_MAX: Final = 1_000
_NAME_CHARACTERS_MAX: Final = 40
_names: Final[dict[str, str]] = {}
"""Rules and reasons that were said lately, as JSON text."""


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
        self.cause_json: Final = f'"{cause.id}"' if cause.is_due else quoted(cause.id)
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
        return _ID.hex_of(text.encode())


@mypyc_attr(acyclic=True)
class Outcome:
    """One decided fact about one account; `more` is what SPEC section 1 names for its `data` besides rule and reason."""

    __slots__ = ("decision", "id", "more", "reason", "rule", "type")

    def __init__(
        self, decision: Decision, type: str, id: str, rule: str, reason: str, more: dict[str, Any]
    ) -> None:
        self.decision: Final = decision
        self.type: Final = type
        self.id: Final = id
        self.rule: Final = rule
        self.reason: Final = reason
        self.more: Final = more

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
            f',"datacontenttype":"application/json","data":{{"rule":{_name(self.rule)},"reason":{_name(self.reason)}'
        )
        if not self.more:
            return f"{head}}}}}".encode()
        return b"".join((head.encode(), b",", _dumps(self.more)[1:], b"}"))


def _name(text: str) -> str:
    """A rule or a reason as JSON text: there are few, and they are said often."""
    known = _names.get(text)
    if known is None:
        known = quoted(text)
        if len(text) <= _NAME_CHARACTERS_MAX:  # a reason may be anything that somebody wrote
            remember(_names, text, known, _NAMES_MAX)
    return known
