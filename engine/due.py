"""Due moments: what an account does because time has come, in the order of SPEC section 1."""

from __future__ import annotations

from engine import accrual, billing, discounts, lifecycle, lots, rewards, tariffs
from engine.rulebook import Rulebook
from engine.turn import Turn
from schemas.account import NEVER, Account
from schemas.outcome import Cause


def act(book: Rulebook, row: Account) -> Turn:
    """Let the row's next due moment act."""
    moment = row.next_due
    text = book.zone.text(moment)
    turn = Turn(book, row, Cause(row.operator, row.id, "", f"due/{text}", moment), text)
    # A moment that lies in the past was created by a late event: only what it created acts, the calendar
    # (warnings, tenure, write-off) has passed it already.
    fresh = moment > row.clock
    discounts.end_due(turn)
    lots.expire_due(turn)
    if fresh:
        lots.warn_due(turn)
    tariffs.apply_due(turn)
    billing.judge_due(turn)
    if fresh:
        lifecycle.tenure_due(turn)
    accrual.reject_due(turn)
    if fresh:
        rewards.write_off_due(turn)
        row.clock = moment
    return turn


def next_moment(book: Rulebook, row: Account) -> int:
    """The row's next due moment: the earliest of what its parts wait for, or a new revision taking effect."""
    if row.closed:
        return NEVER
    moment = discounts.next_due(book, row)
    moment = min(moment, lots.next_due(book, row))
    moment = min(moment, tariffs.next_due(book, row))
    moment = min(moment, billing.next_due(book, row))
    moment = min(moment, lifecycle.next_tenure(book, row))
    moment = min(moment, accrual.next_due(book, row))
    moment = min(moment, rewards.next_due(book, row))
    if row.clock < book.until_time:
        moment = min(moment, book.until_time)
    return moment
