"""The account row: everything the engine needs of one account, in one record, so that state cannot tear.

Days are proleptic ordinals with 0 for "none"; instants are microseconds since the epoch. Encoding and
decoding stand in `schemas/account_codec.py`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from mypy_extensions import mypyc_attr

from schemas import entitlements
from schemas.event import Tariff
from schemas.json_text import quoted
from schemas.outcome import Cause

NEVER: Final = 2**61
"""A due moment that does not come."""

BLOCK_BITS: Final = {"debt": 1, "voluntary": 2, "other": 4}
"""Kind of block → its bit in `Account.blocks`."""


@mypyc_attr(acyclic=True)
class Lot:
    """Points that came together and expire together; `expires_on` is the first day they cannot be used."""

    __slots__ = ("expires_on", "id", "points")

    def __init__(self, id: str, points: int, expires_on: int) -> None:
        self.id = id
        self.points = points
        self.expires_on = expires_on


@mypyc_attr(acyclic=True)
class Discount:
    """A discount granted and not yet ended; `last_day` 0: it has none. `rule` is its id."""

    __slots__ = ("first_day", "group", "last_day", "percent", "rule", "target")

    def __init__(
        self, rule: str, percent: int, target: str, first_day: int, last_day: int, group: str | None
    ) -> None:
        self.rule = rule
        self.percent = percent
        self.target = target
        self.first_day = first_day
        self.last_day = last_day
        self.group = group

    def covers(self, day: int) -> bool:
        """Whether it applies on `day`."""
        return self.first_day <= day and (self.last_day == 0 or day <= self.last_day)


# States of a purchase.
SEEN: Final = 0
PENDING: Final = 1
CREDITED: Final = 2
REJECTED: Final = 3
RETURNED: Final = 4


@mypyc_attr(acyclic=True)
class Purchase:
    """A purchase by its id: its `state`, the `points` it earned, the `lots` they are in, the day it was made.

    `deadline` is the day at whose 00:00 a pending one is rejected.
    """

    __slots__ = ("day", "deadline", "lots", "points", "state")

    def __init__(self, state: int, day: int, points: int = 0, deadline: int = 0) -> None:
        self.state = state
        self.day = day
        self.points = points
        self.deadline = deadline
        self.lots: list[str] = []


@mypyc_attr(acyclic=True)
class Claim:
    """A code this account has registered, from registration to the end of the referral.

    `state` is one of the friend's states in `engine/referral.py`; `fault` the first test that failed on the
    friend's side; `converted` the event that made the friend a customer, once there is one.
    """

    __slots__ = ("advocate", "cause", "code", "converted", "fault", "state")

    def __init__(self, state: str, code: str, advocate: str, cause: Cause, fault: str | None) -> None:
        self.state = state
        self.code = code
        self.advocate = advocate
        self.cause = cause
        self.fault = fault
        self.converted: Cause | None = None


@mypyc_attr(acyclic=True)
class Gift:
    """A gift made: for the limits of its local `day` and month. `transfer` tells it from others."""

    __slots__ = ("day", "receiver", "transfer")

    def __init__(self, day: int, receiver: str, transfer: str) -> None:
        self.day = day
        self.receiver = receiver
        self.transfer = transfer


@mypyc_attr(acyclic=True)
class TariffOrder:
    """A tariff change that waits for its day."""

    __slots__ = ("change_on", "tariff")

    def __init__(self, tariff: Tariff, change_on: int) -> None:
        self.tariff = tariff
        self.change_on = change_on


FIELDS: Final = (
    "activated_at", "activated_day", "advocated", "balance", "billing_day", "billing_month",
    "billing_next", "blocks", "carry", "city", "claims", "clock", "closed", "debt", "discounts",
    "dwelling", "enrolled_day", "entitlements", "existing_customer", "feasible_ultra", "gifts", "goal",
    "id", "last_change_day", "level", "level_base", "level_months_base", "lots", "next_due", "opened", "opened_at",
    "operator", "order", "paid_count", "participant", "past_discounts", "payments", "promo_until",
    "purchases", "referrals_counted", "refunded", "seen", "segment", "signed_on", "steps", "tariff",
    "tenure_day", "totals",
)  # fmt: skip
"""What an `Account` consists of; a compiled class does not tell its attributes."""


@mypyc_attr(acyclic=True)
class Account:
    """One account of one operator. Only the engine changes it.

    What most accounts have none of is an empty tuple or None, which all of them share: lists and dictionaries of its own
    would be 660 bytes of an account, and looking whether they are empty would miss the processor's caches.
    """

    __slots__ = (*FIELDS, "changed", "id_json")

    def __init__(self, operator: str, id: str) -> None:
        self.changed = False
        """Whether the row is among those to be written at the end of a batch: for who writes it, no part of it."""
        self.id_json = quoted(id)
        """The id as JSON text, for what is said of the account; no part of the row."""
        self.operator = operator
        self.id = id
        # Time.
        self.clock = -NEVER
        """The latest time applied to this account."""
        self.next_due = NEVER
        """The account's next due moment."""
        self.seen = b""
        """What was applied within the dedup horizon, packed: see `schemas.seen`."""
        # Profile.
        self.opened = False
        self.opened_at = NEVER
        """Instant of the first `account.opened`."""
        self.closed = False
        self.segment: str | None = None
        self.dwelling: str | None = None
        self.city: str | None = None
        self.signed_on = 0
        self.existing_customer = False
        self.participant = True
        # Service.
        self.activated_at = -NEVER
        """Instant of the first activation of the programme's service."""
        self.activated_day = 0
        self.enrolled_day = 0
        """Earliest local day of an activation."""
        self.tenure_day = 0
        """Day from which tenure counts."""
        self.feasible_ultra = False
        self.promo_until = 0
        self.tariff: Tariff | None = None
        self.blocks = 0
        """Bits of the blocks that are on."""
        self.order: TariffOrder | None = None
        self.last_change_day = 0
        """`change_on` of the last applied change."""
        # Billing and level.
        self.billing_day = 0
        self.billing_month = 0
        """Month of the first billing date."""
        self.billing_next = 0
        """Index of the next billing date to be judged."""
        self.payments = b""
        """Payments as they came, packed: see `schemas.billing_history`."""
        self.paid_count = 0
        """Payments for the programme's service that have not been refunded."""
        self.refunded: dict[int, int] | None = None
        """Key of a payment refunded before it came → time of the refund."""
        self.level = 0
        self.level_base = 0
        """The level before the first of `steps`."""
        self.level_months_base = 0
        """Billing date index from which months of use count."""
        self.steps = b""
        """`LevelStep`s, oldest first, packed: see `schemas.billing_history`."""
        # Points.
        self.lots: tuple[Lot, ...] = ()
        """In the order in which they are spent: first to expire first, then first credited."""
        self.debt = 0
        """Points taken back beyond what was there."""
        self.balance = 0
        """Sum of the lots less the debt."""
        self.carry: dict[str, Decimal] | None = None
        """Category → money below a step, waiting for the category's next event."""
        self.totals: dict[str, Decimal] | None = None
        """Channel → money spent so far towards a threshold."""
        self.purchases: dict[str, Purchase] | None = None
        self.goal: Decimal | None = None
        # Promotions.
        self.discounts: tuple[Discount, ...] = ()
        self.past_discounts: tuple[list[Any], ...] = ()
        """The latest ended ones: [rule, percent, target, first_day, last_day, ended on, reason]."""
        self.entitlements = entitlements.NONE
        # Other accounts.
        self.claims: tuple[Claim, ...] = ()
        """Codes registered: the one in force and those that wait for an answer."""
        self.advocated: dict[str, str] | None = None
        """Friend → state of the referral, one of the advocate's states in `engine/referral.py`."""
        self.referrals_counted = 0
        """Referred friends the ladder has counted."""
        self.gifts: tuple[Gift, ...] = ()

    @property
    def key(self) -> bytes:
        """The Kafka key of everything about this account."""
        return f"{self.operator}/{self.id}".encode()

    @property
    def is_open(self) -> bool:
        """Opened and not closed."""
        return self.opened and not self.closed

    def was_open(self, time: int) -> bool:
        """Open, and opened by `time`: what another account sent then may come long after it."""
        return self.opened_at <= time and not self.closed
