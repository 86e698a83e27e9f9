"""Referrals as decisions read them.

Each class holds what its namesake in `schemas/programme_referral.py` says, where the fields are described, by the
same names.
"""

from __future__ import annotations

from typing import Final

from engine.terms_forms import Days
from schemas import programme_referral as definition
from schemas.entitlements import Grant


class LadderStep:
    """What the n-th referred friend brings the advocate."""

    def __init__(self, section: definition.LadderStep) -> None:
        self.friends: Final = section.friends
        self.percent: Final = section.percent
        self.months: Final = section.months
        self.entitlement: Final = section.entitlement
        self.grant: Final = None if section.entitlement is None else Grant(section.entitlement, {})
        """The entitlement, ready to be granted."""


class AdvocateReward:
    """What the advocate gets: points, a ladder of discounts, or both."""

    def __init__(self, section: definition.AdvocateReward) -> None:
        self.rule: Final = section.rule
        self.points: Final = section.points
        self.ladder: Final = tuple(LadderStep(step) for step in section.ladder)
        self.ladder_counts: Final[str] = section.ladder_counts
        self.target: Final = section.target


class FriendReward:
    """What the friend gets: points, a discount, or both."""

    def __init__(self, section: definition.FriendReward) -> None:
        self.rule: Final = section.rule
        self.points: Final = section.points
        self.percent: Final = section.percent
        self.months: Final = section.months
        self.target: Final = section.target
        self.after_promo_period: Final = section.after_promo_period


class Referral:
    """Members who bring members."""

    def __init__(self, section: definition.Referral) -> None:
        self.rule: Final = section.rule
        self.active: Final = Days(section.active)
        self.completes: Final[str] = section.completes
        self.conversion_service: Final = section.conversion_service
        self.tests: Final[tuple[str, ...]] = section.tests
        self.participants: Final[str] = section.participants
        self.register_within_months: Final = section.register_within_months
        self.advocate: Final = AdvocateReward(section.advocate)
        self.friend: Final = None if section.friend is None else FriendReward(section.friend)
