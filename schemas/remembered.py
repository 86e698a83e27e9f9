"""Remembering what was computed, up to a bound: it only spares work, and is forgotten when there is too much of it."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def remember(found: dict[K, V], key: K, value: V, most: int) -> V:
    """Keep a value under its key, afresh once there are `most`; returns the value."""
    if len(found) >= most:
        found.clear()
    found[key] = value
    return value
