"""The consumer group: who is in it, and what a rebalance does, when everybody plays along and when not.

As Kafka has it for eager rebalances: everybody gives up all tasks, who does not in time is out and does not know it
yet (a zombie), and the tasks are dealt out among the others. The dealing is drawn from the seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from tests.simulated_worker import SimulatedWorker

JOIN_SECONDS: Final = (0.05, 0.5, 5.0)
HEARS_SECONDS: Final = (0.01, 0.2, 2.0)


class Group:
    """Deals the tasks out again whenever somebody asks for it."""

    def __init__(self, partitions: int, chosen: random.Random, say: Callable[[str], None]) -> None:
        self._partitions: Final = partitions
        self._random: Final = chosen
        self._say: Final = say
        self._wanted: Final = asyncio.Event()
        self.members: Final[list[SimulatedWorker]] = []
        self.rebalances = 0
        self.zombies = 0

    def join(self, worker: SimulatedWorker) -> None:
        """A worker wants tasks."""
        if worker.process.alive and worker not in self.members:
            self.members.append(worker)
            self._wanted.set()

    def leave(self, worker: SimulatedWorker) -> None:
        """A worker says that it goes, or has been missed for long enough."""
        if worker in self.members:
            self.members.remove(worker)
            self._wanted.set()

    def rebalance(self) -> None:
        """Deal the tasks out again, whatever the reason."""
        self._wanted.set()

    def cut_off(self, worker: SimulatedWorker) -> None:
        """A worker is not heard any more, and goes on working until it learns of it."""
        if worker in self.members:
            self._say(f"{worker.name} is cut off")
            self.zombies += 1
            self.leave(worker)
            worker.process.spawn(self._hear(worker))

    async def run(self) -> None:
        """One rebalance after the other, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._rebalance()

    async def _rebalance(self) -> None:
        self.rebalances += 1
        members = [member for member in self.members if member.process.alive]
        self.members[:] = members
        if not members:
            return
        giving_up = {member: member.process.spawn(member.give_up_tasks()) for member in members}
        await asyncio.wait(giving_up.values(), timeout=self._random.choice(JOIN_SECONDS))
        joined = []
        for member, done in giving_up.items():
            if done.done() and not done.cancelled() and done.exception() is None and member in self.members:
                joined.append(member)
            elif member.process.alive and member in self.members:
                self.members.remove(member)
                self.zombies += 1
                self._say(f"{member.name} is thought dead")
                member.process.spawn(self._hear(member))
        if not joined:
            return
        dealt: dict[SimulatedWorker, list[int]] = {member: [] for member in joined}
        for partition in range(self._partitions):
            dealt[self._random.choice(joined)].append(partition)
        self._say("tasks: " + ", ".join(f"{member.name} {mine}" for member, mine in dealt.items()))
        for member, mine in dealt.items():
            member.process.spawn(member.take(mine))

    async def _hear(self, member: SimulatedWorker) -> None:
        """Sooner or later a worker learns that it is out, and joins again."""
        await asyncio.sleep(self._random.choice(HEARS_SECONDS))
        await member.process.ready()
        await member.give_up_tasks()
        self.join(member)
