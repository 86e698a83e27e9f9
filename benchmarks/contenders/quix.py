"""Quix Streams with its exactly-once processing: a dataframe over two topics, rows in its state.

Its state belongs to a message key, so the merged topic is keyed by task, and a task's rows are its entries.
"""

from __future__ import annotations

from typing import Any

from quixstreams import Application
from quixstreams.models import Serializer, TopicConfig

from benchmarks.cluster import MERGED
from benchmarks.contenders.peer_task import Out, PeerTask, Rows, arguments, ready, task_token
from benchmarks.events import PARTITIONS
from benchmarks.outcomes import new_engine

_TASK_OF_TOKEN = {task_token(partition): partition for partition in range(PARTITIONS)}


class ValueOf(Serializer):
    """Writes the value of what the fold wants written; a step to another account carries its key with it."""

    def __call__(self, value: Out, ctx: Any) -> bytes:
        """The record's value."""
        return b"\x00%b\x00%b" % (value.key or b"", value.value) if value.name == "links" else value.value


def main() -> None:
    """Run until stopped."""
    given = arguments()
    app = Application(
        broker_address=given.bootstrap,
        consumer_group=given.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=given.directory,
        commit_interval=1.0,
        consumer_poll_timeout=0.1,
        loglevel="WARNING",
        producer_extra_config={"linger.ms": 20, "batch.size": 500_000},
        consumer_extra_config={"queued.min.messages": 100_000},
        use_changelog_topics=True,
    )
    config = TopicConfig(num_partitions=PARTITIONS, replication_factor=1)

    def topic(name: str) -> Any:
        return app.topic(
            name,
            key_serializer="bytes",
            value_serializer=ValueOf(),
            key_deserializer="bytes",
            value_deserializer="bytes",
            config=config,
        )

    outputs = {
        name: topic(given.topic(name))
        for name in ("points", "discounts", "members", "journal", "dead-letters", "links")
    }
    engine = new_engine()
    tasks: dict[int, PeerTask] = {}

    def decide(value: bytes, key: bytes, timestamp: int, headers: Any, state: Any) -> list[Out]:
        partition = _TASK_OF_TOKEN[key]
        task = tasks.get(partition)
        if task is None:
            if not tasks:
                ready()
            task = tasks[partition] = PeerTask(partition, Rows(), engine)
        if value[:1] == b"\x00":
            account, _, link = value[1:].partition(b"\x00")
            out, rows = task.take_link(timestamp, account, link)
        else:
            out, rows = task.take([(timestamp, value)])
        for account, row in rows.items():
            state.set_bytes(account.decode(), row)
        return out

    frame = app.dataframe(topic(MERGED)).concat(app.dataframe(outputs["links"]))
    written = frame.apply(decide, stateful=True, expand=True, metadata=True)
    written = written.set_timestamp(lambda item, *_: item.timestamp)
    written.to_topic(
        lambda item, *_: outputs[item.name],
        key=lambda item: task_token(item.partition) if item.name == "links" else item.key,
    )
    app.run()


if __name__ == "__main__":
    main()
