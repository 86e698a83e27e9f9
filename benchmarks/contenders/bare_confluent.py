"""The floor: confluent-kafka, a batch read, decoded, and one record written for each. It decides nothing."""

from __future__ import annotations

import orjson
from confluent_kafka import Consumer, Producer  # type: ignore[import-untyped,import-not-found,unused-ignore]

from benchmarks.cluster import MERGED
from benchmarks.contenders.peer_task import arguments, ready


def main() -> None:
    """Read for ever."""
    given = arguments()
    consumer = Consumer(
        {
            "bootstrap.servers": given.bootstrap,
            "group.id": given.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.message.max.bytes": 4 * 2**20,
            "queued.min.messages": 100_000,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": given.bootstrap,
            "linger.ms": 20,
            "batch.size": 500_000,
            "queue.buffering.max.messages": 1_000_000,
            "acks": "all",
        }
    )
    consumer.subscribe([MERGED], on_assign=lambda *_: ready())
    out = given.topic("points")
    while True:
        messages = consumer.consume(10_000, timeout=0.1)
        for message in messages:
            event = orjson.loads(message.value())
            value = orjson.dumps({"type": "seen", "id": event["id"], "time": event["time"]})
            producer.produce(out, value, message.key(), message.partition())
        if messages:
            producer.flush()
            consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()
