"""Spans of a programme definition as decisions read them; `schemas/programme_forms.py` describes each field."""

from __future__ import annotations

import datetime
from typing import Final

from schemas import programme_forms as definition


class Days:
    """A span of local days, both ends included; as ordinals, 0 for an end that is open."""

    def __init__(self, days: definition.Days) -> None:
        self.since: Final = ordinal(days.since)
        self.until: Final = ordinal(days.until)

    def include(self, day: int) -> bool:
        """Whether a day lies in the span."""
        return self.since <= day and not self.are_over(day)

    def are_over(self, day: int) -> bool:
        """Whether a day lies behind the span."""
        return self.until != 0 and day > self.until


class Speeds:
    """A span of speeds, both ends included."""

    def __init__(self, speeds: definition.Speeds) -> None:
        self.at_least: Final = speeds.at_least
        self.at_most: Final = speeds.at_most

    def include(self, mbps: int) -> bool:
        """Whether a speed in Mbit/s lies in the span."""
        return (self.at_least is None or mbps >= self.at_least) and (
            self.at_most is None or mbps <= self.at_most
        )


def ordinal(day: datetime.date | None) -> int:
    """A day of a definition as decisions read it; 0: none is given."""
    return 0 if day is None else day.toordinal()
