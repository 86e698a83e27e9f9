"""Programme definitions made ready for decisions: look-ups built once, the revision in force found by time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import orjson

from engine.calendar import Zone
from schemas.event import Tariff
from schemas.programme import Programme
from schemas.programme_parts import Rate
from schemas.programme_promotions import DiscountPromotion, EntitlementPromotion, TariffMatch
from schemas.programme_rewards import FeeDiscountReward


class Rulebook:
    """One revision of one operator's programme, ready for decisions."""

    def __init__(self, programme: Programme, zone: Zone) -> None:
        self.operator: Final = programme.operator
        self.programme: Final = programme
        self.zone: Final = zone
        self.revision: Final = revision_of(programme)
        self.from_time: Final = zone.midnight(programme.effective_from.toordinal())
        self.until_time: int | None = None
        """Instant at which the next revision takes over."""
        self.service: Final = programme.service
        self.membership: Final = programme.membership
        self.segment: Final[str | None] = programme.membership.segment
        self.opt_out: Final = programme.membership.opt_out
        self.starts_when_opened: Final = programme.membership.starts_with == "account.opened"
        self.activated_before: Final = (
            programme.membership.activated_before.toordinal()
            if programme.membership.activated_before
            else None
        )
        self.points: Final = programme.points
        self.levels: Final = programme.levels
        self.accrual: Final = programme.accrual
        self.tenure: Final = programme.tenure
        self.referral: Final = programme.referral
        self.rewards: Final = programme.rewards
        self.goals: Final = programme.goals
        self.gifts: Final = programme.gifts
        self.write_off: Final = programme.write_off
        self.tariff_change: Final = programme.tariff_change
        self.owner_change: Final = programme.owner_change
        self.closure: Final = programme.closure
        self.closes_on: Final = programme.closure.day.toordinal() if programme.closure else None
        self.discounts: Final = tuple(p for p in programme.promotions if isinstance(p, DiscountPromotion))
        self.entitlements: Final = tuple(
            p for p in programme.promotions if isinstance(p, EntitlementPromotion)
        )
        self.discount_rules: Final = {p.rule: p for p in self.discounts}
        self.rates: Final = self._rates()
        self.fee_rewards: Final = {
            reward.rule: reward
            for reward in (programme.rewards.items if programme.rewards else {}).values()
            if isinstance(reward, FeeDiscountReward)
        }
        self.grants_discounts: Final = bool(
            self.discounts
            or self.fee_rewards
            or (self.levels and self.levels.converted_rule)
            or (self.referral and (self.referral.advocate.ladder or self.referral.friend))
        )
        self.payment_service: Final = _payment_service(programme)
        """Payments for this service count: for billing dates, promotions and referrals; "*": for any."""
        self.counts_payments: Final = (
            programme.levels is not None
            or any(p.trigger == "payment" for p in self.discounts)
            or (programme.referral is not None and programme.referral.completes == "conversion")
        )
        """Whether payments are remembered at all."""

    def _rates(self) -> dict[tuple[str, str], Rate]:
        if self.programme.accrual is None:
            return {}
        return {(rate.event, name): rate for rate in self.programme.accrual.rates for name in rate.of}

    def warning_days(self, expires_on: int) -> tuple[int, ...]:
        """Days before `expires_on` on which the points that expire then are warned about."""
        if self.closure is not None and expires_on == self.closes_on:
            return self.closure.warn_days_before
        return self.points.warn_days_before


class Rulebooks:
    """All operators' programmes, with their revisions."""

    def __init__(self, programmes: Iterable[Programme]) -> None:
        self._by_operator: Final[dict[str, list[Rulebook]]] = {}
        zones: dict[str, Zone] = {}
        for programme in sorted(programmes, key=lambda p: (p.operator, p.effective_from)):
            zone = zones.setdefault(programme.zone, Zone(programme.zone))
            books = self._by_operator.setdefault(programme.operator, [])
            books.append(Rulebook(programme, zone))
            if len(books) > 1:
                books[-2].until_time = books[-1].from_time
        self.operators: Final = frozenset(self._by_operator)

    def at(self, operator: str, time: int) -> Rulebook:
        """The revision in force at `time`; before the first one takes effect, the first one.

        :raises KeyError: no such operator.
        """
        books = self._by_operator[operator]
        place = len(books) - 1
        while place > 0 and books[place].from_time > time:
            place -= 1
        return books[place]


def _payment_service(programme: Programme) -> str:
    if programme.levels is not None:
        return programme.levels.payment_service
    if programme.referral is not None and programme.referral.conversion_service is not None:
        return programme.referral.conversion_service
    return "*"


def revision_of(programme: Programme) -> str:
    """Hash of a programme definition: 16 hexadecimal digits, the same for the same content."""
    content = orjson.dumps(programme.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def matches(tariff: Tariff | None, allowed: Iterable[TariffMatch]) -> bool:
    """Whether a tariff is one of those allowed."""
    if tariff is None:
        return False
    for match in allowed:
        if match.family != tariff.family:
            continue
        speeds = match.speed_mbps
        if speeds is None:
            return True
        if tariff.speed_mbps is None:
            continue
        if (speeds.at_least is None or tariff.speed_mbps >= speeds.at_least) and (
            speeds.at_most is None or tariff.speed_mbps <= speeds.at_most
        ):
            return True
    return False
