"""Billing dates, the payments that count for them, and the level they raise (SPEC 2.1, loyalty).

Billing dates are numbered from 0, the first one strictly after the activation day. A payment covers a run
of them; when a date is due it is judged by what covers it. The judged dates are kept as `LevelStep`s, so
that a payment that arrives late, or is refunded, puts right exactly what it changes.
"""

from __future__ import annotations

from typing import Final

from engine import lots
from engine.calendar import day_in, month_of
from engine.discounts import covering
from engine.membership import in_segment, participates
from engine.rulebook import Rulebook
from engine.terms_parts import Levels
from engine.turn import Turn
from schemas import packed
from schemas.account import NEVER, Account, Discount
from schemas.billing_history import (
    BILLING,
    PAYMENT_BYTES,
    SET,
    STEP_BYTES,
    LevelStep,
    Payment,
    any_covers,
    dates_in,
    find_payment,
    oldest_run_end,
    packed_payments,
    packed_steps,
    payment_at,
    payments_of,
    step_at,
    steps_of,
)

NOT_YET: Final = -1


def start(row: Account, day: int, billing_day: int, levels: Levels | None) -> None:
    """Start billing at the first activation; payments that came before it now know their billing dates.

    Those made before it count from the first billing date on.
    With `same_period: next` each of them begins where the one before it ends.
    """
    row.billing_day = billing_day
    row.billing_month = month_of(day)
    if day_in(row.billing_month, billing_day) <= day:
        row.billing_month += 1
    row.billing_next = 0
    free = 0
    payments = payments_of(row.payments)
    for payment in payments:
        # Nearly always 0; an activation that arrives late may find payments made after it.
        payment.first = max(next_index(row, payment.day), free)
        if levels is not None and levels.same_period == "next":
            free = payment.first + payment.months
    row.payments = packed_payments(payments)


def date_of(row: Account, index: int) -> int:
    """The day of billing date number `index`, from the original anchor, clamped to the month's end."""
    return day_in(row.billing_month + index, row.billing_day)


def next_index(row: Account, day: int) -> int:
    """Number of the first billing date strictly after `day`."""
    index = max(month_of(day) - row.billing_month, 0)
    if date_of(row, index) <= day:
        index += 1
    return index


def pay(turn: Turn, key: int, months: int) -> Payment:
    """Record a payment; what it would have changed had it come in time is for `put_right`."""
    row, levels = turn.row, turn.book.levels
    first = NOT_YET if row.billing_day == 0 else next_index(row, turn.day)
    if first != NOT_YET and levels is not None and levels.same_period == "next":
        while any_covers(row.payments, first):
            first += 1
    payment = Payment(key, first, months, turn.day)
    row.payments += payment.packed()
    row.paid_count += 1
    if levels is not None and first != NOT_YET:
        oldest = row.billing_next - levels.history_months
        if oldest > 0 and oldest_run_end(row.payments) <= oldest:
            row.payments = packed_payments(
                [p for p in payments_of(row.payments) if p.first + p.months > oldest]
            )
    return payment


def refund(turn: Turn, key: int) -> Payment | None:
    """Take a payment out of account; returns it if it was known."""
    row, levels = turn.row, turn.book.levels
    at = find_payment(row.payments, key)
    if at == packed.NOT_THERE:
        if row.refunded is None:
            row.refunded = {}
        row.refunded[key] = turn.time
        return None
    payment = payment_at(row.payments, at)
    row.payments = packed.without(row.payments, at, PAYMENT_BYTES)
    row.paid_count -= 1
    if levels is None or payment.first == NOT_YET:
        return payment
    reversed_points = 0
    touched: list[LevelStep] = []
    steps = steps_of(row.steps)
    for step in steps:
        if (
            step.kind == BILLING
            and step.paid
            and not step.bought
            and payment.covers(step.index)
            and not any_covers(row.payments, step.index)
        ):
            step.paid = False
            touched.append(step)
            reversed_points += step.credited
    if touched:
        _set_level(turn, levels, _replay(row, levels, steps), "payment-refunded")
        taken = lots.reverse(turn, levels.rule, reversed_points, "payment-refunded")
        for step in reversed(touched):  # what was spent was the points of the first ones
            part = min(step.credited, taken)
            step.credited -= part
            taken -= part
        row.steps = packed_steps(steps)
    return payment


def forget_refunds(row: Account, horizon: int) -> None:
    """Forget refunds of payments that never came, once they are older than `horizon`."""
    refunded = row.refunded or {}
    row.refunded = {key: time for key, time in refunded.items() if time >= horizon} or None


def judge_due(turn: Turn) -> None:
    """Judge the billing dates that are due at this moment."""
    row = turn.row
    while row.billing_day and turn.book.zone.midnight(date_of(row, row.billing_next)) <= turn.time:
        index = row.billing_next
        row.billing_next += 1
        levels = turn.book.levels
        if levels is not None and takes_part(turn.book, row):
            _judge(turn, levels, index)


