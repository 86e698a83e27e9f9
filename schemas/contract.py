"""The contract for events coming in: one model per type, every field with its meaning, unit and default.

These models are the single source: `schemas.wire` compiles its checks from them, `schemas.contract_docs`
writes `docs/events.md` and the JSON Schema from them. Nothing is coerced, unknown fields are ignored, an
optional field that is `null` counts as absent. Source of all of it: SPEC section 1; each model names the
other sections whose rules need its fields.
"""

# No `from __future__ import annotations`: pydantic would compile each of them again at every start.

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from schemas.contract_forms import (
    Currency,
    DayOfMonth,
    Flag,
    GiftPoints,
    Instant,
    IsoDate,
    Megabits,
    Money,
    Months,
    Name,
    NoticeDays,
    Percent,
    Quantity,
    SignedPoints,
    Text,
    WholePercent,
)
from schemas.dead_letter import MISSING_FIELD

IDENTIFYING: Final[JsonDict] = {"x-identifying": True}
"""Marks a field that tells who the member is: decisions do not need it, and the journal does not keep it."""


def identifies(field: FieldInfo) -> bool:
    """Whether a field is marked as telling who the member is."""
    return field.json_schema_extra == IDENTIFYING


@dataclass(frozen=True, slots=True)
class RequiredWhen:
    """`required` may not be absent when the field `field` has the value `value`."""

    field: str
    value: str
    required: str


class Contract(BaseModel):
    """What all models of the contract share."""

    # Built when first used: the lean reader only needs the declarations, and commands must start at once.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, defer_build=True)

    SOURCE: ClassVar[str] = "1"
    """The sections of SPEC that need this model's fields."""
    REQUIRED_WHEN: ClassVar[tuple[RequiredWhen, ...]] = ()
    """Fields that another field's value makes required."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, fields: Any) -> Any:
        if isinstance(fields, dict):
            return {name: value for name, value in fields.items() if value is not None}
        return fields

    @model_validator(mode="after")
    def _required_when(self) -> Self:
        for rule in self.REQUIRED_WHEN:
            if getattr(self, rule.field) == rule.value and getattr(self, rule.required) is None:
                raise PydanticCustomError(
                    MISSING_FIELD, f"{rule.required} is required when {rule.field} is {rule.value}"
                )
        return self


class Envelope(Contract):
    """The CloudEvents 1.0 attributes around the data, in structured JSON mode."""

    specversion: Literal["1.0"] = Field(description="Version of CloudEvents.")
    id: Name = Field(
        description="Identity of the fact within its `source` and account, never to be used again: more than 45 days later "
        "it would be another fact, whose outcomes have the ids of the first one's."
    )
    source: Name = Field(description="The system that says so, such as `/orgtechservice/billing`.")
    type: Name = Field(description="One of the types below; it decides the topic and the data.")
    subject: Name = Field(description="The account it concerns.")
    operator: Name = Field(description="The owner of the programme; an extension attribute.")
    time: Instant = Field(description="When it happened; every rule uses this time.")


class ClockEnvelope(Contract):
    """The attributes of the clock's own events, which concern no single account."""

    specversion: Literal["1.0"] = Field(description="Version of CloudEvents.")
    id: Name = Field(description="Identity of this tick.")
    source: Name = Field(description="The clock that ticked, such as `/loyalty/clock`.")
    type: Literal["clock.advanced"] = Field(description="The only type without an account.")
    time: Instant = Field(description="The time it now is; what is due up to and including it acts.")


class TariffTerms(Contract):
    """A tariff as billing describes it."""

    SOURCE: ClassVar[str] = "1, 2.1, 2.6"

    code: Text = Field(description="The tariff's code in billing.")
    family: Text = Field(description="The family it belongs to: Unlim, Turbo, Ultra, Mega, …")
    speed_mbps: Megabits | None = Field(None, description="Speed in Mbit/s.")
    monthly_price: Money | None = Field(
        None, description="Price of a month. A tariff without one is not monthly."
    )
    prepaid: Flag = Field(False, description="Whether the month is paid in advance (SPEC 2.6).")
    min_notice_days: NoticeDays = Field(
        0, description="Days between a change to this tariff being requested and done, at least (SPEC 2.6)."
    )


