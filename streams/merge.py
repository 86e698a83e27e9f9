"""The buffers of one task, merged by time. Pure: no Kafka, no clock of its own.

One account's records come on several topics and their order matters. Among the records at the head of each
topic's buffer the one with the smallest timestamp is next; at equal timestamps the topic named first wins
(the clock). A record is never moved before one that precedes it in its own topic: late is late.

A topic that is behind its known end holds the others back, because its next record may be earlier than
theirs. A topic that is caught up does not, but for an idle wait that gives its producers time. "Caught up" is
what the last answer about it said: it says nothing of records of others that arrived later, and those wait for
the next answer.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from math import inf
from operator import attrgetter
from typing import Final

from schemas.record import Record

TOPIC_BYTES_MAX: Final = 16 * 1024 * 1024
"""No more of a topic is fetched ahead than this and what one fetch brings beyond it, however large its records are."""

_TIMESTAMP: Final = attrgetter("timestamp")
_VALUE: Final = attrgetter("value")


class _Topic:
    """The buffer of one topic: records in offset order, when they arrived, and how far the topic was read."""

    __slots__ = ("arrivals", "behind", "keys", "position", "reach", "records", "seen_ms", "told")

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.keys: list[int] = []
        """For each of them the largest timestamp so far: a late record becomes due together with its predecessor."""
        self.arrivals: deque[tuple[int, int, int]] = deque()
        """(when, how many, bytes of their values) for each fetch that brought some of `records`."""
        self.behind = True
        self.reach = -1
        """The largest timestamp that has come."""
        self.seen_ms = 0
        self.position: int | None = None
        """Where reading goes on, once it is known."""
        self.told: int | None = None
        """The position that was told last."""

    def arrived_by(self, horizon_ms: float) -> int:
        """How many of the records arrived no later than `horizon_ms`."""
        return sum(count for when, count, _ in self.arrivals if when <= horizon_ms)

    @property
    def size(self) -> int:
        """Bytes of the values, about: of what one fetch brought, all count the same."""
        return sum(size for _, _, size in self.arrivals)

    def add(self, records: Sequence[Record], arrived_ms: int) -> None:
        """Take in records that follow those it has."""
        size = sum(map(len, filter(None, map(_VALUE, records))))
        self.arrivals.append((arrived_ms, len(records), size))
        before = self.keys.pop() if self.keys else None
        self.keys += accumulate(map(_TIMESTAMP, records), max, initial=before)
        self.records += records
        self.reach = max(self.reach, self.keys[-1])

    def drop(self, count: int) -> None:
        """Forget the first `count` records."""
        del self.records[:count]
        del self.keys[:count]
        # Who was late because of those is no longer; where nothing changes, nothing does from there on.
        for index, largest in enumerate(accumulate(map(_TIMESTAMP, self.records), max)):
            if self.keys[index] == largest:
                break
            self.keys[index] = largest
        while count:
            when, brought, size = self.arrivals.popleft()
            if brought > count:
                left = brought - count
                self.arrivals.appendleft((when, left, size * left // brought))
            count -= min(count, brought)


class TaskBuffers:
    """What has been fetched for one task and not yet handed on.

    `topics` are in order of precedence at equal timestamps. `records_max` bounds a batch and, per topic, how
    much is fetched ahead. `idle_ms_max` is how long buffered records wait for topics that are caught up,
    `linger_ms_max` how long a batch that is not full waits for more of any topic.
    """

    def __init__(
        self, topics: Sequence[str], *, records_max: int, idle_ms_max: float = 0, linger_ms_max: float = 0
    ) -> None:
        if records_max < 1:
            raise ValueError(f"records_max must be at least 1, not {records_max}")
        self._topics: Final = {topic: _Topic() for topic in topics}
        self._order: Final = tuple(self._topics.values())
        self._records_max: Final = records_max
        self._idle_ms_max: Final = idle_ms_max
        self._linger_ms_max: Final = linger_ms_max
        self._filled_since_ms: float | None = None

    def __len__(self) -> int:
        return sum(len(topic.records) for topic in self._order)

    def add(self, topic: str, records: Sequence[Record], arrived_ms: int = 0) -> None:
        """Take in records of `topic` that follow those it already has, and when they arrived."""
        if records:
            self._topics[topic].add(records, arrived_ms)

    def progress(self, topic: str, position: int | None, end: int | None, seen_ms: int = 0) -> None:
        """Note how far `topic` has been read: the next offset to read, its known end, and when that was known.

        While either is unknown the topic counts as behind.
        """
        found = self._topics[topic]
        found.seen_ms = seen_ms
        found.position = position
        found.behind = position is None or end is None or position < end

    def wants(self, topic: str) -> bool:
        """Whether more of `topic` should be fetched: not while it is a whole batch ahead, or so many bytes."""
        found = self._topics[topic]
        return len(found.records) < self._records_max and found.size < TOPIC_BYTES_MAX

    def waits_for(self, topic: str) -> bool:
        """Whether nothing can be taken beyond what `topic` has: of those that are behind it has come least far."""
        found = self._topics[topic]
        return found.behind and all(found.reach <= other.reach for other in self._order if other.behind)

    def take(self, now_ms: float) -> list[Record]:
        """The next batch in order, or nothing while a topic that is behind could still be earlier.

        `now_ms` is any monotonic clock in milliseconds; it only serves the waits.
        """
        filled = [topic for topic in self._order if topic.records]
        if not filled:
            return []
        if self._filled_since_ms is None:
            self._filled_since_ms = now_ms
        if any(topic.behind and not topic.records for topic in self._order):
            return []
        if now_ms - self._filled_since_ms < self._wait_ms(len(filled)):
            return []
        horizon_ms = min((topic.seen_ms for topic in self._order if not topic.behind), default=inf)
        ready = [topic.arrived_by(horizon_ms) for topic in filled]
        if not all(ready):
            return []
        batch = self._merge(filled, ready) if len(filled) > 1 else self._take_first(filled[0], ready[0])
        if not any(topic.records for topic in self._order):
            # What is left over has waited already; only what comes to empty buffers waits anew.
            self._filled_since_ms = None
        return batch

    def passed(self) -> dict[str, int]:
        """Of each topic of which nothing is left here where reading goes on, if that is further than was told before.

        All before it is worked off once the last batch is. Its last record does not say so much: what ends a transaction,
        and what was aborted, takes offsets of its own and is never handed out.
        """
        found: dict[str, int] = {}
        for name, topic in self._topics.items():
            if not topic.records and topic.position is not None and topic.position != topic.told:
                found[name] = topic.told = topic.position
        return found

    def wait_ms_left(self, now_ms: float) -> float | None:
        """How long until a wait is over and `take` should be asked again; None if there is none."""
        filled = sum(1 for topic in self._order if topic.records)
        if self._filled_since_ms is None or not filled:
            return None
        left = self._filled_since_ms + self._wait_ms(filled) - now_ms
        return left if left > 0 else None

    def _wait_ms(self, filled: int) -> float:
        idle = self._idle_ms_max if filled < len(self._order) else 0
        linger = self._linger_ms_max if len(self) < self._records_max else 0
        return max(idle, linger)

    def _take_first(self, topic: _Topic, ready: int) -> list[Record]:
        batch = topic.records[: min(ready, self._records_max)]
        topic.drop(len(batch))
        return batch

    def _merge(self, filled: Sequence[_Topic], ready: Sequence[int]) -> list[Record]:
        # Taking the smallest head again and again is a stable sort by the running maximum of each topic. Sorting does
        # it in C, and of what cannot be among the first it does nothing.
        pool: list[Record] = []
        starts: list[int] = []
        keys: list[list[int]] = []
        for topic, count in zip(filled, self._firsts(filled, ready), strict=True):
            starts.append(len(pool))
            pool += topic.records[:count]
            keys.append(topic.keys[:count])
        flat = [key for topic_keys in keys for key in topic_keys]
        order = sorted(range(len(pool)), key=flat.__getitem__)
        end = min(self._records_max, len(order))
        for topic, count, start, topic_keys in zip(filled, ready, starts, keys, strict=True):
            if len(topic_keys) == count and (topic.behind or count < len(topic.records)):
                # After its last usable record this topic's next one may come first.
                end = min(end, order.index(start + len(topic_keys) - 1) + 1)
        last = order[end - 1]
        for topic, start, topic_keys in zip(filled, starts, keys, strict=True):
            if start <= last < start + len(topic_keys):
                taken = last - start + 1
            elif start < last:
                taken = bisect_right(topic_keys, flat[last])
            else:
                taken = bisect_left(topic_keys, flat[last])
            topic.drop(taken)
        return [pool[index] for index in order[:end]]

    def _firsts(self, filled: Sequence[_Topic], ready: Sequence[int]) -> list[int]:
        """How many of each topic's records that are ready can be among the first `records_max` of all."""
        if sum(ready) <= self._records_max:
            return list(ready)
        low, high = min(topic.keys[0] for topic in filled), max(topic.keys[-1] for topic in filled)
        while low < high:
            middle = (low + high) // 2
            if sum(_up_to(filled, ready, middle)) < self._records_max:
                low = middle + 1
            else:
                high = middle
        return _up_to(filled, ready, low)


def _up_to(filled: Sequence[_Topic], ready: Sequence[int], key: int) -> list[int]:
    return [bisect_right(topic.keys, key, 0, count) for topic, count in zip(filled, ready, strict=True)]
