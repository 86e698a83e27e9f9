"""Bytewax: a dataflow over two topics, a stateful step for each task that folds whole batches.

It keeps no recovery store: a snapshot of a task's accounts at every epoch would be most of the work.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.run import cli_main

from benchmarks.cluster import MERGED
from benchmarks.contenders.peer_task import Arguments, Out, PeerTask, Rows, arguments, ready
from benchmarks.outcomes import new_engine

BATCH: Final = 10_000
_ENGINE: Final = new_engine()


class Decide(StatefulBatchLogic[Any, Any, None]):
    """The accounts of one task."""

    def __init__(self) -> None:
        self._task: PeerTask | None = None

    def on_batch(self, values: list[KafkaSourceMessage[bytes, bytes]]) -> tuple[Iterable[Out], bool]:
        """Fold what has come: events in one go, steps of other accounts one by one."""
        if self._task is None:
            assert values[0].partition is not None, "it was read from a partition"
            self._task = PeerTask(values[0].partition, Rows(), _ENGINE)
        out: list[Out] = []
        events = [(_ms(m), m.value) for m in values if m.topic == MERGED]
        if events:
            out += self._task.take(events)[0]
        for message in values:
            if message.topic != MERGED:
                out += self._task.take_link(_ms(message), message.key, message.value)[0]
        return out, StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        """Nothing is kept."""


def _task(message: Any) -> str:
    return str(message.partition)


def _ms(message: KafkaSourceMessage[bytes, bytes]) -> int:
    assert message.timestamp is not None, "Kafka gives every record one"
    return message.timestamp[1]


def make_flow(given: Arguments) -> Dataflow:
    """The dataflow of one run."""
    flow = Dataflow(given.group.replace(".", "_"))
    brokers = [given.bootstrap]
    fast = {"queued.min.messages": "100000", "fetch.message.max.bytes": str(4 * 2**20)}
    links = given.topic("links")
    source = KafkaSource(brokers, [MERGED, links], tail=True, add_config=fast, batch_size=BATCH)
    messages = op.input("read", flow, source)
    keyed = op.key_on("task", messages, _task)
    decided = op.stateful_batch("decide", keyed, lambda _: Decide())

    def addressed(pair: tuple[str, Out]) -> KafkaSinkMessage[Any, Any]:
        item = pair[1]
        return KafkaSinkMessage(
            item.key, item.value, given.topic(item.name), partition=item.partition, timestamp=item.timestamp
        )

    addressed_out = op.map("address", decided, addressed)
    sink = KafkaSink(
        brokers,
        links,
        add_config={
            "linger.ms": "20",
            "batch.size": "500000",
            "partitioner": "murmur2",
            "queue.buffering.max.messages": "1000000",
        },
    )
    op.output("write", addressed_out, sink)
    return flow


if __name__ == "__main__":
    ready()
    run: Any = cli_main
    run(make_flow(arguments()), epoch_interval=timedelta(seconds=1))