class AccountOpened(Contract):
    """A contract was signed. A second one for the same account updates its profile."""

    SOURCE: ClassVar[str] = "1, 2.1"

    segment: Literal["individual", "business"] = Field(description="Who the customer is.")
    dwelling: Literal["apartment", "house"] | None = Field(None, description="What is connected.")
    city: Text | None = Field(None, description="Where it is, as the operator writes it.")
    signed_on: IsoDate | None = Field(None, description="Day the contract was signed.")
    existing_customer: Flag = Field(False, description="Whether there was a contract before this one.")
    participant: Flag = Field(True, description="Whether the account takes part in the programme.")


class ServiceActivated(Contract):
    """A service works from now on."""

    SOURCE: ClassVar[str] = "1, 2.1, 2.2, 2.7"

    service: Literal["internet", "mobile", "pbx"] = Field(description="Which service.")
    tariff: TariffTerms = Field(description="The tariff it is on.")
    billing_day: DayOfMonth | None = Field(
        None, description="Day of the month that is the billing date; absent: the day of activation."
    )
    feasible_ultra: Flag | None = Field(
        None, description="Whether the Ultra family can be had at the address (SPEC 2.1); absent: not known."
    )
    promo_until: IsoDate | None = Field(None, description="Last day of a PBX trial (SPEC 2.7).")


class ServiceBlock(Contract):
    """A block was put on, or taken off."""

    SOURCE: ClassVar[str] = "1, 2.1"

    kind: Literal["debt", "voluntary", "other"] = Field(
        description="Which block; each is taken off by itself."
    )


class OwnerChanged(Contract):
    """The account has another owner."""

    SOURCE: ClassVar[str] = "1, 2.3"

    new_owner: Text | None = Field(
        None, description="Who it is now, as billing names them.", json_schema_extra=IDENTIFYING
    )


class AccountClosed(Contract):
    """The contract has ended. Nothing reopens the account."""


class LineLinked(Contract):
    """A further line belongs to the account."""

    SOURCE: ClassVar[str] = "1, 2.2"

    line: Text = Field(description="The line, such as a telephone number.", json_schema_extra=IDENTIFYING)


class LegacyDiscountConverted(Contract):
    """A discount of an older programme was turned into a level."""

    SOURCE: ClassVar[str] = "1, 2.1"

    percent: WholePercent = Field(
        description="The old discount, a whole percentage; the programme sets the maximum."
    )
    last_day: IsoDate = Field(description="Last day the old discount still applies, inclusive.")


class PaymentReceived(Contract):
    """A payment covers months of a service. Whether the amount is enough was billing's to judge."""

    SOURCE: ClassVar[str] = "1, 2.1"

    amount: Money = Field(description="What was paid.")
    service: Text = Field(description="What was paid for, free text; rules name the ones they mean.")
    currency: Currency | None = Field(None, description="ISO 4217 code; absent: the operator's currency.")
    months: Months = Field(1, description="Months it covers.")


class PaymentRefunded(Contract):
    """A payment no longer counts."""

    SOURCE: ClassVar[str] = "1, 2.1"

    payment: Name = Field(description="`id` of the `payment.received` that was refunded.")


class ChargePosted(Contract):
    """Something was charged to the account."""

    SOURCE: ClassVar[str] = "1, 2.2"

    amount: Money = Field(description="What was charged.")
    category: Literal["calls-other-networks", "calls-on-net", "mobile", "home-internet", "home-tv"] = Field(
        description="What for."
    )


class PurchaseCompleted(Contract):
    """Something was bought."""

    SOURCE: ClassVar[str] = "1, 2.2, 2.4"
    REQUIRED_WHEN: ClassVar[tuple[RequiredWhen, ...]] = (RequiredWhen("channel", "partner", "percent"),)

    purchase: Text = Field(description="Identity of the purchase.")
    amount: Money = Field(description="What it cost.")
    channel: Literal[
        "salon", "card:mts-bank", "card:partner", "card:russian-standard", "card:mts-money", "partner"
    ] = Field(description="Where or with what it was paid.")
    partner: Text | None = Field(None, description="Name of the partner.")
    percent: Percent | None = Field(
        None, description="The partner's cashback as a percentage; required when `channel` is `partner`."
    )


