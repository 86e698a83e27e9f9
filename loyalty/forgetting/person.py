"""Who is to be forgotten, where their name can stand, and what stands there afterwards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from typing import Final

from engine.codes import ReferralCodes
from engine.forgotten import MARK, Forgotten

PROTECTED: Final = frozenset(
    {
        "specversion", "id", "source", "type", "subject", "operator", "time", "causationid", "revision",
        "datacontenttype", "amount", "balance", "category", "change_on", "channel", "charge", "currency",
        "discount", "dwelling", "entitlement", "expires_on", "family", "fault", "first_day", "kind",
        "last_day", "lot", "monthly_price", "payable", "payment", "percent", "promo_until", "purchase",
        "refund", "request", "reward", "role", "rule", "segment", "service", "signed_on", "target", "tariff",
        "what", "window",
    }
)  # fmt: skip
"""Fields of other accounts' records that name no account: an account named like a word or a number would otherwise
change what they say. Ids are among them: a record with another id would be another fact."""


class Person:
    """One account of one operator, and the alias that takes its place in other accounts' records.

    The alias comes from `secret` alone, which is thrown away in the end: nothing leads from it to the account.
    """

    def __init__(
        self,
        operator: str,
        account: str,
        secret: bytes,
        codes: ReferralCodes,
        forgotten: Forgotten,
        senders: Collection[str] = (),
    ) -> None:
        self.operator: Final = operator
        self.account: Final = account
        self.key: Final = f"{operator}/{account}".encode()
        self.books_name: Final = forgotten.name(operator, account)
        self.books_key: Final = forgotten.key(operator, account)
        self.alias: Final = MARK + hashlib.blake2b(secret, digest_size=12, person=b"alias").hexdigest()
        self.senders: Final = frozenset(senders) - {operator}
        """Other operators whose members may send points to this operator's accounts."""
        self._secret: Final = secret
        self._codes: Final = codes
        self._needle: Final = account.encode()
        self._token: Final = re.compile(_alone(re.escape(account)))
        self._byte_token: Final = re.compile(_alone(re.escape(account)).encode())

    def is_key(self, key: bytes | None) -> bool:
        """Whether a record's key is the account's, with or without its operator."""
        return key is not None and key in (self.key, self._needle)

    def may_be_in(self, value: bytes) -> bool:
        """False when the name cannot be in these bytes, however JSON may spell it."""
        return self._needle in value or b"\\" in value

    def is_named(self, value: bytes) -> bool:
        """Whether the name stands in these bytes by itself, not as a part of a longer one."""
        return self._byte_token.search(value) is not None

    def cause_id(self, id: str) -> str:
        """What stands for the id of one of the account's events: the same for the same, and nothing more."""
        return hashlib.blake2b(id.encode(), key=self._secret[:64], digest_size=10).hexdigest()

    def text(self, text: str) -> str:
        """A string of another account's record without the name: a code of the account becomes one of the alias."""
        if text == self.account:
            return self.alias
        if self.account not in text:
            return text
        if self._codes.read(text) == (self.operator, self.account):
            return self._codes.code(self.operator, self.alias)
        return self._token.sub(self.alias, text)

    def raw(self, value: bytes) -> bytes:
        """Bytes that are no JSON, without the name."""
        return self._byte_token.sub(self.alias.encode(), value)


def _alone(name: str) -> str:
    """A pattern for a name that stands by itself: A-1 is neither in A-17 nor in 10-A-1, nor is 650 in 650.00."""
    return rf"(?<![\w-])(?<!\d\.){name}(?![\w-])(?!\.\d)"
