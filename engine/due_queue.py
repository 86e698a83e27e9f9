"""Which row of a task is due next: by moment, then by key.

A store with a due index of its own is asked for a page at a time, so that opening a task reads no rows; for
any other the moments of all rows are kept in memory. Both are told of each due moment that changes, and see it at
once, before it is committed.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Final, Protocol, cast

from schemas.account import NEVER
from schemas.account_codec import next_due

PAGE_ENTRIES: Final = 1_000
"""Index entries read at a time."""

Due = tuple[int, bytes]
"""A due moment and the key of its row, in the order in which they act."""


class Rows(Protocol):
    """Committed rows that can be gone through."""

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """All rows."""


class DueIndex(Protocol):
    """What a store with a due index can tell."""

    def due(self, after: Due | None, until: int, count_max: int) -> list[Due]:
        """The first entries up to `until`, in order, at most `count_max`; those after `after` where given."""


class DueQueue(ABC):
    """The due moments of all rows of a task, uncommitted changes included."""

    @abstractmethod
    def first(self, until: int) -> bytes | None:
        """The key of the row that acts next, None when no row is due at `until`."""

    @abstractmethod
    def put(self, key: bytes, moment: int) -> None:
        """The row has another due moment now; NEVER: none."""

    @abstractmethod
    def committed(self) -> None:
        """The store has all that was put."""


class Moments:
    """Which due moment a row has now. A class, not a function: compiled, its method is called directly."""

    def of(self, key: bytes) -> int:
        """The due moment of the row of this key; NEVER: none."""
        raise NotImplementedError


def due_queue(store: Rows, moments: Moments) -> DueQueue:
    """The queue over a store's rows."""
    return IndexedQueue(cast(DueIndex, store)) if hasattr(store, "due") else HeapQueue(store, moments)


class HeapQueue(DueQueue):
    """All due moments in memory, read from the rows once.

    A row that gets another moment stays where it stood, too: whether it is still due there is asked when its turn
    has come. That costs a look at few rows, and a note of where each row stands would cost memory for all.
    """

    def __init__(self, rows: Rows, now: Moments) -> None:
        self._now: Final = now
        self._moments: Final[list[int]] = []
        """A heap of the moments that have a bucket: few, because most are midnights that many rows share."""
        self._buckets: Final[dict[int, list[bytes]]] = {}
        """Moment → keys of the rows that stood there once; those with another moment by now are passed over."""
        self._sorted: list[bytes] | None = None
        """The bucket whose keys are in order, the very next one last."""
        for key, value in rows.items():
            self.put(key, next_due(value))

    def first(self, until: int) -> bytes | None:
        """The key of the row that acts next, None when no row is due at `until`."""
        moments = self._moments
        while moments and moments[0] <= until:
            moment = moments[0]
            bucket = self._buckets[moment]
            if bucket is not self._sorted:
                bucket.sort(reverse=True)
                self._sorted = bucket
            while bucket:
                if self._now.of(bucket[-1]) == moment:
                    return bucket[-1]
                bucket.pop()
            del self._buckets[heapq.heappop(moments)]
            self._sorted = None
        return None

    def put(self, key: bytes, moment: int) -> None:
        """The row has another due moment now."""
        if moment == NEVER:
            return
        bucket = self._buckets.get(moment)
        if bucket is None:
            self._buckets[moment] = [key]
            heapq.heappush(self._moments, moment)
            return
        bucket.append(key)
        if bucket is self._sorted:
            self._sorted = None

    def committed(self) -> None:
        """Nothing: what is queued does not depend on the store."""


class IndexedQueue(DueQueue):
    """The store's index, with the uncommitted changes laid over it."""

    def __init__(self, index: DueIndex) -> None:
        self._index: Final = index
        self._page: list[Due] = []
        """Entries of the index that come next, the very next one last."""
        self._read_to: Due | None = None
        self._searched: int | None = None
        """Up to this moment the page holds all that the index has left; None: there may be more."""
        self._changed: Final[dict[bytes, int]] = {}
        self._queue: Final[list[Due]] = []
        """The changed rows' moments; one that is not in `_changed` any more is out of date."""

    def first(self, until: int) -> bytes | None:
        """The key of the row that acts next, None when no row is due at `until`."""
        stored, changed = self._first_stored(until), self._first_changed(until)
        next_ones = [due for due in (stored, changed) if due is not None]
        return min(next_ones)[1] if next_ones else None

    def put(self, key: bytes, moment: int) -> None:
        """The row has another due moment now; what the index says of it counts no more."""
        self._changed[key] = moment
        if moment != NEVER:
            heapq.heappush(self._queue, (moment, key))

    def committed(self) -> None:
        """The index has all that was put."""
        self._changed.clear()
        self._queue.clear()
        self._page.clear()
        self._read_to = self._searched = None

    def _first_stored(self, until: int) -> Due | None:
        page = self._page
        while True:
            while page and page[-1][1] in self._changed:
                page.pop()
            if page:
                return page[-1] if page[-1][0] <= until else None
            if self._searched is not None and until <= self._searched:
                return None
            entries = self._index.due(self._read_to, until, PAGE_ENTRIES)
            self._searched = None if len(entries) == PAGE_ENTRIES else until
            if entries:
                self._read_to = entries[-1]
                page += reversed(entries)

    def _first_changed(self, until: int) -> Due | None:
        queue = self._queue
        while queue and queue[0][0] <= until:
            moment, key = queue[0]
            if self._changed.get(key) == moment:
                return moment, key
            heapq.heappop(queue)
        return None
