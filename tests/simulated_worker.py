"""A worker over the log in memory: the real agent, fold, reader, transactions, recovery; in place of Faust this file.

What Faust does in production and this file does here: count assignments, call the real parts in Faust's order when
tasks are taken and given, carry batches from the reader to the agent's instances, start recovery in the
background and drop one that a newer assignment has overtaken.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Final, cast

from aiokafka.errors import IllegalStateError
from faust.types import TP

from agents.accounts import add_accounts_agent
from schemas.topics import CLOCK, TASK
from streams.app import Failure, StreamApp
from streams.reader import TaskReader
from streams.settings import Settings
from streams.store import StoreFactory
from streams.table import changelog_topic
from streams.task import Batch, FoldResult, TaskFactory
from streams.task_recovery import begin_tasks, recover_tasks
from streams.task_writer import ProducerWriter
from streams.tasks import Tasks
from streams.transactions import Transactions
from tests.memory_connection import MemoryConnection
from tests.simulated_process import Process

POLL_SECONDS: Final = 0.2
STOP_SECONDS: Final = 10.0
HOP_SECONDS: Final = (0.0, 0.0, 0.0, 0.001, 0.1)
"""How long a batch is on its way from the reader to an instance of the agent."""
TASK_TOPICS: Final = (CLOCK.name, *(topic.name for topic in TASK if topic is not CLOCK))


class SimulatedWorker:
    """One worker process. `leave` is called once when it leaves in order, or because something failed."""

    def __init__(
        self,
        process: Process,
        connection: MemoryConnection,
        settings: Settings,
        new_task: TaskFactory,
        new_store: StoreFactory,
        chosen: random.Random,
    ) -> None:
        self.process: Final = process
        self.settings: Final = settings
        self.task_topics: Final = TASK_TOPICS
        self.assignment = 0
        self.failure: Failure | None = None
        self.should_stop = False
        self.partitions: Sequence[int] = ()
        self.steps = 0
        self.on_leave: Callable[[SimulatedWorker], None] = lambda worker: None
        self._connection: Final = connection
        self._random: Final = chosen
        self._flow: Final = asyncio.Event()
        self._turn: Final = asyncio.Lock()
        self._recovering: asyncio.Task[None] | None = None
        self._batches: Final[asyncio.Queue[Batch]] = asyncio.Queue()
        self.tasks: Final = Tasks(changelog_topic(settings.application_id), new_task, new_store)
        loop = asyncio.get_running_loop()
        self.reader: Final = TaskReader(
            self, connection, lambda: self._flow.is_set() and not self.should_stop, loop.time
        )
        self.transactions: Final = Transactions(
            self, partial(ProducerWriter.open, connection.open_producer, settings)
        )
        add_accounts_agent(cast(StreamApp, self))
        process.spawn(self._read())

    @property
    def name(self) -> str:
        """Its process's name."""
        return self.process.name

    @property
    def flowing(self) -> bool:
        """Whether its tasks are recovered and it reads them."""
        return self._flow.is_set() and self.process.alive and not self.should_stop

    async def give_up_tasks(self) -> None:
        """The group rebalances: what is under way is finished, nothing else is begun."""
        async with self._turn:
            self.assignment += 1
            self._flow.clear()
            self.reader.forget()
            # What waits in front of the agent is cleared, but an instance may have taken it up just before.
            while self._random.random() < 0.5 and not self._batches.empty():
                self._batches.get_nowait()
            await self.transactions.give_up_tasks()

    async def take(self, partitions: Sequence[int]) -> None:
        """These tasks are this worker's from here on: fence, then recover in the background."""
        async with self._turn:
            assignment = self.assignment
            self.partitions = partitions
            changelog = self.tasks.changelog
            topics = (*self.task_topics, changelog)
            self._connection.assign(TP(topic, partition) for topic in topics for partition in partitions)
            try:
                await self.transactions.open(partitions)
            except Exception as error:
                self.fail(error)
                return
            if self._recovering is not None:
                self._recovering.cancel()
            self._recovering = self.process.spawn(self._recover(partitions, assignment))

    async def stop(self) -> None:
        """SIGTERM: finish what is running, leave the group, end."""
        if not self.should_stop:
            self.should_stop = True
            self.reader.forget()
            await self.transactions.finish(STOP_SECONDS)
            self.on_leave(self)

    def fail(self, error: BaseException) -> None:
        """Leave: the first failure ends the process."""
        if self.process.alive and self.failure is None:
            self.failure = Failure(error)
            self.process.spawn(self.stop())

    def worked_off(
        self, partition: int, result: FoldResult, fold_seconds: float, commit_seconds: float
    ) -> None:
        """Count a committed step."""
        self.steps += 1

    def topic(self, *topics: str, **options: Any) -> AsyncIterator[Batch]:
        """What the agent reads from, as `streams.app.task_channel` asks for it."""
        return self._stream()

    def agent(self, channel: AsyncIterator[Batch], name: str, concurrency: int) -> Callable[[Any], None]:
        """Faust's decorator: run the agent's instances."""

        def start(work: Callable[[AsyncIterator[Batch]], Any]) -> None:
            for _ in range(concurrency):
                self.process.spawn(work(self._stream()))

        return start

    async def _stream(self) -> AsyncIterator[Batch]:
        while True:
            batch = await self._batches.get()
            await asyncio.sleep(self._random.choice(HOP_SECONDS))
            await self.process.ready()
            yield batch

    async def _read(self) -> None:
        try:
            while True:
                await self._flow.wait()
                await self.process.ready()
                await self.reader.fetch_some(POLL_SECONDS)
                for batch in self.reader.due():
                    self._batches.put_nowait(batch)
        except Exception as error:
            self.fail(error)

    async def _recover(self, partitions: Sequence[int], assignment: int) -> None:
        try:
            await recover_tasks(self, self._connection, partitions)
            if begin_tasks(self, partitions, assignment):
                self._flow.set()
        except IllegalStateError:
            return  # the assignment changed under us; the new one has a recovery of its own
        except Exception as error:
            self.fail(error)
