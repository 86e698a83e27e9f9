"""The mechanism of a programme definition by which members bring members."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.programme_forms import Days, Flag, Part, Rule, Whole


class LadderStep(Part):
    """What the n-th referred friend brings the advocate."""

    friends: Whole = Field(ge=1, description="From this number of referred friends on.")
    percent: Whole = Field(ge=1, le=100, description="The discount in percent.")
    months: Whole = Field(ge=1, le=1200, description="Calendar months from the day the friend registers.")
    entitlement: Rule | None = Field(
        default=None, description="Entitlement granted at exactly this number; null: none."
    )


class AdvocateReward(Part):
    """What the advocate gets: points, a ladder of discounts, or both."""

    rule: Rule = Field(description="Rule name in outcomes.")
    points: Whole | None = Field(default=None, ge=1, le=10**9, description="Points per friend; null: none.")
    ladder: tuple[LadderStep, ...] = Field(
        default=(), description="Discounts by number of referred friends, ascending from 1."
    )
    ladder_counts: Literal["lifetime", "while-active"] = Field(
        default="lifetime",
        description="Friends are counted over the lifetime (reading), or anew once the advocate's discount has "
        "ended.",
    )
    target: str = Field(default="", description="What the ladder's discounts apply to.")

    @model_validator(mode="after")
    def _ascending(self) -> AdvocateReward:
        steps = [step.friends for step in self.ladder]
        if steps != sorted(set(steps)) or (steps and steps[0] != 1):
            raise ValueError("ladder: steps ascend and start with friends: 1")
        if self.ladder and not self.target:
            raise ValueError("ladder needs target: what do its discounts apply to?")
        return self


class FriendReward(Part):
    """What the friend gets: points, a discount, or both."""

    rule: Rule = Field(description="Rule name in outcomes.")
    points: Whole | None = Field(default=None, ge=1, le=10**9, description="Points; null: none.")
    percent: Whole | None = Field(
        default=None, ge=1, le=100, description="A discount in percent; null: none."
    )
    months: Whole | None = Field(default=None, ge=1, le=1200, description="Calendar months it lasts.")
    target: str = Field(default="", description="What the discount applies to.")
    after_promo_period: Flag = Field(
        default=False,
        description="The discount starts the day after `promo_until`, where the account has one to come.",
    )

    @model_validator(mode="after")
    def _whole(self) -> FriendReward:
        if (self.percent is None) != (self.months is None):
            raise ValueError("percent and months go together")
        if self.percent is not None and not self.target:
            raise ValueError("percent needs target: what does the discount apply to?")
        if self.percent is None and self.points is None:
            raise ValueError("points or percent is wanted; leave `friend` out where the friend gets nothing")
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

    rule: Rule = Field(description="Rule name of the referral's own outcomes.")
    active: Days = Field(
        default_factory=Days,
        description="Local days on which a code may be registered; `tests` says when it is tested.",
    )
    completes: Literal["registration", "conversion"] = Field(
        description="registration: at once; conversion: once the friend is activated and has paid."
    )
    conversion_service: str | None = Field(
        default=None, description="With conversion: a payment for exactly this service counts; null: any."
    )
    tests: tuple[RejectionTest, ...] = Field(
        description="What rejects a registration, tested in this order; unknown-code and self-referral come "
        "first.",
    )
    participants: Literal["advocate", "both"] = Field(
        default="advocate", description="Whose participation `not-participant` tests."
    )
    register_within_months: Whole | None = Field(
        default=None,
        ge=1,
        le=1200,
        description="too-late: later than this many months after activation, or not activated.",
    )
    advocate: AdvocateReward = Field(description="What the advocate gets.")
    friend: FriendReward | None = Field(default=None, description="What the friend gets; null: nothing.")

    @model_validator(mode="after")
    def _tests_fit(self) -> Referral:
        if self.tests[:2] != ("unknown-code", "self-referral"):
            raise ValueError("tests: unknown-code and self-referral come first")
        twice = [test for test in self.tests if self.tests.count(test) > 1]
        if twice:
            raise ValueError(f"tests: {twice[0]!r} stands twice")
        if ("too-late" in self.tests) != (self.register_within_months is not None):
            raise ValueError("tests: too-late goes with register_within_months, and only with it")
        if self.conversion_service is not None and self.completes != "conversion":
            raise ValueError("conversion_service goes with completes: conversion")
        if self.active != Days() and "programme-not-active" not in self.tests:
            raise ValueError("active is only tested where tests holds programme-not-active; add it")
        return self
