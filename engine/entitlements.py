"""Entitlements of an account: granted, granted again with other terms, ended."""

from __future__ import annotations

from typing import Any

from engine.turn import Turn
from schemas.entitlements import shared


def grant(turn: Turn, name: str, terms: dict[str, Any], reason: str) -> None:
    """Grant an entitlement; one that the account has on the same terms is no outcome."""
    row = turn.row
    before = row.entitlements.terms
    if before.get(name) == terms:
        return
    row.entitlements = shared({**before, name: terms})
    turn.emit("entitlement.granted", name, reason, {"entitlement": name, **terms})


def end(turn: Turn, name: str, reason: str) -> None:
    """End an entitlement, if the account has it."""
    row = turn.row
    before = row.entitlements.terms
    terms = before.get(name)
    if terms is not None:
        row.entitlements = shared({other: before[other] for other in before if other != name})
        turn.emit("entitlement.ended", name, reason, {"entitlement": name, **terms})
