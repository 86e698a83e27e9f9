"""The mechanisms of a programme definition that concern promotions and referrals."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from schemas.programme_parts import Part, Rule, Segment


class Days(Part):
    """A span of local days, both ends included; an open end is null."""

    since: datetime.date | None = None
    until: datetime.date | None = None


class Speeds(Part):
    """A span of speeds in Mbit/s, both ends included."""

    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)


class TariffMatch(Part):
    """A tariff that a promotion allows."""

    family: str = Field(description="The tariff's family, exactly.")
    speed_mbps: Speeds | None = Field(default=None, description="Only these speeds; null: any.")


class Conditions(Part):
    """What must hold of an account; everything named must hold, what is absent does not matter."""

    segment: Segment | None = None
    dwelling: Literal["apartment", "house"] | None = None
    city: tuple[str, ...] = Field(default=(), description="One of these spellings; case and outer spaces do not matter.")
    feasible_ultra: bool | None = None
    existing_customer: bool | None = None
    signed_on: Days | None = Field(default=None, description="The contract was signed on one of these days.")
    tariffs: tuple[TariffMatch, ...] = Field(default=(), description="The tariff matches one of these; none: any tariff.")


class Duration(Part):
    """How long a discount lasts."""

    months: int | None = Field(default=None, ge=1, le=1200, description="Calendar months from its first day.")
    billing_months: int | None = Field(
        default=None, ge=1, le=1200, description="Billing months, starting with the first one that the payment counts for."
    )
    not_after: datetime.date | None = Field(default=None, description="Last day it may ever have.")

    @model_validator(mode="after")
    def _one_unit(self) -> Duration:
        if self.months is not None and self.billing_months is not None:
            raise ValueError("months or billing_months, not both")
        return self


class DiscountPromotion(Part):
    """A discount granted when something happens (SPEC 2.1)."""

    kind: Literal["discount"]
    rule: Rule = Field(description="Rule name in outcomes, and the discount's id.")
    title: str = ""
    trigger: Literal["activation", "tariff", "payment"] = Field(
        description="activation: the first one; tariff: activation with, or change to, an allowed tariff; payment: a "
        "payment of at least `payment_months`, judged at the payment, or at activation if paid before."
    )
    active: Days = Field(default_factory=Days, description="Local days on which it may be granted.")
    after_end: Literal["nothing", "refuse"] = Field(
        default="nothing",
        description="refuse: when the trigger comes after `active.until`, `discount.refused` says `promotion-over`.",
    )
    when: Conditions = Field(default_factory=Conditions)
    activated: Days = Field(
        default_factory=Days,
        description="Only accounts activated on these days (reading of summer-2025: no limit, a delayed connection is "
        "still granted; set `until` for the other reading).",
    )
    payment_months: int | None = Field(default=None, ge=1, le=1200, description="Least months that one payment covers.")
    percent: int = Field(ge=1, le=100)
    target: str = Field(description="What the discount applies to.")
    lasts: Duration = Field(default_factory=Duration, description="None given: without a last day.")
    group: Rule | None = Field(default=None, description="Exclusion group.")
    on_conflict: Literal["refuse", "replace"] = Field(
        default="refuse",
        description="When a discount of the group covers the new one's first day: the old one stays and the new one is "
        "refused (reading), or the new one replaces it (`discount.ended`, reason `replaced`).",
    )
    ends_on_leaving_tariffs: bool = Field(
        default=False, description="A change to a tariff that `when.tariffs` does not allow ends it."
    )

    @model_validator(mode="after")
    def _fits(self) -> DiscountPromotion:
        if (self.trigger == "payment") != (self.payment_months is not None):
            raise ValueError("payment_months goes with trigger: payment, and only with it")
        if self.lasts.billing_months is not None and self.trigger != "payment":
            raise ValueError("lasts.billing_months goes with trigger: payment")
        if (self.trigger == "tariff" or self.ends_on_leaving_tariffs) and not self.when.tariffs:
            raise ValueError("when.tariffs is needed: which tariffs does it follow?")
        if self.after_end == "refuse" and self.active.until is None:
            raise ValueError("after_end: refuse needs active.until")
        return self


class Variant(Part):
    """The terms of an entitlement on some tariffs."""

    tariffs: tuple[TariffMatch, ...] = Field(min_length=1)
    terms: dict[str, Any] = Field(default_factory=dict, description="Keys that stand beside `entitlement` in outcomes.")


class EntitlementPromotion(Part):
    """An entitlement that comes with a tariff and ends on leaving it."""

    kind: Literal["entitlement"]
    rule: Rule = Field(description="Rule name in outcomes, and the entitlement's name.")
    title: str = ""
    active: Days = Field(default_factory=Days, description="Local days on which it may be granted.")
    when: Conditions = Field(default_factory=Conditions)
    variants: tuple[Variant, ...] = Field(min_length=1, description="The first whose tariffs match gives the terms.")


Promotion = Annotated[DiscountPromotion | EntitlementPromotion, Field(discriminator="kind")]


class LadderStep(Part):
    """What the n-th referred friend brings the advocate."""

    friends: int = Field(ge=1, description="From this number of referred friends on.")
    percent: int = Field(ge=1, le=100)
    months: int = Field(ge=1, le=1200)
    entitlement: Rule | None = Field(default=None, description="Granted at exactly this number.")


class AdvocateReward(Part):
    """What the advocate gets."""

    rule: Rule
    points: int | None = Field(default=None, ge=1, le=10**9)
    ladder: tuple[LadderStep, ...] = Field(default=(), description="Discounts by number of referred friends.")
    ladder_counts: Literal["lifetime", "while-active"] = Field(
        default="lifetime",
        description="Friends are counted over the lifetime (reading), or anew once the advocate's discount has ended.",
    )
    target: str = ""

    @model_validator(mode="after")
    def _ascending(self) -> AdvocateReward:
        steps = [step.friends for step in self.ladder]
        if steps != sorted(set(steps)) or (steps and steps[0] != 1):
            raise ValueError("ladder: steps ascend and start with friends: 1")
        return self


class FriendReward(Part):
    """What the friend gets."""

    rule: Rule
    points: int | None = Field(default=None, ge=1, le=10**9)
    percent: int | None = Field(default=None, ge=1, le=100)
    months: int | None = Field(default=None, ge=1, le=1200)
    target: str = ""
    after_promo_period: bool = Field(default=False, description="The discount starts the day after `promo_until`.")

    @model_validator(mode="after")
    def _whole(self) -> FriendReward:
        if (self.percent is None) != (self.months is None):
            raise ValueError("percent and months go together")
        return self


RejectionTest = Literal[
    "unknown-code",
    "self-referral",
    "already-referred",
    "existing-customer",
    "not-individual",
    "not-participant",
    "too-late",
    "programme-not-active",
]


class Referral(Part):
    """Members who bring members: one transition table for every programme (SPEC 2.1, 2.2, 2.7)."""

    rule: Rule
    active: Days = Field(default_factory=Days, description="Local days on which a code may be registered.")
    completes: Literal["registration", "conversion"] = Field(
        description="registration: at once; conversion: once the friend is activated and has paid."
    )
    conversion_service: str | None = Field(
        default=None, description="With conversion: a payment for exactly this service counts; null: any."
    )
    tests: tuple[RejectionTest, ...] = Field(
        description="What rejects a registration, tested in this order; unknown-code and self-referral come first.",
    )
    participants: Literal["advocate", "both"] = Field(
        default="advocate", description="Whose participation `not-participant` tests."
    )
    register_within_months: int | None = Field(
        default=None, ge=1, le=1200, description="too-late: later than this many months after activation, or not activated."
    )
    advocate: AdvocateReward
    friend: FriendReward | None = Field(default=None, description="Null: the friend gets nothing.")

    @model_validator(mode="after")
    def _tests_fit(self) -> Referral:
        if self.tests[:2] != ("unknown-code", "self-referral"):
            raise ValueError("tests: unknown-code and self-referral come first")
        if ("too-late" in self.tests) != (self.register_within_months is not None):
            raise ValueError("tests: too-late goes with register_within_months, and only with it")
        return self
