"""The mechanisms of a programme definition that concern membership, points, levels, accrual and tariffs."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from schemas.contract import ChargePosted, PurchaseCompleted
from schemas.programme_forms import Day, DaysBefore, Flag, Money, Part, Percent, Rule, Segment, Whole


class Membership(Part):
    """Who takes part."""

    segment: Segment | None = Field(
        default=None, description="Only accounts of this segment; others get `not-individual`. Null: anyone."
    )
    starts_with: Literal["account.opened", "service.activated"] = Field(
        default="account.opened", description="The event from which on an account takes part."
    )
    activated_before: Day | None = Field(
        default=None,
        description="Only accounts activated before this local day take part (reading: enrolment is automatic, "
        "by activation alone). Null: no such limit.",
    )
    opt_out: Flag = Field(default=True, description="Whether `participant: false` keeps an account out.")

    @model_validator(mode="after")
    def _activation_is_asked_for(self) -> Membership:
        if self.activated_before is not None and self.starts_with != "service.activated":
            raise ValueError("activated_before goes with starts_with: service.activated")
        return self


class Never(Part):
    """Points that do not expire."""

    policy: Literal["never"] = Field(default="never", description="Selects this policy.")


class Rolling(Part):
    """Each lot expires a number of months after it was credited."""

    policy: Literal["rolling"] = Field(description="Selects this policy.")
    months: Whole = Field(ge=1, le=1200, description="Months from the credit's local day to `expires_on`.")
    missing_day: Literal["month-end", "next-day"] = Field(
        default="month-end",
        description="Where the day does not exist (29 Feb + 12 months): the month's last day, or the day after "
        "it (reading: month-end).",
    )


class CalendarYear(Part):
    """All lots of a calendar year expire on one day: 1 January after a number of years."""

    policy: Literal["calendar-year"] = Field(description="Selects this policy.")
    years: Whole = Field(default=1, ge=1, le=100, description="1: on the 1 January after the credit.")


Expiry = Annotated[Never | Rolling | CalendarYear, Field(discriminator="policy")]


class Points(Part):
    """How lots of points live and die."""

    source: Literal["rules", "adjustments"] = Field(
        default="rules",
        description="Where points come from: the rules of this definition, or only `points.adjusted`, because "
        "another system decides them. The engine takes corrections either way; `loyalty check` uses it to tell "
        "a reward that nobody can ever afford.",
    )
    expiry: Expiry = Field(default=Never(), description="When a lot stops being usable.")
    warn_days_before: tuple[DaysBefore, ...] = Field(
        default=(), description="Days before `expires_on` at whose 00:00 `points.expiring` warns."
    )
    may_be_negative: Flag = Field(
        default=False,
        description="Whether taking points back may push the balance below zero; later credits settle it first "
        "(reading of mts-cashback: true).",
    )


class Levels(Part):
    """A level that rises with each billing date paid on time and turns into points (SPEC 2.1)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    maximum: Whole = Field(ge=1, le=100, description="The highest level.")
    payment_service: str = Field(min_length=1, description="Only payments for exactly this service count.")
    same_period: Literal["once", "next"] = Field(
        default="once",
        description="Two payments in one period: `once`: both count for the same date (reading); `next`: the "
        "second one counts for the first date that is not paid yet.",
    )
    percent_per_level: Percent = Field(
        default=Decimal(1), description="Percent of the monthly price credited per level."
    )
    accrues_from_month: Whole = Field(
        default=1,
        ge=1,
        le=1200,
        description="First month of use that credits; the n-th month starts on the (n-1)th billing date.",
    )
    months_counted_from: Literal["activation", "reset"] = Field(
        default="activation",
        description="Months of use count once from activation (reading), or again after each reset to level 0.",
    )
    level_used: Literal["after", "before"] = Field(
        default="after",
        description="The level whose percent is credited: after this date's change (reading), or before it.",
    )
    paused_by_group: Rule | None = Field(
        default=None, description="No points while a discount of this exclusion group is active; null: never."
    )
    late_arrival_days: Whole = Field(
        default=0,
        ge=0,
        le=365,
        description="Local days after a billing date within which a payment made in time but arriving late puts "
        "it right.",
    )
    history_months: Whole = Field(
        default=36,
        ge=2,
        le=1200,
        description="Billing dates kept in the account's row; a refund of an older payment changes no level.",
    )
    converted_rule: Rule | None = Field(
        default=None,
        description="Rule name of the old discount that `legacy-discount.converted` turns into a level; null: "
        "no effect.",
    )
    converted_target: str = Field(default="", description="What the converted discount applies to.")
    converted_group: Rule | None = Field(
        default=None, description="Exclusion group of the converted discount; null: none."
    )


