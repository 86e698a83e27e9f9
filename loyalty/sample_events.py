"""What the sample feeds share: CloudEvents of the demo's operator, and draws that are the same everywhere."""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

import orjson

from engine.calendar import Zone
from schemas.instant import HOUR_US, MINUTE_US

OPERATOR: Final = "orgtechservice"
ZONE: Final = Zone("Europe/Moscow")
BILLING: Final = "/orgtechservice/billing"
CABINET: Final = "/orgtechservice/cabinet"
STAFF: Final = "/orgtechservice/office"
_SOURCES: Final = {
    "referral.code-registered": CABINET,
    "points.redeem-requested": CABINET,
    "points.gift-requested": CABINET,
    "goal.set": CABINET,
    "tariff.change-requested": CABINET,
    "points.adjusted": STAFF,
    "discount.extended": STAFF,
}


class Arrival(NamedTuple):
    """One line of a feed and the instant it arrives, in microseconds; a late one arrives after its own time."""

    at: int
    line: bytes


def event(type_: str, account: str, id_: str, time: int, data: dict[str, Any]) -> bytes:
    """One CloudEvent of the operator as a line without its end; `time` in microseconds."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": id_,
            "source": _SOURCES.get(type_, BILLING),
            "type": type_,
            "subject": account,
            "operator": OPERATOR,
            "time": ZONE.text(time),
            "data": data,
        }
    )


def draw(account: str, what: str, choices: int) -> int:
    """A number from 0 to `choices` - 1 that depends on account and purpose only: no order, no state."""
    digest = hashlib.blake2b(f"{account}/{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % choices


def at(day: int, hour: int, minute: int = 0) -> int:
    """The instant of a local time of a day (an ordinal) in the operator's zone, in microseconds."""
    return ZONE.midnight(day) + hour * HOUR_US + minute * MINUTE_US