class PurchaseSettled(Contract):
    """A purchase was confirmed, or returned. Before its purchase it has no effect."""

    SOURCE: ClassVar[str] = "1, 2.2, 2.4"

    purchase: Text = Field(description="Identity of the purchase.")


class TariffChanged(Contract):
    """The tariff is another one; billing has already done it."""

    SOURCE: ClassVar[str] = "1, 2.1, 2.6"

    tariff: TariffTerms = Field(description="The new tariff.")


class TariffChangeRequested(Contract):
    """The customer wants another tariff from a day on; this system schedules it."""

    SOURCE: ClassVar[str] = "1, 2.6"

    tariff: TariffTerms = Field(description="The new tariff.")
    change_on: IsoDate = Field(description="First day of the new tariff.")
    channel: Literal["cabinet", "office"] | None = Field(None, description="Where it was asked for.")


class ReferralCodeRegistered(Contract):
    """A friend named the advocate's code."""

    SOURCE: ClassVar[str] = "1, 2.1, 2.2, 2.7, 3"

    code: Text = Field(description="The code as typed.")


class RedeemRequested(Contract):
    """The member wants a reward for points."""

    SOURCE: ClassVar[str] = "1, 2.1, 2.2, 2.4, 2.5"

    reward: Text = Field(description="The reward's name in the programme.")
    amount: Money | None = Field(None, description="The amount, for a reward that takes one.")
    quantity: Quantity = Field(1, description="How many of it.")
    to: Name | None = Field(None, description="The account it is for, where it is another one.")


class GiftRequested(Contract):
    """The member wants to give points to another account."""

    SOURCE: ClassVar[str] = "1, 2.2"

    to: Name = Field(description="The account of the same operator that receives them.")
    points: GiftPoints = Field(description="How many.")


class GoalSet(Contract):
    """The member saves towards an amount."""

    SOURCE: ClassVar[str] = "1, 2.4"

    amount: Money = Field(description="The goal.")


class PointsAdjusted(Contract):
    """Staff corrected a balance."""

    points: SignedPoints = Field(description="Points to add, or with a minus sign to take away.")
    reason: Text = Field(description="Why, in words.")
    by: Text = Field(description="Who did it.")


class DiscountExtended(Contract):
    """Staff moved a discount's end."""

    SOURCE: ClassVar[str] = "1, 2.1"

    rule: Text = Field(description="The discount's rule, such as `summer-2025`.")
    last_day: IsoDate = Field(description="Its new last day, inclusive.")
    reason: Text = Field(description="Why, in words.")
    by: Text = Field(description="Who did it.")


class ClockAdvanced(Contract):
    """Time has come to `time`. Written by this system; it carries no data."""


CLOCK_ADVANCED: Final = "clock.advanced"

DATA_OF_TYPE: Final[dict[str, type[Contract]]] = {
    "payment.received": PaymentReceived,
    "payment.refunded": PaymentRefunded,
    "charge.posted": ChargePosted,
    "purchase.completed": PurchaseCompleted,
    "purchase.confirmed": PurchaseSettled,
    "purchase.returned": PurchaseSettled,
    "account.opened": AccountOpened,
    "service.activated": ServiceActivated,
    "service.blocked": ServiceBlock,
    "service.unblocked": ServiceBlock,
    "owner.changed": OwnerChanged,
    "account.closed": AccountClosed,
    "line.linked": LineLinked,
    "legacy-discount.converted": LegacyDiscountConverted,
    "tariff.changed": TariffChanged,
    "tariff.change-requested": TariffChangeRequested,
    "referral.code-registered": ReferralCodeRegistered,
    "points.redeem-requested": RedeemRequested,
    "points.gift-requested": GiftRequested,
    "goal.set": GoalSet,
    "points.adjusted": PointsAdjusted,
    "discount.extended": DiscountExtended,
    CLOCK_ADVANCED: ClockAdvanced,
}
"""Type of an inbound event → model of its data."""


def envelope_of_type(type_: str) -> type[Contract]:
    """The model of the attributes around the data of a type."""
    return ClockEnvelope if type_ == CLOCK_ADVANCED else Envelope
