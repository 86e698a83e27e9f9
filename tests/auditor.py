"""An independent judge: recomputes every account from the journal alone, naively, and says where it disagrees.

Written from the rules and the journal's format, with no line of the engine: from the entries (events, links and
due moments with their outcomes, in the order applied) it rebuilds lots, debts, levels, discounts, referrals.
What events alone should have brought stands in `tests.recount`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from tests.recount import FEE_DISCOUNTS, MTS_CLOSED, Account, day_of, months_later

Data = dict[str, Any]
Cause = tuple[Any, ...]


class Auditor:
    """Reads journal entries; `finish` says everything that does not add up."""

    def __init__(self) -> None:
        self.accounts: dict[tuple[str, str], Account] = {}
        self.problems: list[str] = []
        self.judged: dict[str, int] = defaultdict(int)  # outcomes of each type
        self.ids: set[str] = set()
        self.given: dict[Cause, int] = defaultdict(int)
        self.top_ups: dict[Cause, int] = {}
        self.to_nobody: set[Cause] = set()
        self.pairs: dict[tuple[str, str], set[tuple[str, str, str]]] = defaultdict(set)
        self.cause: Cause = ()  # of the entry being read

    def read(self, entries: Iterable[bytes]) -> None:
        for entry in map(json.loads, entries):
            if entry["kind"] in ("head", "forgotten"):  # what is left of an account that was forgotten
                continue
            where = (entry["operator"], entry["account"])
            account = self.accounts.setdefault(where, Account(*where))
            try:
                self._entry(account, entry)
            except AssertionError as error:
                self.problems.append(f"{where} {entry['kind']} {entry['time']}: {error} in {entry}"[:1500])

    def finish(self) -> list[str]:
        """All problems, once every link has been delivered."""
        lost = {
            cause: left
            for cause, left in self.given.items()
            if left not in (0, self.top_ups.get(cause, 0)) and not self._is_with_nobody(cause)
        }
        self.problems += [f"given, but neither received nor returned: {lost}"] if lost else []
        for step in ("referral.accepted", "referral.completed"):
            one_sided = self.pairs[step, "advocate"] ^ self.pairs[step, "friend"]
            one_sided = {pair for pair in one_sided if not any(name.startswith("~") for name in pair)}
            self.problems += [f"{step} on one side only: {one_sided}"] if one_sided else []
        return self.problems

    def _is_with_nobody(self, cause: Cause) -> bool:
        """Whether a gift was made by or to an account that was forgotten: one side of it is in closed books."""
        return cause[1].startswith("~") or cause in self.to_nobody

    def _entry(self, account: Account, entry: Data) -> None:
        kind, applied, outcomes = entry["kind"], entry[entry["kind"]], entry["outcomes"]
        now = datetime.fromisoformat(entry["time"]).astimezone(account.zone)
        self.cause = (*account.where, "", f"due/{applied}")
        expected: tuple[int, int] | None = None
        if kind == "event":
            self.cause = (*account.where, applied["source"], applied["id"])
            assert datetime.fromisoformat(applied["time"].replace("Z", "+00:00")) == now, "time of the event"
            owed = account.facts.learn(applied, now.date())
            earned = [one for one in outcomes if one["data"]["rule"] in ("mts-accrual", "mts-welcome")]
            got = sum(one["data"]["points"] for one in earned if one["type"] == "points.credited")
            assert got == owed, f"earned {got}, not {owed}"
        elif kind == "link":
            self.cause = tuple(applied["cause"][:4])
        elif now.time() == time.min:
            ended = [one["data"] for one in outcomes if one["type"] == "discount.ended"]  # they come first
            gone = {(data["discount"], data["first_day"]) for data in ended}
            left = {key: terms for key, terms in account.discounts.items() if key not in gone}
            expected = account.facts.billing_date(now.date(), account.level, left)
        stale = [lot for lot in account.lots.values() if lot[0] and lot[1] and lot[1] < now.date()]
        assert not stale, f"outlived their expiry: {stale}"
        days = [day_of(terms[3]) for terms in account.discounts.values()]
        assert all(now.date() <= day + timedelta(1) for day in days if day), f"outlived: {account.discounts}"
        for outcome in outcomes:
            self._outcome(account, outcome, now, applied)
        if expected is not None:
            dates = [one["data"]["points"] for one in outcomes if one["data"]["reason"] == "billing-day"]
            assert (account.level, sum(dates)) == expected, (
                f"billing: {account.level}, {dates}; not {expected}"
            )
        if account.facts.closed:
            assert account.level == 0 and not account.discounts and not account.pending, "left when closed"
            assert account.balance() <= 0, "points left when closed"

    def _outcome(self, account: Account, outcome: Data, now: datetime, applied: Any) -> None:
        data, type_ = outcome["data"], outcome["type"]
        self.judged[type_] += 1
        assert outcome["id"] not in self.ids, f"id twice: {outcome['id']}"
        self.ids.add(outcome["id"])
        assert (outcome["operator"], outcome["subject"]) == account.where, "another account's outcome"
        assert outcome["source"] == "/loyalty/" + account.where[0] and {"rule", "reason"} <= set(data)
        assert outcome["causationid"] == self.cause[3], (
            f"caused by {outcome['causationid']}, not {self.cause[3]}"
        )
        assert datetime.fromisoformat(outcome["time"]) == now, "not the cause's time"
        if type_.startswith("points."):
            self._points(account, type_, data, now.date(), applied)
        elif type_.startswith("discount."):
            self._discount(account, type_, data, now.date())
        elif type_ == "level.changed":
            assert data["from"] == account.level != data["to"] in range(11), f"level was {account.level}"
            account.level = data["to"]
        elif type_ in ("referral.accepted", "referral.completed"):
            pair, role = (account.where[0], data["advocate"], data["friend"]), data["role"]
            assert data[role] == account.where[1] and pair[1] != pair[2], "role"
            assert pair not in self.pairs[type_, role], "twice"
            assert type_ == "referral.accepted" or pair in self.pairs["referral.accepted", role], (
                "not accepted"
            )
            self.pairs[type_, role].add(pair)

    def _points(self, account: Account, type_: str, data: Data, today: date, applied: Any) -> None:
        points, named = data["points"], {lot["lot"]: lot["points"] for lot in data.get("lots", [])}
        assert points > 0, "no magnitude"
        expires = day_of(data.get("expires_on"))
        if type_ == "points.expiring":
            there = sum(left for left, day in (*account.lots.values(), *account.received) if day == expires)
            assert expires and there == points and today < expires, f"warns of {points}; there are {there}"
            return
        if type_ == "points.pending":
            account.pending[data["lot"]] = points
        elif type_ == "points.rejected":
            assert points == sum(account.pending.pop(lot, 0) for lot in named), "what was pending"
        elif type_ == "points.credited":
            assert account.pending.pop(data["lot"], points) == points, "confirmed as pending"
            if data["reason"] == "gift-returned":
                self.given[self.cause] -= points
            elif account.where[0] in ("mts", "mts-2019"):
                closed = MTS_CLOSED if account.where[0] == "mts-2019" else date.max
                assert expires == min(months_later(today, 12), closed), "expiry"
            left, day = account.lots.get(data["lot"], (0, expires))
            assert day == expires, f"the lot has {day}"
            settled = min(account.debt, points)
            account.debt -= settled
            account.lots[data["lot"]] = (left + points - settled, expires)
        elif type_ == "points.received":
            lots = applied["data"]["lots"]
            assert points == sum(part for _, part, _ in lots), "not what was given"
            self.given[self.cause] -= points
            account.received += [(part, date.fromordinal(day) if day else None) for _, part, day in lots]
        else:
            owes = type_ == "points.reversed" and account.where[0] == "mts-cashback"
            assert sum(named.values()) == points or (owes and sum(named.values()) < points), "sum of the lots"
            account.debt += points - sum(named.values())
            days = [account.take(lot, part, data["reason"], today) for lot, part in named.items()]
            if type_ in ("points.redeemed", "points.gifted"):
                others = [
                    day or date.max for lot, (left, day) in account.lots.items() if left and lot not in named
                ]
                assert max(days) <= min(others, default=date.max), (
                    f"not the first to expire: {days}, {others}"
                )
                self.given[self.cause] += points if "to" in data else 0
                if str(data.get("to", "")).startswith("~"):
                    self.to_nobody.add(self.cause)
                if type_ == "points.redeemed":
                    self.top_ups[self.cause] = points
        assert data["balance"] == account.balance(), f"recomputed balance: {account.balance()}"
        assert account.balance() >= 0 or account.where[0] == "mts-cashback", "negative"

    def _discount(self, account: Account, type_: str, data: Data, today: date) -> None:
        name, key = data["discount"], (data["discount"], data["first_day"])
        held, legacy = account.discounts.get(key), data["discount"] == "legacy-discount"
        terms = (data["percent"], data["target"], data["first_day"], data["last_day"])
        covered = account.facts.covered(data["first_day"], account.discounts)
        if type_ == "discount.granted":
            assert held is None and not (covered and name in FEE_DISCOUNTS), f"beside {account.discounts}"
            account.discounts[key] = terms
        elif type_ == "discount.changed":
            assert (held or legacy) and held != terms, f"it was {held}"
            account.discounts.update({} if legacy else {key: terms})
            account.facts.legacy = (terms[2], terms[3]) if legacy else account.facts.legacy
        elif type_ == "discount.ended":
            assert held == terms or legacy, f"it was {held}"
            account.discounts.pop(key, None)
            account.facts.legacy = ("", "") if legacy else account.facts.legacy
            assert data["reason"] != "expired" or today.isoformat() > data["last_day"], "too early"
        else:
            assert covered or data["reason"] != "exclusive-discount", "nothing excludes it"
