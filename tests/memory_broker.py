"""A broker in memory: partitions, the transaction coordinator with its epochs, the group's offsets.

Every method is what the broker does the moment a request reaches it; how long a request takes, and whether it or
its answer gets lost, is for `tests.memory_connection`. As in Kafka

- opening a producer raises its epoch, so that the one before is fenced, and aborts what that one left open;
- a commit is decided at once, but its markers are written one after the other, in any order, later: until the last
  of them the next transaction of that producer has to wait, and so has whoever opens it anew;
- the group's offsets of a transaction count from their own marker on;
- what is open for too long is aborted, and its producer fenced.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from aiokafka.errors import ProducerFenced
from faust.types import TP

from streams.log import Committed
from streams.record_batch import Item
from tests.memory_partition import MemoryPartition

MARKER_SECONDS: Final = (0.0, 0.001, 0.004, 0.03)
OFFSETS: Final = TP("__consumer_offsets", 0)


class ComeAgain(Exception):
    """The producer's last transaction is not through yet: the client is to repeat the request."""


class State(Enum):
    """Of a transactional id."""

    EMPTY = auto()
    ONGOING = auto()
    COMMITTING = auto()
    ABORTING = auto()


class Offset(NamedTuple):
    """An offset that a transaction is to commit, and its note. Of two that are committed the one that was asked for later
    (`number`) holds, whichever transaction was decided first."""

    offset: int
    note: str
    number: int


class Transaction:
    """What the coordinator knows of a transactional id."""

    def __init__(self) -> None:
        self.epoch = -1
        self.number = 0
        """Counts the transactions that were begun."""
        self.state = State.EMPTY
        self.places: Final[dict[TP, None]] = {}
        """Partitions it has written to, in that order; those whose marker is missing once it is decided."""
        self.offsets: Final[dict[TP, Offset]] = {}


class MemoryBroker:
    """One broker, one consumer group."""

    def __init__(self, chosen: random.Random, transaction_seconds_max: float) -> None:
        self._random: Final = chosen
        self._transaction_seconds_max: Final = transaction_seconds_max
        self._partitions: Final[dict[TP, MemoryPartition]] = {}
        self._transactions: Final[dict[str, Transaction]] = {}
        self._offsets: Final[dict[TP, Offset]] = {}
        """Those that hold."""
        self._number = 0
        self.up = True
        self.counted: Final[Counter[str]] = Counter()

    def partition(self, tp: TP) -> MemoryPartition:
        """A partition; there is any that is asked for."""
        found = self._partitions.get(tp)
        if found is None:
            found = self._partitions[tp] = MemoryPartition(tp)
        return found

    def open_producer(self, name: str) -> int:
        """Fence whoever had the transactional id; returns the new epoch. Raises ComeAgain."""
        transaction = self._transactions.setdefault(name, Transaction())
        if transaction.state is State.ONGOING:
            self._fence(name, transaction, "aborted by the next owner")
        if transaction.state is not State.EMPTY:
            raise ComeAgain
        transaction.epoch += 1
        return transaction.epoch

    def append(self, name: str, epoch: int, tp: TP, items: Sequence[Item]) -> int:
        """Write records in the producer's transaction; returns the offset of the first."""
        self._joined(name, epoch, tp)
        return self.partition(tp).append(items, name)

    def send_offsets(self, name: str, epoch: int, offsets: Mapping[TP, int], note: str) -> None:
        """Have the transaction commit these offsets, with a note on each."""
        transaction = self._joined(name, epoch, OFFSETS)
        self._number += 1
        for tp, offset in offsets.items():
            transaction.offsets[tp] = Offset(offset, note, self._number)

    def committed(self, tps: Iterable[TP]) -> Committed:
        """What the group has committed of these."""
        found = Committed({}, {})
        for tp in tps:
            held = self._offsets.get(tp)
            found.offsets[tp], found.notes[tp] = (held.offset, held.note) if held else (None, "")
        return found

    def end(self, name: str, epoch: int, *, commit: bool) -> None:
        """Decide the transaction; the markers follow."""
        transaction = self._fenced(name, epoch)
        wanted = State.COMMITTING if commit else State.ABORTING
        if transaction.state is State.ONGOING:
            self.counted["committed" if commit else "aborted"] += 1
            self._decide(name, transaction, wanted)
        elif transaction.state is not State.EMPTY and transaction.state is not wanted:
            raise ProducerFenced

    def restart(self) -> None:
        """What was open is lost: its producers are fenced. What was decided is carried out."""
        for name, transaction in self._transactions.items():
            if transaction.state is State.ONGOING:
                self._fence(name, transaction, "lost by a restart")

    @property
    def unmarked(self) -> bool:
        """Whether some transaction is decided, but lacks markers."""
        return any(found.state in (State.COMMITTING, State.ABORTING) for found in self._transactions.values())

    @property
    def undecided(self) -> bool:
        """Whether some transaction is open, or lacks markers."""
        return any(found.state is not State.EMPTY for found in self._transactions.values())

    def _fenced(self, name: str, epoch: int) -> Transaction:
        transaction = self._transactions[name]
        if epoch != transaction.epoch:
            self.counted["fenced"] += 1
            raise ProducerFenced
        return transaction

    def _joined(self, name: str, epoch: int, tp: TP) -> Transaction:
        transaction = self._fenced(name, epoch)
        if transaction.state in (State.COMMITTING, State.ABORTING):
            raise ComeAgain
        if transaction.state is State.EMPTY:
            transaction.state = State.ONGOING
            transaction.number += 1
            loop = asyncio.get_running_loop()
            loop.call_later(
                self._transaction_seconds_max, self._expire, name, transaction, transaction.number
            )
        transaction.places[tp] = None
        return transaction

    def _expire(self, name: str, transaction: Transaction, number: int) -> None:
        if transaction.state is State.ONGOING and transaction.number == number:
            self._fence(name, transaction, "open for too long")

    def _fence(self, name: str, transaction: Transaction, why: str) -> None:
        self.counted[why] += 1
        transaction.epoch += 1
        self._decide(name, transaction, State.ABORTING)

    def _decide(self, name: str, transaction: Transaction, state: State) -> None:
        transaction.state = state
        places = list(transaction.places)
        self._random.shuffle(places)
        loop = asyncio.get_running_loop()
        delay = 0.0
        for tp in places:
            delay += self._random.choice(MARKER_SECONDS)
            loop.call_later(delay, self._mark, name, transaction, tp)

    def _mark(self, name: str, transaction: Transaction, tp: TP) -> None:
        commit = transaction.state is State.COMMITTING
        if tp != OFFSETS:
            self.partition(tp).mark(name, commit=commit)
        elif commit:
            for place, offset in transaction.offsets.items():
                held = self._offsets.get(place)
                if held is None or offset.number > held.number:
                    self._offsets[place] = offset
        del transaction.places[tp]
        if not transaction.places:
            transaction.offsets.clear()
            transaction.state = State.EMPTY
