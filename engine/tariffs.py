"""The tariff of an account: changed by billing, or ordered for a day to come and recalculated (SPEC 2.6)."""

from __future__ import annotations

from decimal import Decimal

from engine import promotions
from engine.calendar import days_in, first_day, iso, month_of
from engine.money import money_text, prorated
from engine.rulebook import Rulebook
from engine.turn import Turn
from schemas.account import NEVER, Account, TariffOrder
from schemas.event import Event, Tariff


def put(turn: Turn, tariff: Tariff) -> None:
    """The account has another tariff from now on."""
    row = turn.row
    before, row.tariff = row.tariff, tariff
    promotions.on_tariff_change(turn, before is None or not _is_same(before, tariff))


def _is_same(tariff: Tariff, other: Tariff) -> bool:
    """Whether it is one tariff, though its price may have been raised: that is no change of tariff by the member."""
    return (tariff.code, tariff.family, tariff.speed_mbps) == (other.code, other.family, other.speed_mbps)


def order(turn: Turn, event: Event) -> str | None:
    """Order a tariff change; returns why not, where it cannot be."""
    row, data = turn.row, event.data
    tariff: Tariff = data["tariff"]
    change_on: int = data["change_on"]
    refusal = _refusal(turn, tariff, change_on, data.get("channel"))
    if refusal is not None:
        return refusal
    assert turn.book.tariff_change is not None, "tested before: the programme schedules changes"
    row.order = TariffOrder(tariff, change_on)
    turn.emit(
        "tariff.scheduled",
        turn.book.tariff_change.rule,
        "requested",
        {"tariff": tariff.code, "change_on": iso(change_on)},
    )
    if change_on == turn.day:
        _apply(turn, row.order)
    return None


def _refusal(turn: Turn, tariff: Tariff, change_on: int, channel: str | None) -> str | None:
    row, rules = turn.row, turn.book.tariff_change
    assert rules is not None, "tested before: the programme schedules changes"
    if row.segment == "business":
        if rules.business_channel is not None and channel != rules.business_channel:
            return "office-only"
        if rules.business_first_of_next_month and change_on != first_day(month_of(turn.day) + 1):
            return "first-of-next-month-only"
    if row.tariff is not None and tariff.code == row.tariff.code:
        return "same-tariff"
    if change_on < turn.day + tariff.min_notice_days:
        return "too-soon"
    if row.last_change_day and change_on < row.last_change_day + rules.days_between_changes:
        return "too-often"
    return None


def apply_due(turn: Turn) -> None:
    """Apply the ordered change whose day has come."""
    ordered = turn.row.order
    if ordered is not None and turn.book.zone.midnight(ordered.change_on) <= turn.time:
        _apply(turn, ordered)


def _apply(turn: Turn, ordered: TariffOrder) -> None:
    row, rules = turn.row, turn.book.tariff_change
    row.order = None
    if rules is None:  # a revision that schedules no changes has taken over meanwhile
        return
    month = month_of(ordered.change_on)
    days_left = first_day(month) + days_in(month) - ordered.change_on
    refund = _share(row.tariff, days_left, rules.proration_days)
    charge = _share(ordered.tariff, days_left, rules.proration_days)
    row.last_change_day = ordered.change_on
    turn.emit(
        "tariff.applied",
        rules.rule,
        "due",
        {
            "tariff": ordered.tariff.code,
            "change_on": iso(ordered.change_on),
            "refund": money_text(refund),
            "charge": money_text(charge),
        },
    )
    put(turn, ordered.tariff)


def _share(tariff: Tariff | None, days: int, proration_days: int) -> Decimal:
    if tariff is None or not tariff.prepaid or tariff.monthly_price is None:
        return Decimal(0)
    return prorated(tariff.monthly_price, days, proration_days)


def next_due(book: Rulebook, row: Account) -> int:
    """The day of the ordered change."""
    return book.zone.midnight(row.order.change_on) if row.order is not None else NEVER
