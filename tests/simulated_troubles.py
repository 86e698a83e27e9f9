"""What befalls a simulated history besides the fates of single requests: one trouble after the other, from the seed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from faust.types import TP

from tests.memory_broker import MemoryBroker
from tests.memory_disk import AnyDisk
from tests.simulated_group import Group
from tests.simulated_worker import SimulatedWorker

EVENT_SECONDS: Final = (0.05, 0.3, 0.8)
"""Between two troubles."""
FREEZE_SECONDS: Final = (0.05, 1.0, 6.0)
DOWN_SECONDS: Final = (0.01, 0.3)


class Troubles:
    """Makes trouble for workers, group, broker and changelog, and counts it."""

    def __init__(
        self,
        broker: MemoryBroker,
        group: Group,
        workers: Sequence[SimulatedWorker],
        changelog: Sequence[TP],
        chosen: random.Random,
        counted: Counter[str],
    ) -> None:
        self._broker: Final = broker
        self._group: Final = group
        self._workers: Final = workers
        self._changelog: Final = changelog
        self._random: Final = chosen
        self._counted: Final = counted

    async def run(self) -> None:
        """One after the other, until it is cancelled."""
        happenings: Sequence[Callable[[], None]] = (
            self._rebalance,
            self._kill_one,
            self._freeze_one,
            self._stop_one,
            self._cut_one_off,
            self._compact,
            self._compact,
            self._restart_broker,
        )
        while True:
            await asyncio.sleep(self._random.choice(EVENT_SECONDS))
            happening = self._random.choice(happenings)
            self._counted[happening.__name__.strip("_").replace("_", " ")] += 1
            happening()

    def spoil(self, disk: AnyDisk) -> None:
        """What may be found on the disk of a machine that has crashed."""
        chance = self._random.random()
        if chance < 0.2:
            self._counted["lag behind"] += 1
            disk.lose_tail(self._random)
        elif chance < 0.3:
            self._counted["lost disks"] += 1
            disk.wipe()
        elif chance < 0.35:
            self._counted["foreign disks"] += 1
            disk.become_foreign(self._random)

    def _rebalance(self) -> None:
        self._group.rebalance()

    def _one(self) -> SimulatedWorker | None:
        return self._random.choice(self._workers) if self._workers else None

    def _kill_one(self) -> None:
        if worker := self._one():
            worker.process.kill()

    def _freeze_one(self) -> None:
        if worker := self._one():
            worker.process.freeze(self._random.choice(FREEZE_SECONDS))

    def _stop_one(self) -> None:
        if worker := self._one():
            worker.process.spawn(worker.stop())

    def _cut_one_off(self) -> None:
        if worker := self._one():
            self._group.cut_off(worker)

    def _compact(self) -> None:
        changelog = self._broker.partition(self._random.choice(self._changelog))
        self._counted["records compacted away"] += changelog.compact(self._random.randrange(4))

    def _restart_broker(self) -> None:
        self._broker.restart()
        self._broker.up = False
        loop = asyncio.get_running_loop()
        loop.call_later(self._random.choice(DOWN_SECONDS), setattr, self._broker, "up", True)
