"""Lots of points: credit, take, expire, warn. The balance is the sum of the lots less the debt, always."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from engine.calendar import add_months, first_day, iso, month_of
from engine.rulebook import Rulebook
from engine.turn import Turn
from schemas.account import NEVER, Account, Lot
from schemas.short_hash import ShortHash

EXPIRY_RULE: Final = "expiry"
_FAR: Final = 2**31
_NAME: Final = ShortHash(6)


def expires_on(book: Rulebook, day: int) -> int:
    """First day on which points credited on `day` cannot be used; 0: never."""
    expiry = book.points.expiry
    end = 0
    if expiry.policy == "rolling":
        end = add_months(day, expiry.months, past_missing_day=expiry.missing_day == "next-day")
    elif expiry.policy == "calendar-year":
        end = first_day((month_of(day) // 12 + expiry.years) * 12)
    if book.closes_on != 0 and (end == 0 or end > book.closes_on):
        end = book.closes_on
    return end


def ends_on(book: Rulebook, lot: Lot) -> int:
    """First day on which a lot cannot be used; 0: never. A closure that a later revision brings ends it too."""
    end = lot.expires_on
    closes_on = book.closes_on
    return closes_on if closes_on != 0 and (end == 0 or end > closes_on) else end


def lot_id(outcome: str, time: int, number: int = 0) -> str:
    """Name of the lot that an outcome of this `time` brings: part of a hash, so that the same history gives the same names.

    The outcome's id alone does not name it: once an event's identity is forgotten, another one may have it.
    """
    return _NAME.hex_of(f"{outcome}/{number}/{time}".encode())


def add(row: Account, lot: Lot) -> None:
    """Put a new lot into the row, settling a debt first."""
    row.balance += lot.points
    settled = min(row.debt, lot.points)
    row.debt -= settled
    lot.points -= settled
    if lot.points == 0:
        return
    rank = lot.expires_on or _FAR
    place = len(row.lots)
    while place > 0 and (row.lots[place - 1].expires_on or _FAR) > rank:
        place -= 1
    row.lots = (*row.lots[:place], lot, *row.lots[place:])


def credit(
    turn: Turn, rule: str, points: int, reason: str, *, lot: str = "", expires: int | None = None
) -> str:
    """Credit points as one lot and say so; returns the lot's name. Nothing comes of 0 points."""
    assert points >= 0, "a credit is a positive magnitude"
    if points == 0:
        return ""
    id = turn.new_id("points.credited", rule, lot)
    name = lot or lot_id(id, turn.time)
    end = expires_on(turn.book, turn.day) if expires is None else expires
    rest = next((other for other in turn.row.lots if other.id == name), None) if lot else None
    if rest is None:
        add(turn.row, Lot(name, points, end))
    else:  # what was given away comes back to the part that stayed
        rest.points += points
        turn.row.balance += points
    turn.emit(
        "points.credited",
        rule,
        reason,
        {"points": points, "balance": turn.row.balance, "lot": name, "expires_on": iso(end) if end else None},
        id=id,
    )
    return name


def take(row: Account, points: int, first: Collection[str] = ()) -> list[Lot]:
    """Take points out of lots, `first` those named, then the ones that expire first.

    What the lots do not hold becomes debt; who may not be in debt tests the balance before.
    """
    taken: list[Lot] = []
    left = points
    ordered = [lot for lot in row.lots if lot.id in first] if first else []
    ordered += [lot for lot in row.lots if not first or lot.id not in first]
    for lot in ordered:
        if left == 0:
            break
        part = min(lot.points, left)
        lot.points -= part
        left -= part
        taken.append(Lot(lot.id, part, lot.expires_on))
    row.lots = tuple([lot for lot in row.lots if lot.points])
    row.debt += left
    row.balance -= points
    return taken


def shown(taken: Sequence[Lot]) -> list[dict[str, Any]]:
    """The lots of a debit as outcomes name them."""
    return [{"lot": lot.id, "points": lot.points} for lot in taken]


def reverse(turn: Turn, rule: str, points: int, reason: str, first: Collection[str] = ()) -> int:
    """Take points back, as far as the balance goes unless it may be negative; returns how many."""
    row = turn.row
    back = points if turn.book.points.may_be_negative else min(points, max(row.balance, 0))
    if back <= 0:
        return 0
    taken = take(row, back, first)
    turn.emit("points.reversed", rule, reason, {"points": back, "balance": row.balance, "lots": shown(taken)})
    return back


def expire(turn: Turn, lots: Sequence[Lot], rule: str, reason: str) -> None:
    """Expire these lots of the row in one outcome."""
    if not lots:
        return
    row = turn.row
    gone = {lot.id for lot in lots}
    points = sum(lot.points for lot in lots)
    row.lots = tuple([lot for lot in row.lots if lot.id not in gone])
    row.balance -= points
    # The same moment can bring expiry twice, when a gift comes back late: its lots tell the outcomes apart.
    # In an order of their own: that in which gifts arrived is no part of the outcome's identity.
    turn.emit(
        "points.expired",
        rule,
        reason,
        {"points": points, "balance": row.balance, "lots": shown(lots)},
        position=",".join(sorted(lot.id for lot in lots)),
    )


def expire_due(turn: Turn) -> None:
    """Expire the lots whose time has come."""
    book = turn.book
    if not _any_expires(book, turn.row):
        return
    due = [
        lot for lot in turn.row.lots if (end := ends_on(book, lot)) and book.zone.midnight(end) <= turn.time
    ]
    if book.closure is not None and book.is_over(turn.day):
        expire(turn, due, book.closure.rule, "programme-closed")
    else:
        expire(turn, due, EXPIRY_RULE, "expired")


def warn_due(turn: Turn) -> None:
    """Warn about the lots that expire a set number of days from now, one outcome per expiry day."""
    book = turn.book
    if not _any_expires(book, turn.row):
        return
    expiring: dict[int, int] = {}
    for lot in turn.row.lots:
        lot_ends = ends_on(book, lot)
        if not lot_ends:
            continue
        for days in book.warning_days(lot_ends):
            if lot_ends - days == turn.day:
                expiring[lot_ends] = expiring.get(lot_ends, 0) + lot.points
    for end, points in expiring.items():
        turn.emit(
            "points.expiring",
            EXPIRY_RULE,
            "expiring",
            {"points": points, "expires_on": iso(end)},
            position=iso(end),
        )


def next_due(book: Rulebook, row: Account) -> int:
    """The next moment at which lots expire or are warned about."""
    if not _any_expires(book, row):
        return NEVER
    # The first lot is the first to expire; a later one can be warned about sooner only by other notice.
    next_moment = book.zone.midnight(ends_on(book, row.lots[0]))
    seen = 0
    for lot in row.lots:
        end = ends_on(book, lot)
        if end == seen:
            continue
        if not end:
            break
        seen = end
        notice = book.warning_days(end)
        if not notice:
            continue
        for days in notice:
            warning = book.zone.midnight(end - days)
            if row.clock < warning < next_moment:
                next_moment = warning
    return next_moment


def _any_expires(book: Rulebook, row: Account) -> bool:
    """Whether any lot expires: the lots that do come first."""
    return bool(row.lots) and ends_on(book, row.lots[0]) != 0
