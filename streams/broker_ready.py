"""Whether a broker really serves: asked in Kafka's own protocol, with nothing but a socket."""

from __future__ import annotations

import socket
import struct
from typing import Final

METADATA_REQUEST: Final = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
"""Header (api key 3, version 1, correlation 1, no client id) and an empty list of topics."""
TIMEOUT_S: Final = 2.0


def reachable(host: str, port: int) -> bool:
    """Whether anything accepts a connection there."""
    try:
        with socket.create_connection((host, port), TIMEOUT_S):
            return True
    except OSError:
        return False


def serves(host: str, port: int) -> bool:
    """Whether a plaintext broker there answers and counts itself among the cluster's live brokers.

    An open port is not enough: a starting broker listens before it serves, and serves before it may be
    given partitions.
    """
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
            _size, _correlation, brokers = struct.unpack(">iii", _exactly(connection, 12))
    except (OSError, EOFError):
        return False
    return bool(brokers > 0)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = connection.recv(size - len(received))
        if not chunk:
            raise EOFError
        received += chunk
    return received
