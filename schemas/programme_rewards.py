"""The mechanisms of a programme definition by which points leave an account: rewards, gifts, write-offs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.programme_forms import Flag, Part, Percent, Rule, Whole


class CatalogueReward(Part):
    """A reward with a fixed price in points, times `quantity`."""

    kind: Literal["catalogue"] = Field(description="Selects this kind of reward.")
    points: Whole = Field(ge=1, le=10**9, description="Price in points.")


class AmountReward(Part):
    """A reward for an amount of money; costs ceil(amount) points."""

    kind: Literal["amount"] = Field(description="Selects this kind of reward.")
    receiver_operator: str | None = Field(
        default=None,
        description="Set: the reward goes to the account `to`, which must be open at this operator; otherwise "
        "the points come back. Null: it stays with the member.",
    )
    denominations: tuple[Annotated[Whole, Field(ge=1)], ...] = Field(
        default=(), description="Amounts allowed, ascending; none: any."
    )
    denominations_step: Whole | None = Field(
        default=None, ge=1, description="After the last denomination, every so much …"
    )
    denominations_up_to: Whole | None = Field(default=None, ge=1, description="… up to this amount.")
    needs_goal: Flag = Field(
        default=False,
        description="Only once a goal is set, up to the goal, and when the balance has reached it.",
    )
    issued: Flag = Field(default=False, description="Whether `reward.issued` follows.")

    @model_validator(mode="after")
    def _ascending(self) -> AmountReward:
        listed = list(self.denominations)
        if listed != sorted(set(listed)):
            raise ValueError("denominations: each once, in ascending order")
        if (self.denominations_step is None) != (self.denominations_up_to is None):
            raise ValueError("denominations_step and denominations_up_to go together")
        if self.denominations_step is not None and self.denominations_up_to is not None:
            if not listed:
                raise ValueError("denominations_step goes on from the last of denominations; there is none")
            if listed[-1] + self.denominations_step > self.denominations_up_to:
                raise ValueError(
                    f"denominations_up_to {self.denominations_up_to} allows no step of "
                    f"{self.denominations_step} after {listed[-1]}"
                )
        return self


class ShareReward(Part):
    """Points that pay a share of a payment at most; the rest is left to pay in money."""

    kind: Literal["share"] = Field(description="Selects this kind of reward.")
    percent_maximum: Percent = Field(
        le=100, description="Largest share of the amount that points may pay, in percent."
    )


class FeeDiscountReward(Part):
    """A discount on the next billing month; costs ceil(monthly price) points."""

    kind: Literal["fee-discount"] = Field(description="Selects this kind of reward.")
    rule: Rule = Field(description="Rule name of the discount it grants.")
    percent: Whole = Field(ge=1, le=100, description="The discount in percent.")
    target: str = Field(min_length=1, description="What the discount applies to.")
    group: Rule | None = Field(default=None, description="Exclusion group; null: none.")
    counts_as_paid: Flag = Field(
        default=True, description="The billing date that starts it counts as paid on time (reading)."
    )
    ends_on_tariff_change: Flag = Field(
        default=True,
        description="Any tariff change before its end ends it; another price of the same tariff is none.",
    )


Reward = Annotated[
    CatalogueReward | AmountReward | ShareReward | FeeDiscountReward, Field(discriminator="kind")
]


class Rewards(Part):
    """What points buy."""

    rule: Rule = Field(description="Rule name in outcomes.")
    items: dict[Rule, Reward] = Field(min_length=1, description="Reward name → its price and terms.")


class Goals(Part):
    """Saving for a goal, which `goal.set` names."""

    rule: Rule = Field(description="Rule name in outcomes.")


class Gifts(Part):
    """Points given to another member (SPEC 2.2)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    transferable: Flag = Field(default=True, description="False: every gift is `not-transferable`.")
    points_per_gift: Whole | None = Field(
        default=None, ge=1, description="Most points in one gift; null: any number."
    )
    gifts_per_day: Whole | None = Field(
        default=None, ge=1, description="Most gifts in one local day; null: any number."
    )
    receivers_per_month: Whole | None = Field(
        default=None, ge=1, description="Most different receivers in a calendar month; null: any number."
    )
    receiver: Literal["participant", "open-account"] = Field(
        default="participant",
        description="Who may receive: a participant (reading), or whoever has an open account, as where the "
        "source says subscriber.",
    )
    received_expiry: Literal["keep", "new"] = Field(
        default="keep",
        description="Whether received lots keep the giver's expiry (reading) or start anew, as if credited then.",
    )


class WriteOff(Part):
    """On the 1st of each month the whole positive balance is taken for a reward (SPEC 2.4)."""

    rule: Rule = Field(description="Rule name in outcomes.")
    reward: Rule = Field(description="The reward it pays for.")
    unless_goal: Flag = Field(default=True, description="Not while the account has set a goal (reading).")
