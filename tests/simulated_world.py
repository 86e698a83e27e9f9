"""One simulated history, from a seed: a load, a broker, some workers, and what befalls them.

The seed decides everything: how many tasks and workers, sizes of batches, the kind of store, how long each request
takes, what it meets with, and what happens besides. First there are faults, then it is quiet; when everything
has been worked off the judge reads the log. `run_history(seed)` is the whole interface.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Final
from unittest.mock import patch

from faust.types import TP

from streams import task_recovery
from streams.settings import Settings
from streams.store import MemoryStore, Store
from streams.table import changelog_topic
from tests.memory_broker import MemoryBroker
from tests.memory_connection import MemoryConnection
from tests.memory_disk import AnyDisk, Disk
from tests.simulated_feed import Feed
from tests.simulated_group import Group
from tests.simulated_judge import judge
from tests.simulated_load import ENGINE, LOADS, load_of
from tests.simulated_process import Fates, Process, Strike
from tests.simulated_troubles import Troubles
from tests.simulated_witness import Witnessed
from tests.simulated_worker import TASK_TOPICS, SimulatedWorker
from tests.virtual_loop import NothingHappens, run

SHARES: Final = (0.0, 0.002, 0.01, 0.03)
"""Of how many requests meet with a fate."""
QUIET_SECONDS_MAX: Final = 600.0
"""Virtual; whoever has not worked everything off by then hangs."""
QUIET_SECONDS: Final = 0.5
"""How long nothing happens before anybody is judged."""
STATUSES: Final = (69, 75)
"""How a worker may end by itself: the broker failed it, or it is fenced. Any other status is a bug."""

NewDisk = Callable[[str], AnyDisk]


class History:
    """What became of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed: Final = seed
        self.problems: list[str] = []
        self.trace: Final[list[str]] = []
        self.counted: Final[Counter[str]] = Counter()
        self.steps: Final[list[str]] = []
        """What kind of request each one was."""
        self.met: Final[Counter[tuple[str, str]]] = Counter()
        """(step, fate) → how often."""

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or wrong, and nobody hung."""
        return not self.problems


def run_history(seed: int, *, new_disk: NewDisk | None = None, strike: Strike | None = None) -> History:
    """Run one history.

    With `new_disk` all stores are on disks that it makes, by name, whatever the seed would choose. With `strike`
    one request meets with one fate and nothing else happens.
    """
    history = History(seed)
    world: list[World] = []

    async def live() -> None:
        world.append(World(history, new_disk, strike))
        await world[0].live()

    try:
        with patch.object(task_recovery, "MANY_RECORDS", 4):
            run(live())
    except NothingHappens:
        history.problems.append("everybody waits for somebody")
    world[0].count()
    return history


class World:
    """Everything there is in one history."""

    def __init__(self, history: History, new_disk: NewDisk | None, strike: Strike | None) -> None:
        self._history: Final = history
        chosen = self._random = random.Random(f"history {history.seed}")
        self._load: Final = load_of(chosen.randrange(LOADS))
        self._partitions: Final = chosen.choice((1, 2, 2, 3))
        self._workers_max: Final = chosen.choice((1, 2, 2, 3))
        self._due_moments_max: Final = chosen.choice((1, 2, 5, 5_000))
        self._on_disk: Final = chosen.random() < 0.5 or new_disk is not None
        self._new_disk: Final = new_disk or (lambda name: Disk())
        self._settings: Final = Settings.model_validate(
            {
                "application_id": "simulated",
                "partitions": self._partitions,
                "batch_records_max": chosen.choice((1, 2, 3, 5, 20, 100)),
                "task_idle_ms_max": chosen.choice((0, 5, 20)),
                "commit_linger_ms_max": chosen.choice((0, 0, 30)),
                "rebalance_seconds": 5,
                "transaction_ms_max": chosen.choice((1_000, 30_000)),
            }
        )
        self.broker: Final = MemoryBroker(
            random.Random(f"broker {history.seed}"), self._settings.transaction_ms_max / 1000
        )
        self.fates: Final = Fates(random.Random(f"fates {history.seed}"), chosen.choice(SHARES), strike)
        self._troubled: Final = chosen.random() < 0.9 and strike is None
        self.group: Final = Group(self._partitions, random.Random(f"group {history.seed}"), self._say)
        self.workers: Final[list[SimulatedWorker]] = []
        self._troubles: Final = Troubles(
            self.broker,
            self.group,
            self.workers,
            [TP(changelog_topic("simulated"), partition) for partition in range(self._partitions)],
            random.Random(f"troubles {history.seed}"),
            history.counted,
        )
        self._disks: Final[dict[str, AnyDisk]] = {}
        self._watching: Final[list[asyncio.Future[None]]] = []
        self._started = 0
        self._calm = False

    async def live(self) -> None:
        """Faults, then quiet, then the verdict."""
        grouping = asyncio.ensure_future(self.group.run())
        for number in range(self._workers_max):
            self._start(f"disk-{number}")
        troubles = asyncio.ensure_future(self._troubles.run()) if self._troubled else None
        feed = Feed(
            self.broker,
            self._partitions,
            random.Random(f"feed {self._history.seed}"),
            in_order=not self._load.late,
        )
        await feed.write(self._load.chunks)
        await asyncio.sleep(self._random.choice((0.0, 0.3, 2.0)))
        if troubles is not None:
            troubles.cancel()
        await self._calm_down()
        if await self._everything_is_worked_off():
            verdict = judge(
                self.broker, self._partitions, self._load, changelog_topic("simulated"), self._stores()
            )
            if not verdict.clean:
                self._problem(str(verdict))
        else:
            self._problem(f"not worked off after {QUIET_SECONDS_MAX:.0f} s: {self._lag()}")
        grouping.cancel()

    def count(self) -> None:
        """Write down what happened."""
        counted = self._history.counted
        counted.update(self.broker.counted)
        counted["rebalances"] += self.group.rebalances
        counted["zombies"] += self.group.zombies
        counted["workers"] += self._started
        counted["on disk"] += self._on_disk
        counted["late loads"] += self._load.late
        counted["requests"] += len(self.fates.steps)
        self._history.steps.extend(self.fates.steps)
        self._history.met.update({(step, str(fate)): n for (step, fate), n in self.fates.met.items()})

    def _start(self, disk_name: str) -> None:
        self._started += 1
        process = Process(f"worker-{self._started}", self.broker, self.fates, self._say)
        seed = f"{self._history.seed} {process.name}"
        connection = MemoryConnection(self.broker, process, random.Random(f"connection {seed}"))
        if disk_name not in self._disks:
            self._disks[disk_name] = self._new_disk(disk_name)
        disk = self._disks[disk_name]
        worker = SimulatedWorker(
            process,
            connection,
            self._settings,
            lambda partition, store: Witnessed(store, ENGINE, self._due_moments_max),
            lambda partition, cluster: disk.open(partition) if self._on_disk else MemoryStore(),
            random.Random(f"worker {seed}"),
        )
        self.workers.append(worker)
        self._say(f"{process.name} starts on {disk_name}")
        self.group.join(worker)
        self._watching.append(asyncio.ensure_future(self._watch(worker, disk_name)))

    async def _watch(self, worker: SimulatedWorker, disk_name: str) -> None:
        """What a supervisor does: when a worker has ended, another one is started in its place."""
        left: list[SimulatedWorker] = []

        def leave(worker: SimulatedWorker) -> None:
            left.append(worker)
            worker.process.kill()

        worker.on_leave = leave
        await worker.process.ended.wait()
        disk = self._disks[disk_name]
        disk.pull_out()
        if worker.failure is not None:
            status = worker.failure.exit_status
            self._history.counted[f"ended with {status}"] += 1
            self._say(f"{worker.name} ends with {status}: {worker.failure.error!r}")
            if status not in STATUSES:
                self._problem(f"{worker.name} ended with {status}: {worker.failure.error!r}")
        if not left:
            await asyncio.sleep(self._random.choice((0.1, 1.0)))  # the session times out
        self.group.leave(worker)
        self.workers.remove(worker)
        if self._on_disk and not self._calm:
            self._troubles.spoil(disk)
        await asyncio.sleep(self._random.choice((0.0, 0.2, 1.0)))
        self._start(disk_name)

    async def _calm_down(self) -> None:
        self._say("quiet from here on")
        self._calm = True
        self.fates.share = 0.0
        self.broker.up = True
        for worker in self.workers:
            worker.process.thaw()

    async def _everything_is_worked_off(self) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + QUIET_SECONDS_MAX
        since, rebalances = 0.0, -1
        while loop.time() < deadline:
            await asyncio.sleep(0.25)
            quiet = self._settled() and not self.broker.undecided and not self._lag()
            # The store gets the rows only when the answer to the commit is back.
            quiet = quiet and not any(worker.process.waiting for worker in self.workers)
            if not quiet or rebalances != self.group.rebalances:
                since, rebalances = loop.time(), self.group.rebalances
            elif loop.time() - since > QUIET_SECONDS:
                return True
        return False

    def _settled(self) -> bool:
        """Whether every task has one owner, and that one has recovered it."""
        owned = [
            partition for member in self.group.members if member.flowing for partition in member.partitions
        ]
        everybody = len(self.workers) == len(self.group.members) == self._workers_max
        return everybody and sorted(owned) == list(range(self._partitions))

    def _lag(self) -> dict[TP, int]:
        """Records that the group has not committed."""
        found = {}
        for topic in TASK_TOPICS:
            for partition in range(self._partitions):
                tp = TP(topic, partition)
                done = self.broker.committed([tp]).offsets[tp] or 0
                left = len(self.broker.partition(tp).read(done, 10**9).records)
                if left:
                    found[tp] = left
        return found

    def _stores(self) -> list[tuple[str, int, Store]]:
        """The stores of all that have tasks now."""
        found = []
        for worker in self.group.members:
            for partition in worker.partitions:
                store = worker.tasks.opened(partition)
                if worker.process.alive and store is not None:
                    found.append((worker.name, partition, store))
        return found

    def _say(self, text: str) -> None:
        self._history.trace.append(f"{asyncio.get_running_loop().time() - 1000:8.3f} {text}")

    def _problem(self, text: str) -> None:
        self._say(text)
        self._history.problems.append(text)
