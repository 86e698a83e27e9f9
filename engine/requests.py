"""Requests of members and staff: tested in the order of SPEC section 4, then carried out or rejected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine import discounts, lots, rewards, tariffs, transfer
from engine.membership import in_segment, participates
from engine.turn import Turn
from schemas.event import Event

ADJUSTMENT_RULE: Final = "adjustment"
NOT_ACTIVE: Final = "programme-not-active"

# Staff corrections and tariff changes ask for an open account only (SPEC section 4).
_ACCOUNT_ONLY: Final = frozenset({"points.adjusted", "discount.extended", "tariff.change-requested"})


def handle(turn: Turn, event: Event) -> None:
    """Carry out a request, or say with `request.rejected` why not."""
    reason = _refusal(turn, event) or _ACTIONS[event.type](turn, event)
    if reason is not None:
        reject(turn, event.type, _rule(turn, event.type), reason)


def reject(turn: Turn, request: str, rule: str, reason: str) -> None:
    """Say that a request is refused, and why."""
    turn.emit("request.rejected", rule, reason, {"request": request})


def _refusal(turn: Turn, event: Event) -> str | None:
    """What stands against any request of this type: account, closure, segment, participation, programme."""
    book, row = turn.book, turn.row
    if not row.is_open:
        return "unknown-account"
    if book.is_over(turn.day):
        return NOT_ACTIVE
    if event.type not in _ACCOUNT_ONLY:
        if not in_segment(book, row):
            return "not-individual"
        if not participates(book, row) or (
            event.type == "points.redeem-requested" and rewards.lacks_tariff(turn, event)
        ):
            return "not-participant"
    return None if _is_offered(turn, event.type) else NOT_ACTIVE


def _is_offered(turn: Turn, type: str) -> bool:
    book = turn.book
    offered = {
        "points.redeem-requested": book.rewards is not None,
        "points.gift-requested": book.gifts is not None,
        "goal.set": book.goals is not None,
        "discount.extended": book.grants_discounts,
        "tariff.change-requested": book.tariff_change is not None,
    }
    return offered.get(type, True)


def _rule(turn: Turn, type: str) -> str:
    """The rule a request falls under, for its rejection; the request's own name where there is none."""
    book = turn.book
    sections = {
        "points.redeem-requested": book.rewards,
        "points.gift-requested": book.gifts,
        "goal.set": book.goals,
        "tariff.change-requested": book.tariff_change,
    }
    section = sections.get(type)
    if section is not None:
        return section.rule
    return ADJUSTMENT_RULE if type == "points.adjusted" else type.replace(".", "-")


def _adjust(turn: Turn, event: Event) -> str | None:
    points: int = event.data["points"]
    if points >= 0:
        lots.credit(turn, ADJUSTMENT_RULE, points, event.data["reason"])
        return None
    if turn.row.balance < -points and not turn.book.points.may_be_negative:
        return "insufficient-points"
    lots.reverse(turn, ADJUSTMENT_RULE, -points, event.data["reason"])
    return None


def _extend(turn: Turn, event: Event) -> str | None:
    discount = discounts.of_rule(turn.row, event.data["rule"])
    if discount is None:
        return "promotion-over"
    discounts.change(
        turn, discount, event.data["reason"], percent=discount.percent, last_day=event.data["last_day"]
    )
    return None


def _set_goal(turn: Turn, event: Event) -> str | None:
    turn.row.goal = event.data["amount"]
    return None


_ACTIONS: Final[dict[str, Callable[[Turn, Event], str | None]]] = {
    "points.adjusted": _adjust,
    "points.redeem-requested": rewards.redeem,
    "points.gift-requested": transfer.give,
    "goal.set": _set_goal,
    "discount.extended": _extend,
    "tariff.change-requested": tariffs.order,
}
TYPES: Final = frozenset(_ACTIONS)
