"""The two kinds of journal entries that `loyalty forget` writes; no worker does.

A *head* has no key. It says that a partition of the journal begins anew at its own offset: what stands before it is
about to be deleted, and what is kept of it follows. A *forgotten* entry is all that is left of a forgotten account's
entries: how many points each type of outcome moved in its lifetime, so that the books can still be added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import orjson

HEAD: Final = "head"
FORGOTTEN: Final = "forgotten"
WRITTEN_OFF: Final = "written-off"
"""Points that a closed account still owed, among the totals: nobody will bring them."""

_SIGNS: Final = {
    "points.credited": 1,
    "points.received": 1,
    WRITTEN_OFF: 1,
    "points.redeemed": -1,
    "points.gifted": -1,
    "points.expired": -1,
    "points.reversed": -1,
}


def head_entry(at: int) -> bytes:
    """The head of a partition that begins anew at offset `at`."""
    return orjson.dumps({"kind": HEAD, "at": at})


def is_head(value: bytes | None) -> bool:
    """Whether an entry is a head, wherever it stands."""
    return value is not None and value.startswith(b'{"kind":"head"')


def heads(value: bytes | None, offset: int) -> bool:
    """Whether an entry is a head that was written for this offset."""
    return is_head(value) and orjson.loads(value or b"").get("at") == offset


def forgotten_entry(operator: str, name: str, day: str, totals: Mapping[str, int]) -> bytes:
    """The closed books of a forgotten account; `day` is the day on which it was forgotten, `YYYY-MM-DD`."""
    return orjson.dumps(
        {
            "kind": FORGOTTEN,
            "operator": operator,
            "account": name,
            "time": f"{day}T00:00:00+00:00",
            "revision": "",
            "points": dict(sorted(totals.items())),
            "outcomes": [],
        }
    )


def count(totals: Counter[str], entry: Mapping[str, Any]) -> None:
    """Add to the totals what an entry moved: its outcomes, or the totals of closed books."""
    if entry.get("kind") == FORGOTTEN:
        totals.update(entry["points"])
    for outcome in entry["outcomes"]:
        if outcome["type"] in _SIGNS:
            totals[outcome["type"]] += outcome["data"]["points"]


def balance(totals: Mapping[str, int]) -> int:
    """What the totals add up to."""
    return sum(_SIGNS[type_] * points for type_, points in totals.items())
