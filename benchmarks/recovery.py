"""How long a process with an empty disk takes until it has its rows again, and what they cost in memory.

The rows are those of a run over the events, copied under other accounts until there are enough, straight
into the changelog: neither this system's rows nor the Java peer's hold the account they belong to.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from benchmarks.cluster import Cluster
from benchmarks.contender import Contender, Run, topics
from benchmarks.events import PARTITIONS
from benchmarks.outcomes import read_committed
from benchmarks.race import Processes, watch
from loyalty.feed import Entry, partition_of
from loyalty.sending import Sender

SETTLE_SECONDS: Final = 3.0


class Recovery(NamedTuple):
    """Start with and without rows: seconds until ready, memory then."""

    rows: int
    row_bytes: float
    seconds: float
    seconds_empty: float
    resident_bytes: int
    resident_bytes_empty: int

    @property
    def net_seconds(self) -> float:
        """What the rows took: the start with them, less a start without."""
        return max(self.seconds - self.seconds_empty, 0.01)

    @property
    def bytes_an_account(self) -> float:
        """Memory that an idle account costs."""
        return (self.resident_bytes - self.resident_bytes_empty) / self.rows


def measure_recovery(cluster: Cluster, name: str, contender: Contender, ready: str, rows: int) -> Recovery:
    """Recover so many rows; `ready` is what the contender says when it has all of them."""
    made = _rows(cluster, name, contender)
    empty = _start(cluster, f"{name}-empty", contender, ready, [])
    copies = list(_copies(made, rows))
    full = _start(cluster, f"{name}-full", contender, ready, copies)
    row_bytes = sum(len(row) for _, row in copies) / len(copies)
    return Recovery(len(copies), row_bytes, full[0], empty[0], full[1], empty[1])


def _rows(cluster: Cluster, name: str, contender: Contender) -> dict[bytes, bytes]:
    """The rows after all events."""
    with tempfile.TemporaryDirectory(prefix="loyalty-bench-") as directory:
        run = Run(cluster.bootstrap, f"{name}-rows", Path(directory))
        written = _topics(cluster, run, contender)
        try:
            processes = Processes(contender, run)
            try:
                processes.wait_until_ready()
                asyncio.run(watch(cluster, run, contender, processes))
            finally:
                processes.stop()
            changelog = f"{run.group}-accounts-changelog"
            return {key: row for key, row in read_committed(cluster.bootstrap, [changelog]) if key and row}
        finally:
            cluster.delete([run.group, *written])


def _copies(made: dict[bytes, bytes], rows: int) -> Iterator[tuple[bytes, bytes]]:
    count = 0
    for copy in range(rows // len(made) + 1):
        for key, row in made.items():
            if count == rows:
                return
            yield b"%b.%d" % (key, copy), row
            count += 1


def _start(
    cluster: Cluster, name: str, contender: Contender, ready: str, rows: list[tuple[bytes, bytes]]
) -> tuple[float, int]:
    """Seconds until ready, and resident bytes a little later."""
    with tempfile.TemporaryDirectory(prefix="loyalty-bench-") as directory:
        run = Run(cluster.bootstrap, f"{name}-{time.time_ns() // 1_000_000}", Path(directory))
        written = _topics(cluster, run, contender)
        changelog = f"{run.group}-accounts-changelog"
        if changelog not in contender.compacted(run):
            cluster.create([changelog], compact=True)
        asyncio.run(_fill(cluster, changelog, rows))
        asyncio.run(_all_read(cluster, run, contender))
        processes = Processes(contender, run, ready)
        try:
            seconds = processes.wait_until_ready() - processes.started
            time.sleep(SETTLE_SECONDS)
            return seconds, processes.resident_bytes
        finally:
            processes.stop()
            cluster.delete([run.group, *written])


def _topics(cluster: Cluster, run: Run, contender: Contender) -> list[str]:
    written = topics(contender, run)
    cluster.create(written)
    if contender.compacted(run):
        cluster.create(contender.compacted(run), compact=True)
    return written


async def _fill(cluster: Cluster, changelog: str, rows: list[tuple[bytes, bytes]]) -> None:
    async with Sender(cluster.settings) as sender:
        await sender.send(Entry(changelog, partition_of(key, PARTITIONS), 0, key, row) for key, row in rows)


async def _all_read(cluster: Cluster, run: Run, contender: Contender) -> None:
    """Make the group's offsets those of one that has read all events, so that only rows are left to read."""
    ends = {TopicPartition(*tp): end for tp, end in cluster.ends.items() if tp[0] in contender.inputs}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=cluster.bootstrap, group_id=run.group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign(list(ends))
        await consumer.commit({tp: OffsetAndMetadata(end, "") for tp, end in ends.items()})
    finally:
        await consumer.stop()
