"""The place where it happens: a broker behind a proxy, workers, billing, and somebody who watches the offsets."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from chaos.crew import Crew
from chaos.feeder import Feeder, partition_of
from chaos.habits import PARTITIONS
from chaos.load import Load
from chaos.oracle import simulate
from chaos.proxy import Proxy
from chaos.topics_read import read_topics
from chaos.verdict import Verdict
from chaos.verifier import verify
from loyalty.deployment import engine
from schemas.topics import LINKS
from streams.broker_embedded import EmbeddedBroker
from streams.broker_ready import free_port
from streams.settings import Settings, read_settings
from streams.topics import create_topics

SESSION_MS: Final = 3_000
PATIENCE_SECONDS: Final = 90.0
LOOK_SECONDS: Final = 0.1
Ends = Mapping[tuple[str, int], int]


class ChaosError(AssertionError):
    """A fault did not fire, or the system did not recover."""


class Stage:
    """Everything a fault can touch."""

    def __init__(self, seed: int, directory: Path, broker: EmbeddedBroker, proxy: Proxy) -> None:
        self.directory: Final = directory
        self.broker: Final = broker
        self.proxy: Final = proxy
        environment = {
            "KAFKA_BOOTSTRAP": f"127.0.0.1:{proxy.port}",
            "LOYALTY_APPLICATION_ID": f"chaos-{secrets.token_hex(4)}",
            "LOYALTY_PARTITIONS": str(PARTITIONS),
            "LOYALTY_SESSION_MS": str(SESSION_MS),
            "LOYALTY_TRANSACTION_MS_MAX": "15000",
            # Small batches: many transactions for a fault to fall into.
            "LOYALTY_BATCH_RECORDS_MAX": "200",
        }
        self.settings: Final[Settings] = read_settings({**environment, "KAFKA_BOOTSTRAP": broker.bootstrap})
        self.crew: Final = Crew(directory, environment)
        self.feeder: Final = Feeder(self.settings.kafka(), PARTITIONS)
        self.load: Final = Load(seed, engine(None).codes.code, lambda key: partition_of(key, PARTITIONS))
        self.days: Final = self.load.days()
        """The days that have not been sent."""
        self.died_at: Final[Counter[str]] = Counter()
        """How often a worker was killed at each named point."""
        self._tending: asyncio.Task[None] | None = None
        self._admin: AIOKafkaAdminClient | None = None

    async def open(self, workers: int) -> None:
        """Topics, workers, and what came before the first fault."""
        await self.proxy.start()
        await create_topics(self.settings)
        for _ in range(workers):
            self.crew.start()
        self._tending = asyncio.ensure_future(self._tend())
        await self.until(lambda: sum(m.ready for m in self.crew.all) >= workers, "the workers to be ready")
        for chunk in self.load.prologue():
            await self.feeder.send(chunk)
            await self.caught_up(self.feeder.ends)

    async def close(self) -> None:
        """End everything."""
        if self._tending is not None:
            self._tending.cancel()
        self.crew.close()
        await self._hang_up()
        await self.feeder.close()
        await self.proxy.stop()

    async def finish(self) -> Verdict:
        """The last tick, rest, an orderly end of all workers, and the verdict."""
        await self.feeder.send(self.load.end())
        await self.rest()
        self.crew.closing = True
        # One that has only just been started cannot end in order yet.
        await self.until(lambda: all(m.ready for m in self.crew.living), "the last workers to be ready")
        last = self.crew.living
        for member in last:
            self.crew.dismiss(member)
        await self.until(lambda: not self.crew.living, "the workers to end")
        verdict = await self.judge()
        for member in last:
            right = member.status == 0 or self.crew.excused(member)
            verdict.check(right, f"{member.name} was asked to end: {member.status}")
        verdict.wrong.extend(self.crew.problems())
        return verdict

    async def judge(self) -> Verdict:
        """Compare the topics with the fault-free run of what was sent."""
        sent, until = self.feeder.sent, self.feeder.last_tick_ms
        fault_free = await asyncio.to_thread(simulate, sent, until, self.directory)
        topics = await read_topics(self.settings.kafka(), PARTITIONS)
        return await asyncio.to_thread(verify, topics, sent, fault_free)

    async def rest(self) -> None:
        """Wait until everything is worked off, the records between accounts included."""
        links: dict[tuple[str, int], int] = {}
        while True:
            await self.caught_up({**self.feeder.ends, **links})
            found = (await read_topics(self.settings.kafka(), PARTITIONS, (LINKS.name,)))[LINKS.name]
            now = {(LINKS.name, record.partition): record.offset + 1 for record in found}
            if now == links:
                return
            links = now

    async def caught_up(self, ends: Ends) -> None:
        """Wait until the group has committed everything before these offsets."""
        wanted, latest = dict(ends), [0]

        async def done() -> bool:
            committed = await self.committed()
            latest[0] = sum(max(0, end - committed.get(place, 0)) for place, end in wanted.items())
            return not latest[0]

        await self.until(done, lambda: f"{latest[0]} records to be worked off")

    async def committed(self) -> dict[tuple[str, int], int]:
        """What the group has committed; nothing while the broker cannot say."""
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            return await asyncio.wait_for(self._ask(), 5)
        await self._hang_up()
        return {}

    async def _ask(self) -> dict[tuple[str, int], int]:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(**self.settings.kafka(), request_timeout_ms=4_000)
            await self._admin.start()
        found: Mapping[TopicPartition, Any] = await self._admin.list_consumer_group_offsets(
            self.settings.application_id
        )
        return {(tp.topic, tp.partition): offset.offset for tp, offset in found.items()}

    async def _hang_up(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(admin.close(), 5)

    async def until(
        self,
        condition: Callable[[], bool | Awaitable[bool]],
        what: str | Callable[[], str],
        seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Wait for a condition. Raises ChaosError."""
        deadline = time.monotonic() + seconds
        while True:
            holds = condition()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            if time.monotonic() > deadline:
                text = what if isinstance(what, str) else what()
                logs = "\n".join(f"--- {m.name}: {m.status}\n{m.log[-1500:]}" for m in self.crew.all[-6:])
                raise ChaosError(f"waited {seconds:.0f} s in vain for {text}\n{logs}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _tend(self) -> None:
        while True:
            self.crew.tend()
            await asyncio.sleep(LOOK_SECONDS)


@contextlib.asynccontextmanager
async def staged(
    seed: int, say: Callable[[str], None], workers: int = 3, directory: Path | None = None
) -> AsyncIterator[Stage]:
    """A stage with a broker of its own, opened; all of it is gone afterwards."""
    with contextlib.ExitStack() as stack:
        place = directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loyalty-chaos-")))
        proxy_port, door = free_port(), free_port()
        broker = await asyncio.to_thread(lambda: EmbeddedBroker(say, doors={door: proxy_port}))
        stack.callback(broker.stop)
        stage = Stage(seed, place, broker, Proxy(proxy_port, door))
        try:
            await stage.open(workers)
            yield stage
        finally:
            await stage.close()
