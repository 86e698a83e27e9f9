"""How a single-node broker for demos, tests and benchmarks is set up, embedded or in a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FOREVER: Final = 2**63 - 1
HEAP_MB: Final = (128, 768)
"""Smallest and largest Java heap: what 100,000 records a second took, with room to spare."""

SINGLE_NODE: Final[Mapping[str, str]] = {
    "node.id": "1",
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # One node cannot replicate, and few internal partitions start faster.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # After a crash the broker may come back only when its old registration has run out (default 9 s).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Workers come and go in tests: nobody waits for members that are still to come, or have gone.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # Record timestamps are event times, and those may lie a year back or ahead.
    "log.message.timestamp.before.max.ms": str(FOREVER),
    "log.message.timestamp.after.max.ms": str(FOREVER),
    "log.retention.ms": "-1",
    # A mistyped topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    # Small: the default cleaner alone asks for 128 MB.
    "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
    "num.network.threads": "2",
    "num.io.threads": "4",
}


def with_doors(settings: Mapping[str, str], host: str, doors: Mapping[int, int]) -> dict[str, str]:
    """The settings with further listeners on `host`: port listened on → port told to the clients behind it."""
    listeners, told, protocols = [], [], []
    for number, (port, told_port) in enumerate(doors.items(), 1):
        listeners.append(f",DOOR{number}://{host}:{port}")
        told.append(f",DOOR{number}://{host}:{told_port}")
        protocols.append(f",DOOR{number}:PLAINTEXT")
    added = {
        "listeners": listeners,
        "advertised.listeners": told,
        "listener.security.protocol.map": protocols,
    }
    return {name: value + "".join(added.get(name, ())) for name, value in settings.items()}


def as_properties(settings: Mapping[str, str]) -> str:
    """The text of a Kafka properties file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The same settings as the environment of the `apache/kafka` image."""
    return {
        "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper(): value
        for name, value in settings.items()
    }
