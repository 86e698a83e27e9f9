"""What came out so far, counted: the numbers of the live view and of its summary."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import orjson

from schemas.topics import DEAD_LETTERS


class Tally:
    """Counts over outcomes and dead letters, in whatever order the topics bring them."""

    def __init__(self) -> None:
        self.outcomes = 0
        self.points_credited = 0
        self.points_redeemed = 0
        self.levels_raised = 0
        self.referrals_completed = 0
        self.levels: Final[dict[str, int]] = {}
        """Account → its level, for those that have had one."""
        self.balances: Final[dict[str, int]] = {}
        """Account → its balance after the latest movement."""
        self.discounts: Final[Counter[str]] = Counter()
        """Rule → discounts granted."""
        self.rejections: Final[Counter[str]] = Counter()
        """Reason → requests, codes and discounts that were rejected or refused."""
        self.dead_letters: Final[Counter[str]] = Counter()
        """Reason → records that were set aside."""
        self.ids: Final[list[str]] = []
        """Ids of all outcomes, as they came."""

    def take(self, topic: str, value: bytes) -> dict[str, Any]:
        """Count one record of an outcome topic or of the dead letters; returns what it says."""
        record: dict[str, Any] = orjson.loads(value)
        if topic == DEAD_LETTERS.name:
            self.dead_letters[record["reason"]] += 1
        else:
            self.count(record)
        return record

    def count(self, outcome: dict[str, Any]) -> None:
        """Count one outcome."""
        self.outcomes += 1
        self.ids.append(outcome["id"])
        account, data = outcome["subject"], outcome["data"]
        if "balance" in data:
            self.balances[account] = data["balance"]
        match outcome["type"]:
            case "points.credited":
                self.points_credited += data["points"]
            case "points.redeemed":
                self.points_redeemed += data["points"]
            case "level.changed":
                self.levels[account] = data["to"]
                self.levels_raised += data["to"] > data["from"]
            case "referral.completed":
                self.referrals_completed += data["role"] == "friend"
            case "discount.granted":
                self.discounts[data["discount"]] += 1
            case "request.rejected":
                self.rejections[data["reason"]] += 1
            case "discount.refused":
                self.rejections[data["reason"]] += 1
            case "referral.rejected":
                self.rejections[data["reason"]] += data["role"] == "friend"

    @property
    def points_outstanding(self) -> int:
        """Points that members hold now."""
        return sum(self.balances.values())

    def accounts_per_level(self) -> list[tuple[int, int]]:
        """(level, accounts at it), for levels above 0."""
        return sorted((level, count) for level, count in Counter(self.levels.values()).items() if level)

    def totals(self) -> dict[str, Any]:
        """What two runs over the same events must agree on, whatever the order of their outcomes.

        Rejections only in number: which of several reasons a code is told first may depend on whether the
        other account had been opened when the question reached it.
        """
        return {
            "outcomes": self.outcomes,
            "points credited": self.points_credited,
            "points redeemed": self.points_redeemed,
            "points outstanding": self.points_outstanding,
            "referrals completed": self.referrals_completed,
            "accounts per level": self.accounts_per_level(),
            "discounts granted": sorted(self.discounts.items()),
            "rejections": self.rejections.total(),
        }
