"""Faust as its guide shows it: an agent for each topic, a table, one event at a time, `topic.send`.

At least once: the table, what is sent and the offsets are not written together.
"""

from __future__ import annotations

from typing import Any

import faust
from faust.types import EventT

from benchmarks.cluster import MERGED
from benchmarks.contenders.peer_task import Arguments, Out, PeerTask, Rows, arguments, ready
from benchmarks.events import PARTITIONS
from benchmarks.outcomes import new_engine

OUTPUTS = ("points", "discounts", "members", "journal", "dead-letters", "links")


def make_app(given: Arguments) -> faust.App:
    """The app of one run."""
    app = faust.App(
        given.group,
        broker=f"kafka://{given.bootstrap}",
        value_serializer="raw",
        key_serializer="raw",
        datadir=given.directory,
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        topic_disable_leader=True,
        web_enabled=False,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        producer_linger=0.02,
    )
    engine = new_engine()
    tasks: dict[int, PeerTask] = {}
    outputs = {name: app.topic(given.topic(name), value_serializer="raw") for name in OUTPUTS}
    accounts: Any = app.Table("accounts", partitions=PARTITIONS, key_type=bytes, value_type=bytes)

    def task(event: EventT[Any]) -> PeerTask:
        partition = event.message.partition
        if partition not in tasks:
            tasks[partition] = PeerTask(partition, Rows(), engine)
        return tasks[partition]

    async def publish(out: list[Out], rows: dict[bytes, bytes]) -> None:
        for key, row in rows.items():
            accounts[key] = row
        for item in out:
            await outputs[item.name].send(
                key=item.key, value=item.value, partition=item.partition, timestamp=item.timestamp / 1000
            )

    @app.agent(app.topic(MERGED, value_serializer="raw"))
    async def decide(stream: Any) -> None:
        async for event in stream.events():
            out, rows = task(event).take([(int(event.message.timestamp * 1000), event.value)])
            await publish(out, rows)

    @app.agent(outputs["links"])
    async def link(stream: Any) -> None:
        async for event in stream.events():
            timestamp = int(event.message.timestamp * 1000)
            out, rows = task(event).take_link(timestamp, event.key, event.value)
            await publish(out, rows)

    @app.on_partitions_assigned.connect
    async def assigned(*_: Any, **__: Any) -> None:
        ready()

    return app


if __name__ == "__main__":
    faust.Worker(make_app(arguments()), loglevel="WARN").execute_from_commandline()
