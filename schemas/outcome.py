"""What this system says: outcomes, and what they look like on the wire."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from orjson import dumps


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


class Outcome:
    """One decided fact about one account.

    `data` holds `rule`, `reason` and what SPEC section 1 names for the type; `time` is RFC 3339 in the
    operator's zone and `occurred_at` the same instant in microseconds.
    """

    __slots__ = ("causation", "data", "id", "occurred_at", "operator", "revision", "subject", "time", "type")

    def __init__(
        self,
        operator: str,
        subject: str,
        type: str,
        id: str,
        time: str,
        occurred_at: int,
        causation: str,
        revision: str,
        data: dict[str, Any],
    ) -> None:
        self.operator: Final = operator
        self.subject: Final = subject
        self.type: Final = type
        self.id: Final = id
        self.time: Final = time
        self.occurred_at: Final = occurred_at
        self.causation: Final = causation
        self.revision: Final = revision
        self.data: Final = data

    def encoded(self) -> bytes:
        """The CloudEvents 1.0 structured-mode JSON of this outcome; the same outcome gives the same bytes."""
        head = f'{{"specversion":"1.0","id":"{self.id}","source":"/loyalty/{self.operator}","type":"{self.type}","subject":'
        middle = f',"operator":"{self.operator}","time":"{self.time}","causationid":'
        tail = f',"revision":"{self.revision}","datacontenttype":"application/json","data":'
        return b"".join(
            (
                head.encode(),
                dumps(self.subject),
                middle.encode(),
                dumps(self.causation),
                tail.encode(),
                dumps(self.data),
                b"}",
            )
        )


def outcome_id(operator: str, subject: str, cause: Cause, rule: str, type: str, position: str) -> str:
    """The id of an outcome: a pure function of whom it concerns, its cause's full identity, rule and position."""
    text = "\0".join(
        (operator, subject, cause.operator, cause.subject, cause.source, cause.id, rule, type, position)
    )
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
