"""What a revision silently takes away from members, who hold it from the revision before."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

from schemas.programme import Programme
from schemas.programme_finding import Finding, Neighbours, error, warning
from schemas.programme_promotions import DiscountPromotion, EntitlementPromotion
from schemas.programme_rewards import FeeDiscountReward

_MONTH_DAYS_MAX: Final = 31


def check_revision(around: Neighbours) -> Iterator[Finding]:
    """Everything about a revision against the one before it."""
    before, now = around.before, around.programme
    if before is None:
        return
    if before.effective_from == now.effective_from:
        return  # reported with the place of the other one when the files are read
    if before.model_copy(update={"effective_from": now.effective_from}) == now:
        yield warning("changes nothing: it is equal to the revision before it", "effective_from")
    if before.zone != now.zone:
        yield error(
            f"days were those of {before.zone} up to here; an account's days and billing dates cannot move",
            "zone",
        )
    if before.currency != now.currency:
        yield error(f"money was {before.currency} up to here; amounts carried over would change", "currency")
    yield from _dropped_promotions(before, now)
    yield from _dropped_rewards(before, now)
    yield from _dropped_sections(before, now)


def _dropped_promotions(before: Programme, now: Programme) -> Iterator[Finding]:
    kept = {promotion.rule for promotion in now.promotions}
    for promotion in before.promotions:
        if promotion.rule in kept:
            continue
        if isinstance(promotion, EntitlementPromotion):
            yield warning(
                f"the entitlement {promotion.rule!r} of the revision before is not here: members keep theirs, also "
                f"on leaving its tariffs; keep it, with active: {{until: {_eve(now)}}}",
                "promotions",
            )
        elif _outlives(promotion, now.effective_from):
            ends = " and no tariff change ends it any more" if promotion.ends_on_leaving_tariffs else ""
            last = "without a last day" if promotion.lasts == type(promotion.lasts)() else "to their last day"
            yield warning(
                f"the promotion {promotion.rule!r} of the revision before is not here: members keep its discounts "
                f"{last}{ends}; keep it, with active: {{until: {_eve(now)}}}",
                "promotions",
            )


def _dropped_rewards(before: Programme, now: Programme) -> Iterator[Finding]:
    kept = _bought_discounts(now)
    for rule in _bought_discounts(before):
        if rule not in kept:
            yield warning(
                f"the discount {rule!r} of the revision before is not here: for members who have bought it, its month "
                "no longer counts as paid and no tariff change ends it",
                "rewards",
            )


def _bought_discounts(programme: Programme) -> list[str]:
    rewards = programme.rewards.items.values() if programme.rewards is not None else ()
    return [reward.rule for reward in rewards if isinstance(reward, FeeDiscountReward)]


def _eve(now: Programme) -> datetime.date:
    return now.effective_from - datetime.timedelta(days=1)


def _outlives(promotion: DiscountPromotion, day: datetime.date) -> bool:
    """Whether somebody can still hold the discount on this day."""
    lasts, until = promotion.lasts, promotion.active.until
    if lasts.not_after is not None and lasts.not_after < day:
        return False
    months = lasts.months or lasts.billing_months
    if until is None or months is None:
        return True
    # A payment's discount starts with a later billing date, a month away at most.
    longest = (months + (1 if lasts.billing_months is not None else 0)) * _MONTH_DAYS_MAX
    return until + datetime.timedelta(days=longest) >= day


def _dropped_sections(before: Programme, now: Programme) -> Iterator[Finding]:
    if before.closure is not None and now.closure is None and before.closure.day <= now.effective_from:
        yield warning(
            f"the programme closed on {before.closure.day}; this revision opens it again", "effective_from"
        )
    if before.levels is not None and now.levels is None:
        yield warning(
            "levels are dropped: members keep theirs, and nothing raises or lowers them", "effective_from"
        )
    if before.accrual is not None and before.accrual.confirm_within_days is not None and now.accrual is None:
        yield warning(
            "accrual is dropped: purchases that are pending are neither confirmed nor rejected any more",
            "effective_from",
        )
    if before.referral is not None and before.referral.completes == "conversion" and now.referral is None:
        yield warning(
            "referral is dropped: what was accepted is never completed; keep it, with active: "
            f"{{until: {_eve(now)}}}",
            "effective_from",
        )
    if before.tariff_change is not None and now.tariff_change is None:
        yield warning(
            "tariff_change is dropped: changes already scheduled are not carried out", "effective_from"
        )