def takes_part(book: Rulebook, row: Account) -> bool:
    """Whether the account earns a level: in the segment, a participant, on a monthly tariff, open."""
    return (
        not row.closed
        and in_segment(book, row)
        and participates(book, row)
        and row.tariff is not None
        and row.tariff.monthly_price is not None
    )


def _judge(turn: Turn, levels: Levels, index: int) -> None:
    row = turn.row
    bought = bool(row.discounts) and _is_bought(turn)
    # The n-th month of use starts on billing date number n - 2, the first month on the activation.
    month_of_use = index - row.level_months_base + 2
    assert row.tariff is not None, "takes_part has tested the tariff"
    step = LevelStep(
        BILLING,
        turn.day,
        index,
        paid=bought or any_covers(row.payments, index),
        bought=bought,
        blocked=row.blocks != 0,
        accrues=month_of_use >= levels.accrues_from_month
        and covering(row, levels.paused_by_group, turn.day) is None,
        price=row.tariff.monthly_price,
        price_text=row.tariff.price_text,
    )
    before = row.level
    _set_level(
        turn, levels, _after(step, before, levels), "on-time-payment" if step.paid else "missed-payment"
    )
    step.credited = _points(step, before, row.level, levels)
    row.steps += step.packed()
    lots.credit(turn, levels.rule, step.credited, "billing-day")
    if not step.paid and levels.months_counted_from == "reset":
        row.level_months_base = index + 1
    _shorten(row, levels)


def _is_bought(turn: Turn) -> bool:
    """Whether a month bought with points starts on this billing date, and so counts as paid."""
    rewards = turn.book.fee_rewards
    return any(
        discount.first_day == turn.day and discount.rule in rewards and rewards[discount.rule].counts_as_paid
        for discount in turn.row.discounts
    )


def _after(step: LevelStep, level: int, levels: Levels) -> int:
    """The level after a step that found it at `level`."""
    if step.kind == SET:
        return step.level
    if not step.paid:
        return 0
    return level if step.blocked else min(level + 1, levels.maximum)


def _points(step: LevelStep, before: int, after: int, levels: Levels) -> int:
    """The points that a billing date credits."""
    if not (step.accrues and step.paid) or step.blocked or step.price is None or step.price_text is None:
        return 0
    return levels.points(step.price, step.price_text, after if levels.level_used == "after" else before)


def _replay(row: Account, levels: Levels, steps: list[LevelStep]) -> int:
    level = row.level_base
    for step in steps:
        level = _after(step, level, levels)
    return level


def put_right(turn: Turn, payment: Payment, brought: list[Discount]) -> None:
    """Put right the dates judged without a payment that arrives late, and that brought these discounts."""
    row, levels = turn.row, turn.book.levels
    if levels is None:
        return
    today = turn.book.zone.day(max(row.clock, turn.time))
    first = -1
    steps = steps_of(row.steps)
    for step in steps:
        if (
            step.kind == BILLING
            and not step.paid
            and payment.covers(step.index)
            and today - step.day <= levels.late_arrival_days
        ):
            step.paid = True
            first = step.index if first < 0 else first
    if first < 0:
        return
    level = row.level_base
    missing = 0
    for step in steps:
        before, level = level, _after(step, level, levels)
        if step.kind == BILLING and step.index >= first:
            if any(d.group == levels.paused_by_group and d.covers(step.day) for d in brought):
                step.accrues = False  # as it would have been, had the payment come in time
            points = _points(step, before, level, levels)
            if points > step.credited:
                missing += points - step.credited
                step.credited = points
    row.steps = packed_steps(steps)
    _set_level(turn, levels, level, "late-arrival")
    lots.credit(turn, levels.rule, missing, "late-arrival")


def put_level(turn: Turn, level: int, reason: str) -> None:
    """Put the level to a value at once: a block, a conversion, the end of the account."""
    row, levels = turn.row, turn.book.levels
    if levels is None or (level == row.level and not row.steps):
        return
    if row.steps and step_at(row.steps, len(row.steps) - STEP_BYTES).kind == SET:
        # Without a date between them only the last counts: many must not push dates out.
        row.steps = row.steps[:-STEP_BYTES]
    row.steps += LevelStep(SET, turn.day, level=level).packed()
    if level == 0 and levels.months_counted_from == "reset":
        row.level_months_base = row.billing_next
    _set_level(turn, levels, level, reason)
    _shorten(row, levels)


def _set_level(turn: Turn, levels: Levels, level: int, reason: str) -> None:
    row = turn.row
    if level == row.level:
        return
    before, row.level = row.level, level
    turn.emit("level.changed", levels.rule, reason, {"from": before, "to": level})


def _shorten(row: Account, levels: Levels) -> None:
    kept = levels.history_months
    while len(row.steps) > kept * STEP_BYTES and dates_in(row.steps) > kept:
        row.level_base = _after(step_at(row.steps, 0), row.level_base, levels)
        row.steps = row.steps[STEP_BYTES:]


def next_due(book: Rulebook, row: Account) -> int:
    """The next billing date."""
    if book.levels is None or row.billing_day == 0:
        return NEVER
    return book.zone.midnight(date_of(row, row.billing_next))
