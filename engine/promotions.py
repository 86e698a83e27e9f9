"""Promotions: which discounts and entitlements an activation, a tariff or a payment brings (SPEC 2.1)."""

from __future__ import annotations

from engine import billing, discounts, entitlements
from engine.calendar import add_months
from engine.rulebook import matches
from engine.turn import Turn
from schemas.account import Discount
from schemas.billing_history import Payment, payments_of
from schemas.programme_forms import Days
from schemas.programme_promotions import Conditions, DiscountPromotion, EntitlementPromotion

TARIFF_CHANGED = "tariff-changed"


def on_activation(turn: Turn) -> None:
    """What the first activation brings, in the order of the definition."""
    for promotion in turn.book.programme.promotions:
        if promotion.kind == "entitlement":
            _entitle(turn, promotion)
        elif promotion.trigger == "payment":
            assert promotion.payment_months is not None, "the definition is validated"
            for payment in payments_of(turn.row.payments):
                if payment.months >= promotion.payment_months:
                    _consider(turn, promotion, payment)
                    break
        else:
            _consider(turn, promotion, None)


def on_payment(turn: Turn, payment: Payment) -> None:
    """What a payment brings once the account is activated."""
    for promotion in turn.book.discounts:
        if promotion.payment_months is not None and payment.months >= promotion.payment_months:
            _consider(turn, promotion, payment)


def on_tariff_change(turn: Turn, other_code: bool) -> None:
    """What a tariff change ends and brings; first what it ends, so that the new has room."""
    row, book = turn.row, turn.book
    for discount in list(row.discounts):
        bought = book.fee_rewards.get(discount.rule)
        promotion = book.discount_rules.get(discount.rule)
        leaves = (
            promotion is not None
            and promotion.ends_on_leaving_tariffs
            and not matches(row.tariff, promotion.when.tariffs)
        )
        if leaves or (bought is not None and bought.ends_on_tariff_change and other_code):
            discounts.end(turn, discount, TARIFF_CHANGED)
    for offer in book.programme.promotions:
        if offer.kind == "entitlement":
            _entitle(turn, offer)
        elif offer.trigger == "tariff" and discounts.of_rule(row, offer.rule) is None:
            _consider(turn, offer, None)


def _consider(turn: Turn, promotion: DiscountPromotion, payment: Payment | None) -> None:
    """Grant a discount if its conditions hold, refuse it if its time is over."""
    row = turn.row
    if not holds(turn, promotion.when) or not _within(promotion.activated, row.activated_day):
        return
    discount = _discount(turn, promotion, payment)
    if not _within(promotion.active, turn.day):
        until = promotion.active.until
        if promotion.after_end == "refuse" and until is not None and turn.day > until.toordinal():
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
    if lasts.not_after is not None:
        limit = lasts.not_after.toordinal()
        last = min(last, limit) if last else limit
    return Discount(promotion.rule, promotion.percent, promotion.target, first, last, promotion.group)


def _entitle(turn: Turn, promotion: EntitlementPromotion) -> None:
    row = turn.row
    for variant in promotion.variants:
        if matches(row.tariff, variant.tariffs):
            if holds(turn, promotion.when) and _within(promotion.active, turn.day):
                entitlements.grant(turn, promotion.rule, variant.terms, "tariff")
            return
    entitlements.end(turn, promotion.rule, TARIFF_CHANGED)


def holds(turn: Turn, when: Conditions) -> bool:
    """Whether all that the conditions name holds of the account now."""
    row = turn.row
    return (
        (when.segment is None or row.segment == when.segment)
        and (when.dwelling is None or row.dwelling == when.dwelling)
        and (not when.city or _same_city(row.city, when.city))
        and (when.feasible_ultra is None or row.feasible_ultra == when.feasible_ultra)
        and (when.existing_customer is None or row.existing_customer == when.existing_customer)
        and (when.signed_on is None or (row.signed_on != 0 and _within(when.signed_on, row.signed_on)))
        and (not when.tariffs or matches(row.tariff, when.tariffs))
    )


def _same_city(city: str | None, spellings: tuple[str, ...]) -> bool:
    if city is None:
        return False
    given = city.strip().casefold()
    return any(given == spelling.strip().casefold() for spelling in spellings)


def _within(days: Days, day: int) -> bool:
    return (days.since is None or day >= days.since.toordinal()) and (
        days.until is None or day <= days.until.toordinal()
    )
