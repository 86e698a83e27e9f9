"""An example in YAML for each section of a programme definition: fragments of whole definitions.

Each is valid together with `HEAD`; the tests read every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

HEAD: Final = """\
operator: example
title: Example points
currency: EUR
zone: Europe/Berlin
"""

_LADDER: Final = """\
referral:
  rule: recommend
  completes: registration
  tests: [unknown-code, self-referral, already-referred]
  advocate:
    rule: advocate
    target: internet
    ladder:
      - {friends: 1, percent: 20, months: 3}
      - {friends: 5, percent: 50, months: 12, entitlement: free-router}
"""

_REWARDS: Final = """\
points: {source: adjustments}
goals: {rule: savings}
rewards:
  rule: shop
  items:
    mug: {kind: catalogue, points: 120}
"""

_DISCOUNT: Final = """\
promotions:
  - kind: discount
    rule: spring
    title: Spring at half price
    trigger: activation
    active: {since: 2026-03-01, until: 2026-05-31}
    when:
      dwelling: apartment
      existing_customer: false
    percent: 50
    target: internet
    lasts: {months: 3, not_after: 2026-07-31}
    group: monthly-fee
"""

_TARIFFS: Final = """\
promotions:
  - kind: discount
    rule: fast
    trigger: tariff
    when:
      tariffs:
        - {family: Fibre, speed_mbps: {at_least: 100, at_most: 500}}
        - {family: Cable}
    percent: 10
    target: internet
    ends_on_leaving_tariffs: true
"""

_ENTITLEMENT: Final = """\
promotions:
  - kind: entitlement
    rule: night
    variants:
      - tariffs: [{family: Fibre}]
        terms: {window: ["01:00", "09:00"], extra_mbps: 100}
"""

EXAMPLES: Final[Mapping[str, str]] = {
    "Programme": HEAD + "summary: A point per euro, a mug for 120.\neffective_from: 2026-01-01\n",
    "Membership": "membership: {segment: individual, starts_with: service.activated, opt_out: true}\n",
    "Points": "points:\n  expiry: {policy: rolling, months: 12}\n  warn_days_before: [30, 7]\n",
    "Never": "points:\n  expiry: {policy: never}\n",
    "Rolling": "points:\n  expiry: {policy: rolling, months: 24, missing_day: next-day}\n",
    "CalendarYear": "points:\n  expiry: {policy: calendar-year, years: 2}\n",
    "Levels": (
        "levels:\n  rule: on-time\n  maximum: 5\n  payment_service: internet\n"
        '  percent_per_level: "0.5"\n  late_arrival_days: 30\n'
    ),
    "Accrual": (
        "accrual:\n  rule: cashback\n  confirm_within_days: 30\n  rates:\n"
        '    - {event: purchase, of: [partner], percent_maximum: "20"}\n'
    ),
    "Rate": (
        "accrual:\n  rule: spending\n  rates:\n"
        '    - {event: charge, of: [mobile, home-tv], per: "5.00", points: 1}\n'
        '    - {event: purchase, of: ["card:partner"], per: "10.00", points: 2, threshold: "500.00",\n'
        "       welcome_points: 250, welcome_rule: welcome}\n"
    ),
    "Tenure": (
        "membership: {starts_with: service.activated}\ntenure: {rule: loyalty, points: 50, full_years: 2}\n"
    ),
    "Referral": (
        "referral:\n  rule: bring-a-friend\n  completes: conversion\n  conversion_service: internet\n"
        "  tests: [unknown-code, self-referral, already-referred, existing-customer]\n"
        "  advocate: {rule: bring-a-friend, points: 300}\n  friend: {rule: bring-a-friend, points: 100}\n"
    ),
    "AdvocateReward": _LADDER,
    "LadderStep": _LADDER,
    "FriendReward": (
        _LADDER
        + "  friend: {rule: welcome, percent: 20, months: 3, target: internet, after_promo_period: true}\n"
    ),
    "DiscountPromotion": _DISCOUNT,
    "Duration": _DISCOUNT,
    "Days": _DISCOUNT,
    "Conditions": _TARIFFS,
    "TariffMatch": _TARIFFS,
    "Speeds": _TARIFFS,
    "EntitlementPromotion": _ENTITLEMENT,
    "Variant": _ENTITLEMENT,
    "Rewards": _REWARDS,
    "CatalogueReward": _REWARDS,
    "AmountReward": (
        _REWARDS + "    certificate:\n      kind: amount\n      needs_goal: true\n      issued: true\n"
        "      denominations: [10, 25, 50]\n      denominations_step: 50\n      denominations_up_to: 500\n"
    ),
    "ShareReward": _REWARDS + '    pay-with-points: {kind: share, percent_maximum: "50"}\n',
    "FeeDiscountReward": (
        _REWARDS + "    free-month: {kind: fee-discount, rule: free-month, percent: 100, target: internet}\n"
    ),
    "Goals": _REWARDS + "    certificate: {kind: amount, needs_goal: true}\n",
    "Gifts": (
        "points: {source: adjustments}\n"
        "gifts: {rule: gift, points_per_gift: 500, gifts_per_day: 2, received_expiry: new}\n"
    ),
    "WriteOff": (
        "points: {source: adjustments}\n"
        "write_off: {rule: monthly, reward: telephone-bill, unless_goal: false}\n"
    ),
    "TariffChange": (
        "tariff_change: {rule: tariff-change, days_between_changes: 10, proration_days: 30,\n"
        "                business_channel: office}\n"
    ),
    "OwnerChange": "owner_change: {rule: new-owner, expire_points: true, restart_tenure: false}\n",
    "Closure": "closure: {rule: closure, day: 2027-01-01, warn_days_before: [30, 1]}\n",
}
"""An example by the name of the model that it shows."""
