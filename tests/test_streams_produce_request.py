"""A produce request in pieces is, on the wire, what the client would have written; so an upgrade of it is noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest

from streams.connection import report_broken_connections
from streams.produce_request import pieces, send_in_pieces

TOPICS = [
    ("loyalty.points", [(3, bytearray(b"one batch"))]),
    ("loyalty.links", [(0, bytearray(b"a")), (1, bytearray(b"another")), (7, bytearray())]),
]
VERSIONS = [request.API_VERSION for request in ProduceRequest._CLASSES]


class Writer:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written += data

    def writelines(self, data: Iterable[bytes]) -> None:
        """Keep all of it."""
        self.written += b"".join(data)


class BrokenWriter:
    """Refuses, as the system does when the peer is gone."""

    def writelines(self, data: Iterable[bytes]) -> None:
        """Refuse."""
        raise ConnectionResetError("gone")

    def close(self) -> None:
        """Nothing is left to close."""


def request(transactional_id: str | None = "loyalty-task-3") -> ProduceRequest:
    """A request for several partitions."""
    return ProduceRequest(transactional_id=transactional_id, required_acks=-1, timeout=40_000, topics=TOPICS)


def connection(version: int, writer: Any) -> Any:
    """A connection that has agreed on a version."""
    made: Any = AIOKafkaConnection("127.0.0.1", 1)
    made._versions = {ProduceRequest.API_KEY: (version, version), MetadataRequest.API_KEY: (0, 1)}
    made._writer = writer
    return made


async def written(version: int, transactional_id: str | None) -> tuple[bytes, Any]:
    """What is written for the request, and the entry of it that waits for the answer."""
    writer = Writer()
    over = connection(version, writer)
    waiting = over.send(request(transactional_id))
    waiting.close()
    return writer.written, over._requests[-1]


@pytest.fixture
def clients_own(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Puts the client's own way of sending back for the rest of a test."""
    original = AIOKafkaConnection.send
    while hasattr(original, "__wrapped__"):
        original = original.__wrapped__
    return lambda: monkeypatch.setattr(AIOKafkaConnection, "send", original)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_bytes_are_the_clients(version: int, clients_own: Callable[[], None]) -> None:
    name = "loyalty-task-3" if version >= 3 else None
    send_in_pieces()
    ours, our_entry = asyncio.run(written(version, name))
    clients_own()
    theirs, their_entry = asyncio.run(written(version, name))
    assert ours == theirs
    assert our_entry[:2] == their_entry[:2]


def test_a_batch_is_not_copied() -> None:
    found = pieces(request().prepare({ProduceRequest.API_KEY: (0, 7)}))
    batches = [batch for _, partitions in TOPICS for _, batch in partitions]
    assert [id(batch) for batch in batches] == [id(piece) for piece in found if isinstance(piece, bytearray)]


def test_a_request_for_nothing_is_the_clients_too() -> None:
    empty = ProduceRequest(transactional_id=None, required_acks=-1, timeout=1, topics=[])
    prepared = empty.prepare({ProduceRequest.API_KEY: (0, 7)})
    assert b"".join(pieces(prepared)) == prepared.encode()


def test_a_connection_that_is_gone_is_closed_and_says_so() -> None:
    async def send() -> None:
        over = connection(7, BrokenWriter())
        with pytest.raises(KafkaConnectionError, match="gone"):
            over.send(request())
        assert not over.connected()
        with pytest.raises(KafkaConnectionError):
            over.send(request())

    send_in_pieces()
    asyncio.run(send())


def test_asking_for_it_again_changes_nothing(clients_own: Callable[[], None]) -> None:
    clients_own()
    send_in_pieces()
    report_broken_connections()
    once = AIOKafkaConnection.send
    send_in_pieces()
    report_broken_connections()
    assert AIOKafkaConnection.send is once
