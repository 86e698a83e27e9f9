"""Promotions as decisions read them.

Each class holds what its namesake in `schemas/programme_promotions.py` says, where the fields are described, by the
same names; only days are ordinals here, 0 for none.
"""

from __future__ import annotations

from typing import Any, Final

from engine.terms_forms import Days, Speeds, ordinal
from schemas import programme_promotions as definition
from schemas.entitlements import Grant


class TariffMatch:
    """A tariff that a promotion allows."""

    def __init__(self, section: definition.TariffMatch) -> None:
        self.family: Final = section.family
        self.speed_mbps: Final = None if section.speed_mbps is None else Speeds(section.speed_mbps)


class Conditions:
    """What must hold of an account; each `city` is as `spelt` makes it."""

    def __init__(self, section: definition.Conditions) -> None:
        self.segment: Final[str | None] = section.segment
        self.dwelling: Final[str | None] = section.dwelling
        self.city: Final = frozenset(spelt(city) for city in section.city)
        self.feasible_ultra: Final = section.feasible_ultra
        self.existing_customer: Final = section.existing_customer
        self.signed_on: Final = None if section.signed_on is None else Days(section.signed_on)
        self.tariffs: Final = tuple(TariffMatch(match) for match in section.tariffs)


class Duration:
    """How long a discount lasts; with none of these, without a last day."""

    def __init__(self, section: definition.Duration) -> None:
        self.months: Final = section.months
        self.billing_months: Final = section.billing_months
        self.not_after: Final = ordinal(section.not_after)


class DiscountPromotion:
    """A discount granted when something happens."""

    def __init__(self, section: definition.DiscountPromotion) -> None:
        self.rule: Final = section.rule
        self.trigger: Final[str] = section.trigger
        self.active: Final = Days(section.active)
        self.after_end: Final[str] = section.after_end
        self.when: Final = Conditions(section.when)
        self.activated: Final = Days(section.activated)
        self.payment_months: Final = section.payment_months
        self.percent: Final = section.percent
        self.target: Final = section.target
        self.lasts: Final = Duration(section.lasts)
        self.group: Final = section.group
        self.on_conflict: Final[str] = section.on_conflict
        self.ends_on_leaving_tariffs: Final = section.ends_on_leaving_tariffs


class Variant:
    """The terms of an entitlement on some tariffs."""

    def __init__(self, rule: str, section: definition.Variant) -> None:
        self.tariffs: Final = tuple(TariffMatch(match) for match in section.tariffs)
        self.terms: Final[dict[str, Any]] = section.terms
        self.grant: Final = Grant(rule, section.terms)
        """The entitlement on these terms, ready to be granted."""


class EntitlementPromotion:
    """An entitlement that comes with a tariff and ends on leaving it."""

    def __init__(self, section: definition.EntitlementPromotion) -> None:
        self.rule: Final = section.rule
        self.active: Final = Days(section.active)
        self.when: Final = Conditions(section.when)
        self.variants: Final = tuple(Variant(section.rule, variant) for variant in section.variants)


Promotion = DiscountPromotion | EntitlementPromotion


def promotion_terms(section: definition.Promotion) -> Promotion:
    """The terms of a promotion of either kind."""
    if isinstance(section, definition.DiscountPromotion):
        return DiscountPromotion(section)
    return EntitlementPromotion(section)


def spelt(city: str) -> str:
    """A city without what does not matter in its spelling: case and outer spaces."""
    return city.strip().casefold()
