"""The forms that values have in a programme definition: whole numbers, money, percentages, days, names.

YAML guesses types (`yes` is a truth value, `5.10` a float), so nothing is coerced here: a value of another
kind is an error that says what would be right.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

_DECIMAL_SCHEMA: Final = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,15}(\.[0-9]{1,9})?$"},
        {"type": "integer", "minimum": 0},
    ]
}


NAME_PATTERN: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
CURRENCY_PATTERN: Final = r"^[A-Z]{3}$"


def _exact(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise ValueError('an exact number is wanted: write it as a quoted decimal such as "5.00"')
    return value


def _plain_date(value: Any) -> Any:
    if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date | str):
        raise ValueError("a date without a time of day is wanted, such as 2025-08-01")
    return value


Whole = Annotated[int, Strict()]
"""A whole number, written without quotes."""

Flag = Annotated[bool, Strict()]
"""`true` or `false`."""

Money = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(ge=0, max_digits=18, decimal_places=9),
    WithJsonSchema({**_DECIMAL_SCHEMA, "title": "Money"}),
]
"""An exact amount in the operator's currency."""

Percent = Annotated[
    Decimal,
    BeforeValidator(_exact),
    Field(gt=0, max_digits=18, decimal_places=9),
    WithJsonSchema({**_DECIMAL_SCHEMA, "title": "Percent"}),
]
"""An exact percentage above 0."""

Day = Annotated[datetime.date, BeforeValidator(_plain_date)]
"""A local day of the operator's zone."""

Rule = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=64)]
"""A name of lower-case letters, digits and single hyphens."""

Segment = Literal["individual", "business"]
DaysBefore = Annotated[int, Strict(), Field(ge=1, le=3660)]


class Part(BaseModel):
    """Base of all sections: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Days(Part):
    """A span of local days, both ends included."""

    since: Day | None = Field(default=None, description="First day of the span; null: open.")
    until: Day | None = Field(default=None, description="Last day of the span; null: open.")

    @model_validator(mode="after")
    def _forward(self) -> Days:
        if self.since is not None and self.until is not None and self.until < self.since:
            raise ValueError(f"until {self.until} lies before since {self.since}: no day is in this span")
        return self


class Speeds(Part):
    """A span of speeds, both ends included."""

    at_least: Whole | None = Field(default=None, ge=0, description="Lowest speed in Mbit/s; null: open.")
    at_most: Whole | None = Field(default=None, ge=0, description="Highest speed in Mbit/s; null: open.")

    @model_validator(mode="after")
    def _forward(self) -> Speeds:
        if self.at_least is not None and self.at_most is not None and self.at_most < self.at_least:
            raise ValueError(
                f"at_most {self.at_most} is below at_least {self.at_least}: no speed is in this span"
            )
        return self