CHARGE_CATEGORIES = get_args(ChargePosted.model_fields["category"].annotation)
PURCHASE_CHANNELS = get_args(PurchaseCompleted.model_fields["channel"].annotation)


class Rate(Part):
    """How one kind of spending earns points."""

    event: Literal["charge", "purchase", "payment"] = Field(
        description="charge: `charge.posted` by category; purchase: `purchase.completed` by channel; payment: "
        "`payment.received` by service."
    )
    of: tuple[str, ...] = Field(
        min_length=1, description="Categories, channels or services it is for; each counts by itself."
    )
    points: Whole = Field(default=1, ge=1, le=10**9, description="Points per step (or per event).")
    per: Money | None = Field(
        default=None, description="The step: money that earns `points`. Null: each event earns."
    )
    carry_remainder: Flag = Field(
        default=True,
        description="Whether what is left below a step waits for the category's next event (reading: it does).",
    )
    percent_maximum: Percent | None = Field(
        default=None,
        description="The event names the percentage that is credited in points; this is the most it may be.",
    )
    threshold: Money | None = Field(
        default=None,
        description="Spending up to this total earns only the welcome points; what goes beyond earns by `per`.",
    )
    welcome_points: Whole = Field(
        default=0, ge=0, le=10**9, description="Points once the total reaches the threshold."
    )
    welcome_rule: Rule | None = Field(default=None, description="Rule name of the welcome points.")

    @model_validator(mode="after")
    def _one_way(self) -> Rate:
        if self.per is not None and self.per <= 0:
            raise ValueError("per: a step of money above 0 is wanted")
        if self.percent_maximum is not None and (self.per is not None or self.threshold is not None):
            raise ValueError("percent_maximum goes without per and threshold: the event's percentage decides")
        if self.threshold is not None and (self.per is None or self.welcome_rule is None):
            raise ValueError("threshold needs per (the step beyond it) and welcome_rule")
        if self.threshold is None and (self.welcome_points or self.welcome_rule):
            raise ValueError("welcome points need threshold: the total from which on they are credited")
        if self.event != "purchase" and self.percent_maximum is not None:
            raise ValueError("percent_maximum is for purchases: only they carry a percentage")
        return self


class Accrual(Part):
    """Points for what a member spends (SPEC 2.2, 2.4)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    rates: tuple[Rate, ...] = Field(
        min_length=1, description="Each category, channel or service at most once."
    )
    confirm_within_days: Whole | None = Field(
        default=None,
        ge=1,
        le=3660,
        description="Purchases earn pending points that `purchase.confirmed` credits, or that are rejected at "
        "00:00 of the completion day plus this many days. Null: purchases are credited at once.",
    )
    remember_purchases_days: Whole = Field(
        default=1096,
        ge=45,
        le=36600,
        description="How long purchase ids are remembered, in days after completion.",
    )

    @model_validator(mode="after")
    def _each_once(self) -> Accrual:
        seen: set[tuple[str, str]] = set()
        for rate in self.rates:
            for name in rate.of:
                if (rate.event, name) in seen:
                    raise ValueError(f"rates: {rate.event} {name!r} has two rates; one is wanted")
                seen.add((rate.event, name))
        return self


class Tenure(Part):
    """Points on the 1st of each month for staying (SPEC 2.3)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    points: Whole = Field(ge=1, le=10**9, description="Points on each 1st.")
    full_years: Whole = Field(
        default=1,
        ge=0,
        le=100,
        description="Full years since activation from which on it is paid (reading: activation).",
    )


class TariffChange(Part):
    """Tariff changes scheduled by request (SPEC 2.6)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    days_between_changes: Whole = Field(
        ge=0, le=3660, description="Least days from the last applied change to the next."
    )
    proration_days: Whole = Field(ge=1, le=366, description="Days a monthly price is divided by.")
    business_channel: str | None = Field(
        default=None, description="The only channel a business may use, otherwise `office-only`; null: any."
    )
    business_first_of_next_month: Flag = Field(
        default=False, description="A business changes only on the 1st of the month after the request."
    )
    requires_balance: Literal[False] = Field(
        default=False,
        description="Whether the charge must be in the account (reading: no; no event carries an account's "
        "money, so only false can be decided here).",
    )


class OwnerChange(Part):
    """What a new owner loses (SPEC 2.3)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    expire_points: Flag = Field(default=True, description="All points expire.")
    restart_tenure: Flag = Field(default=True, description="Tenure counts from the change.")


class Closure(Part):
    """The programme's end (SPEC 2.3)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    day: Day = Field(
        description="At 00:00 local of this day every unspent point expires; nothing accrues after it."
    )
    warn_days_before: tuple[DaysBefore, ...] = Field(
        default=(), description="Days before it at whose 00:00 `points.expiring` warns."
    )
