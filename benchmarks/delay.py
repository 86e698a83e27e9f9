"""How long it takes until an outcome can be read, from when its event was appended, at a steady rate.

The contender runs on empty topics; a process of its own appends events at the rate; this one reads what is
committed. An event's moment is when it is handed to the producer, so the way to the broker counts too.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks import ROOT
from benchmarks.cluster import INPUTS, BenchBroker, Cluster
from benchmarks.contender import Contender, Run, topics
from benchmarks.events import PARTITIONS
from benchmarks.race import Processes

WARM_UP_SECONDS: Final = 10
"""At the beginning nothing is counted: a Java process gets faster in its first seconds."""
AFTERWARDS_SECONDS: Final = 3


class Delay(NamedTuple):
    """Delays in milliseconds, over `outcomes` outcomes of events appended at `per_second`."""

    per_second: int
    outcomes: int
    median_ms: float
    p99_ms: float


def measure_delay(contender: Contender, per_second: int, seconds: int) -> Delay:
    """Delays of a contender at a rate, for so many seconds after the warm-up."""
    seconds += WARM_UP_SECONDS
    broker = BenchBroker(lambda text: None)
    try:
        cluster = Cluster(broker)
        with tempfile.TemporaryDirectory(prefix="loyalty-bench-") as directory:
            run = Run(broker.bootstrap, "delay", Path(directory))
            outcomes = contender.outcomes(run)
            cluster.create([*INPUTS, *topics(contender, run)])
            if contender.compacted(run):
                cluster.create(contender.compacted(run), compact=True)
            processes = Processes(contender, run)
            try:
                processes.wait_until_ready()
                sent = run.directory / "sent"
                command = [sys.executable, "-m", "benchmarks.feeder", broker.bootstrap]
                feeder = subprocess.Popen([*command, str(per_second), str(seconds), str(sent)], cwd=ROOT)
                readable = asyncio.run(_read(broker.bootstrap, list(outcomes), feeder))
                processes.check()
            finally:
                processes.stop()
            return _delay(per_second, orjson.loads(sent.read_bytes()), readable)
    finally:
        broker.stop()


async def _read(
    bootstrap: str, outcomes: list[str], feeder: subprocess.Popen[bytes]
) -> list[tuple[float, bytes]]:
    """(moment, outcome) of everything that becomes readable until a while after the feeder has ended."""
    readable: list[tuple[float, bytes]] = []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, p) for topic in outcomes for p in range(PARTITIONS)])
        end = float("inf")
        while time.monotonic() < end:
            batches = await consumer.getmany(timeout_ms=200)
            now = time.monotonic()
            readable += [(now, record.value) for records in batches.values() for record in records]
            if end == float("inf") and feeder.poll() is not None:
                end = now + AFTERWARDS_SECONDS
    finally:
        await consumer.stop()
    return readable


def _delay(per_second: int, sent: dict[str, float], readable: list[tuple[float, bytes]]) -> Delay:
    first = min(sent.values()) + WARM_UP_SECONDS
    delays = []
    for moment, value in readable:
        outcome = orjson.loads(value)
        appended = sent.get(f"{outcome['subject']} {outcome['causationid']}")
        if appended is not None and appended >= first:
            delays.append((moment - appended) * 1000)
    if len(delays) < 100:
        raise RuntimeError(f"only {len(delays)} outcomes to measure a delay by; is the rate kept up with?")
    delays.sort()
    return Delay(per_second, len(delays), delays[len(delays) // 2], delays[int(len(delays) * 0.99)])
