"""Every topic, declared once: its name, what it carries and who writes it (SPEC section 1).

All topics are keyed by `operator/account` and have the same number of partitions, so that partition
number p of every inbound topic belongs to one task.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a topic is to this system."""

    INBOUND = "inbound"
    """Events that upstream systems write."""
    CLOCK = "clock"
    """Time itself: one `clock.advanced` record per partition and tick."""
    LINKS = "links"
    """Internal: one account's effects on another, keyed by the other account."""
    OUTCOME = "outcome"
    """What this system decided."""
    JOURNAL = "journal"
    """Every applied event with what it caused, in the order applied."""
    DEAD_LETTERS = "dead-letters"
    """What could not be read or was refused as a record."""


class Topic:
    """One topic: its `name`, its `role` and the CloudEvents `types` it carries."""

    __slots__ = ("name", "role", "types")

    def __init__(self, name: str, role: Role, types: tuple[str, ...] = ()) -> None:
        self.name: Final = name
        self.role: Final = role
        self.types: Final = types

    def __repr__(self) -> str:
        return f"Topic({self.name!r})"


PAYMENTS: Final = Topic(
    "billing.payments",
    Role.INBOUND,
    (
        "payment.received",
        "payment.refunded",
        "charge.posted",
        "purchase.completed",
        "purchase.confirmed",
        "purchase.returned",
    ),
)
ACTIVATIONS: Final = Topic(
    "billing.activations",
    Role.INBOUND,
    (
        "account.opened",
        "service.activated",
        "service.blocked",
        "service.unblocked",
        "owner.changed",
        "account.closed",
        "line.linked",
        "legacy-discount.converted",
    ),
)
TARIFF_CHANGES: Final = Topic(
    "billing.tariff-changes", Role.INBOUND, ("tariff.changed", "tariff.change-requested")
)
REFERRALS: Final = Topic("billing.referrals", Role.INBOUND, ("referral.code-registered",))
REQUESTS: Final = Topic(
    "loyalty.requests",
    Role.INBOUND,
    ("points.redeem-requested", "points.gift-requested", "goal.set", "points.adjusted", "discount.extended"),
)
CLOCK: Final = Topic("loyalty.clock", Role.CLOCK, ("clock.advanced",))
LINKS: Final = Topic("loyalty.links", Role.LINKS)
POINTS: Final = Topic(
    "loyalty.points",
    Role.OUTCOME,
    (
        "points.credited",
        "points.pending",
        "points.rejected",
        "points.redeemed",
        "points.expired",
        "points.expiring",
        "points.reversed",
        "points.gifted",
        "points.received",
    ),
)
DISCOUNTS: Final = Topic(
    "loyalty.discounts",
    Role.OUTCOME,
    (
        "discount.granted",
        "discount.changed",
        "discount.ended",
        "discount.refused",
        "entitlement.granted",
        "entitlement.ended",
    ),
)
MEMBERS: Final = Topic(
    "loyalty.members",
    Role.OUTCOME,
    (
        "level.changed",
        "referral.accepted",
        "referral.rejected",
        "referral.completed",
        "tariff.scheduled",
        "tariff.applied",
        "request.rejected",
        "reward.issued",
    ),
)
JOURNAL: Final = Topic("loyalty.journal", Role.JOURNAL)
DEAD_LETTERS: Final = Topic("loyalty.dead-letters", Role.DEAD_LETTERS)

ALL: Final[tuple[Topic, ...]] = (
    PAYMENTS,
    ACTIVATIONS,
    TARIFF_CHANGES,
    REFERRALS,
    REQUESTS,
    CLOCK,
    LINKS,
    POINTS,
    DISCOUNTS,
    MEMBERS,
    JOURNAL,
    DEAD_LETTERS,
)
INBOUND: Final = tuple(topic for topic in ALL if topic.role is Role.INBOUND)
TASK: Final = (*INBOUND, CLOCK, LINKS)
"""The co-partitioned topics whose partition p together make task p."""

TOPIC_OF_TYPE: Final[dict[str, str]] = {type_: topic.name for topic in ALL for type_ in topic.types}
"""CloudEvents type → name of the topic that carries it."""
