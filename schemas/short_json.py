"""JSON with what stands in most rows as one byte each, for terms that many rows repeat.

JSON as orjson writes it has no control characters, so each can stand for a longer piece. The pieces belong to the row's
version: others mean another version, because a worker that does not know them would read other terms.
"""

from __future__ import annotations

from typing import Final

PIECES: Final = (
    (b'":{"window":["', b"\x01"),
    (b'"],"counts_to_quota":false}}', b"\x02"),
    (b'"],"counts_to_quota":true}}', b"\x03"),
    (b'",false,0]', b"\x04"),
    (b'","', b"\x05"),
    (b'",', b"\x06"),
    (b',"', b"\x07"),
)
"""Piece → its byte, in the order in which they are looked for: of two that begin alike the longer one first."""


def shortened(json: bytes) -> bytes:
    """What `lengthened` makes this JSON of."""
    for piece, byte in PIECES:
        json = json.replace(piece, byte)
    return json


def lengthened(short: bytes) -> bytes:
    """The JSON that was shortened."""
    for piece, byte in PIECES:
        short = short.replace(byte, piece)
    return short
