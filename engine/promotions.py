"""Promotions: which discounts and entitlements an activation, a tariff or a payment brings (SPEC 2.1)."""

from __future__ import annotations

from typing import Final

from engine import billing, discounts, entitlements
from engine.calendar import add_months
from engine.terms_promotions import (
    Conditions,
    DiscountPromotion,
    EntitlementPromotion,
    TariffMatch,
    spelt,
)
from engine.turn import Turn
from schemas.account import Account, Discount
from schemas.billing_history import Payment, payments_of
from schemas.event import Tariff

TARIFF_CHANGED: Final = "tariff-changed"


def on_activation(turn: Turn) -> None:
    """What the first activation brings, in the order of the definition."""
    for promotion in turn.book.promotions:
        if isinstance(promotion, EntitlementPromotion):
            _entitle(turn, promotion)
        elif promotion.payment_months is not None:
            for payment in payments_of(turn.row.payments):
                if payment.months >= promotion.payment_months:
                    _consider(turn, promotion, payment)
                    break
        else:
            _consider(turn, promotion, None)


def on_payment(turn: Turn, payment: Payment) -> None:
    """What a payment brings once the account is activated."""
    for promotion in turn.book.payment_discounts:
        if promotion.payment_months is not None and payment.months >= promotion.payment_months:
            _consider(turn, promotion, payment)


def on_tariff_change(turn: Turn, is_other: bool) -> None:
    """What a tariff change ends and brings; first what it ends, so that the new has room."""
    row, book = turn.row, turn.book
    for discount in row.discounts:
        bought = book.fee_rewards.get(discount.rule)
        promotion = book.discount_rules.get(discount.rule)
        leaves = (
            promotion is not None
            and promotion.ends_on_leaving_tariffs
            and not matches(row.tariff, promotion.when.tariffs)
        )
        if leaves or (bought is not None and bought.ends_on_tariff_change and is_other):
            discounts.end(turn, discount, TARIFF_CHANGED)
    for offer in book.promotions:
        if isinstance(offer, EntitlementPromotion):
            _entitle(turn, offer)
        elif offer.trigger == "tariff" and discounts.of_rule(row, offer.rule) is None:
            _consider(turn, offer, None)


def _consider(turn: Turn, promotion: DiscountPromotion, payment: Payment | None) -> None:
    """Grant a discount if its conditions hold, refuse it if its time is over."""
    row = turn.row
    if not promotion.activated.include(row.activated_day) or not holds(row, promotion.when):
        return
    discount = _discount(turn, promotion, payment)
    if not promotion.active.include(turn.day):
        if promotion.after_end == "refuse" and promotion.active.are_over(turn.day):
            discount.last_day = 0
            discounts.refuse(turn, discount, "promotion-over")
        return
    discounts.grant(turn, discount, promotion.trigger, replace=promotion.on_conflict == "replace")


def _discount(turn: Turn, promotion: DiscountPromotion, payment: Payment | None) -> Discount:
    first, last = turn.day, 0
    lasts = promotion.lasts
    if payment is not None and (turn.book.levels is not None or lasts.billing_months is not None):
        first = billing.date_of(turn.row, payment.first)
        if lasts.billing_months is not None:
            last = billing.date_of(turn.row, payment.first + lasts.billing_months) - 1
    if lasts.months is not None:
        last = add_months(first, lasts.months) - 1
    if lasts.not_after != 0:
        last = min(last, lasts.not_after) if last else lasts.not_after
    return Discount(promotion.rule, promotion.percent, promotion.target, first, last, promotion.group)


def _entitle(turn: Turn, promotion: EntitlementPromotion) -> None:
    row = turn.row
    for variant in promotion.variants:
        if matches(row.tariff, variant.tariffs):
            if promotion.active.include(turn.day) and holds(row, promotion.when):
                entitlements.grant(turn, variant.grant, "tariff")
            return
    entitlements.end(turn, promotion.rule, TARIFF_CHANGED)


def holds(row: Account, when: Conditions) -> bool:
    """Whether all that the conditions name holds of the account now."""
    return (
        (when.segment is None or row.segment == when.segment)
        and (when.dwelling is None or row.dwelling == when.dwelling)
        and (when.feasible_ultra is None or row.feasible_ultra is when.feasible_ultra)
        and (when.existing_customer is None or row.existing_customer is when.existing_customer)
        and (when.signed_on is None or (row.signed_on != 0 and when.signed_on.include(row.signed_on)))
        and (not when.city or (row.city is not None and spelt(row.city) in when.city))
        and (not when.tariffs or matches(row.tariff, when.tariffs))
    )


def matches(tariff: Tariff | None, allowed: tuple[TariffMatch, ...]) -> bool:
    """Whether a tariff is one of those allowed."""
    if tariff is None:
        return False
    for match in allowed:
        if match.family == tariff.family and (
            match.speed_mbps is None
            or (tariff.speed_mbps is not None and match.speed_mbps.include(tariff.speed_mbps))
        ):
            return True
    return False
