"""A programme definition: everything an operator decides, as data.

One definition is one revision of one operator's programme, a YAML document under `programmes/`. The engine
knows mechanisms (lots, levels, accrual, referral, …); which of them an operator uses, with which numbers,
windows and limits, stands here. Every reading that SPEC.md marks as such is a field whose default or
documented alternative lets an operator choose the other one.
"""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from schemas.programme_forms import CURRENCY_PATTERN, Day, Part, Rule
from schemas.programme_parts import (
    Accrual,
    Closure,
    Levels,
    Membership,
    OwnerChange,
    Points,
    TariffChange,
    Tenure,
)
from schemas.programme_promotions import Promotion
from schemas.programme_referral import Referral
from schemas.programme_rewards import AmountReward, FeeDiscountReward, Gifts, Goals, Rewards, WriteOff


class Programme(Part):
    """One revision of an operator's programme."""

    operator: Rule = Field(description="The operator that owns the programme; first part of every key.")
    title: str = Field(min_length=1, description="The programme's name as members know it.")
    summary: str = Field(default="", description="One or two sentences for the rules page.")
    sources: tuple[str, ...] = Field(default=(), description="Where the rules were published, in words.")
    effective_from: Day = Field(
        default=datetime.date(1970, 1, 1),
        description="First local day on which this revision decides; an event's own time picks the revision.",
    )
    currency: Annotated[str, StringConstraints(pattern=CURRENCY_PATTERN)] = Field(
        description="ISO 4217 code of the operator's money."
    )
    zone: str = Field(description="IANA time zone of the operator's days, months and billing dates.")
    service: Literal["internet", "mobile", "pbx"] | None = Field(
        default=None,
        description="The service whose first activation starts billing, tenure and promotions; null: any service.",
    )
    membership: Membership = Field(default_factory=Membership, description="Who takes part.")
    points: Points = Field(default_factory=Points, description="How lots of points live and die.")
    levels: Levels | None = Field(default=None, description="A level raised by paying on time.")
    accrual: Accrual | None = Field(default=None, description="Points for charges, payments and purchases.")
    tenure: Tenure | None = Field(default=None, description="Points for staying.")
    referral: Referral | None = Field(default=None, description="Members who bring members.")
    promotions: tuple[Promotion, ...] = Field(
        default=(), description="Discounts and entitlements, decided in this order."
    )
    rewards: Rewards | None = Field(default=None, description="What points buy.")
    goals: Goals | None = Field(default=None, description="Saving for a goal (`goal.set`).")
    gifts: Gifts | None = Field(default=None, description="Points given to another member.")
    write_off: WriteOff | None = Field(default=None, description="The monthly write-off of the balance.")
    tariff_change: TariffChange | None = Field(
        default=None, description="Tariff changes scheduled by request."
    )
    owner_change: OwnerChange | None = Field(default=None, description="What a new owner loses.")
    closure: Closure | None = Field(default=None, description="The programme's end.")

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is not an IANA time zone; write one such as Europe/Moscow") from error
        return name

    @model_validator(mode="after")
    def _consistent(self) -> Programme:
        self._rules_differ()
        if self.tenure is not None and self.membership.starts_with != "service.activated":
            raise ValueError(
                "tenure counts from an activation: membership.starts_with must be service.activated"
            )
        if self.write_off is not None and self.write_off.unless_goal and self.goals is None:
            raise ValueError("write_off.unless_goal needs a `goals` section")
        for name, reward in (self.rewards.items if self.rewards else {}).items():
            if isinstance(reward, AmountReward) and reward.needs_goal and self.goals is None:
                raise ValueError(f"rewards.items.{name}.needs_goal needs a `goals` section")
        service = self.referral.conversion_service if self.referral is not None else None
        if self.levels is not None and service not in (None, self.levels.payment_service):
            raise ValueError(
                f"referral.conversion_service is {service!r}, levels.payment_service "
                f"{self.levels.payment_service!r}: one service is wanted"
            )
        return self

    def _rules_differ(self) -> None:
        """A discount held is known by its rule alone, so no two sources of discounts may share one."""
        rules = [promotion.rule for promotion in self.promotions]
        rules += [
            reward.rule
            for reward in (self.rewards.items if self.rewards else {}).values()
            if isinstance(reward, FeeDiscountReward)
        ]
        if self.levels is not None and self.levels.converted_rule is not None:
            rules.append(self.levels.converted_rule)
        if self.referral is not None:
            if self.referral.advocate.ladder:
                rules.append(self.referral.advocate.rule)
            if self.referral.friend is not None and self.referral.friend.percent is not None:
                rules.append(self.referral.friend.rule)
        twice = sorted({rule for rule in rules if rules.count(rule) > 1})
        if twice:
            raise ValueError(
                f"rule {twice[0]!r} names two promotions or discounts; each needs a name of its own"
            )
