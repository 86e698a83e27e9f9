"""One event of every inbound type with every field filled in, for documentation and tests."""

from __future__ import annotations

from typing import Any, Final

TARIFF: Final[dict[str, Any]] = {
    "code": "unlim-100",
    "family": "Unlim",
    "speed_mbps": 100,
    "monthly_price": "650.00",
    "prepaid": True,
    "min_notice_days": 3,
}

FULL_DATA: Final[dict[str, dict[str, Any]]] = {
    "payment.received": {"amount": "650.00", "currency": "RUB", "service": "internet", "months": 6},
    "payment.refunded": {"payment": "pay-1"},
    "charge.posted": {"amount": "100.00", "category": "calls-on-net"},
    "purchase.completed": {
        "purchase": "p-1",
        "amount": "1999.90",
        "channel": "partner",
        "partner": "Book house",
        "percent": "7.5",
    },
    "purchase.confirmed": {"purchase": "p-1"},
    "purchase.returned": {"purchase": "p-1"},
    "account.opened": {
        "segment": "individual",
        "dwelling": "apartment",
        "city": "Лабинск",
        "signed_on": "2025-08-01",
        "existing_customer": True,
        "participant": False,
    },
    "service.activated": {
        "service": "internet",
        "tariff": TARIFF,
        "billing_day": 31,
        "feasible_ultra": False,
        "promo_until": "2025-09-30",
    },
    "service.blocked": {"kind": "debt"},
    "service.unblocked": {"kind": "other"},
    "owner.changed": {"new_owner": "Петрова"},
    "account.closed": {},
    "line.linked": {"line": "+79180000000"},
    "legacy-discount.converted": {"percent": 10, "last_day": "2025-12-31"},
    "tariff.changed": {"tariff": TARIFF},
    "tariff.change-requested": {"tariff": TARIFF, "change_on": "2025-10-01", "channel": "office"},
    "referral.code-registered": {"code": "ORG-7K2M"},
    "points.redeem-requested": {"reward": "turbo", "amount": "100.00", "quantity": 2, "to": "B-2"},
    "points.gift-requested": {"to": "B-2", "points": 50},
    "goal.set": {"amount": "5000.00"},
    "points.adjusted": {"points": -50, "reason": "posted twice", "by": "operator 7"},
    "discount.extended": {
        "rule": "summer-2025",
        "last_day": "2026-01-31",
        "reason": "the line was cut",
        "by": "operator 7",
    },
    "clock.advanced": {},
}


def record_of(type_: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """A record of a type, with all its fields unless other data are given."""
    return {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/orgtechservice/billing",
        "type": type_,
        "subject": "A-1",
        "operator": "orgtechservice",
        "time": "2025-09-01T10:00:00+03:00",
        "data": dict(FULL_DATA[type_] if data is None else data),
    }
