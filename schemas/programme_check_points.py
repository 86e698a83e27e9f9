"""Contradictions in how points come and expire: levels, accrual, expiry, closure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from schemas.programme import Programme
from schemas.programme_faults import suggestion
from schemas.programme_finding import Finding, error, warning
from schemas.programme_parts import (
    CHARGE_CATEGORIES,
    PURCHASE_CHANNELS,
    Accrual,
    CalendarYear,
    Levels,
    Points,
    Rolling,
)

IDENTITIES_KEPT_DAYS: Final = 45
"""An event more than this many days older than its account's clock is a dead letter (SPEC section 1)."""
_SHORTEST_MONTH_DAYS: Final = 28
_LONGEST_YEAR_DAYS: Final = 366


def check_points(programme: Programme) -> Iterator[Finding]:
    """Everything about how points come and expire."""
    yield from _expiry(programme.points, closes=programme.closure is not None)
    if programme.accrual is not None:
        yield from _accrual(programme.accrual)
    if programme.levels is not None:
        yield from _levels(programme, programme.levels)
    if programme.closure is not None:
        yield from _closure(programme)


def exclusion_groups(programme: Programme) -> set[str]:
    """All exclusion groups that some discount of the definition belongs to."""
    groups = {getattr(promotion, "group", None) for promotion in programme.promotions}
    for reward in programme.rewards.items.values() if programme.rewards else ():
        groups.add(getattr(reward, "group", None))
    if programme.levels is not None:
        groups.add(programme.levels.converted_group)
    return {group for group in groups if group is not None}


def _expiry(points: Points, *, closes: bool) -> Iterator[Finding]:
    days = points.warn_days_before
    path = ("points", "warn_days_before")
    yield from _repeated(days, *path)
    expiry = points.expiry
    if isinstance(expiry, Rolling):
        longest, shortest = _month_days_max(expiry.months), expiry.months * _SHORTEST_MONTH_DAYS
        life = f"a lot lives {expiry.months} months"
    elif isinstance(expiry, CalendarYear):
        # A lot of 31 December lives a day: that some lots get no warning is the nature of this policy.
        longest, shortest = expiry.years * _LONGEST_YEAR_DAYS, expiry.years * _LONGEST_YEAR_DAYS
        life = f"a lot lives {expiry.years} calendar years at most"
    else:
        if days and not closes:
            yield warning("no lot expires, so there is nothing to warn about; leave it out", *path)
        return
    for number, day in enumerate(days):
        if day >= longest:
            yield error(
                f"{day} days before its end no lot exists yet: {life}; name fewer days", *path, number
            )
        elif day >= shortest:
            yield warning(f"not every lot is {day} days old before it ends: {life}", *path, number)


def _month_days_max(months: int) -> int:
    years, rest = divmod(months, 12)
    return years * _LONGEST_YEAR_DAYS + rest * 31


def _repeated(days: Sequence[int], *path: str | int) -> Iterator[Finding]:
    for number, day in enumerate(days):
        if day in days[:number]:
            yield error(f"{day} stands twice; once is enough", *path, number)


def _accrual(accrual: Accrual) -> Iterator[Finding]:
    known = {"charge": CHARGE_CATEGORIES, "purchase": PURCHASE_CHANNELS}
    for number, rate in enumerate(accrual.rates):
        path = ("accrual", "rates", number)
        names = known.get(rate.event)
        for place, name in enumerate(rate.of):
            if names is not None and name not in names:
                near = suggestion(name, names) or f"; there are: {', '.join(names)}"
                yield error(f"no {rate.event} is ever of {name!r}{near}", *path, "of", place)
        if rate.percent_maximum is not None and "points" in rate.model_fields_set:
            yield warning("has no effect: the event's percentage decides", *path, "points")
        if rate.threshold is not None and rate.welcome_points == 0:
            yield warning(
                "spending up to the threshold earns nothing; welcome_points is 0", *path, "threshold"
            )
    if accrual.confirm_within_days is not None and all(rate.event != "purchase" for rate in accrual.rates):
        yield warning("has no effect: no rate is for purchases", "accrual", "confirm_within_days")


def _levels(programme: Programme, levels: Levels) -> Iterator[Finding]:
    groups = exclusion_groups(programme)
    if levels.paused_by_group is not None and levels.paused_by_group not in groups:
        near = suggestion(levels.paused_by_group, sorted(groups))
        yield error(
            f"no discount is of the group {levels.paused_by_group!r}{near or '; leave it out'}",
            "levels",
            "paused_by_group",
        )
    if levels.late_arrival_days > IDENTITIES_KEPT_DAYS:
        yield warning(
            f"an event more than {IDENTITIES_KEPT_DAYS} days older than its account's clock is refused, so this "
            f"cannot be more than {IDENTITIES_KEPT_DAYS}",
            "levels",
            "late_arrival_days",
        )
    if levels.late_arrival_days > levels.history_months * _SHORTEST_MONTH_DAYS:
        yield error(
            f"only {levels.history_months} billing dates are remembered (history_months)",
            "levels",
            "late_arrival_days",
        )
    if levels.converted_rule is None:
        for name in ("converted_target", "converted_group"):
            if getattr(levels, name):
                yield error("has no effect without converted_rule", "levels", name)
    elif not levels.converted_target:
        yield error(
            "converted_target is missing: what does the old discount apply to?", "levels", "converted_rule"
        )


def _closure(programme: Programme) -> Iterator[Finding]:
    closure = programme.closure
    assert closure is not None, "tested by the caller"
    yield from _repeated(closure.warn_days_before, "closure", "warn_days_before")
    if closure.day <= programme.effective_from:
        yield error(
            f"{closure.day} is not after effective_from, {programme.effective_from}: the programme would be over "
            "before it begins",
            "closure",
            "day",
        )
    since = programme.referral.active.since if programme.referral is not None else None
    if since is not None and since >= closure.day:
        yield error(
            f"the programme closes on {closure.day}, before a code may be registered", "referral", "active"
        )
    for number, promotion in enumerate(programme.promotions):
        if promotion.active.since is not None and promotion.active.since >= closure.day:
            yield warning(
                f"begins on {promotion.active.since}, the programme closes on {closure.day}",
                "promotions",
                number,
                "active",
            )
