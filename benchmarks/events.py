"""The events of the benchmarks: the same ones for everyone, and in the same order.

`make_feed(1_000_000)` is 200,000 accounts over half a year: five events an account, of all the types that
SPEC 2.1 speaks of, with late, repeated, conflicting and unreadable records among them, and a tick of the
clock at every midnight of Moscow, the last one after everything. Nothing depends on anything but the number.
"""

from __future__ import annotations

import contextlib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from benchmarks.customers import OPERATOR, account_of, members, read_customers
from benchmarks.life import FIRST_DAY, Happening, Life, is_advocate
from engine.calendar import Zone
from engine.codes import ReferralCodes
from loyalty.feed import Entry, partition_of
from loyalty.ticks import midnights, tick_value
from schemas.topics import CLOCK, TASK, TOPIC_OF_TYPE

PARTITIONS: Final = 8
EVENTS_AN_ACCOUNT: Final = 5
CODE_KEY: Final = b"benchmarks: everybody knows this key"
ZONE: Final = Zone("Europe/Moscow")
_SECOND: Final = 1_000_000
_ARRIVES: Final = slice(0, 10)
_DAY_SECONDS: Final = 86_400
_TOPIC_ORDER: Final = {
    topic.name: place for place, topic in enumerate((CLOCK, *(t for t in TASK if t is not CLOCK)))
}


class Feed(NamedTuple):
    """All records in the order in which they are written, ticks among them."""

    entries: list[Entry]
    accounts: int
    in_referrals: frozenset[str]
    """Accounts whose balance other accounts change: when they do is not the same in every run."""

    @property
    def events(self) -> int:
        """How many of the records are events, not ticks."""
        return sum(1 for entry in self.entries if entry.key is not None)

    def types(self) -> Counter[str]:
        """Events by type."""
        return Counter(
            orjson.loads(entry.value)["type"] for entry in self.entries if entry.value.startswith(b"{")
        )


def make_feed(events: int, also: Iterable[Happening] = ()) -> Feed:
    """So many events and the ticks between them; `also` are others that happen among them."""
    accounts = max(events // EVENTS_AN_ACCOUNT, 1)
    happenings, in_referrals = _happenings(accounts)
    happenings += also
    happenings.sort(key=attrgetter("arrives"))
    return Feed(list(_with_ticks(happenings[:events])), accounts, frozenset(in_referrals))


def merged(feed: Feed) -> list[Entry]:
    """The records in the order in which a task must apply them, tasks side by side.

    By time; a record that comes after later ones of its topic and partition comes when they come.
    """
    latest: dict[tuple[str, int], int] = {}
    keyed = []
    for place, entry in enumerate(feed.entries):
        source = entry.topic, entry.partition
        latest[source] = due = max(latest.get(source, 0), entry.timestamp)
        keyed.append((due, _TOPIC_ORDER[entry.topic], place))
    keyed.sort()
    return [feed.entries[place] for _, _, place in keyed]


def write_values(events: int, file: Path, accounts_at_once: int = 200_000) -> int:
    """Write the values of so many events in their order, a line each; returns how many.

    They are those of `make_feed`, but only so many accounts are in memory at a time.
    """
    accounts = max(events // EVENTS_AN_ACCOUNT, 1)
    start = ZONE.midnight(FIRST_DAY)
    parts = []
    for first in range(0, accounts, accounts_at_once):
        happenings, _ = _happenings(accounts, range(first, min(first + accounts_at_once, accounts)))
        happenings.sort(key=attrgetter("arrives"))
        parts.append(file.with_name(f"{file.name}.{first}"))
        with parts[-1].open("wb") as part:
            for happening in happenings:
                value = _entry(happening, start + happening.happened * _SECOND).value
                part.write(b"%010d%b\n" % (happening.arrives, value))
    with contextlib.ExitStack() as stack, file.open("wb") as out:
        lines = heapq.merge(
            *(stack.enter_context(part.open("rb")) for part in parts), key=itemgetter(_ARRIVES)
        )
        written = 0
        for line in islice(lines, events):
            out.write(line[10:])
            written += 1
    for part in parts:
        part.unlink()
    return written


def _happenings(accounts: int, numbers: range | None = None) -> tuple[list[Happening], set[str]]:
    """What so many accounts do, or those of them with these numbers; and who of them is in referrals."""
    codes = ReferralCodes(CODE_KEY)
    customers = read_customers()
    happenings: list[Happening] = []
    in_referrals: set[str] = set()
    for member in members(customers, numbers or range(accounts)):
        life = Life(
            member,
            code_of=lambda number: codes.code(OPERATOR, account_of(customers, number)),
            is_advocate=is_advocate(member.number),
        )
        happenings += life.happenings
        if life.is_friend or is_advocate(member.number):
            in_referrals.add(member.account)
    return happenings, in_referrals


def _with_ticks(happenings: list[Happening]) -> Iterator[Entry]:
    start = ZONE.midnight(FIRST_DAY)
    end = ZONE.midnight(FIRST_DAY + happenings[-1].arrives // _DAY_SECONDS + 1)
    ticks = midnights([ZONE.name], start, end)
    at = 0
    for happening in happenings:
        while ticks[at] <= start + happening.arrives * _SECOND:
            yield from _tick(ticks[at])
            at += 1
        yield _entry(happening, start + happening.happened * _SECOND)
    for tick in ticks[at:]:
        yield from _tick(tick)


def _tick(time: int) -> Iterator[Entry]:
    value = tick_value(time)
    return (Entry(CLOCK.name, partition, time // 1000, None, value) for partition in range(PARTITIONS))


def _entry(happening: Happening, time: int) -> Entry:
    key = f"{OPERATOR}/{happening.account}".encode()
    content: dict[str, Any] = {
        "specversion": "1.0",
        "id": happening.id,
        "source": happening.source,
        "type": happening.type,
        "subject": happening.account,
        "operator": OPERATOR,
        "time": ZONE.text(time),
        "datacontenttype": "application/json",
        "data": happening.data,
    }
    topic = TOPIC_OF_TYPE[happening.type]
    return Entry(topic, partition_of(key, PARTITIONS), time // 1000, key, orjson.dumps(content))
