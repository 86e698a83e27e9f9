"""What an account row keeps as JSON: what is of no fixed size, is rare, or changes seldom.

Each part has a short key and stands there only where it differs from a new account's. Rows of all versions hold
these parts in this form; see `schemas/account_codec.py`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from schemas import entitlements
from schemas.account import Account, Claim, Discount, Gift, Lot, Purchase, TariffOrder
from schemas.outcome import Cause
from schemas.shared_tariffs import of_parts

ATTRIBUTES: Final[dict[str, str]] = {
    "ci": "city",
    "pu": "promo_until",
    "lc": "last_change_day",
    "de": "debt",
    "rc": "referrals_counted",
    "ta": "tariff",
    "or": "order",
    "rf": "refunded",
    "lo": "lots",
    "ca": "carry",
    "to": "totals",
    "ps": "purchases",
    "go": "goal",
    "di": "discounts",
    "pd": "past_discounts",
    "et": "entitlements",
    "cm": "claims",
    "av": "advocated",
    "gi": "gifts",
}
"""Key of a part → attribute of the account."""


def _text(money: Decimal) -> str:
    return f"{money:f}"


def _claim(claim: Claim) -> list[Any]:
    converted = claim.converted.packed() if claim.converted else None
    return [claim.state, claim.code, claim.advocate, claim.cause.packed(), claim.fault, converted]


def _read_claim(packed: list[Any]) -> Claim:
    state, code, advocate, cause, fault, converted = packed
    claim = Claim(state, code, advocate, Cause.unpacked(cause), fault)
    claim.converted = Cause.unpacked(converted) if converted else None
    return claim


def _read_purchase(packed: list[Any]) -> Purchase:
    state, day, points, deadline, lots = packed
    purchase = Purchase(state, day, points, deadline)
    purchase.lots = lots
    return purchase


def parts(row: Account) -> dict[str, Any]:
    """The parts of a row that are always JSON, by their keys."""
    found: dict[str, Any] = {}
    if row.promo_until:
        found["pu"] = row.promo_until
    if row.last_change_day:
        found["lc"] = row.last_change_day
    if row.debt:
        found["de"] = row.debt
    if row.referrals_counted:
        found["rc"] = row.referrals_counted
    if row.order is not None:
        found["or"] = [row.order.tariff.parts, row.order.change_on]
    if row.refunded:
        found["rf"] = [[key, time] for key, time in row.refunded.items()]
    if row.lots:
        found["lo"] = [[lot.id, lot.points, lot.expires_on] for lot in row.lots]
    if row.carry:
        found["ca"] = {name: _text(money) for name, money in row.carry.items()}
    if row.totals:
        found["to"] = {name: _text(money) for name, money in row.totals.items()}
    if row.purchases:
        found["ps"] = {id: [p.state, p.day, p.points, p.deadline, p.lots] for id, p in row.purchases.items()}
    if row.goal is not None:
        found["go"] = _text(row.goal)
    if row.discounts:
        found["di"] = [[d.rule, d.percent, d.target, d.first_day, d.last_day, d.group] for d in row.discounts]
    if row.past_discounts:
        found["pd"] = row.past_discounts
    if row.claims:
        found["cm"] = [_claim(claim) for claim in row.claims]
    if row.advocated:
        found["av"] = row.advocated
    if row.gifts:
        found["gi"] = [[gift.day, gift.receiver, gift.transfer] for gift in row.gifts]
    return found


def long_parts(row: Account) -> dict[str, Any]:
    """The parts of a row that are JSON only if they are too long to be packed, by their keys."""
    found: dict[str, Any] = {}
    if row.city is not None:
        found["ci"] = row.city
    if row.tariff is not None:
        found["ta"] = row.tariff.parts
    if row.entitlements.terms:
        found["et"] = row.entitlements.terms
    return found


def take_parts(row: Account, found: dict[str, Any]) -> None:
    """Put the parts that stand in a row's JSON into a new account."""
    get = found.get
    row.promo_until = get("pu", 0)
    row.last_change_day = get("lc", 0)
    row.debt = get("de", 0)
    row.referrals_counted = get("rc", 0)
    if "ci" in found:
        row.city = found["ci"]
    if "ta" in found:
        row.tariff = of_parts(found["ta"])
    if "or" in found:
        tariff, change_on = found["or"]
        row.order = TariffOrder(of_parts(tariff), change_on)
    if "rf" in found:
        row.refunded = {key: time for key, time in found["rf"]}
    if "lo" in found:
        row.lots = tuple([Lot(*packed) for packed in found["lo"]])
    if "ca" in found:
        row.carry = {name: Decimal(text) for name, text in found["ca"].items()}
    if "to" in found:
        row.totals = {name: Decimal(text) for name, text in found["to"].items()}
    if "ps" in found:
        row.purchases = {id: _read_purchase(packed) for id, packed in found["ps"].items()}
    if "go" in found:
        row.goal = Decimal(found["go"])
    if "di" in found:
        row.discounts = tuple([Discount(*packed) for packed in found["di"]])
    row.past_discounts = tuple(get("pd", ()))
    if "et" in found:
        row.entitlements = entitlements.shared(found["et"])
    if "cm" in found:
        row.claims = tuple([_read_claim(packed) for packed in found["cm"]])
    row.advocated = get("av")
    if "gi" in found:
        row.gifts = tuple([Gift(*packed) for packed in found["gi"]])
