"""Appends events at a steady rate: `python -m benchmarks.feeder BOOTSTRAP PER_SECOND SECONDS FILE`.

FILE gets the moment of each event, by subject and id, so that whoever reads outcomes can tell their delay.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

import orjson
from aiokafka import AIOKafkaProducer

from benchmarks.events import make_feed

SLICE_SECONDS: Final = 0.01


async def feed(bootstrap: str, per_second: int, seconds: int) -> dict[str, float]:
    """Append for so many seconds; returns the moment of each event."""
    entries = make_feed(per_second * seconds).entries
    names = [_name(entry.value) for entry in entries]
    moments: dict[str, float] = {}
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=0, max_batch_size=200_000) as producer:
        start = time.monotonic()
        at = 0
        while at < len(entries):
            now = time.monotonic()
            due = min(int((now - start) * len(entries) / seconds), len(entries))
            for entry, name in zip(entries[at:due], names[at:due], strict=True):
                moments[name] = now
                await producer.send(
                    entry.topic,
                    entry.value,
                    key=entry.key,
                    partition=entry.partition,
                    timestamp_ms=entry.timestamp,
                )
            at = due
            await asyncio.sleep(SLICE_SECONDS)
    return moments


def _name(value: bytes) -> str:
    event = orjson.loads(value)
    return f"{event.get('subject')} {event['id']}"


if __name__ == "__main__":
    import uvloop

    sent = uvloop.run(feed(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    Path(sys.argv[4]).write_bytes(orjson.dumps(sent))
