"""Membership, points, levels, accrual and tariffs as decisions read them.

Each class holds what its namesake in `schemas/programme_parts.py` says, where the fields are described, by the same
names; only days are ordinals here, 0 for none.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from engine.money import exact_product
from engine.terms_forms import ordinal
from schemas import programme_parts as definition
from schemas.remembered import remember

_HUNDRED: Final = Decimal(100)
_PRICES_REMEMBERED_MAX: Final = 10_000


class Membership:
    """Who takes part."""

    def __init__(self, section: definition.Membership) -> None:
        self.segment: Final[str | None] = section.segment
        self.starts_with: Final[str] = section.starts_with
        self.activated_before: Final = ordinal(section.activated_before)
        self.opt_out: Final = section.opt_out


class Expiry:
    """When a lot stops being usable; `months` and `missing_day` belong to `rolling`, `years` to `calendar-year`."""

    def __init__(self, section: definition.Expiry) -> None:
        self.policy: Final[str] = section.policy
        rolling = section if isinstance(section, definition.Rolling) else None
        self.months: Final = rolling.months if rolling is not None else 0
        self.missing_day: Final[str] = rolling.missing_day if rolling is not None else ""
        self.years: Final = section.years if isinstance(section, definition.CalendarYear) else 0


class Points:
    """How lots of points live and die."""

    def __init__(self, section: definition.Points) -> None:
        self.expiry: Final = Expiry(section.expiry)
        self.warn_days_before: Final[tuple[int, ...]] = section.warn_days_before
        self.may_be_negative: Final = section.may_be_negative


class Levels:
    """A level that rises with each billing date paid on time and turns into points."""

    def __init__(self, section: definition.Levels) -> None:
        self.rule: Final = section.rule
        self.maximum: Final = section.maximum
        self.payment_service: Final = section.payment_service
        self.same_period: Final[str] = section.same_period
        self.percent_per_level: Final = section.percent_per_level
        self.accrues_from_month: Final = section.accrues_from_month
        self.months_counted_from: Final[str] = section.months_counted_from
        self.level_used: Final[str] = section.level_used
        self.paused_by_group: Final = section.paused_by_group
        self.late_arrival_days: Final = section.late_arrival_days
        self.history_months: Final = section.history_months
        self.converted_rule: Final = section.converted_rule
        self.converted_target: Final = section.converted_target
        self.converted_group: Final = section.converted_group
        self._shares: Final = tuple(
            _share(section.percent_per_level, level) for level in range(section.maximum + 1)
        )
        self._known_points: Final[list[dict[str, int]]] = [{} for _ in self._shares]
        """Level → price → points. There are few prices, and each is multiplied once."""

    def points(self, price: Decimal, price_text: str, level: int) -> int:
        """The points that a level credits of a monthly price; `price_text` is the price in plain notation."""
        if level >= len(self._known_points):
            return int(exact_product(price, self.share(level)))
        known = self._known_points[level]
        points = known.get(price_text)
        if points is None:
            points = remember(
                known, price_text, int(exact_product(price, self.share(level))), _PRICES_REMEMBERED_MAX
            )
        return points

    def share(self, level: int) -> Decimal:
        """The part of the monthly price that a level credits; the level may lie above a maximum that came later."""
        return self._shares[level] if level < len(self._shares) else _share(self.percent_per_level, level)


class Rate:
    """How one kind of spending earns points."""

    def __init__(self, section: definition.Rate) -> None:
        self.points: Final = section.points
        self.per: Final[Decimal | None] = section.per
        self.carry_remainder: Final = section.carry_remainder
        self.percent_maximum: Final[Decimal | None] = section.percent_maximum
        self.threshold: Final[Decimal | None] = section.threshold
        self.welcome_points: Final = section.welcome_points
        self.welcome_rule: Final = section.welcome_rule


class Accrual:
    """Points for what a member spends; each rate by its kind of event and each of its categories or the like."""

    def __init__(self, section: definition.Accrual) -> None:
        self.rule: Final = section.rule
        self.rates: Final[dict[tuple[str, str], Rate]] = {}
        for rate in section.rates:
            terms = Rate(rate)
            for name in rate.of:
                self.rates[rate.event, name] = terms
        self.confirm_within_days: Final = section.confirm_within_days
        self.remember_purchases_days: Final = section.remember_purchases_days


class Tenure:
    """Points on the 1st of each month for staying."""

    def __init__(self, section: definition.Tenure) -> None:
        self.rule: Final = section.rule
        self.points: Final = section.points
        self.full_years: Final = section.full_years


class TariffChange:
    """Tariff changes scheduled by request."""

    def __init__(self, section: definition.TariffChange) -> None:
        self.rule: Final = section.rule
        self.days_between_changes: Final = section.days_between_changes
        self.proration_days: Final = section.proration_days
        self.business_channel: Final = section.business_channel
        self.business_first_of_next_month: Final = section.business_first_of_next_month


class OwnerChange:
    """What a new owner loses."""

    def __init__(self, section: definition.OwnerChange) -> None:
        self.rule: Final = section.rule
        self.expire_points: Final = section.expire_points
        self.restart_tenure: Final = section.restart_tenure


class Closure:
    """The programme's end."""

    def __init__(self, section: definition.Closure) -> None:
        self.rule: Final = section.rule
        self.day: Final = ordinal(section.day)
        self.warn_days_before: Final[tuple[int, ...]] = section.warn_days_before


def _share(percent_per_level: Decimal, level: int) -> Decimal:
    return exact_product(percent_per_level, Decimal(level) / _HUNDRED)
