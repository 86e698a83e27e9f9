"""Produce requests in pieces: the batches go to the socket from where they were built.

The client encodes a request field by field, and each level of it joins what is below anew: a batch is copied seven times
before it is written, which costs as much as filling it did. Here the fields between the batches are encoded, and the
batches stand between them as they are. The bytes on the wire are the client's own
(`tests/test_streams_produce_request.py` compares them, for each version of the request).
"""

from __future__ import annotations

from functools import wraps
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.types import Int16, Int32, String
from aiokafka.util import wait_for

from streams.record_batch import RecordBatch

Piece = bytes | bytearray

_TRANSACTIONAL_SINCE: Final = 3
"""The version of the request from which on it names the transactional id."""
_TEXT: Final = String("utf-8")


def send_in_pieces() -> None:
    """Have the client's connections write produce requests in pieces; again is no harm."""
    send = AIOKafkaConnection.send
    if getattr(send, "in_pieces", False):
        return

    @wraps(send)
    def sending(self: Any, request: Any, expect_response: bool = True) -> Any:
        if isinstance(request, ProduceRequest) and expect_response and self._writer is not None:
            return _send(self, request)
        return send(self, request, expect_response)

    sending.in_pieces = True  # type: ignore[attr-defined]
    AIOKafkaConnection.send = sending


def pieces(request: Any) -> list[Piece]:
    """The body of a produce request of the version that was agreed on, as pieces to be written one after the other."""
    fields = request.__dict__
    found: list[Piece] = []
    head = b""
    if request.API_VERSION >= _TRANSACTIONAL_SINCE:
        head = _TEXT.encode(fields["transactional_id"])
    head += Int16.encode(fields["required_acks"]) + Int32.encode(fields["timeout"])
    head += Int32.encode(len(fields["topics"]))
    for topic, partitions in fields["topics"]:
        head += _TEXT.encode(topic) + Int32.encode(len(partitions))
        for partition, batch in partitions:
            found.append(head + Int32.encode(partition) + Int32.encode(len(batch)))
            found += batch.pieces() if isinstance(batch, RecordBatch) else (batch,)
            head = b""
    return [*found, head] if head else found


def _send(connection: Any, request: ProduceRequest) -> Any:
    """What `AIOKafkaConnection.send` does, but for the copies."""
    prepared = request.prepare(connection._versions)
    number = connection._next_correlation_id()
    header = prepared.build_request_header(correlation_id=number, client_id=connection._client_id).encode()
    body = pieces(prepared)
    size = len(header) + sum(map(len, body))
    try:
        connection._writer.writelines([Int32.encode(size) + header, *body])
    except OSError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(
            f"Connection at {connection.host}:{connection.port} broken: {error}"
        ) from error
    answer = connection._loop.create_future()
    connection._requests.append((number, prepared, answer))
    return wait_for(answer, connection._request_timeout)
