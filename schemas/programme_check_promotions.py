"""Promotions that no account can reach, and tariffs that an earlier one hides."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Final

from schemas.programme_finding import Finding, Neighbours, error, warning
from schemas.programme_forms import Days
from schemas.programme_promotions import (
    DiscountPromotion,
    EntitlementPromotion,
    Promotion,
    TariffMatch,
)

_ANY_SPEED: Final = 10**9


def check_promotions(around: Neighbours) -> Iterator[Finding]:
    """Everything about the promotions of one revision."""
    for number, promotion in enumerate(around.programme.promotions):
        for finding in _promotion(around, promotion):
            yield finding._replace(path=("promotions", number, *finding.path))
    referral = around.programme.referral
    if referral is not None:
        for finding in _in_force(around, referral.active, kept=_refers(around)):
            yield finding._replace(path=("referral", *finding.path))


def _promotion(around: Neighbours, promotion: Promotion) -> Iterator[Finding]:
    yield from _in_force(around, promotion.active, kept=_stands_in(around, promotion.rule))
    yield from _hidden_tariffs(promotion.when.tariffs, "when", "tariffs")
    signed = promotion.when.signed_on
    if signed is not None and _entirely_after(signed, promotion.active):
        yield error(
            f"nobody can sign from {signed.since} on and still be granted it by {promotion.active.until}",
            "when",
            "signed_on",
        )
    if isinstance(promotion, EntitlementPromotion):
        yield from _variants(promotion)
    else:
        yield from _discount(around, promotion)


def _discount(around: Neighbours, promotion: DiscountPromotion) -> Iterator[Finding]:
    if _entirely_after(promotion.activated, promotion.active):
        yield error(
            f"who is activated from {promotion.activated.since} on comes after active.until, "
            f"{promotion.active.until}",
            "activated",
        )
    elif promotion.trigger == "activation" and _entirely_after(promotion.active, promotion.activated):
        yield error(
            f"an activation by {promotion.activated.until} comes before active.since, {promotion.active.since}",
            "activated",
        )
    signed = promotion.when.signed_on
    if signed is not None and _entirely_after(signed, promotion.activated):
        yield error(
            f"who signs from {signed.since} on cannot be activated by {promotion.activated.until}",
            "when",
            "signed_on",
        )
    last = promotion.lasts.not_after
    since = promotion.active.since
    if last is not None and since is not None and last < since:
        yield error(
            f"{last} lies before active.since, {since}: it would end before it begins", "lasts", "not_after"
        )
    elif last is not None and last < around.programme.effective_from:
        yield error(
            f"{last} lies before effective_from, {around.programme.effective_from}: it would end before it begins",
            "lasts",
            "not_after",
        )
    if promotion.on_conflict == "replace" and promotion.group is None:
        yield warning("has no effect without a group", "on_conflict")


def _variants(promotion: EntitlementPromotion) -> Iterator[Finding]:
    earlier: list[TariffMatch] = []
    allowed = promotion.when.tariffs
    for number, variant in enumerate(promotion.variants):
        path = ("variants", number, "tariffs")
        if all(covered(match, earlier) for match in variant.tariffs):
            yield error(
                "can never match: an earlier variant matches all of it; put the narrower one first", *path
            )
        else:
            yield from _hidden_tariffs(variant.tariffs, *path)
        if allowed and not any(_meet(match, other) for match in variant.tariffs for other in allowed):
            yield error("can never match: when.tariffs allows none of these", *path)
        earlier += variant.tariffs


def _hidden_tariffs(tariffs: Sequence[TariffMatch], *path: str | int) -> Iterator[Finding]:
    for number, match in enumerate(tariffs):
        if covered(match, tariffs[:number]):
            yield warning("has no effect: the ones before it match all of it", *path, number)


def _span(match: TariffMatch) -> tuple[int, int]:
    """The speeds that a match allows, both included; -1 stands for a tariff that names no speed."""
    speeds = match.speed_mbps
    if speeds is None:
        return -1, _ANY_SPEED
    low = speeds.at_least if speeds.at_least is not None else 0
    return low, speeds.at_most if speeds.at_most is not None else _ANY_SPEED


def covered(match: TariffMatch, others: Sequence[TariffMatch]) -> bool:
    """Whether these others together match whatever this one matches."""
    low, high = _span(match)
    for start, end in sorted(_span(other) for other in others if other.family == match.family):
        if start <= low <= end:
            low = end + 1
    return low > high


def _meet(match: TariffMatch, other: TariffMatch) -> bool:
    """Whether some tariff matches both."""
    (low, high), (start, end) = _span(match), _span(other)
    return match.family == other.family and max(low, start) <= min(high, end)


def _entirely_after(later: Days, earlier: Days) -> bool:
    return later.since is not None and earlier.until is not None and later.since > earlier.until


def _stands_in(around: Neighbours, rule: str) -> tuple[bool, bool]:
    """Whether the revision before, and the one after, have the promotion too."""
    before, after = (
        revision is not None and any(promotion.rule == rule for promotion in revision.promotions)
        for revision in (around.before, around.after)
    )
    return before, after


def _refers(around: Neighbours) -> tuple[bool, bool]:
    before, after = (
        revision is not None and revision.referral is not None for revision in (around.before, around.after)
    )
    return before, after


def _in_force(around: Neighbours, active: Days, kept: tuple[bool, bool]) -> Iterator[Finding]:
    """A span that lies outside the time in which this revision decides.

    Where the neighbour on that side has the promotion too it is no fault: one that is over is kept for the
    members who hold it, one that is to come is announced.
    """
    begins = around.programme.effective_from
    if active.until is not None and active.until < begins and not kept[0]:
        yield error(
            f"over on {active.until}, before this revision decides anything (effective_from {begins})",
            "active",
        )
    ends: datetime.date | None = around.after.effective_from if around.after is not None else None
    if active.since is not None and ends is not None and active.since >= ends and not kept[1]:
        yield error(
            f"begins on {active.since}, but the next revision takes over on {ends} and does not have it",
            "active",
        )
