"""Points that leave for another account: gifts, and rewards for somebody else's account (SPEC 2.2, 2.4).

The giver's points leave at once. The receiver's account takes them, or sends them back; a step that comes
twice is recognised by its identity, so no point is received or returned twice.
"""

from __future__ import annotations

from typing import Any, Final

from engine import lots
from engine.calendar import month_of
from engine.membership import was_member
from engine.terms_rewards import Gifts
from engine.turn import Turn
from schemas.account import Gift, Lot
from schemas.event import Event
from schemas.link import OFFER, RETURN, Link
from schemas.outcome import Cause

_GIFT: Final = "gift"
_REWARD: Final = "reward"
# A gift counts in its calendar month, and an event may come 45 days late: 31 + 45 days and one to spare.
_REMEMBERED_DAYS: Final = 77


def give(turn: Turn, event: Event) -> str | None:
    """Give points to another member; returns why not, where it cannot be."""
    gifts, row = turn.book.gifts, turn.row
    assert gifts is not None, "tested before: the programme has gifts"
    receiver: str = event.data["to"]
    points: int = event.data["points"]
    if receiver == row.id:
        return "self-gift"
    if not gifts.transferable:
        return "not-transferable"
    refusal = _over_limit(turn, gifts, receiver, points)
    if refusal is not None:
        return refusal
    if row.balance < points:
        return "insufficient-points"
    today = turn.book.zone.day(max(row.clock, turn.time))
    remembered = [gift for gift in row.gifts if gift.day >= today - _REMEMBERED_DAYS]
    row.gifts = (*remembered, Gift(turn.day, receiver, _transfer(turn.cause)))
    taken = lots.take(row, points)
    turn.emit(
        "points.gifted",
        gifts.rule,
        "gift",
        {"points": points, "balance": row.balance, "lots": lots.shown(taken), "to": receiver},
    )
    _offer(turn, _GIFT, row.operator, receiver, gifts.rule, taken)
    return None


def offer_reward(turn: Turn, operator: str, receiver: str, rule: str, taken: list[Lot]) -> None:
    """Offer what was redeemed for another account; it comes back if that account is not open."""
    _offer(turn, _REWARD, operator, receiver, rule, taken)


def receive(turn: Turn, link: Link) -> None:
    """At the receiver: take the points, or send them back."""
    row, book, data = turn.row, turn.book, link.data
    if data["what"] == _REWARD:
        if not row.was_open(turn.time):
            turn.send(RETURN, link.sender_operator, link.sender, data)
        return
    gifts = book.gifts
    welcome = gifts is not None and (
        was_member(book, row, turn.time) if gifts.receiver == "participant" else row.was_open(turn.time)
    )
    if gifts is None or not welcome:
        turn.send(RETURN, link.sender_operator, link.sender, data)
        return
    id = turn.new_id("points.received", gifts.rule)
    fresh_expiry = lots.expires_on(book, turn.day)
    received = [
        Lot(
            lots.lot_id(id, turn.time, number),
            part,
            expires_on if gifts.received_expiry == "keep" else fresh_expiry,
        )
        for number, (_, part, expires_on) in enumerate(data["lots"])
    ]
    shown = lots.shown(received)  # before a debt is settled from them
    for lot in received:
        lots.add(row, lot)
    turn.emit(
        "points.received",
        gifts.rule,
        "gift",
        {
            "points": sum(part["points"] for part in shown),
            "balance": row.balance,
            "lots": shown,
            "from": link.sender,
        },
        id=id,
    )


def take_back(turn: Turn, link: Link) -> None:
    """At the giver: the points come back with their old expiry, and the gift uses up no limit."""
    row, data = turn.row, link.data
    rule: str = data["rule"]
    row.gifts = tuple([gift for gift in row.gifts if gift.transfer != _transfer(link.cause)])
    for name, points, expires_on in data["lots"]:
        lot = _name_of_returned(turn, Lot(name, points, expires_on))
        lots.credit(turn, rule, points, "gift-returned", lot=lot, expires=expires_on)
    request = "points.gift-requested" if data["what"] == _GIFT else "points.redeem-requested"
    turn.emit("request.rejected", rule, "unknown-receiver", {"request": request})
    if row.closed:  # what comes back to a closed account goes the way of its other points
        lots.expire(turn, row.lots, lots.EXPIRY_RULE, "account-closed")


def _offer(turn: Turn, what: str, operator: str, receiver: str, rule: str, taken: list[Lot]) -> None:
    data: dict[str, Any] = {
        "what": what,
        "rule": rule,
        "lots": [[lot.id, lot.points, lot.expires_on] for lot in taken],
    }
    turn.send(OFFER, operator, receiver, data)


def _name_of_returned(turn: Turn, lot: Lot) -> str:
    """The lot's old name, unless its time is over: then what stayed of it has expired under that name already,

    and what comes back expires by itself, in an outcome of its own.
    """
    end = lots.ends_on(turn.book, lot)
    if end and turn.book.zone.midnight(end) <= turn.row.clock:
        return lots.lot_id(f"{lot.id} {_transfer(turn.cause)}", turn.time)
    return lot.id


def _transfer(cause: Cause) -> str:
    """What tells a transfer from others of the account; the time, as an id may come again once it is forgotten."""
    return f"{cause.source} {cause.id} {cause.time}"


def _over_limit(turn: Turn, gifts: Gifts, receiver: str, points: int) -> str | None:
    if gifts.points_per_gift is not None and points > gifts.points_per_gift:
        return "limit-per-operation"
    made = turn.row.gifts
    if gifts.gifts_per_day is not None:
        today = sum(1 for gift in made if gift.day == turn.day)
        if today >= gifts.gifts_per_day:
            return "limit-per-day"
    if gifts.receivers_per_month is not None:
        month = month_of(turn.day)
        receivers = {gift.receiver for gift in made if month_of(gift.day) == month}
        if receiver not in receivers and len(receivers) >= gifts.receivers_per_month:
            return "limit-per-month"
    return None
