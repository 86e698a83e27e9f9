"""An account row as a person reads it: names instead of numbers, days instead of ordinals. Pure."""

from __future__ import annotations

from typing import Any, Final

from engine import accrual, billing, discounts, lifecycle, lots, rewards, tariffs
from engine.calendar import iso
from engine.codes import ReferralCodes
from engine.rulebook import Rulebook
from schemas.account import BLOCK_BITS, CREDITED, NEVER, PENDING, REJECTED, RETURNED, Account, Discount
from schemas.event import Tariff

_PURCHASE_STATES: Final = {
    PENDING: "pending",
    CREDITED: "credited",
    REJECTED: "rejected",
    RETURNED: "returned",
}


def describe(row: Account, book: Rulebook, codes: ReferralCodes, now: int) -> dict[str, Any]:
    """Everything worth knowing about an account, ready for JSON.

    `now` is the latest time the account's partition was told, in microseconds: lots that have expired by then
    are not shown. Days are `YYYY-MM-DD`, `last_day` is inclusive, `expires_on` the first day no longer usable.
    """
    today = book.zone.day(max(now, row.clock))
    return {
        "operator": row.operator,
        "account": row.id,
        "as_of": book.zone.text(max(now, row.clock)),
        "profile": _profile(row),
        "service": _service(row),
        "level": row.level if book.levels else None,
        "balance": row.balance,
        "goal": None if row.goal is None else f"{row.goal:f}",
        "lots": [
            {"lot": lot.id, "points": lot.points, "expires_on": _day(end)}
            for lot in row.lots
            if (end := lots.ends_on(book, lot)) == 0 or end > today
        ],
        "owed": row.debt,
        "pending": [
            {"purchase": id_, "points": made.points, "rejected_on": _day(made.deadline)}
            for id_, made in (row.purchases or {}).items()
            if made.state == PENDING
        ],
        "discounts": [_discount(discount, today) for discount in row.discounts],
        "past_discounts": [_past(packed) for packed in row.past_discounts],
        "entitlements": [
            {"entitlement": name, **terms} for name, terms in sorted(row.entitlements.terms.items())
        ],
        "referrals": _referrals(row, book, codes),
        "gifts": [{"day": iso(gift.day), "to": gift.receiver} for gift in row.gifts],
        "tariff_order": None
        if row.order is None
        else {"tariff": row.order.tariff.code, "change_on": iso(row.order.change_on)},
        "next_due": _next_due(row, book),
    }


def purchase_state(row: Account, purchase: str) -> str:
    """What has become of a purchase: pending, credited, rejected or returned; unknown if it earned nothing."""
    made = (row.purchases or {}).get(purchase)
    return _PURCHASE_STATES.get(made.state, "unknown") if made is not None else "unknown"


def _profile(row: Account) -> dict[str, Any]:
    state = "closed" if row.closed else "open" if row.opened else "not opened"
    return {
        "state": state,
        "segment": row.segment,
        "participant": row.participant,
        "dwelling": row.dwelling,
        "city": row.city,
        "signed_on": _day(row.signed_on),
        "existing_customer": row.existing_customer,
    }


def _service(row: Account) -> dict[str, Any]:
    return {
        "activated_on": _day(row.activated_day),
        "tariff": _tariff(row.tariff),
        "billing_day": row.billing_day or None,
        "blocks": [kind for kind, bit in BLOCK_BITS.items() if row.blocks & bit],
    }


def _tariff(tariff: Tariff | None) -> dict[str, Any] | None:
    if tariff is None:
        return None
    price = tariff.monthly_price
    return {
        "code": tariff.code,
        "family": tariff.family,
        "speed_mbps": tariff.speed_mbps,
        "monthly_price": None if price is None else f"{price:f}",
    }


def _discount(discount: Discount, today: int) -> dict[str, Any]:
    return {
        "discount": discount.rule,
        "percent": discount.percent,
        "target": discount.target,
        "first_day": iso(discount.first_day),
        "last_day": _day(discount.last_day),
        "active": discount.covers(today),
    }


def _past(packed: list[Any]) -> dict[str, Any]:
    rule, percent, target, first_day, last_day, ended_on, reason = packed
    return {
        "discount": rule,
        "percent": percent,
        "target": target,
        "first_day": iso(first_day),
        "last_day": _day(last_day),
        "ended_on": iso(ended_on),
        "reason": reason,
    }


def _referrals(row: Account, book: Rulebook, codes: ReferralCodes) -> dict[str, Any] | None:
    if book.referral is None:
        return None
    return {
        "own_code": codes.code(row.operator, row.id),
        "registered": [
            {"code": claim.code, "advocate": claim.advocate, "state": claim.state} for claim in row.claims
        ],
        "referred": [{"friend": friend, "state": state} for friend, state in (row.advocated or {}).items()],
    }


def _next_due(row: Account, book: Rulebook) -> dict[str, Any] | None:
    """The next due moment, and what it is for."""
    if row.next_due == NEVER:
        return None
    parts = {
        "discount ends": discounts.next_due(book, row),
        "points expire, or a warning": lots.next_due(book, row),
        "tariff change": tariffs.next_due(book, row),
        "billing date": billing.next_due(book, row),
        "tenure": lifecycle.next_tenure(book, row),
        "a purchase is rejected": accrual.next_due(book, row),
        "write-off": rewards.next_due(book, row),
    }
    what = [name for name, moment in parts.items() if moment == row.next_due]
    return {"time": book.zone.text(row.next_due), "what": what or ["a new revision of the programme"]}


def _day(ordinal: int) -> str | None:
    return iso(ordinal) if ordinal else None
