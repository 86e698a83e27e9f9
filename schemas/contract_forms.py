"""The forms that values have on the wire: what a field of the contract may look like, and what it becomes.

Each form is a type for the models in `schemas.contract`. Pydantic reads it as a strict validator and JSON
Schema; `schemas.wire` compiles the same declaration into its lean checks. Source: SPEC section 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final

from annotated_types import Ge, Le
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas.dead_letter import Unreadable
from schemas.instant import parse_date, parse_instant

NAME_CHARACTERS_MAX: Final = 256
TEXT_CHARACTERS_MAX: Final = 1000
POINTS_MAX: Final = 10**12


@dataclass(frozen=True, slots=True)
class Spelled:
    """A value that is a JSON string of one form.

    `pattern` (anchored, without look-around, so that Python, Rust and JSON Schema read it alike) and
    `characters_max` say which strings; `convert` makes the value and may raise `Unreadable`; `right` says in
    words what would be right.
    """

    right: str
    pattern: str | None = None
    characters_max: int | None = None
    convert: Callable[[str], object] | None = None
    json_format: str | None = None
    """The `format` of JSON Schema that says more than the pattern."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The same form for pydantic: a strict string, then the conversion."""
        text = core_schema.str_schema(
            strict=True,
            min_length=None if self.pattern else 1,
            max_length=self.characters_max,
            pattern=self.pattern,
        )
        convert = self.convert
        if convert is None:
            return text

        def converted(value: str) -> object:
            try:
                return convert(value)
            except Unreadable as unreadable:
                # In braces pydantic would look for values to fill in.
                detail = unreadable.detail.replace("{", "(").replace("}", ")")
                raise PydanticCustomError(unreadable.reason, detail) from unreadable

        return core_schema.no_info_after_validator_function(converted, text)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The form for JSON Schema."""
        told = handler(schema)
        return told if self.json_format is None else {**told, "format": self.json_format}


Money = Annotated[
    Decimal,
    Spelled(
        right='money is a decimal string such as "650.00": up to 15 digits, then at most 9 after a point, '
        "no sign, no exponent",
        pattern=r"^[0-9]{1,15}(\.[0-9]{1,9})?$",
        convert=Decimal,
    ),
]
"""An exact amount of money, not negative; the account's currency unless a `currency` stands beside it."""

Percent = Annotated[
    Decimal,
    Spelled(
        right='a percentage is a decimal string such as "7.5": up to 15 digits, then at most 9 after a point',
        pattern=r"^[0-9]{1,15}(\.[0-9]{1,9})?$",
        convert=Decimal,
    ),
]
"""An exact percentage, not negative."""

IsoDate = Annotated[
    int,
    Spelled(
        right='a date is a string such as "2025-09-01", in the years 1970 to 2199',
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        convert=parse_date,
        json_format="date",
    ),
]
"""A day, as `date.toordinal()`."""

Instant = Annotated[
    int,
    Spelled(
        right='a time is an RFC 3339 string with an offset such as "2025-09-01T10:00:00+03:00"',
        convert=parse_instant,
        json_format="date-time",
    ),
]
"""When it happened, in microseconds since the Unix epoch."""

Name = Annotated[
    str,
    Spelled(
        right=f"a string of 1 to {NAME_CHARACTERS_MAX} characters without control characters",
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
        characters_max=NAME_CHARACTERS_MAX,
    ),
]
"""What names something: an account, an event, a system."""

Text = Annotated[
    str,
    Spelled(right=f"a string of 1 to {TEXT_CHARACTERS_MAX} characters", characters_max=TEXT_CHARACTERS_MAX),
]
"""Free text."""

Currency = Annotated[
    str, Spelled(right='a currency is three capital letters such as "RUB"', pattern=r"^[A-Z]{3}$")
]
"""An ISO 4217 code; whether it is the operator's is not judged here."""

Flag = bool
"""A JSON boolean."""

Months = Annotated[int, Ge(1), Le(1200)]
Quantity = Annotated[int, Ge(1), Le(1_000_000)]
DayOfMonth = Annotated[int, Ge(1), Le(31)]
WholePercent = Annotated[int, Ge(1), Le(100)]
Megabits = Annotated[int, Ge(0), Le(10**7)]
NoticeDays = Annotated[int, Ge(0), Le(3650)]
GiftPoints = Annotated[int, Ge(1), Le(POINTS_MAX)]
SignedPoints = Annotated[int, Ge(-POINTS_MAX), Le(POINTS_MAX)]
