"""Programme definitions made ready for decisions: native terms and look-ups built once, the revision found by time.

The models of `schemas/programme*.py` say what a definition may hold. Decisions read the `engine/terms_*.py` made from
them: classes that compile to plain structures, with days as numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import orjson

from engine import terms_parts, terms_referral, terms_rewards
from engine.calendar import Zone
from engine.terms_promotions import DiscountPromotion, promotion_terms
from engine.terms_rewards import FeeDiscountReward
from schemas.account import NEVER
from schemas.programme import Programme


class Rulebook:
    """One revision of one operator's programme, ready for decisions; `before` is the one that it takes over from."""

    def __init__(self, programme: Programme, zone: Zone, before: Rulebook | None = None) -> None:
        self.operator: Final = programme.operator
        self.zone: Final = zone
        self.revision: Final = revision_of(programme)
        self.before: Final = before
        self.from_time: Final = zone.midnight(programme.effective_from.toordinal())
        self.until_time = NEVER
        """Instant at which the next revision takes over."""
        self.service: Final[str | None] = programme.service
        self.membership: Final = terms_parts.Membership(programme.membership)
        self.points: Final = terms_parts.Points(programme.points)
        self.levels: Final = terms_parts.Levels(programme.levels) if programme.levels else None
        self.accrual: Final = terms_parts.Accrual(programme.accrual) if programme.accrual else None
        self.tenure: Final = terms_parts.Tenure(programme.tenure) if programme.tenure else None
        self.referral: Final = terms_referral.Referral(programme.referral) if programme.referral else None
        self.promotions: Final = tuple(promotion_terms(promotion) for promotion in programme.promotions)
        self.rewards: Final = terms_rewards.Rewards(programme.rewards) if programme.rewards else None
        self.goals: Final = terms_rewards.Goals(programme.goals) if programme.goals else None
        self.gifts: Final = terms_rewards.Gifts(programme.gifts) if programme.gifts else None
        self.write_off: Final = terms_rewards.WriteOff(programme.write_off) if programme.write_off else None
        self.tariff_change: Final = (
            terms_parts.TariffChange(programme.tariff_change) if programme.tariff_change else None
        )
        self.owner_change: Final = (
            terms_parts.OwnerChange(programme.owner_change) if programme.owner_change else None
        )
        self.closure: Final = terms_parts.Closure(programme.closure) if programme.closure else None
        self.closes_on: Final = self.closure.day if self.closure else 0
        """First day on which the programme is over; 0: it has no end."""
        discounts = [p for p in self.promotions if isinstance(p, DiscountPromotion)]
        self.payment_discounts: Final = tuple(p for p in discounts if p.trigger == "payment")
        self.discount_rules: Final = {p.rule: p for p in discounts}
        self.fee_rewards: Final = {
            reward.rule: reward
            for reward in (self.rewards.items if self.rewards else {}).values()
            if isinstance(reward, FeeDiscountReward)
        }
        self.grants_discounts: Final = bool(
            discounts
            or self.fee_rewards
            or (self.levels and self.levels.converted_rule)
            or (self.referral and (self.referral.advocate.ladder or self.referral.friend))
        )
        self.payment_service: Final = self._payment_service()
        """Payments for this service count: for billing dates, promotions and referrals; "*": for any."""
        self.counts_payments: Final = (
            self.levels is not None
            or bool(self.payment_discounts)
            or (self.referral is not None and self.referral.completes == "conversion")
        )
        """Whether payments are remembered at all."""

    def _payment_service(self) -> str:
        if self.levels is not None:
            return self.levels.payment_service
        if self.referral is not None and self.referral.conversion_service is not None:
            return self.referral.conversion_service
        return "*"

    def counts_payment_for(self, service: str) -> bool:
        """Whether a payment for this service counts for anything but points."""
        return self.counts_payments and (self.payment_service == "*" or self.payment_service == service)

    def is_over(self, day: int) -> bool:
        """Whether the programme has closed by this day."""
        return self.closes_on != 0 and day >= self.closes_on

    def warning_days(self, expires_on: int) -> tuple[int, ...]:
        """Days before `expires_on` on which the points that expire then are warned about."""
        if self.closure is not None and expires_on == self.closes_on:
            return self.closure.warn_days_before
        return self.points.warn_days_before


class Rulebooks:
    """All operators' programmes, with their revisions."""

    def __init__(self, programmes: Iterable[Programme]) -> None:
        self._latest: Final[dict[str, Rulebook]] = {}
        zones: dict[str, Zone] = {}
        for programme in sorted(programmes, key=lambda p: (p.operator, p.effective_from)):
            zone = zones.setdefault(programme.zone, Zone(programme.zone))
            before = self._latest.get(programme.operator)
            book = self._latest[programme.operator] = Rulebook(programme, zone, before)
            if before is not None:
                before.until_time = book.from_time
        self.operators: Final = frozenset(self._latest)

    def at(self, operator: str, time: int) -> Rulebook:
        """The revision in force at `time`; before the first one takes effect, the first one.

        :raises KeyError: no such operator.
        """
        book = self._latest[operator]
        while book.from_time > time and book.before is not None:
            book = book.before
        return book


def revision_of(programme: Programme) -> str:
    """Hash of a programme definition: 16 hexadecimal digits, the same for the same content."""
    content = orjson.dumps(programme.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=8).hexdigest()
