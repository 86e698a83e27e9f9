"""Discounts of an account: granted, changed, refused, ended, and exclusion groups."""

from __future__ import annotations

from typing import Any, Final

from engine.calendar import iso
from engine.rulebook import Rulebook
from engine.turn import Turn
from schemas.account import NEVER, Account, Discount

EXCLUSIVE: Final = "exclusive-discount"
_PAST_KEPT: Final = 24


def _terms(discount: Discount) -> dict[str, Any]:
    return {
        "discount": discount.rule,
        "percent": discount.percent,
        "target": discount.target,
        "first_day": iso(discount.first_day),
        "last_day": iso(discount.last_day) if discount.last_day else None,
    }


def covering(row: Account, group: str | None, day: int) -> Discount | None:
    """The discount of an exclusion group that covers a day, if there is one."""
    if group is None:
        return None
    for discount in row.discounts:
        if discount.group == group and discount.covers(day):
            return discount
    return None


def of_rule(row: Account, rule: str) -> Discount | None:
    """The discount of a rule that is granted and has not ended; of several the one that lasts longest."""
    longest: Discount | None = None
    for discount in row.discounts:
        if discount.rule == rule and (longest is None or _outlasts(discount, longest)):
            longest = discount
    return longest


def _outlasts(discount: Discount, other: Discount) -> bool:
    """Whether a discount lasts longer than another one; one without a last day lasts longest."""
    if discount.last_day == 0 or other.last_day == 0:
        return other.last_day != 0
    return discount.last_day > other.last_day


def grant(turn: Turn, discount: Discount, reason: str, *, replace: bool = False) -> bool:
    """Grant a discount, unless one of its group covers its first day; says which it was."""
    other = covering(turn.row, discount.group, discount.first_day)
    if other is not None:
        if not replace:
            refuse(turn, discount, EXCLUSIVE)
            return False
        end(turn, other, "replaced")
    turn.row.discounts += (discount,)
    turn.emit("discount.granted", discount.rule, reason, _terms(discount), position=iso(discount.first_day))
    return True


def refuse(turn: Turn, discount: Discount, reason: str) -> None:
    """Say that a discount is not granted, and why."""
    turn.emit("discount.refused", discount.rule, reason, _terms(discount))


def change(turn: Turn, discount: Discount, reason: str, *, percent: int, last_day: int) -> None:
    """Give a discount other terms; equal ones are no outcome."""
    if (percent, last_day) == (discount.percent, discount.last_day):
        return
    discount.percent = percent
    discount.last_day = last_day
    turn.emit("discount.changed", discount.rule, reason, _terms(discount), position=iso(discount.first_day))


def end(turn: Turn, discount: Discount, reason: str) -> None:
    """End a discount."""
    row = turn.row
    drop(row, discount)
    position = f"{iso(discount.first_day)}/{discount.last_day}"
    # A late grant can end at the moment of another one that had the same days.
    same = [discount.rule, discount.first_day, discount.last_day, turn.day]
    again = sum([[past[0], past[3], past[4], past[5]] == same for past in row.past_discounts])
    ended = [
        discount.rule,
        discount.percent,
        discount.target,
        discount.first_day,
        discount.last_day,
        turn.day,
        reason,
    ]
    row.past_discounts = (*row.past_discounts, ended)[-_PAST_KEPT:]
    turn.emit(
        "discount.ended",
        discount.rule,
        reason,
        _terms(discount),
        position=f"{position}/{again}" if again else position,
    )


def drop(row: Account, discount: Discount) -> None:
    """Take a discount from the row, without an outcome."""
    row.discounts = tuple([other for other in row.discounts if other is not discount])


def end_due(turn: Turn) -> None:
    """End the discounts whose last day is over."""
    if not turn.row.discounts:
        return
    zone = turn.book.zone
    for discount in turn.row.discounts:
        if discount.last_day and zone.midnight(discount.last_day + 1) <= turn.time:
            end(turn, discount, "expired")


def next_due(book: Rulebook, row: Account) -> int:
    """The next moment at which a discount ends."""
    first_end = 0
    for discount in row.discounts:
        if discount.last_day and (first_end == 0 or discount.last_day < first_end):
            first_end = discount.last_day
    return book.zone.midnight(first_end + 1) if first_end else NEVER
