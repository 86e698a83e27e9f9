"""Text as JSON, for documents that are put together from pieces."""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import Final

_quote: Final = encode_basestring


def quoted(text: str) -> str:
    """A text as JSON: in quotes, and escaped just as orjson escapes it, but at half the cost of its bytes decoded.

    The standard library does not document this half of its encoder; `tests/test_outcome.py` compares both.
    """
    return _quote(text)
