"""The mechanisms of a programme definition that concern promotions: discounts and entitlements."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from schemas.programme_forms import Day, Days, Flag, Part, Rule, Segment, Speeds, Whole


class TariffMatch(Part):
    """A tariff that a promotion allows."""

    family: str = Field(min_length=1, description="The tariff's family, exactly.")
    speed_mbps: Speeds | None = Field(default=None, description="Only these speeds in Mbit/s; null: any.")


class Conditions(Part):
    """What must hold of an account; everything named must hold, what is absent does not matter."""

    segment: Segment | None = Field(default=None, description="The account's segment.")
    dwelling: Literal["apartment", "house"] | None = Field(default=None, description="What is connected.")
    city: tuple[str, ...] = Field(
        default=(), description="One of these spellings; case and outer spaces do not matter. None: any city."
    )
    feasible_ultra: Flag | None = Field(
        default=None, description="Whether the Ultra family can be had at the address."
    )
    existing_customer: Flag | None = Field(
        default=None, description="Whether there was a contract before; false: new connections only."
    )
    signed_on: Days | None = Field(default=None, description="The contract was signed on one of these days.")
    tariffs: tuple[TariffMatch, ...] = Field(
        default=(), description="The tariff matches one of these; none: any tariff."
    )


class Duration(Part):
    """How long a discount lasts; with none of these, without a last day."""

    months: Whole | None = Field(
        default=None, ge=1, le=1200, description="Calendar months from its first day."
    )
    billing_months: Whole | None = Field(
        default=None,
        ge=1,
        le=1200,
        description="Billing months, starting with the first one that the payment counts for.",
    )
    not_after: Day | None = Field(default=None, description="Last day it may ever have.")

    @model_validator(mode="after")
    def _one_unit(self) -> Duration:
        if self.months is not None and self.billing_months is not None:
            raise ValueError("months or billing_months, not both")
        return self


class DiscountPromotion(Part):
    """A discount granted when something happens (SPEC 2.1)."""

    kind: Literal["discount"] = Field(description="Selects this kind of promotion.")
    rule: Rule = Field(description="Rule name in outcomes, and the discount's id.")
    title: str = Field(default="", description="Its name as members know it.")
    trigger: Literal["activation", "tariff", "payment"] = Field(
        description="activation: the first one; tariff: activation with, or change to, an allowed tariff; "
        "payment: a payment of at least `payment_months`, judged at the payment, or at activation if paid before."
    )
    active: Days = Field(default_factory=Days, description="Local days on which it may be granted.")
    after_end: Literal["nothing", "refuse"] = Field(
        default="nothing",
        description="What a trigger after `active.until` brings: nothing, or `discount.refused` with "
        "`promotion-over`.",
    )
    when: Conditions = Field(default_factory=Conditions, description="What must hold of the account.")
    activated: Days = Field(
        default_factory=Days,
        description="Only accounts activated on these days (reading of summer-2025: no limit, a delayed "
        "connection is still granted; set `until` for the other reading).",
    )
    payment_months: Whole | None = Field(
        default=None,
        ge=1,
        le=1200,
        description="Least months that one payment covers; with `trigger: payment`.",
    )
    percent: Whole = Field(ge=1, le=100, description="The discount in percent.")
    target: str = Field(min_length=1, description="What the discount applies to.")
    lasts: Duration = Field(
        default_factory=Duration, description="How long it lasts; nothing given: without a last day."
    )
    group: Rule | None = Field(
        default=None, description="Exclusion group: of one group, one discount covers a day. Null: none."
    )
    on_conflict: Literal["refuse", "replace"] = Field(
        default="refuse",
        description="When a discount of the group covers the new one's first day: the old one stays and the new "
        "one is refused (reading), or the new one replaces it (`discount.ended`, reason `replaced`).",
    )
    ends_on_leaving_tariffs: Flag = Field(
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

    tariffs: tuple[TariffMatch, ...] = Field(min_length=1, description="The tariffs it is for.")
    terms: dict[str, Any] = Field(
        default_factory=dict,
        description="Keys that stand beside `entitlement` in outcomes; none of them `rule`, `reason` or `entitlement`.",
    )

    @model_validator(mode="after")
    def _leaves_the_outcome_its_own(self) -> Variant:
        taken = sorted(self.terms.keys() & {"rule", "reason", "entitlement"})
        if taken:
            raise ValueError(f"terms: {taken[0]!r} is a field of every such outcome; name the term otherwise")
        return self


class EntitlementPromotion(Part):
    """An entitlement that comes with a tariff and ends on leaving it."""

    kind: Literal["entitlement"] = Field(description="Selects this kind of promotion.")
    rule: Rule = Field(description="Rule name in outcomes, and the entitlement's name.")
    title: str = Field(default="", description="Its name as members know it.")
    active: Days = Field(default_factory=Days, description="Local days on which it may be granted.")
    when: Conditions = Field(default_factory=Conditions, description="What must hold of the account.")
    variants: tuple[Variant, ...] = Field(
        min_length=1, description="The first whose tariffs match gives the terms."
    )


Promotion = Annotated[DiscountPromotion | EntitlementPromotion, Field(discriminator="kind")]
