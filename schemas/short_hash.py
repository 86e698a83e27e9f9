"""Short BLAKE2b hashes of texts, for identities that rows, journals and outcomes keep for ever."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final


class ShortHash:
    """A hash of `size` bytes, keyed where a `key` is given; what it hashes begins with `beginning`.

    It is begun once and copied for each text: setting one up costs more than hashing a few words.
    """

    __slots__ = ("_begun",)

    def __init__(self, size: int, beginning: bytes = b"", key: bytes = b"") -> None:
        self._begun: Final = blake2b(beginning, digest_size=size, key=key)

    def of(self, data: bytes) -> bytes:
        """The hash of what begins so and goes on with `data`."""
        hashed = self._begun.copy()
        hashed.update(data)
        return hashed.digest()

    def hex_of(self, data: bytes) -> str:
        """The same in hexadecimal digits."""
        hashed = self._begun.copy()
        hashed.update(data)
        return hashed.hexdigest()
