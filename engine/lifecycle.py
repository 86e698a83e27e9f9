"""What happens to an account itself: opened, activated, blocked, handed over, closed; and tenure."""

from __future__ import annotations

from typing import Final

from engine import accrual, billing, discounts, entitlements, lots, promotions, referral, tariffs
from engine.calendar import add_months, first_day, month_of
from engine.membership import is_member
from engine.rulebook import Rulebook
from engine.turn import Turn
from schemas.account import BLOCK_BITS, NEVER, Account, Discount
from schemas.event import Event
from schemas.payment_key import ID_BITS, id_hash_of, payment_key

CLOSED: Final = "account-closed"


def open_account(turn: Turn, event: Event) -> None:
    """Open the account, or update its profile; nothing reopens a closed one."""
    row, data = turn.row, event.data
    row.opened = True
    row.opened_at = min(row.opened_at, turn.time)
    row.segment = data["segment"]
    row.dwelling = data.get("dwelling", row.dwelling)
    row.city = data.get("city", row.city)
    row.signed_on = data.get("signed_on", row.signed_on)
    row.existing_customer = data["existing_customer"]
    row.participant = data["participant"]


def activate(turn: Turn, event: Event) -> None:
    """Start billing, tenure and promotions at the first activation of the programme's service; later ones
    change the tariff."""
    row, book, data = turn.row, turn.book, event.data
    if book.service is not None and data["service"] != book.service:
        return
    row.enrolled_day = min(row.enrolled_day or turn.day, turn.day)
    row.feasible_ultra = data.get("feasible_ultra", row.feasible_ultra)
    if "promo_until" in data:
        row.promo_until = data["promo_until"]
    if row.activated_day:
        tariffs.put(turn, data["tariff"])
        return
    row.activated_at = turn.time
    row.activated_day = row.tenure_day = turn.day
    row.tariff = data["tariff"]
    billing_day = data["billing_day"] if "billing_day" in data else _day_of_month(turn.day)
    billing.start(row, turn.day, billing_day, book.levels)
    referral.notice_conversion(turn)
    promotions.on_activation(turn)


def change_tariff(turn: Turn, event: Event) -> None:
    """Billing has changed the tariff. Without an activated service there is none to change, but where changes are
    scheduled: they ask for no activation, and the next one is recalculated from what billing said last (SPEC 2.6)."""
    if turn.row.activated_day or turn.book.tariff_change is not None:
        tariffs.put(turn, event.data["tariff"])


def block(turn: Turn, event: Event) -> None:
    """A block of any kind puts the level to 0 at once."""
    turn.row.blocks |= BLOCK_BITS[event.data["kind"]]
    billing.put_level(turn, 0, "blocked")


def unblock(turn: Turn, event: Event) -> None:
    """One kind of block is over."""
    turn.row.blocks &= ~BLOCK_BITS[event.data["kind"]]


def pay(turn: Turn, event: Event) -> None:
    """A payment: for billing dates, for referrals, for promotions, for points, whichever the programme has."""
    row, book, data = turn.row, turn.book, event.data
    if book.counts_payment_for(data["service"]):
        key = payment_key(event.source, event.id_hash)
        if not _was_refunded(row, key):
            payment = billing.pay(turn, key, data["months"])
            referral.notice_conversion(turn)
            late = billing.NOT_YET < payment.first < row.billing_next
            held = row.discounts
            if row.activated_day:
                promotions.on_payment(turn, payment)
            if late:
                billing.put_right(turn, payment, [d for d in row.discounts if d not in held])
    if book.accrual is not None:
        accrual.earn(turn, book.accrual, "payment", data["service"], data["amount"])


def refund(turn: Turn, event: Event) -> None:
    """A refunded payment no longer counts."""
    if turn.book.counts_payments:
        billing.refund(turn, payment_key(event.source, id_hash_of(event.data["payment"])))


def convert_discount(turn: Turn, event: Event) -> None:
    """A discount saved up in an older programme becomes the level, and stays on up to its last day."""
    row, levels = turn.row, turn.book.levels
    if levels is None or levels.converted_rule is None:
        return
    percent: int = event.data["percent"]
    old = discounts.of_rule(row, levels.converted_rule)
    if old is not None:
        discounts.drop(row, old)
    row.discounts += (
        Discount(
            levels.converted_rule,
            percent,
            levels.converted_target,
            turn.day,
            event.data["last_day"],
            levels.converted_group,
        ),
    )
    if is_member(turn.book, row) and (row.tariff is None or row.tariff.monthly_price is not None):
        billing.put_level(turn, percent, "converted")


def change_owner(turn: Turn) -> None:
    """A new owner begins without the points and the tenure of the old one, where the programme says so."""
    change, row = turn.book.owner_change, turn.row
    if change is None:
        return
    if change.expire_points:
        lots.expire(turn, row.lots, change.rule, "owner-changed")
    if change.restart_tenure and row.tenure_day:
        row.tenure_day = turn.day


def close(turn: Turn) -> None:
    """Close the account for good: level, discounts, entitlements, points, pending points, ordered change."""
    row = turn.row
    row.closed = True
    billing.put_level(turn, 0, CLOSED)
    for discount in row.discounts:
        discounts.end(turn, discount, CLOSED)
    for name in list(row.entitlements.terms):
        entitlements.end(turn, name, CLOSED)
    lots.expire(turn, row.lots, lots.EXPIRY_RULE, CLOSED)
    accrual.reject_all(turn, CLOSED)
    row.order = None


def tenure_due(turn: Turn) -> None:
    """On the 1st of a month, points for full years of tenure."""
    tenure, row = turn.book.tenure, turn.row
    if tenure is None or row.tenure_day == 0 or turn.day != first_day(month_of(turn.day)):
        return
    if turn.book.is_over(turn.day) or not is_member(turn.book, row):
        return
    if turn.day >= add_months(row.tenure_day, 12 * tenure.full_years):
        lots.credit(turn, tenure.rule, tenure.points, "tenure")


def next_tenure(book: Rulebook, row: Account) -> int:
    """The next 1st of a month on which tenure is paid."""
    if book.tenure is None or row.tenure_day == 0:
        return NEVER
    full = add_months(row.tenure_day, 12 * book.tenure.full_years)
    today = book.zone.day(row.clock)
    first = max(first_day(month_of(today) + 1), first_day(month_of(full - 1) + 1))
    return NEVER if book.is_over(first) else book.zone.midnight(first)


def _was_refunded(row: Account, key: int) -> bool:
    if row.refunded is None:
        return False
    return key & ID_BITS in {refunded & ID_BITS for refunded in row.refunded}


def _day_of_month(day: int) -> int:
    return day - first_day(month_of(day)) + 1
