"""The account row as bytes: compact JSON, only what differs from a new account, with a version.

The same row always gives the same bytes. A row of an older version is read by the reader of that version;
an unknown version is refused, so that an old worker never reads what a newer one wrote.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import orjson

from schemas.account import (
    NEVER,
    Account,
    Claim,
    Discount,
    Gift,
    Lot,
    Purchase,
    TariffOrder,
)
from schemas.event import Tariff
from schemas.outcome import Cause

VERSION: Final = 1

# Row key → attribute, for what JSON holds as it is: (key, attribute, value of a new account).
_PLAIN: Final[tuple[tuple[str, str, Any], ...]] = (
    ("c", "clock", -NEVER),
    ("due", "next_due", NEVER),
    ("op", "opened", False),
    ("oa", "opened_at", NEVER),
    ("cl", "closed", False),
    ("sg", "segment", None),
    ("dw", "dwelling", None),
    ("ci", "city", None),
    ("so", "signed_on", 0),
    ("ex", "existing_customer", False),
    ("pa", "participant", True),
    ("at", "activated_at", -NEVER),
    ("ad", "activated_day", 0),
    ("en", "enrolled_day", 0),
    ("te", "tenure_day", 0),
    ("fu", "feasible_ultra", False),
    ("pu", "promo_until", 0),
    ("bl", "blocks", 0),
    ("lc", "last_change_day", 0),
    ("bd", "billing_day", 0),
    ("bm", "billing_month", 0),
    ("bn", "billing_next", 0),
    ("pc", "paid_count", 0),
    ("l", "level", 0),
    ("lb", "level_base", 0),
    ("lm", "level_months_base", 0),
    ("de", "debt", 0),
    ("b", "balance", 0),
    ("pd", "past_discounts", []),
    ("et", "entitlements", {}),
    ("av", "advocated", {}),
    ("rc", "referrals_counted", 0),
)


FIELD_NAMES: Final[dict[str, str]] = {
    **{key: attribute for key, attribute, _ in _PLAIN},
    "v": "version",
    "id": "seen",
    "ta": "tariff",
    "or": "order",
    "pm": "payments",
    "rf": "refunded",
    "st": "steps",
    "lo": "lots",
    "ca": "carry",
    "to": "totals",
    "ps": "purchases",
    "go": "goal",
    "di": "discounts",
    "cm": "claims",
    "gi": "gifts",
}
"""Row key → attribute, of every field, for whoever compares rows."""


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(money: Decimal | None) -> str | None:
    return None if money is None else f"{money:f}"


def _tariff(tariff: Tariff | None) -> list[Any] | None:
    if tariff is None:
        return None
    return [
        tariff.code,
        tariff.family,
        tariff.speed_mbps,
        tariff.price_text,
        tariff.prepaid,
        tariff.min_notice_days,
    ]


def _read_tariff(packed: list[Any]) -> Tariff:
    code, family, speed, price, prepaid, notice = packed
    return Tariff(code, family, speed, _money(price), prepaid, notice)


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


def encode(row: Account) -> bytes:
    """The row's bytes."""
    fields: dict[str, Any] = {"v": VERSION}
    _add_plain(row, fields)
    if row.seen:
        fields["id"] = list(row.seen.values())
    if row.tariff is not None:
        fields["ta"] = _tariff(row.tariff)
    if row.order is not None:
        fields["or"] = [_tariff(row.order.tariff), row.order.change_on]
    if row.payments:
        fields["pm"] = row.payments
    if row.refunded:
        fields["rf"] = [[key, time] for key, time in row.refunded.items()]
    if row.steps:
        fields["st"] = row.steps
    if row.lots:
        fields["lo"] = [[lot.id, lot.points, lot.expires_on] for lot in row.lots]
    if row.carry:
        fields["ca"] = {name: _text(money) for name, money in row.carry.items()}
    if row.totals:
        fields["to"] = {name: _text(money) for name, money in row.totals.items()}
    if row.purchases:
        fields["ps"] = {id: [p.state, p.day, p.points, p.deadline, p.lots] for id, p in row.purchases.items()}
    if row.goal is not None:
        fields["go"] = _text(row.goal)
    if row.discounts:
        fields["di"] = [
            [d.rule, d.percent, d.target, d.first_day, d.last_day, d.group] for d in row.discounts
        ]
    if row.claims:
        fields["cm"] = [_claim(claim) for claim in row.claims]
    if row.gifts:
        fields["gi"] = [[gift.day, gift.receiver, gift.transfer] for gift in row.gifts]
    return orjson.dumps(fields)


