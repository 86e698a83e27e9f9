"""A process that can be killed or frozen at any request, and what the fates do to a request.

Between two requests a worker only computes; what it does there nobody else can see. So the steps at which a crash
makes a difference are the two sides of each request: before the broker has it, and after, before the answer is
back.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka.errors import KafkaConnectionError

from tests.memory_broker import ComeAgain, MemoryBroker

T = TypeVar("T")

TRAVEL_SECONDS: Final = (0.0, 0.0, 0.0, 0.001, 0.003, 0.02)
LATE_SECONDS: Final = (0.0, 0.01, 0.1, 1.0)
FREEZE_SECONDS: Final = (0.01, 0.3, 3.0, 12.0)
SLOW_SECONDS: Final = (1.0, 4.0, 9.0)
RETRY_SECONDS: Final = 0.01
OFTENER: Final = {"commit": 8, "abort": 10, "open": 4, "identity": 4, "ends": 4, "committed": 4}
"""Requests that are few, and that much hangs on, meet with something so many times as often."""


class Dead(Exception):
    """The process has been killed: whatever it still tries reaches nobody."""


class Fate(StrEnum):
    """What may happen to a request and who makes it."""

    KILLED_BEFORE = "killed before"
    KILLED_ON_THE_WAY = "killed on the way"
    """The request still reaches the broker, sooner or later."""
    KILLED_AFTER = "killed after"
    FROZEN_BEFORE = "frozen before"
    FROZEN_AFTER = "frozen after"
    REFUSED = "refused"
    """An error, and nothing happened."""
    ANSWER_LOST = "answer lost"
    """An error, and it happened."""
    SLOW = "slow"
    """It happens at once, but the answer takes seconds."""
    LATE = "late"
    """An error, and it happens later, if nobody has fenced it by then."""


class Strike(NamedTuple):
    """The one thing that happens in a history: which request meets with what."""

    request: int
    fate: Fate


class Fates:
    """Decides over every request from the seed; `share` of all requests meet with something.

    With `strike` exactly one does: the request of that number, counted from 0, meets with that fate.
    """

    def __init__(self, chosen: random.Random, share: float, strike: Strike | None = None) -> None:
        self._random: Final = chosen
        self._strike: Final = strike
        self.share = share
        self.met: Final[Counter[tuple[str, Fate]]] = Counter()
        """How often each fate has met each kind of request."""
        self.steps: Final[list[str]] = []
        """What kind of request each one was."""

    def of(self, step: str) -> Fate | None:
        """What this request meets with, None for nothing."""
        self.steps.append(step)
        if self._strike is not None:
            if len(self.steps) != self._strike.request + 1:
                return None
            self.met[step, self._strike.fate] += 1
            return self._strike.fate
        if self._random.random() >= self.share * OFTENER.get(step, 1):
            return None
        fate = self._random.choice(_FATES)
        self.met[step, fate] += 1
        return fate

    def travel(self) -> float:
        """How long a request or an answer is under way, in seconds."""
        return self._random.choice(TRAVEL_SECONDS)

    def choice(self, of: tuple[float, ...]) -> float:
        """One of these durations."""
        return self._random.choice(of)


_FATES: Final = tuple(Fate)


class Process:
    """One worker's process: its tasks, and its requests to the broker."""

    def __init__(self, name: str, broker: MemoryBroker, fates: Fates, say: Callable[[str], None]) -> None:
        self.name: Final = name
        self.alive = True
        self._broker: Final = broker
        self._fates: Final = fates
        self._say: Final = say
        self.waiting = 0
        """Requests under way that write or ask something; fetches do not count."""
        self.ended: Final = asyncio.Event()
        """Set when the process is dead."""
        self._awake: Final = asyncio.Event()
        self._awake.set()
        self._tasks: Final[dict[asyncio.Task[Any], None]] = {}
        """In the order they began."""

    @property
    def frozen(self) -> bool:
        """Whether it is stopped and does not know."""
        return not self._awake.is_set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Have the process do something; it ends with the process."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def kill(self) -> None:
        """End it without a chance to tidy up: from here on nothing it does is seen by anybody."""
        if self.alive:
            self._say(f"{self.name} is dead")
            self.alive = False
            self.ended.set()
            self._awake.set()
            for task in list(self._tasks):
                task.cancel()

    def freeze(self, seconds: float) -> None:
        """Stop it for a while: requests on their way arrive, answers are seen when it wakes up."""
        if self.alive and not self.frozen:
            self._say(f"{self.name} freezes for {seconds} s")
            self._awake.clear()
            asyncio.get_running_loop().call_later(seconds, self.thaw)

    def thaw(self) -> None:
        """Let it go on as if nothing had been."""
        self._awake.set()

    async def ready(self) -> None:
        """Go on only while alive and awake."""
        await self._awake.wait()
        if not self.alive:
            raise Dead

    async def request(self, step: str, effect: Callable[[], T]) -> T:
        """Have the broker do something. Raises KafkaError, as a client does when it gives up."""
        counts = step != "fetch"
        self.waiting += counts
        try:
            return await self._request(step, effect)
        finally:
            self.waiting -= counts

    async def _request(self, step: str, effect: Callable[[], T]) -> T:
        await self.ready()
        fate = self._fates.of(step)
        if fate is not None:
            self._say(f"{self.name}: {step}: {fate}")
            self._before(fate, effect)
        await asyncio.sleep(self._fates.travel())
        if not self.alive or self.frozen:
            await self.ready()
        result = await self._at_the_broker(effect)
        if fate is not None:
            self._after(fate)
        seconds = self._fates.choice(SLOW_SECONDS) if fate is Fate.SLOW else self._fates.travel()
        if seconds:
            await asyncio.sleep(seconds)
        if not self.alive or self.frozen:
            await self.ready()
        return result

    def _before(self, fate: Fate, effect: Callable[[], object]) -> None:
        if fate in (Fate.KILLED_ON_THE_WAY, Fate.LATE):
            loop = asyncio.get_running_loop()
            loop.call_later(self._fates.choice(LATE_SECONDS), _alone, effect)
        if fate in (Fate.KILLED_BEFORE, Fate.KILLED_ON_THE_WAY):
            self.kill()
            raise Dead
        if fate in (Fate.REFUSED, Fate.LATE):
            raise KafkaConnectionError("a fate")
        if fate is Fate.FROZEN_BEFORE:
            self.freeze(self._fates.choice(FREEZE_SECONDS))

    def _after(self, fate: Fate) -> None:
        if fate is Fate.KILLED_AFTER:
            self.kill()
            raise Dead
        if fate is Fate.ANSWER_LOST:
            raise KafkaConnectionError("a fate")
        if fate is Fate.FROZEN_AFTER:
            self.freeze(self._fates.choice(FREEZE_SECONDS))

    async def _at_the_broker(self, effect: Callable[[], T]) -> T:
        """Repeat it until the broker is there and has done it, as clients do."""
        while True:
            if self._broker.up:
                try:
                    return effect()
                except ComeAgain:
                    pass
            await asyncio.sleep(RETRY_SECONDS)
            await self.ready()


def _alone(effect: Callable[[], object]) -> None:
    """A request whose sender does not wait for it any more."""
    try:
        effect()
    except Exception:
        return  # it came too late: somebody else has the transactional id
