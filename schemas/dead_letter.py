"""Why a record was refused, in words that help the engineer of the system that sent it."""

from __future__ import annotations

from typing import Final


class Unreadable(Exception):
    """A record that cannot be an event.

    `reason` is one of the codes below; `detail` says which field is wrong and what would be right.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Final = reason
        self.detail: Final = detail


NOT_JSON: Final = "not-json"
DUPLICATE_KEY: Final = "duplicate-key"
NOT_CLOUDEVENT: Final = "not-a-cloudevent"
UNKNOWN_OPERATOR: Final = "unknown-operator"
UNKNOWN_TYPE: Final = "unknown-type"
WRONG_TOPIC: Final = "wrong-topic"
WRONG_KEY: Final = "wrong-key"
MISSING_FIELD: Final = "missing-field"
MALFORMED_FIELD: Final = "malformed-field"
NAIVE_TIME: Final = "naive-time"
TIME_OUT_OF_RANGE: Final = "time-out-of-range"
TOO_LARGE: Final = "too-large"
TOO_OLD: Final = "too-old"
IDENTITY_CONFLICT: Final = "identity-conflict"
ACCOUNT_FORGOTTEN: Final = "account-forgotten"
