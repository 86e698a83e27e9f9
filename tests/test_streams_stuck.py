"""A worker that makes no headway leaves: a transaction that hangs, a client that has stopped fetching, a stop that waits."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from chaos.proxy import ADD_PARTITIONS, COMMIT_OFFSETS, END_TRANSACTION, PRODUCE, Proxy
from streams.broker_embedded import EmbeddedBroker
from streams.broker_ready import free_port
from tests.fetch_dies import DIES_IN
from tests.foreign_close import CLOSED_BY_ANOTHER
from tests.stream_world import World, _empty_topics, until
from tests.test_streams_exactly_once import outputs_of, some_records

LIMIT_MS: Final = 2_000


class Network:
    """A broker, and a proxy in front of it that runs in a thread."""

    def __init__(self) -> None:
        port, door = free_port(), free_port()
        self.broker: Final = EmbeddedBroker(lambda text: print(text, flush=True), doors={door: port})
        self._loop: Final = asyncio.new_event_loop()
        self.proxy: Final = Proxy(port, door)
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self.proxy.start(), self._loop).result(10)
        self.address: Final = f"127.0.0.1:{port}"

    def do(self, what: Callable[[], None]) -> None:
        """Something to the proxy, in its own thread."""
        self._loop.call_soon_threadsafe(what)

    def close(self) -> None:
        """End both."""
        asyncio.run_coroutine_threadsafe(self.proxy.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.broker.stop()


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.close()


@pytest.fixture
def world(network: Network, tmp_path: Path) -> Iterator[World]:
    made = World(network.broker.bootstrap, tmp_path, 2)
    asyncio.run(_empty_topics(made.settings))
    yield made
    made.close()
    network.do(network.proxy.let_go)


@pytest.mark.parametrize(
    "kind", [PRODUCE, ADD_PARTITIONS, COMMIT_OFFSETS, END_TRANSACTION], ids=["records", "partitions", "offsets", "commit"]
)  # fmt: skip
def test_a_transaction_that_hangs_ends_the_worker_with_status_69(
    network: Network, world: World, kind: int
) -> None:
    """Everything else goes on, heartbeats too: nothing but the limit tells the worker that it is stuck."""
    fed = some_records(600)
    worker = world.worker(KAFKA_BOOTSTRAP=network.address, LOYALTY_TRANSACTION_MS_MAX=str(LIMIT_MS))
    worker.wait_for("ready: tasks 0, 1")
    world.feed(fed[:300])
    world.wait_until_done(outputs_of(fed[:300]))
    before = network.proxy.held
    network.do(lambda: network.proxy.hold({kind}))
    world.feed(fed[300:])
    assert worker.exit_status(30) == 69, worker.log
    assert network.proxy.held > before
    last = [line for line in worker.log.splitlines() if "CRITICAL" in line]
    assert len(last) == 1 and "a transaction of task" in last[0] and "took too long" in last[0], worker.log
    assert "Traceback" not in worker.log
    network.do(network.proxy.let_go)
    next_one = world.worker()
    world.wait_until_done(outputs_of(fed))
    assert next_one.stop() == 0, next_one.log
    world.audit(fed)


@pytest.mark.parametrize("moment", ["work", "recovery"])
def test_a_client_that_stops_fetching_ends_the_worker_with_status_69(world: World, moment: str) -> None:
    """Its background task dies of what the client does not expect, and nobody is told: the worker looks by itself."""
    fed = some_records(400)
    order = world.directory / "fetching-dies"
    if moment == "recovery":
        order.touch()
    worker = world.worker("tests.fetch_dies", **{DIES_IN: str(order)})
    if moment == "work":
        worker.wait_for("ready: tasks 0, 1")
        world.feed(fed[:200])
        world.wait_until_done(outputs_of(fed[:200]))
        order.touch()
    assert worker.exit_status(30) == 69, worker.log
    assert "the client has stopped fetching: RuntimeError('the fetching was told to die')" in worker.log
    assert ("ready: tasks" in worker.log) is (moment == "work")
    world.feed(fed[200:] if moment == "work" else fed)
    next_one = world.worker()
    world.wait_until_done(outputs_of(fed))
    until(lambda: world.lag() == 0, 30, next_one.log)
    assert next_one.stop() == 0, next_one.log
    world.audit(fed)


def test_a_rebalance_while_a_worker_stops_leaves_its_connections_to_their_thread(
    network: Network, world: World
) -> None:
    """It waits for its last commit, and the group gives its tasks to another meanwhile."""
    fed = some_records(200)
    worker = world.worker("tests.foreign_close", KAFKA_BOOTSTRAP=network.address)
    worker.wait_for("ready: tasks 0, 1")
    before = network.proxy.held
    network.do(lambda: network.proxy.hold({END_TRANSACTION}))
    world.feed(fed)
    until(lambda: network.proxy.held > before, 30, lambda: worker.log)
    worker.signal(signal.SIGTERM)
    heir = world.worker()
    worker.wait_for("rebalancing")
    time.sleep(1)
    assert worker.process.poll() is None, worker.log
    network.do(network.proxy.let_go)
    assert worker.exit_status(30) == 0, worker.log
    assert CLOSED_BY_ANOTHER not in worker.log
    world.wait_until_done(outputs_of(fed))
    assert heir.stop() == 0, heir.log
    world.audit(fed)
