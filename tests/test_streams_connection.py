"""A transport that is closed already is a broken connection, not the end of the client's background work."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from streams.connection import report_broken_connections


class ClosedWriter:
    """Writes as uvloop does when the peer has just reset the connection."""

    def write(self, data: bytes) -> None:
        """Refuse."""
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    def close(self) -> None:
        """Nothing is left to close."""


def test_a_write_on_a_closed_transport_is_a_connection_error_and_closes_the_connection() -> None:
    report_broken_connections()
    report_broken_connections()

    async def write() -> None:
        connection = AIOKafkaConnection("127.0.0.1", 1)
        connection._versions = {MetadataRequest.API_KEY: (0, 1)}
        connection._writer = ClosedWriter()
        with pytest.raises(KafkaConnectionError, match="closed=True"):
            connection.send(MetadataRequest([]))
        assert not connection.connected()

    asyncio.run(write())
