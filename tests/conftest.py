"""What all tests share: one real broker for the session, and names that never collide on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from streams.broker import Broker, start_broker
from streams.broker_embedded import EmbeddedBroker

BROKERS: Final = {"kafka_broker", "own_broker", "empty_broker", "network", "secured", "theatre"}
"""The fixtures that start brokers."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a broker: `make test` runs it beside what does not."""
    for item in items:
        if isinstance(item, pytest.Function) and BROKERS & set(item.fixturenames):
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[Broker]:
    """The session's broker: `KAFKA_BOOTSTRAP`, Docker or embedded. Starts when first asked for."""
    running = start_broker(lambda text: print(text, flush=True))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def kafka(kafka_broker: Broker) -> str:
    """Bootstrap servers of the session's broker. Tests share it, so they name topics and groups `unique`."""
    return kafka_broker.bootstrap


@pytest.fixture
def own_broker() -> Iterator[EmbeddedBroker]:
    """A broker for one test alone, which may kill and restart it; costs some 5 s and 200 MB."""
    running = EmbeddedBroker(lambda text: print(text, flush=True))
    yield running
    running.stop()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """`unique("billing")` is a name for a topic, group or application that no other test or run uses."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:12]}"
