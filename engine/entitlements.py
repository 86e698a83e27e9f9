"""Entitlements of an account: granted, granted again with other terms, ended."""

from __future__ import annotations

from engine.turn import Turn
from schemas.entitlements import Grant, shared


def grant(turn: Turn, new: Grant, reason: str) -> None:
    """Grant an entitlement; one that the account has on the same terms is no outcome."""
    row = turn.row
    before = row.entitlements
    if before.terms.get(new.name) == new.terms:
        return
    row.entitlements = new.to(before)
    turn.emit("entitlement.granted", new.name, reason, {"entitlement": new.name, **new.terms})


def end(turn: Turn, name: str, reason: str) -> None:
    """End an entitlement, if the account has it."""
    row = turn.row
    before = row.entitlements.terms
    terms = before.get(name)
    if terms is not None:
        row.entitlements = shared({other: before[other] for other in before if other != name})
        turn.emit("entitlement.ended", name, reason, {"entitlement": name, **terms})
