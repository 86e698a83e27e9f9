"""One account's points, added up naively from its outcomes."""

from __future__ import annotations

from typing import Any, Final

CREDITS: Final = ("points.credited", "points.received")
DEBITS: Final = ("points.redeemed", "points.gifted", "points.expired", "points.reversed")


class Books:
    """Balance and lots. `may_owe`: this programme's balances may be negative."""

    def __init__(self, *, may_owe: bool) -> None:
        self._may_owe: Final = may_owe
        self._lots: Final[dict[str, int]] = {}
        self._unnamed = 0
        """Points received in lots whose names are first heard when they are spent."""
        self.balance = 0
        self.judged = 0
        self.problems: Final[list[str]] = []

    def enter(self, outcome: dict[str, Any]) -> None:
        """Enter one outcome and compare what it says of the balance."""
        type_, data = outcome["type"], outcome["data"]
        if type_ in CREDITS:
            self.balance += data["points"]
            if type_ == "points.credited":
                self._lots[data["lot"]] = self._lots.get(data["lot"], 0) + data["points"]
            else:
                self._unnamed += data["points"]
        elif type_ in DEBITS:
            self.balance -= data["points"]
            for lot in data["lots"]:
                self._take(outcome["id"], lot["lot"], lot["points"])
        else:
            return
        self.judged += 1
        if data["balance"] != self.balance:
            self.problems.append(f"{type_} {outcome['id']} says {data['balance']}, the sum is {self.balance}")
        if self.balance < 0 and not self._may_owe:
            self.problems.append(f"{self.balance} after {outcome['id']}")

    def _take(self, id_: str, lot: str, points: int) -> None:
        if lot not in self._lots:
            self._unnamed -= points
            if self._unnamed < 0:
                self.problems.append(f"{id_} takes {points} of lot {lot}, which nobody gave")
            return
        self._lots[lot] -= points
        if self._lots[lot] < 0:
            self.problems.append(f"{id_} leaves lot {lot} at {self._lots[lot]}")
