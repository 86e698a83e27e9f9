"""What a completed referral brings to each side: points, a discount, a ladder of discounts."""

from __future__ import annotations

from engine import discounts, entitlements, lots
from engine.calendar import add_months
from engine.terms_referral import AdvocateReward, FriendReward
from engine.turn import Turn
from schemas.account import Discount


def reward_friend(turn: Turn, reward: FriendReward) -> None:
    """The friend's side."""
    if reward.points is not None:
        lots.credit(turn, reward.rule, reward.points, "referral-completed")
    if reward.percent is not None and reward.months is not None:
        first = turn.day
        if reward.after_promo_period and turn.row.promo_until >= turn.day:
            first = turn.row.promo_until + 1
        last = add_months(first, reward.months) - 1
        discounts.grant(
            turn,
            Discount(reward.rule, reward.percent, reward.target, first, last, None),
            "referral-completed",
        )


def reward_advocate(turn: Turn, reward: AdvocateReward) -> None:
    """The advocate's side."""
    if reward.points is not None:
        lots.credit(turn, reward.rule, reward.points, "referral-completed")
    if reward.ladder:
        _climb(turn, reward)


def _climb(turn: Turn, reward: AdvocateReward) -> None:
    row = turn.row
    active = discounts.of_rule(row, reward.rule)
    if active is not None and active.last_day and active.last_day < turn.day:
        active = None
    if active is None and reward.ladder_counts == "while-active":
        row.referrals_counted = 0
    row.referrals_counted += 1
    count = row.referrals_counted
    step = next(step for step in reversed(reward.ladder) if step.friends <= count)
    last = add_months(turn.day, step.months) - 1
    if active is None:
        discounts.grant(
            turn,
            Discount(reward.rule, step.percent, reward.target, turn.day, last, None),
            "referral-completed",
        )
    else:
        discounts.change(
            turn, active, "referral-completed", percent=step.percent, last_day=max(last, active.last_day)
        )
    if step.grant is not None and step.friends == count:
        entitlements.grant(turn, step.grant, "referral-completed")
