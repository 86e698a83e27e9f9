"""A small invented operator for one test: definitions as YAML, events as sentences, outcomes as dictionaries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import yaml

from engine.decide import Engine
from engine.simulation import Simulation
from engine.turn import Turn
from schemas.instant import parse_instant
from schemas.programme import Programme
from schemas.wire import read_event

OPERATOR: Final = "shop"
KEY: Final = b"for tests only, and long enough"
HEAD: Final = """\
operator: shop
title: Shop
currency: RUB
zone: Europe/Moscow
"""
TARIFF: Final = {"code": "basic", "family": "Basic", "speed_mbps": 100, "monthly_price": "1000.00"}

Outcome = dict[str, Any]


def definition(text: str, **changes: Any) -> Programme:
    """A definition from YAML below the usual head; `changes` replace sections' fields (`levels={...}`)."""
    fields = yaml.safe_load(HEAD + text)
    for section, values in changes.items():
        fields[section] = {**fields.get(section, {}), **values} if isinstance(values, dict) else values
    return Programme.model_validate(fields)


class World:
    """The engine with these definitions, at the beginning of time."""

    def __init__(self, *revisions: Programme) -> None:
        self.engine: Final = Engine(revisions, KEY)
        self._simulation: Final = Simulation(self.engine)
        self._events = 0

    def tell(self, time: str, account: str, type: str, **data: Any) -> list[Outcome]:
        """Apply an event at `2026-01-31` (noon) or `2026-01-31T10:00` local; returns all that came of it."""
        self._events += 1
        event = {
            "specversion": "1.0",
            "id": f"e{self._events}",
            "source": "/shop/test",
            "type": type,
            "subject": account,
            "operator": OPERATOR,
            "time": _time(time),
            "data": data,
        }
        read = read_event(json.dumps(event).encode(), key=None, topic=None, operators={OPERATOR})
        return _shown(self._simulation.apply(read))

    def until(self, time: str) -> list[Outcome]:
        """Let the clock go up to and including a time; a day means its 00:00."""
        return _shown(self._simulation.advance(parse_instant(_time(time, "00:00"))))

    def join(self, account: str, day: str, **profile: Any) -> list[Outcome]:
        """Open an account and activate it on the usual tariff, at noon of one day."""
        opened = self.tell(f"{day}T11:00", account, "account.opened", **{"segment": "individual", **profile})
        return opened + self.tell(day, account, "service.activated", service="internet", tariff=TARIFF)

    def pay(self, day: str, account: str = "A", months: int = 1) -> list[Outcome]:
        """Pay for the internet."""
        return self.tell(
            day, account, "payment.received", amount="1000.00", service="internet", months=months
        )

    def give_points(self, day: str, points: int, account: str = "A") -> list[Outcome]:
        """A correction by staff."""
        return self.tell(day, account, "points.adjusted", points=points, reason="goodwill", by="staff")

    def code(self, account: str) -> str:
        """The account's referral code."""
        return self.engine.codes.code(OPERATOR, account)


def of(outcomes: Iterable[Outcome], *types: str) -> list[Outcome]:
    """Those of some types."""
    return [outcome for outcome in outcomes if outcome["type"] in types]


def _time(text: str, hour: str = "12:00") -> str:
    return f"{text}:00+03:00" if "T" in text else f"{text}T{hour}:00+03:00"


def _shown(turns: Iterable[Turn]) -> list[Outcome]:
    found = []
    for turn in turns:
        for outcome in turn.outcomes:
            record = json.loads(outcome.encoded())
            found.append(
                {
                    **record["data"],
                    "type": record["type"],
                    "subject": record["subject"],
                    "on": record["time"][:10],
                    "revision": record["revision"],
                }
            )
    return found
