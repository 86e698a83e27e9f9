"""Referral codes without a stored table (SPEC section 3).

A code reads `operator:account:CHECK`. CHECK is a keyed hash of operator and account, so a mistyped or
invented code is told apart without a look-up, and nobody without the key can make one.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from schemas.short_hash import ShortHash

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHECK_LENGTH: Final = 10
# What people type for the letters and digits that the alphabet leaves out.
_MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V"})


class ReferralCodes:
    """Makes and reads codes with the deployment's secret key."""

    __slots__ = ("_hash",)

    def __init__(self, key: bytes) -> None:
        derived = hashlib.blake2b(key, digest_size=32, person=b"referral-code").digest()
        self._hash: Final = ShortHash(8, key=derived)

    def code(self, operator: str, account: str) -> str:
        """The code by which this account brings others."""
        return f"{operator}:{account}:{self._check(operator, account)}"

    def read(self, code: str) -> tuple[str, str] | None:
        """Operator and account of a genuine code, else None. Case and spaces around do not matter in the check."""
        operator, separator, rest = code.strip().partition(":")
        account, separator_2, check = rest.rpartition(":")
        if not separator or not separator_2 or not account:
            return None
        typed = check.upper().translate(_MISREAD)
        if not typed.isascii() or not hmac.compare_digest(typed, self._check(operator, account)):
            return None
        return operator, account

    def _check(self, operator: str, account: str) -> str:
        number = int.from_bytes(self._hash.of(f"{operator}\0{account}".encode()))
        return "".join(_ALPHABET[number >> (5 * place) & 31] for place in range(_CHECK_LENGTH))
