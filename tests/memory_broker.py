"""A broker in memory: partitions, the transaction coordinator with its epochs, the group's offsets.

Every method is what the broker does the moment a request reaches it; how long a request takes, and whether it or
its answer gets lost, is for `tests.memory_connection`. As in Kafka

- opening a producer raises its epoch, so that the one before is fenced, and aborts what that one left open;
- a commit is decided at once, but its markers are written one after the other, in any order, later: until the last
  of them the next transaction of that producer has to wait, and so has whoever opens it anew;
- the group's offsets of a transaction count from their own marker on.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final

from aiokafka.errors import ProducerFenced
from faust.types import TP

from streams.log import Item
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


class Transaction:
    """What the coordinator knows of a transactional id."""

    def __init__(self) -> None:
        self.epoch = -1
        self.state = State.EMPTY
        self.places: Final[dict[TP, None]] = {}
        """Partitions it has written to, in that order; those whose marker is missing once it is decided."""
        self.offsets: Final[dict[TP, int]] = {}


class MemoryBroker:
    """One broker, one consumer group."""

    def __init__(self, chosen: random.Random) -> None:
        self._random: Final = chosen
        self._partitions: Final[dict[TP, MemoryPartition]] = {}
        self._transactions: Final[dict[str, Transaction]] = {}
        self.offsets: Final[dict[TP, int]] = {}
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
            transaction.epoch += 1
            self.counted["aborted by the next owner"] += 1
            self._decide(name, transaction, State.ABORTING)
        if transaction.state is not State.EMPTY:
            raise ComeAgain
        transaction.epoch += 1
        return transaction.epoch

    def append(self, name: str, epoch: int, tp: TP, items: Sequence[Item]) -> int:
        """Write records in the producer's transaction; returns the offset of the first."""
        self._joined(name, epoch, tp)
        return self.partition(tp).append(items, name)

    def send_offsets(self, name: str, epoch: int, offsets: Mapping[TP, int]) -> None:
        """Have the transaction commit these offsets."""
        self._joined(name, epoch, OFFSETS).offsets.update(offsets)

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
                transaction.epoch += 1
                self.counted["lost by a restart"] += 1
                self._decide(name, transaction, State.ABORTING)

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
        transaction.state = State.ONGOING
        transaction.places[tp] = None
        return transaction

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
            self.offsets.update(transaction.offsets)
        del transaction.places[tp]
        if not transaction.places:
            transaction.offsets.clear()
            transaction.state = State.EMPTY
