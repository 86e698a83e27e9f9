"""How a deployment knows that an account was forgotten, without keeping the account's name.

In place of the account's row stands one under a keyed hash of its name. Whoever has a name and the deployment's
key can ask whether it was forgotten; nobody can read names out of the hash, and without the key nobody can try them.
"""

from __future__ import annotations

import hashlib
from typing import Final

from schemas.account import Account
from schemas.short_hash import ShortHash

MARK: Final = "~"
"""How the names begin that stand for a forgotten account."""


class Forgotten:
    """Makes those names with the deployment's secret key, the one of the referral codes."""

    __slots__ = ("_hash",)

    def __init__(self, key: bytes) -> None:
        derived = hashlib.blake2b(key, digest_size=32, person=b"forgotten").digest()
        self._hash: Final = ShortHash(16, key=derived)

    def name(self, operator: str, account: str) -> str:
        """Under which name the closed books of a forgotten account stand."""
        return MARK + self._hashed(operator, account)

    def key(self, operator: str, account: str) -> bytes:
        """The key of the row that says that the account was forgotten."""
        return key_begins(operator) + self._hashed(operator, account).encode()

    def _hashed(self, operator: str, account: str) -> str:
        return self._hash.hex_of(f"{operator}\0{account}".encode())


def key_begins(operator: str) -> bytes:
    """How the keys of the rows begin that say that an account of this operator was forgotten."""
    return f"{operator}/{MARK}".encode()


def closed_books(operator: str, name: str) -> Account:
    """The row that stands for a forgotten account: closed, and nothing else."""
    row = Account(operator, name)
    row.closed = True
    return row
