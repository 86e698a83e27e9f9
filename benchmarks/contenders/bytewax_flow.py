"""Bytewax: a dataflow over two topics, a stateful step for each task that folds whole batches.

Its strongest guarantee: recovery. At the end of every epoch the offsets and the state of each task that has
changed go to its recovery store; after a crash it goes on from there and writes again what it had written
since, which is at least once. A task's state is all its rows, so an epoch lasts ten seconds, as is its default.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.cluster import MERGED
from benchmarks.contenders.peer_task import Arguments, Kept, Out, PeerTask, Rows, arguments, ready
from benchmarks.outcomes import new_engine

BATCH: Final = 1_000
EPOCH: Final = timedelta(seconds=10)
_ENGINE: Final = new_engine()


class Decide(StatefulBatchLogic[Any, Any, Kept | None]):
    """The accounts of one task."""

    def __init__(self, kept: Kept | None) -> None:
        self._task = None if kept is None else PeerTask.resumed(kept, _ENGINE)

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

    def snapshot(self) -> Kept | None:
        """What an epoch keeps."""
        return None if self._task is None else self._task.kept()


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
    decided = op.stateful_batch("decide", keyed, Decide)

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


def main() -> None:
    """Run until stopped."""
    given = arguments()
    kept = Path(given.directory) / "recovery"
    kept.mkdir()
    init_db_dir(kept, 1)
    ready()
    run: Any = cli_main
    run(make_flow(given), epoch_interval=EPOCH, recovery_config=RecoveryConfig(str(kept)))


if __name__ == "__main__":
    main()
