"""Records that carry one event's effects to another account (SPEC section 5): the internal link topic."""

from __future__ import annotations

from typing import Any, Final

import orjson
from mypy_extensions import mypyc_attr

from schemas import link_checks
from schemas.outcome import Cause
from schemas.short_hash import ShortHash

# What is said on the way. The steps of a referral and of a transfer stand in engine/referral.py and
# engine/transfer.py.
CLAIM: Final = "referral.claim"
ANSWER: Final = "referral.answer"
CONVERSION: Final = "referral.conversion"
RESULT: Final = "referral.result"
OFFER: Final = "transfer.offer"
RETURN: Final = "transfer.return"

_VERSION: Final = 1
_IDENTITY: Final = ShortHash(8)


@mypyc_attr(acyclic=True)
class Link:
    """One step between two accounts.

    `operator`/`account` is whom it is for (the record's key); `sender_operator`/`sender` who sent it; `cause`
    the event behind it; `data` what the step needs.
    """

    __slots__ = ("account", "cause", "data", "kind", "operator", "sender", "sender_operator")

    def __init__(
        self,
        kind: str,
        operator: str,
        account: str,
        sender_operator: str,
        sender: str,
        cause: Cause,
        data: dict[str, Any],
    ) -> None:
        self.kind: Final = kind
        self.operator: Final = operator
        self.account: Final = account
        self.sender_operator: Final = sender_operator
        self.sender: Final = sender
        self.cause: Final = cause
        self.data: Final = data

    @property
    def identity(self) -> bytes:
        """64-bit hash of the step: a step that arrives twice has the same one."""
        text = "\0".join(
            ("link", self.kind, self.sender_operator, self.sender, *map(str, self.cause.packed()))
        )
        return _IDENTITY.of(text.encode())

    def because(self, cause: Cause) -> Link:
        """The same step with another cause."""
        parties = (self.operator, self.account, self.sender_operator, self.sender)
        return Link(self.kind, *parties, cause, self.data)

    def encoded(self) -> bytes:
        """As the value of a record."""
        return orjson.dumps(
            {
                "v": _VERSION,
                "kind": self.kind,
                "operator": self.operator,
                "account": self.account,
                "sender_operator": self.sender_operator,
                "sender": self.sender,
                "cause": self.cause.packed(),
                "data": self.data,
            }
        )

    @classmethod
    def decoded(cls, value: bytes) -> Link:
        """From the value of a record.

        :raises ValueError: it is not a link of this version.
        """
        try:
            fields = orjson.loads(value)
            if fields["v"] != _VERSION:
                raise ValueError(f"link version {fields['v']!r}; this worker reads {_VERSION}")
            link_checks.check(fields)
            return cls(
                fields["kind"],
                fields["operator"],
                fields["account"],
                fields["sender_operator"],
                fields["sender"],
                Cause.unpacked(fields["cause"]),
                fields["data"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a link record: {error!r}") from error
