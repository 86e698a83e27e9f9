"""Points for what a member spends: steps with remainders, percentages, thresholds, pending purchases."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from engine import lots
from engine.membership import is_member
from engine.money import exact_product
from engine.rulebook import Rulebook
from engine.terms_parts import Accrual, Rate
from engine.turn import Turn
from schemas.account import CREDITED, NEVER, PENDING, REJECTED, RETURNED, SEEN, Account, Lot, Purchase
from schemas.event import Event

_HUNDRED: Final = Decimal(100)
_ZERO: Final = Decimal(0)


def earn(turn: Turn, accrual: Accrual, kind: str, category: str, amount: Decimal) -> None:
    """Points for a charge or a payment, credited at once."""
    rate = accrual.rates.get((kind, category))
    if rate is None or not _accrues(turn):
        return
    for rule, points in _points(turn.row, accrual, rate, category, amount, None):
        lots.credit(turn, rule, points, kind)


def purchase(turn: Turn, accrual: Accrual, event: Event) -> None:
    """Points for a purchase: credited at once, or pending until it is confirmed."""
    row, data = turn.row, event.data
    id: str = data["purchase"]
    if row.closed or _made(turn, id) is not None:
        return
    made = Purchase(SEEN, turn.day)
    if row.purchases is None:
        row.purchases = {}
    row.purchases[id] = made
    _forget(row.purchases, turn, accrual)
    rate = accrual.rates.get(("purchase", data["channel"]))
    if rate is None or not _accrues(turn):
        return
    for rule, points in _points(row, accrual, rate, data["channel"], data["amount"], data.get("percent")):
        if points == 0:
            continue
        made.points += points
        if accrual.confirm_within_days is None:
            made.state = CREDITED
            made.lots.append(lots.credit(turn, rule, points, "purchase"))
        else:
            made.state = PENDING
            made.deadline = turn.day + accrual.confirm_within_days
            outcome = turn.new_id("points.pending", rule)
            made.lots.append(lots.lot_id(outcome, turn.time))
            turn.emit(
                "points.pending",
                rule,
                "purchase",
                {
                    "points": points,
                    "balance": row.balance,
                    "lot": made.lots[0],
                    "expires_on": None,
                    "purchase": id,
                },
                id=outcome,
            )


def confirm(turn: Turn, accrual: Accrual, id: str) -> None:
    """Credit what a purchase has pending; without a pending one nothing happens."""
    made = _made(turn, id)
    if made is None or made.state != PENDING or turn.book.is_over(turn.day):
        return
    made.state = CREDITED
    lots.credit(turn, accrual.rule, made.points, "confirmed", lot=made.lots[0])


def give_back(turn: Turn, accrual: Accrual, id: str) -> None:
    """Take back what a returned purchase earned: its own lots first, and only once."""
    made = _made(turn, id)
    if made is None or turn.row.closed:
        return
    if made.state == PENDING:
        _reject(turn, id, made, "returned")
    elif made.state == CREDITED:
        made.state = RETURNED
        lots.reverse(turn, accrual.rule, made.points, "returned", first=made.lots)


def reject_due(turn: Turn) -> None:
    """Reject the pending purchases whose time to be confirmed is over."""
    purchases = turn.row.purchases
    if purchases is None:
        return
    for id, made in purchases.items():
        if made.state == PENDING and turn.book.zone.midnight(made.deadline) <= turn.time:
            _reject(turn, id, made, "not-confirmed")


def reject_all(turn: Turn, reason: str) -> None:
    """Reject all pending purchases."""
    for id, made in (turn.row.purchases or {}).items():
        if made.state == PENDING:
            _reject(turn, id, made, reason)


def next_due(book: Rulebook, row: Account) -> int:
    """The next moment at which a pending purchase is rejected."""
    purchases = row.purchases
    if purchases is None:
        return NEVER
    deadline = 0
    for made in purchases.values():
        if made.state == PENDING and (deadline == 0 or made.deadline < deadline):
            deadline = made.deadline
    return book.zone.midnight(deadline) if deadline else NEVER


def _accrues(turn: Turn) -> bool:
    return is_member(turn.book, turn.row) and not turn.book.is_over(turn.day)


def _points(
    row: Account, accrual: Accrual, rate: Rate, category: str, amount: Decimal, percent: Decimal | None
) -> list[tuple[str, int]]:
    """What an amount earns, by rule; moves the category's remainder and total."""
    if rate.percent_maximum is not None:
        share = min(percent if percent is not None else _ZERO, rate.percent_maximum)
        return [(accrual.rule, int(exact_product(amount, share) // _HUNDRED))]
    if rate.per is None:
        return [(accrual.rule, rate.points)]
    earned: list[tuple[str, int]] = []
    if rate.threshold is not None and rate.welcome_rule is not None:
        if row.totals is None:
            row.totals = {}
        before = row.totals.get(category, _ZERO)
        total = row.totals[category] = before + amount
        if total < rate.threshold:
            return []
        if before < rate.threshold:
            earned.append((rate.welcome_rule, rate.welcome_points))
            amount = total - rate.threshold
    if rate.carry_remainder:
        carry = row.carry or {}
        steps, rest = divmod(amount + carry.pop(category, _ZERO), rate.per)
        if rest:
            carry[category] = rest
        row.carry = carry or None
    else:
        steps = amount // rate.per
    earned.append((accrual.rule, int(steps) * rate.points))
    return earned


def _reject(turn: Turn, id: str, made: Purchase, reason: str) -> None:
    accrual = turn.book.accrual  # a later revision may have none and still have these to reject
    made.state = REJECTED
    turn.emit(
        "points.rejected",
        accrual.rule if accrual is not None else "accrual",
        reason,
        {
            "points": made.points,
            "balance": turn.row.balance,
            "lots": lots.shown([Lot(made.lots[0], made.points, 0)]),
            "purchase": id,
        },
        position=made.lots[0],
    )


def _made(turn: Turn, id: str) -> Purchase | None:
    purchases = turn.row.purchases
    return None if purchases is None else purchases.get(id)


def _forget(purchases: dict[str, Purchase], turn: Turn, accrual: Accrual) -> None:
    """Forget the oldest purchases once their time is over; they are in the order in which they came."""
    while True:
        id, oldest = next(iter(purchases.items()))
        if oldest.day >= turn.day - accrual.remember_purchases_days or oldest.state == PENDING:
            return
        del purchases[id]
