"""The mechanisms of a programme definition that concern points, levels, rewards and tariffs."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator


def _exact(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise ValueError('money is exact: write it as a quoted decimal such as "5.00"')
    return value


Money = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, max_digits=18, decimal_places=9)]
Rule = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Segment = Literal["individual", "business"]


class Part(BaseModel):
    """Base of all sections: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Membership(Part):
    """Who takes part."""

    segment: Segment | None = Field(
        default=None, description="Only accounts of this segment; others get `not-individual`. Null: anyone."
    )
    starts_with: Literal["account.opened", "service.activated"] = Field(
        default="account.opened", description="The event from which on an account takes part."
    )
    activated_before: datetime.date | None = Field(
        default=None,
        description="Only accounts activated before this local day take part (reading: enrolment is automatic, "
        "by activation alone). Null: no such limit.",
    )
    opt_out: bool = Field(default=True, description="Whether `participant: false` keeps an account out.")


class Never(Part):
    """Points that do not expire."""

    policy: Literal["never"] = "never"


class Rolling(Part):
    """Each lot expires a number of months after it was credited."""

    policy: Literal["rolling"]
    months: int = Field(ge=1, le=1200, description="Months from the credit's local day to `expires_on`.")
    missing_day: Literal["month-end", "next-day"] = Field(
        default="month-end",
        description="Where the day does not exist (29 Feb + 12 months): the month's last day, or the day after it "
        "(reading: month-end).",
    )


class CalendarYear(Part):
    """All lots of a calendar year expire on one day: 1 January after a number of years."""

    policy: Literal["calendar-year"]
    years: int = Field(default=1, ge=1, le=100, description="1: on the 1 January after the credit.")


Expiry = Annotated[Never | Rolling | CalendarYear, Field(discriminator="policy")]


class Points(Part):
    """How lots of points live and die."""

    expiry: Expiry = Field(default_factory=Never, description="When a lot stops being usable.")
    warn_days_before: tuple[Annotated[int, Field(ge=1, le=3660)], ...] = Field(
        default=(), description="Days before `expires_on` at whose 00:00 `points.expiring` warns."
    )
    may_be_negative: bool = Field(
        default=False,
        description="Whether taking points back may push the balance below zero; later credits settle it first "
        "(reading of mts-cashback: true).",
    )


