"""Rewards, gifts and write-offs as decisions read them.

Each class holds what its namesake in `schemas/programme_rewards.py` says, where the fields are described, by the
same names.
"""

from __future__ import annotations

from typing import Final

from schemas import programme_rewards as definition


class CatalogueReward:
    """A reward with a fixed price in points."""

    def __init__(self, section: definition.CatalogueReward) -> None:
        self.points: Final = section.points


class AmountReward:
    """A reward for an amount of money; costs ceil(amount) points."""

    def __init__(self, section: definition.AmountReward) -> None:
        self.receiver_operator: Final = section.receiver_operator
        self.denominations: Final[tuple[int, ...]] = section.denominations
        self.denominations_step: Final = section.denominations_step
        self.denominations_up_to: Final = section.denominations_up_to
        self.needs_goal: Final = section.needs_goal
        self.issued: Final = section.issued


class ShareReward:
    """Points that pay a share of a payment at most."""

    def __init__(self, section: definition.ShareReward) -> None:
        self.percent_maximum: Final = section.percent_maximum


class FeeDiscountReward:
    """A discount on the next billing month; costs ceil(monthly price) points."""

    def __init__(self, section: definition.FeeDiscountReward) -> None:
        self.rule: Final = section.rule
        self.percent: Final = section.percent
        self.target: Final = section.target
        self.group: Final = section.group
        self.counts_as_paid: Final = section.counts_as_paid
        self.ends_on_tariff_change: Final = section.ends_on_tariff_change


Reward = CatalogueReward | AmountReward | ShareReward | FeeDiscountReward


class Rewards:
    """What points buy."""

    def __init__(self, section: definition.Rewards) -> None:
        self.rule: Final = section.rule
        self.items: Final = {name: _reward_terms(item) for name, item in section.items.items()}


class Goals:
    """Saving for a goal."""

    def __init__(self, section: definition.Goals) -> None:
        self.rule: Final = section.rule


class Gifts:
    """Points given to another member."""

    def __init__(self, section: definition.Gifts) -> None:
        self.rule: Final = section.rule
        self.transferable: Final = section.transferable
        self.points_per_gift: Final = section.points_per_gift
        self.gifts_per_day: Final = section.gifts_per_day
        self.receivers_per_month: Final = section.receivers_per_month
        self.receiver: Final[str] = section.receiver
        self.received_expiry: Final[str] = section.received_expiry


class WriteOff:
    """The whole positive balance, taken for a reward on the 1st of each month."""

    def __init__(self, section: definition.WriteOff) -> None:
        self.rule: Final = section.rule
        self.reward: Final = section.reward
        self.unless_goal: Final = section.unless_goal


def _reward_terms(section: definition.Reward) -> Reward:
    match section:
        case definition.CatalogueReward():
            return CatalogueReward(section)
        case definition.AmountReward():
            return AmountReward(section)
        case definition.ShareReward():
            return ShareReward(section)
        case definition.FeeDiscountReward():
            return FeeDiscountReward(section)
