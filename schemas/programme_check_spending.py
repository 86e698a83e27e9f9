"""Contradictions in how points leave: rewards that nobody can afford, gifts, goals, referrals that give nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.programme import Programme
from schemas.programme_finding import Finding, error, warning
from schemas.programme_parts import CalendarYear, Rolling
from schemas.programme_rewards import AmountReward, CatalogueReward, Gifts

_DAYS_IN_MONTH_MAX: Final = 31


def check_spending(programme: Programme) -> Iterator[Finding]:
    """Everything about how points leave."""
    yield from _rewards(programme)
    if programme.gifts is not None:
        yield from _gifts(programme.gifts)
    if programme.goals is not None and not _uses_goals(programme):
        yield warning("no reward needs a goal and no write-off asks for one; a goal has no effect", "goals")
    yield from _referral(programme)


def points_sources(programme: Programme) -> set[str]:
    """By which sections a member comes to points."""
    sources: set[str] = set()
    if programme.points.source == "adjustments":
        sources.add("points.source")
    for name in ("accrual", "levels", "tenure"):
        if getattr(programme, name) is not None:
            sources.add(name)
    referral = programme.referral
    if referral is not None and (referral.advocate.points or (referral.friend and referral.friend.points)):
        sources.add("referral")
    return sources


def most_points(programme: Programme) -> int | None:
    """The most points an account can ever hold, where only tenure gives any and they expire; None: no limit."""
    if points_sources(programme) != {"tenure"} or programme.tenure is None:
        return None
    expiry = programme.points.expiry
    if isinstance(expiry, Rolling):
        return programme.tenure.points * expiry.months
    if isinstance(expiry, CalendarYear):
        return programme.tenure.points * 12 * expiry.years
    return None


def _rewards(programme: Programme) -> Iterator[Finding]:
    rewards = programme.rewards
    spent = [name for name in ("rewards", "write_off") if getattr(programme, name) is not None]
    if programme.gifts is not None and programme.gifts.transferable:
        spent.append("gifts")
    sources = points_sources(programme)
    if not sources:
        for name in spent:
            yield error(
                "can never be afforded: no section credits points (accrual, levels, tenure, referral); if another "
                "system decides them and staff corrections bring them, write points.source: adjustments",
                name,
            )
        return
    most = most_points(programme)
    if rewards is None or most is None:
        return
    for name, reward in rewards.items.items():
        price = 0
        if isinstance(reward, CatalogueReward):
            price = reward.points
        elif isinstance(reward, AmountReward) and reward.denominations:
            price = reward.denominations[0]
        if price > most:
            yield error(
                f"costs at least {price} points, but an account never holds more than {most}: only tenure credits "
                "points, and they expire",
                "rewards",
                "items",
                name,
            )


def _uses_goals(programme: Programme) -> bool:
    rewards = programme.rewards.items.values() if programme.rewards else ()
    return any(isinstance(reward, AmountReward) and reward.needs_goal for reward in rewards) or (
        programme.write_off is not None and programme.write_off.unless_goal
    )


def _gifts(gifts: Gifts) -> Iterator[Finding]:
    limits = ("points_per_gift", "gifts_per_day", "receivers_per_month", "receiver", "received_expiry")
    if not gifts.transferable:
        for name in limits:
            if name in gifts.model_fields_set:
                yield error("contradicts transferable: false, by which there are no gifts", "gifts", name)
        return
    if gifts.gifts_per_day is not None and gifts.receivers_per_month is not None:
        most = gifts.gifts_per_day * _DAYS_IN_MONTH_MAX
        if gifts.receivers_per_month > most:
            yield warning(
                f"can never be reached: {gifts.gifts_per_day} gifts a day are at most {most} in a month",
                "gifts",
                "receivers_per_month",
            )


def _referral(programme: Programme) -> Iterator[Finding]:
    referral = programme.referral
    if referral is None:
        return
    advocate = referral.advocate
    if advocate.points is None and not advocate.ladder:
        if referral.friend is None:
            yield error(
                "a code brings nothing to either side: give the advocate points or a ladder, or drop `referral`",
                "referral",
                "advocate",
            )
        else:
            yield warning(
                "who gives the code away gets nothing for it; points or a ladder?", "referral", "advocate"
            )
    if referral.participants == "both" and "not-participant" not in referral.tests:
        yield warning("has no effect: tests does not hold not-participant", "referral", "participants")
    if not advocate.ladder:
        for name in ("ladder_counts", "target"):
            if name in advocate.model_fields_set:
                yield warning("has no effect without a ladder", "referral", "advocate", name)
    if referral.friend is not None and referral.friend.percent is None:
        for name in ("target", "after_promo_period"):
            if name in referral.friend.model_fields_set:
                yield warning("has no effect without percent", "referral", "friend", name)