class Levels(Part):
    """A level that rises with each billing date paid on time and turns into points (SPEC 2.1)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    maximum: int = Field(ge=1, le=100, description="The highest level.")
    payment_service: str = Field(description="Only payments for exactly this service count.")
    same_period: Literal["once", "next"] = Field(
        default="once",
        description="Two payments in one period: `once`: both count for the same date (reading); `next`: the second "
        "one counts for the first date that is not paid yet.",
    )
    percent_per_level: Money = Field(
        default=Decimal(1), description="Percent of the monthly price credited per level."
    )
    accrues_from_month: int = Field(
        default=1, ge=1, le=1200, description="First month of use that credits; the n-th month starts on billing date n-1."
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
        default=None, description="No points while a discount of this exclusion group is active."
    )
    late_arrival_days: int = Field(
        default=0,
        ge=0,
        le=365,
        description="Local days after a billing date within which a payment made in time but arriving late puts it right.",
    )
    history_months: int = Field(
        default=36,
        ge=2,
        le=1200,
        description="Billing dates kept in the account's row; a refund of an older payment changes no level.",
    )
    converted_rule: Rule | None = Field(
        default=None,
        description="Rule name of the old discount that `legacy-discount.converted` turns into a level; null: no effect.",
    )
    converted_target: str = Field(default="", description="What the converted discount applies to.")
    converted_group: Rule | None = Field(default=None, description="Its exclusion group.")


class Rate(Part):
    """How one kind of spending earns points."""

    event: Literal["charge", "purchase", "payment"] = Field(
        description="charge: `charge.posted` by category; purchase: `purchase.completed` by channel; payment: "
        "`payment.received` by service."
    )
    of: tuple[str, ...] = Field(min_length=1, description="Categories, channels or services it is for.")
    points: int = Field(default=1, ge=1, le=10**9, description="Points per step (or per event).")
    per: Money | None = Field(default=None, description="The step: money that earns `points`. Null: each event earns.")
    carry_remainder: bool = Field(
        default=True,
        description="Whether what is left below a step waits for the category's next event (reading: it does).",
    )
    percent_maximum: Money | None = Field(
        default=None,
        description="The event names the percentage that is credited in points; this is the most it may be.",
    )
    threshold: Money | None = Field(
        default=None, description="Spending up to this total earns only the welcome points; what goes beyond earns by `per`."
    )
    welcome_points: int = Field(default=0, ge=0, le=10**9, description="Points once the total reaches the threshold.")
    welcome_rule: Rule | None = Field(default=None, description="Rule name of the welcome points.")

    @model_validator(mode="after")
    def _one_way(self) -> Rate:
        if self.per is not None and self.per <= 0:
            raise ValueError("per: a step of money above 0 is wanted")
        if self.percent_maximum is not None and (self.per is not None or self.threshold is not None):
            raise ValueError("percent_maximum goes without per and threshold: the event's percentage decides")
        if self.threshold is not None and (self.per is None or self.welcome_rule is None):
            raise ValueError("threshold needs per (the step beyond it) and welcome_rule")
        if self.event != "purchase" and self.percent_maximum is not None:
            raise ValueError("percent_maximum is for purchases: only they carry a percentage")
        return self


class Accrual(Part):
    """Points for what a member spends (SPEC 2.2, 2.4)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    rates: tuple[Rate, ...] = Field(min_length=1, description="Each category, channel or service at most once.")
    confirm_within_days: int | None = Field(
        default=None,
        ge=1,
        le=3660,
        description="Purchases earn pending points that `purchase.confirmed` credits, or that are rejected at 00:00 of "
        "the completion day plus this many days. Null: purchases are credited at once.",
    )
    remember_purchases_days: int = Field(
        default=1096, ge=45, le=36600, description="How long purchase ids are remembered, in days after completion."
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
    points: int = Field(ge=1, le=10**9, description="Points on each 1st.")
    full_years: int = Field(
        default=1, ge=0, le=100, description="Full years since activation from which on it is paid (reading: activation)."
    )


class CatalogueReward(Part):
    """A reward with a fixed price in points, times `quantity`."""

    kind: Literal["catalogue"] = "catalogue"
    points: int = Field(ge=1, le=10**9, description="Price in points.")


class AmountReward(Part):
    """A reward for an amount of money; costs ceil(amount) points."""

    kind: Literal["amount"]
    receiver_operator: str | None = Field(
        default=None,
        description="Set: the reward goes to the account `to`, which must be open at this operator; otherwise the "
        "points come back.",
    )
    denominations: tuple[int, ...] = Field(default=(), description="Amounts allowed; none: any.")
    denominations_step: int | None = Field(default=None, ge=1, description="After the last denomination, every so much …")
    denominations_up_to: int | None = Field(default=None, ge=1, description="… up to this amount.")
    needs_goal: bool = Field(
        default=False, description="Only once a goal is set, up to the goal, and when the balance has reached it."
    )
    issued: bool = Field(default=False, description="Whether `reward.issued` follows.")


class ShareReward(Part):
    """Points that pay a share of a payment at most; the rest is left to pay in money."""

    kind: Literal["share"]
    percent_maximum: Money = Field(le=100, description="Largest share of the amount that points may pay, in percent.")


class FeeDiscountReward(Part):
    """A discount on the next billing month; costs ceil(monthly price) points."""

    kind: Literal["fee-discount"]
    rule: Rule = Field(description="Rule name of the discount it grants.")
    percent: int = Field(ge=1, le=100)
    target: str
    group: Rule | None = Field(default=None, description="Exclusion group.")
    counts_as_paid: bool = Field(
        default=True, description="The billing date that starts it counts as paid on time (reading)."
    )
    ends_on_tariff_change: bool = Field(default=True, description="Any tariff change before its end ends it.")


Reward = Annotated[
    CatalogueReward | AmountReward | ShareReward | FeeDiscountReward, Field(discriminator="kind")
]


class Rewards(Part):
    """What points buy."""

    rule: Rule = Field(description="Rule name in outcomes.")
    items: dict[Rule, Reward] = Field(min_length=1, description="Reward name → its price and terms.")


class Goals(Part):
    """Saving for a goal."""

    rule: Rule = Field(description="Rule name in outcomes.")


class Gifts(Part):
    """Points given to another member (SPEC 2.2)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    transferable: bool = Field(default=True, description="False: every gift is `not-transferable`.")
    points_per_gift: int | None = Field(default=None, ge=1, description="Most points in one gift.")
    gifts_per_day: int | None = Field(default=None, ge=1, description="Most gifts in one local day.")
    receivers_per_month: int | None = Field(default=None, ge=1, description="Most different receivers in a calendar month.")
    receiver: Literal["participant", "open-account"] = Field(
        default="participant", description="Who may receive (reading: a participant; the source says subscriber)."
    )
    received_expiry: Literal["keep", "new"] = Field(
        default="keep", description="Whether received lots keep the giver's expiry (reading) or start anew."
    )


class WriteOff(Part):
    """On the 1st of each month the whole positive balance is taken for a reward (SPEC 2.4)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    reward: Rule = Field(description="The reward it pays for.")
    unless_goal: bool = Field(default=True, description="Not while the account has set a goal (reading).")


class TariffChange(Part):
    """Tariff changes scheduled by request (SPEC 2.6)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    days_between_changes: int = Field(ge=0, le=3660, description="Least days from the last applied change to the next.")
    proration_days: int = Field(ge=1, le=366, description="Days a monthly price is divided by.")
    business_channel: str | None = Field(
        default=None, description="The only channel a business may use, otherwise `office-only`."
    )
    business_first_of_next_month: bool = Field(
        default=False, description="A business changes only on the 1st of the month after the request."
    )
    requires_balance: Literal[False] = Field(
        default=False,
        description="Whether the charge must be in the account (reading: no; no event carries an account's money, so "
        "only false can be decided here).",
    )


class OwnerChange(Part):
    """What a new owner loses (SPEC 2.3)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    expire_points: bool = Field(default=True, description="All points expire.")
    restart_tenure: bool = Field(default=True, description="Tenure counts from the change.")


class Closure(Part):
    """The programme's end (SPEC 2.3)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    day: datetime.date = Field(description="At 00:00 local of this day every unspent point expires; nothing accrues after it.")
    warn_days_before: tuple[Annotated[int, Field(ge=1, le=3660)], ...] = Field(
        default=(), description="Days before it at whose 00:00 `points.expiring` warns."
    )
