"""The floor: aiokafka, a record read, decoded, and one record written for it. It decides nothing."""

from __future__ import annotations

import asyncio

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata

from benchmarks.cluster import MERGED
from benchmarks.contenders.peer_task import arguments, ready


async def main() -> None:
    """Read for ever."""
    given = arguments()
    consumer = AIOKafkaConsumer(
        MERGED,
        bootstrap_servers=given.bootstrap,
        group_id=given.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 2**20,
    )
    producer = AIOKafkaProducer(bootstrap_servers=given.bootstrap, linger_ms=20, max_batch_size=500_000)
    await consumer.start()
    await producer.start()
    ready()
    out = given.topic("points")
    while True:
        batches = await consumer.getmany(timeout_ms=100, max_records=20_000)
        deliveries = []
        for tp, records in batches.items():
            for record in records:
                event = orjson.loads(record.value)
                value = orjson.dumps({"type": "seen", "id": event["id"], "time": event["time"]})
                deliveries.append(await producer.send(out, value, key=record.key, partition=tp.partition))
        if deliveries:
            await asyncio.gather(*deliveries)
            await consumer.commit(
                {
                    tp: OffsetAndMetadata(records[-1].offset + 1, "")
                    for tp, records in batches.items()
                    if records
                }
            )


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
