"""The load: a few weeks of a few members, made so that the outcomes do not depend on when a record arrives.

The roles are those of `chaos.habits`, only fewer: plain members, to whom nothing ever comes from others; givers so
rich that no gift empties them; receivers, advocates and friends, who spend nothing. What goes wrong upstream is in
it: repetitions, contradictions, nonsense.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from chaos.habits import MOBILE, PBX, STAFF, TARIFFS, Wish
from chaos.load import Chunk, Planned
from chaos.oracle import FaultFree
from engine.decide import Engine
from engine.simulation import Simulation
from schemas.dead_letter import Unreadable
from schemas.wire import read_event
from tests.case_runner import new_engine

ENGINE: Final[Engine] = new_engine()
LOADS: Final = 200
"""So many different loads are made; a load and its fault-free run serve many histories."""
LATE_EVERY: Final = 3
START: Final = datetime(2021, 8, 2, tzinfo=UTC)
PROFILE: Final = {"segment": "individual", "dwelling": "house", "city": "Labinsk"}
PAYMENT: Final = {"amount": "650.00", "service": "internet", "months": 1}
CHUNKS: Final = 5
CHUNK_DAYS: Final = 14


class SimulatedLoad:
    """One load: its chunks, all its records, and what comes of them when nothing goes wrong.

    In a `late` one some events are delivered weeks after they happened, and a chunk in any order. Then nobody can
    say beforehand which record is applied first, and so what will come of them: `fault_free` is None.
    """

    def __init__(self, seed: int, *, late: bool) -> None:
        self.late: Final = late
        self._random: Final = random.Random(f"load {seed}")
        self._number = 0
        self._last_ms = 0
        self._bought: Final[list[str]] = []
        self._counts: Final[Counter[str]] = Counter()
        self._held_back: Final[list[tuple[int, list[Planned]]]] = []
        """Records that are delivered with the chunk of that number."""
        self.chunks: Final = [self._chunk(number) for number in range(CHUNKS)]
        end = START + timedelta(CHUNKS * CHUNK_DAYS + 1)
        self.chunks.append(Chunk([], [_ms(end)]))
        self.sent: Final = [record for chunk in self.chunks for record in chunk.records]
        self.fault_free: Final = None if late else _fault_free(self.sent, _ms(end))

    def _chunk(self, number: int) -> Chunk:
        chosen = self._random
        start = START + timedelta(number * CHUNK_DAYS)
        wishes = self._joining() if number == 0 else [self._wish() for _ in range(chosen.randint(1, 6))]
        moments = sorted(chosen.randrange(CHUNK_DAYS * 86_400) for _ in wishes)
        records: list[Planned] = []
        for second, wish in zip(moments, wishes, strict=True):
            self._last_ms = max(_ms(start + timedelta(seconds=second)), self._last_ms + 1)
            made = list(self._records(self._last_ms, wish))
            if self.late and 0 < number < CHUNKS - 1 and chosen.random() < 0.3:
                self._held_back.append((chosen.randint(number + 1, min(number + 2, CHUNKS - 1)), made))
            else:
                records += made
        records += [record for to, late in self._held_back if to == number for record in late]
        ticks = [_ms(start + timedelta(day)) for day in range(CHUNK_DAYS) if chosen.random() < 0.1]
        return Chunk(records, ticks)

    def _joining(self) -> list[Wish]:
        wishes = []
        for name in ("P0", "G0", "R0"):
            wishes.append(Wish("mts", name, "account.opened", {"segment": "individual"}))
            wishes.append(Wish("mts", name, "service.activated", MOBILE))
        wishes.append(Wish("mts", "G0", "points.adjusted", {"points": 60_000, **STAFF}))
        for name, day in (("I0", 10), ("I1", 20)):
            activation = {"service": "internet", "billing_day": day, "tariff": TARIFFS[0]}
            wishes.append(Wish("orgtechservice", name, "account.opened", PROFILE))
            wishes.append(Wish("orgtechservice", name, "service.activated", activation))
        wishes.append(Wish("t2-pbx", "V0", "account.opened", {"segment": "individual"}))
        wishes.append(Wish("t2-pbx", "V0", "service.activated", PBX))
        return wishes

    def _wish(self) -> Wish:
        chosen = self._random
        chance = chosen.random()
        if chance < 0.25:
            data = {"to": "R0", "points": chosen.choice((1, 7, 50))}
            return Wish("mts", "G0", "points.gift-requested", data)
        if chance < 0.4:
            data = {"amount": chosen.choice(("4.99", "59.99", "333.33")), "category": "mobile"}
            return Wish("mts", "P0", "charge.posted", data)
        if chance < 0.6:
            self._bought.append(f"B{len(self._bought)}")
            data = {"purchase": self._bought[-1], "amount": "999.50", "channel": "salon", "percent": "7.5"}
            return Wish("mts", "P0", "purchase.completed", data)
        if chance < 0.7 and self._bought:
            return Wish("mts", "P0", "purchase.returned", {"purchase": chosen.choice(self._bought)})
        if chance < 0.8:
            return Wish("mts", "P0", "points.redeem-requested", {"reward": "blacklist"})
        if chance < 0.9:
            return self._internet()
        return self._friend()

    def _internet(self) -> Wish:
        """A member of the internet provider pays, or does not; the billing dates come anyway."""
        return Wish("orgtechservice", self._random.choice(("I0", "I1")), "payment.received", PAYMENT)

    def _friend(self) -> Wish:
        """Somebody registers the code of an advocate: one friend only, so that no order matters."""
        done = self._number_of("t2-pbx")
        if done >= 3:
            return Wish("mts", "P0", "charge.posted", {"amount": "30.00", "category": "home-tv"})
        steps: list[tuple[str, dict[str, Any]]] = [
            ("account.opened", {"segment": "individual"}),
            ("service.activated", PBX),
            ("referral.code-registered", {"code": ENGINE.codes.code("t2-pbx", "V0")}),
        ]
        return Wish("t2-pbx", "F0", *steps[done])

    def _number_of(self, operator: str) -> int:
        """How often an operator has been asked for before."""
        self._counts[operator] += 1
        return self._counts[operator] - 1

    def _records(self, time_ms: int, wish: Wish) -> Iterator[Planned]:
        self._number += 1
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"s{self._number}",
            "source": f"/{wish.operator}/simulation",
            "type": wish.type,
            "subject": wish.account,
            "operator": wish.operator,
            "time": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "data": wish.data,
        }
        key = f"{wish.operator}/{wish.account}".encode()
        yield Planned(time_ms, key, wish.type, json.dumps(event).encode(), True)
        chance = self._random.random()
        if chance < 0.04:
            yield Planned(time_ms, key, wish.type, json.dumps(event).encode(), False)
        elif chance < 0.06:
            event["data"] = {**wish.data, "note": "not what was said before"}
            yield Planned(time_ms, key, wish.type, json.dumps(event).encode(), False)
        elif chance < 0.1:
            yield Planned(time_ms, key, wish.type, b'{"nonsense":%d}' % self._number, False)


@lru_cache(maxsize=LOADS)
def load_of(number: int) -> SimulatedLoad:
    """A load by its number."""
    return SimulatedLoad(number, late=number % LATE_EVERY == 0)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _fault_free(sent: list[Planned], until_ms: int) -> FaultFree:
    """What `loyalty simulate` makes of it."""
    simulation = Simulation(ENGINE)
    outcomes: list[dict[str, Any]] = []
    refused: set[tuple[str, str]] = set()
    for record in sent:
        try:
            event = read_event(record.value, key=record.key, topic=None, operators=ENGINE.books.operators)
            for turn in simulation.apply(event):
                outcomes += [json.loads(outcome.encoded()) for outcome in turn.outcomes]
        except Unreadable as error:
            refused.add((error.reason, record.value.decode()))
    for turn in simulation.advance(until_ms * 1000):
        outcomes += [json.loads(outcome.encoded()) for outcome in turn.outcomes]
    return FaultFree(outcomes, refused)
