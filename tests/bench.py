"""A table for state machines: one operator's accounts, a clock that only goes forward, outcomes as they come."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from engine.simulation import Simulation
from schemas.instant import parse_instant
from schemas.wire import read_event
from tests.case_runner import new_engine

ENGINE: Final = new_engine()
Data = dict[str, Any]


class Bench:
    """Sends events at noon of `today` (or another day), and keeps what comes of them."""

    def __init__(self, operator: str, today: date) -> None:
        self.operator = operator
        self.zone = ZoneInfo("Asia/Bishkek" if operator == "mega-line" else "Europe/Moscow")
        self.today = today
        self._simulation = Simulation(ENGINE)
        self._number = 0

    def code(self, account: str) -> str:
        """The account's referral code."""
        return ENGINE.codes.code(self.operator, account)

    def send(
        self, account: str, kind: str, data: Data | None = None, *, day: date | None = None
    ) -> list[Data]:
        """An event, by default of today; returns the outcomes, due ones before it included."""
        self._number += 1
        moment = datetime.combine(day or self.today, time(12), self.zone) + timedelta(
            microseconds=self._number
        )
        event = {
            "specversion": "1.0",
            "id": f"e{self._number}",
            "source": "/bench",
            "type": kind,
            "subject": account,
            "operator": self.operator,
            "time": moment.isoformat(),
            "data": data or {},
        }
        value = json.dumps(event).encode()
        turns = self._simulation.apply(
            read_event(value, key=None, topic=None, operators=ENGINE.books.operators)
        )
        return [json.loads(outcome.encoded()) for turn in turns for outcome in turn.outcomes]

    @property
    def last_id(self) -> str:
        """Id of the event sent last."""
        return f"e{self._number}"

    def wait(self, days: int) -> list[Data]:
        """The clock goes on to the noon of a later day; returns what fell due."""
        self.today += timedelta(days)
        noon = datetime.combine(self.today, time(12), self.zone).astimezone(UTC)
        turns = self._simulation.advance(parse_instant(noon.isoformat()))
        return [json.loads(outcome.encoded()) for turn in turns for outcome in turn.outcomes]

    def balance(self, account: str) -> int:
        """What the account has."""
        return self._simulation.row(self.operator, account).balance

    def level(self, account: str) -> int:
        """The account's level."""
        return self._simulation.row(self.operator, account).level


def of_type(outcomes: list[Data], type_: str) -> list[Data]:
    """The data of the outcomes of one type."""
    return [outcome["data"] for outcome in outcomes if outcome["type"] == type_]
