"""Promotions that are always refused, because one that is decided before them is granted whenever they are."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.programme import Programme
from schemas.programme_check_promotions import covered
from schemas.programme_finding import Finding, error
from schemas.programme_forms import Days
from schemas.programme_promotions import Conditions, DiscountPromotion


def check_shadows(programme: Programme) -> Iterator[Finding]:
    """Every discount that an earlier one of its exclusion group always excludes."""
    for number, promotion in enumerate(programme.promotions):
        if not isinstance(promotion, DiscountPromotion) or promotion.on_conflict == "replace":
            continue
        for earlier in programme.promotions[:number]:
            if isinstance(earlier, DiscountPromotion) and _shadows(earlier, promotion):
                yield error(
                    f"is always refused: {earlier.rule!r}, decided before it, is of the same group and granted to "
                    "whomever this one is for; put the narrower one first, or write on_conflict: replace",
                    "promotions",
                    number,
                )
                break


def _shadows(earlier: DiscountPromotion, later: DiscountPromotion) -> bool:
    return (
        later.group is not None
        and earlier.group == later.group
        and earlier.trigger == later.trigger
        and (earlier.payment_months or 0) <= (later.payment_months or 0)
        and _contains(earlier.active, later.active)
        and _contains(earlier.activated, later.activated)
        and _asks_no_more(earlier.when, later.when)
        and earlier.lasts.not_after is None
    )


def _contains(wide: Days, narrow: Days) -> bool:
    return (wide.since is None or (narrow.since is not None and narrow.since >= wide.since)) and (
        wide.until is None or (narrow.until is not None and narrow.until <= wide.until)
    )


def _asks_no_more(wide: Conditions, narrow: Conditions) -> bool:
    """Whether all that meets the narrow conditions meets the wide ones."""
    for name in ("segment", "dwelling", "feasible_ultra", "existing_customer"):
        if getattr(wide, name) not in (None, getattr(narrow, name)):
            return False
    spellings = {city.strip().casefold() for city in wide.city}
    if wide.city and not (narrow.city and all(city.strip().casefold() in spellings for city in narrow.city)):
        return False
    if wide.signed_on is not None and not (narrow.signed_on and _contains(wide.signed_on, narrow.signed_on)):
        return False
    return not wide.tariffs or (
        bool(narrow.tariffs) and all(covered(match, wide.tariffs) for match in narrow.tariffs)
    )
