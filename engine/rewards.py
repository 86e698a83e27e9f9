"""What points buy: catalogue, amounts, shares of a payment, a month's fee; and the monthly write-off."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from engine import billing, discounts, lots, transfer
from engine.calendar import first_day, month_of
from engine.money import ceiling, exact_product, money_text
from engine.rulebook import Rulebook
from engine.terms_rewards import AmountReward, CatalogueReward, FeeDiscountReward, Reward, ShareReward
from engine.turn import Turn
from schemas.account import NEVER, Account, Discount, Lot
from schemas.dead_letter import MISSING_FIELD, Unreadable
from schemas.event import Event

_HUNDRED: Final = Decimal(100)


def check(book: Rulebook, event: Event) -> None:
    """Refuse a request as a record when it lacks what its reward takes.

    :raises Unreadable: `amount` or `to` is missing.
    """
    reward = _reward(book, event)
    if isinstance(reward, AmountReward | ShareReward) and "amount" not in event.data:
        raise Unreadable(
            MISSING_FIELD, f'data.amount: reward {event.data["reward"]!r} takes one, such as "500.00"'
        )
    if isinstance(reward, AmountReward) and reward.receiver_operator and "to" not in event.data:
        raise Unreadable(
            MISSING_FIELD, f"data.to: reward {event.data['reward']!r} needs the receiving account"
        )


def lacks_tariff(turn: Turn, event: Event) -> bool:
    """Whether the reward is a month's fee and the account has no activated monthly tariff."""
    tariff = turn.row.tariff
    return isinstance(_reward(turn.book, event), FeeDiscountReward) and (
        turn.row.billing_day == 0 or tariff is None or tariff.monthly_price is None
    )


def redeem(turn: Turn, event: Event) -> str | None:
    """Exchange points for a reward; returns why not, where it cannot be."""
    rewards = turn.book.rewards
    assert rewards is not None, "tested before: the programme has rewards"
    reward = _reward(turn.book, event)
    match reward:
        case CatalogueReward():
            return _refusal(_spend(turn, event, reward.points * event.data.get("quantity", 1), {}))
        case AmountReward():
            return _redeem_amount(turn, event, rewards.rule, reward)
        case ShareReward():
            return _pay_share(turn, event, reward)
        case FeeDiscountReward():
            return _buy_month(turn, event, reward)
        case None:
            return "unknown-reward"


def _reward(book: Rulebook, event: Event) -> Reward | None:
    return book.rewards.items.get(event.data["reward"]) if book.rewards is not None else None


def _spend(turn: Turn, event: Event, points: int, extra: dict[str, Any]) -> list[Lot] | str:
    """Take the points for a reward and say so; returns the lots they came from, or why not."""
    assert turn.book.rewards is not None, "tested before: the programme has rewards"
    if turn.row.balance < points:
        return "insufficient-points"
    if points == 0:
        return []
    return _take(turn, turn.book.rewards.rule, points, event.data["reward"], "redeemed", extra)


def _take(turn: Turn, rule: str, points: int, reward: str, reason: str, extra: dict[str, Any]) -> list[Lot]:
    taken = lots.take(turn.row, points)
    turn.emit(
        "points.redeemed",
        rule,
        reason,
        {"points": points, "balance": turn.row.balance, "lots": lots.shown(taken), "reward": reward, **extra},
    )
    return taken


def _refusal(spent: list[Lot] | str) -> str | None:
    return spent if isinstance(spent, str) else None


def _redeem_amount(turn: Turn, event: Event, rule: str, reward: AmountReward) -> str | None:
    row, amount = turn.row, event.data["amount"]
    if not _is_denomination(reward, amount):
        return "invalid-denomination"
    if reward.needs_goal:
        if row.goal is None:
            return "no-goal"
        if amount > row.goal:
            return "over-goal"
        if row.balance < row.goal:
            return "goal-not-reached"
    spent = _spend(turn, event, ceiling(amount), {"to": event.data["to"]} if "to" in event.data else {})
    if isinstance(spent, str):
        return spent
    if spent and reward.issued:
        turn.emit(
            "reward.issued", rule, "redeemed", {"reward": event.data["reward"], "amount": money_text(amount)}
        )
    if spent and reward.receiver_operator:
        transfer.offer_reward(turn, reward.receiver_operator, event.data["to"], rule, spent)
    return None


def _is_denomination(reward: AmountReward, amount: Decimal) -> bool:
    if not reward.denominations or amount in reward.denominations:
        return True
    if reward.denominations_step is None or reward.denominations_up_to is None:
        return False
    beyond = amount - reward.denominations[-1]
    return beyond > 0 and beyond % reward.denominations_step == 0 and amount <= reward.denominations_up_to


def _pay_share(turn: Turn, event: Event, reward: ShareReward) -> str | None:
    amount: Decimal = event.data["amount"]
    share = int(exact_product(amount, reward.percent_maximum) // _HUNDRED)
    points = min(turn.row.balance, share)
    if points <= 0:
        return "insufficient-points"
    extra = {"payable": money_text(amount - points)}
    to = event.data.get("to")
    if to is not None and to != turn.row.id:
        extra["to"] = to
    return _refusal(_spend(turn, event, points, extra))


def _buy_month(turn: Turn, event: Event, reward: FeeDiscountReward) -> str | None:
    row = turn.row
    tariff = row.tariff
    assert tariff is not None and tariff.monthly_price is not None, "tested as participation"
    index = billing.next_index(row, turn.day)
    first = billing.date_of(row, index)
    last = billing.date_of(row, index + 1) - 1
    if discounts.covering(row, reward.group, first) is not None:
        return discounts.EXCLUSIVE
    refusal = _refusal(_spend(turn, event, ceiling(tariff.monthly_price), {}))
    if refusal is None:
        discounts.grant(
            turn, Discount(reward.rule, reward.percent, reward.target, first, last, reward.group), "redeemed"
        )
    return refusal


def write_off_due(turn: Turn) -> None:
    """On the 1st of a month, take the whole positive balance for the reward it pays."""
    write_off, row = turn.book.write_off, turn.row
    if write_off is None or row.balance <= 0 or turn.day != first_day(month_of(turn.day)):
        return
    if write_off.unless_goal and row.goal is not None:
        return
    _take(turn, write_off.rule, row.balance, write_off.reward, "first-of-month", {})


def next_due(book: Rulebook, row: Account) -> int:
    """The next 1st of a month on which there is something to write off."""
    write_off = book.write_off
    if write_off is None or row.balance <= 0 or (write_off.unless_goal and row.goal is not None):
        return NEVER
    return book.zone.midnight(first_day(month_of(book.zone.day(row.clock)) + 1))
