"""What points buy, and the other ways in which they leave."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from engine.money import exact_product, money_text
from loyalty.rules.words import bullets, counted, listed, percent, points, reading, table
from schemas.programme import Programme
from schemas.programme_rewards import (
    AmountReward,
    CatalogueReward,
    FeeDiscountReward,
    Gifts,
    Reward,
    Rewards,
    ShareReward,
)

_EXAMPLE_AMOUNT: Final = Decimal(500)


def rewards(programme: Programme, terms: Rewards) -> str:
    """The catalogue as a table, the other rewards as sentences."""
    catalogue = [
        [f"`{name}`", f"{reward.points:,}"]
        for name, reward in terms.items.items()
        if isinstance(reward, CatalogueReward)
    ]
    parts = []
    if catalogue:
        parts.append(table(["reward", "price in points"], catalogue))
        parts.append("Several of one reward cost as many times its price.")
    others = [
        f"**`{name}`**: {_told(programme, reward)}"
        for name, reward in terms.items.items()
        if not isinstance(reward, CatalogueReward)
    ]
    if others:
        parts.append(bullets(others))
    parts.append("A member who has not enough points gets nothing, and loses none.")
    return "\n\n".join(parts)


def _told(programme: Programme, reward: Reward) -> str:
    match reward:
        case AmountReward():
            return _amount(programme, reward)
        case ShareReward():
            most = int(exact_product(_EXAMPLE_AMOUNT, reward.percent_maximum) // 100)
            left = money_text(_EXAMPLE_AMOUNT - most)
            return (
                f"points pay up to {percent(reward.percent_maximum)} of a payment, rounded down, or as far as the "
                f"balance goes; the rest is paid in money. Of {money_text(_EXAMPLE_AMOUNT)} {programme.currency}, "
                f"{points(most)} at most and {left} {programme.currency}."
            )
        case FeeDiscountReward():
            return _fee(programme, reward)
    raise AssertionError(f"a kind of reward that nobody tells: {reward!r}")


def _amount(programme: Programme, reward: AmountReward) -> str:
    text = [f"a point for each {programme.currency} of the amount asked for, rounded up."]
    if reward.receiver_operator is not None:
        text.append(
            f"It goes to another account, which must be open at `{reward.receiver_operator}`; otherwise the points "
            "come back."
        )
    if reward.denominations:
        amounts = listed(f"{amount:,}" for amount in reward.denominations)
        if reward.denominations_step is not None:
            amounts += f", then every {reward.denominations_step:,} up to {reward.denominations_up_to:,}"
        text.append(f"Amounts: {amounts}.")
    if reward.needs_goal:
        text.append(
            "Only once the member has set a goal and the balance has reached it, for an amount up to the goal. The "
            "goal stays as it is."
        )
    if reward.issued:
        text.append("It is issued at once.")
    return " ".join(text)


def _fee(programme: Programme, reward: FeeDiscountReward) -> str:
    text = [
        f"{percent(reward.percent)} off `{reward.target}` for the next billing month, for as many points as the "
        "tariff's monthly price, rounded up."
    ]
    levels = programme.levels
    if levels is not None:
        starts = "counts as paid on time" if reward.counts_as_paid else "must be paid for like any other"
        if reward.group is not None and levels.paused_by_group == reward.group:
            starts += " and credits nothing"
        text.append(f"The billing date that starts it {starts}. " + reading("the source does not say"))
    if reward.ends_on_tariff_change:
        text.append("A change of tariff before its end ends it; the points are not returned.")
    if reward.group is not None:
        text.append("It cannot be had while another discount of its group covers the first day.")
    return " ".join(text)


def gifts(terms: Gifts) -> str:
    """Points given to others."""
    if not terms.transferable:
        return "Points cannot be given to others."
    limits = []
    if terms.points_per_gift is not None:
        limits.append(f"{points(terms.points_per_gift)} in one gift")
    if terms.gifts_per_day is not None:
        limits.append(f"{counted(terms.gifts_per_day, 'gift')} a day")
    if terms.receivers_per_month is not None:
        limits.append(f"{counted(terms.receivers_per_month, 'different receiver')} in a calendar month")
    lines = ["Points can be given to others, not to oneself."]
    if limits:
        lines.append(f"At most {listed(limits)}. A gift that is rejected or comes back uses up no limit.")
    lines.append(
        "The receiver is a participant of the same programme. " + reading("the source says subscriber")
        if terms.receiver == "participant"
        else "The receiver has an open account of the same operator. " + reading("whoever has one")
    )
    lines.append("Otherwise the giver gets the points back, with their old expiry.")
    lines.append(
        "Points given keep the day on which they expire. " + reading("the giver's expiry")
        if terms.received_expiry == "keep"
        else "Points given expire as if they were credited to the receiver on that day. "
        + reading("they start anew")
    )
    return bullets(lines)


def write_off(programme: Programme) -> str:
    """The monthly write-off."""
    terms = programme.write_off
    assert terms is not None, "tested by the caller"
    text = f"At 00:00 of the 1st of each month the whole positive balance is taken for `{terms.reward}`"
    if terms.unless_goal:
        return f"{text}, unless the member has set a goal. " + reading("a goal keeps the points")
    return f"{text}."


GOALS: Final = "A member may set a goal, an amount to save for; setting it again replaces it."