def _add_plain(row: Account, fields: dict[str, Any]) -> None:
    """The fields of `_PLAIN`, attribute by attribute: a loop over names costs as much as all the rest of a row."""
    if row.clock != -NEVER:
        fields["c"] = row.clock
    if row.next_due != NEVER:
        fields["due"] = row.next_due
    if row.opened:
        fields["op"] = row.opened
    if row.opened_at != NEVER:
        fields["oa"] = row.opened_at
    if row.closed:
        fields["cl"] = row.closed
    if row.segment is not None:
        fields["sg"] = row.segment
    if row.dwelling is not None:
        fields["dw"] = row.dwelling
    if row.city is not None:
        fields["ci"] = row.city
    if row.signed_on:
        fields["so"] = row.signed_on
    if row.existing_customer:
        fields["ex"] = row.existing_customer
    if not row.participant:
        fields["pa"] = row.participant
    if row.activated_at != -NEVER:
        fields["at"] = row.activated_at
    if row.activated_day:
        fields["ad"] = row.activated_day
    if row.enrolled_day:
        fields["en"] = row.enrolled_day
    if row.tenure_day:
        fields["te"] = row.tenure_day
    if row.feasible_ultra:
        fields["fu"] = row.feasible_ultra
    if row.promo_until:
        fields["pu"] = row.promo_until
    if row.blocks:
        fields["bl"] = row.blocks
    if row.last_change_day:
        fields["lc"] = row.last_change_day
    if row.billing_day:
        fields["bd"] = row.billing_day
    if row.billing_month:
        fields["bm"] = row.billing_month
    if row.billing_next:
        fields["bn"] = row.billing_next
    if row.paid_count:
        fields["pc"] = row.paid_count
    if row.level:
        fields["l"] = row.level
    if row.level_base:
        fields["lb"] = row.level_base
    if row.level_months_base:
        fields["lm"] = row.level_months_base
    if row.debt:
        fields["de"] = row.debt
    if row.balance:
        fields["b"] = row.balance
    if row.past_discounts:
        fields["pd"] = row.past_discounts
    if row.entitlements:
        fields["et"] = row.entitlements
    if row.advocated:
        fields["av"] = row.advocated
    if row.referrals_counted:
        fields["rc"] = row.referrals_counted


def decode(operator: str, id: str, value: bytes) -> Account:
    """The row from its bytes.

    :raises ValueError: the bytes are of a version that this worker does not know.
    """
    fields = orjson.loads(value)
    if fields.get("v") != VERSION:
        raise ValueError(f"account row version {fields.get('v')!r}; this worker reads {VERSION}")
    row = Account(operator, id)
    for key, attribute, _ in _PLAIN:
        if key in fields:
            setattr(row, attribute, fields[key])
    get = fields.get
    row.seen = {identity: (identity, content, time) for identity, content, time in get("id", ())}
    if "ta" in fields:
        row.tariff = _read_tariff(fields["ta"])
    if "or" in fields:
        tariff, change_on = fields["or"]
        row.order = TariffOrder(_read_tariff(tariff), change_on)
    row.payments = get("pm", [])
    row.refunded = {key: time for key, time in get("rf", ())}
    row.steps = get("st", [])
    row.lots = [Lot(*packed) for packed in get("lo", ())]
    row.carry = {name: Decimal(text) for name, text in get("ca", {}).items()}
    row.totals = {name: Decimal(text) for name, text in get("to", {}).items()}
    row.purchases = {id: _read_purchase(packed) for id, packed in get("ps", {}).items()}
    row.goal = _money(get("go"))
    row.discounts = [Discount(*packed) for packed in get("di", ())]
    row.claims = [_read_claim(packed) for packed in get("cm", ())]
    row.gifts = [Gift(*packed) for packed in get("gi", ())]
    return row


def next_due(value: bytes) -> int:
    """The next due moment in a row's bytes, without building the row."""
    due: int = orjson.loads(value).get("due", NEVER)
    return due
