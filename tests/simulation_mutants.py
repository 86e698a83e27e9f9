"""Bugs on purpose, in the code that runs in production: the simulation must find each of them.

A mutant is the source of a function with some text in it replaced; text that is not there any more is an error, so
that a mutant cannot silently become the real thing.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from streams import merge, reader, task_recovery, task_writer, tasks, transactions
from tests import simulated_worker


class Change(NamedTuple):
    """In `function` of `owner` (a class, or the module that calls it) the text `old` becomes `new`."""

    owner: Any
    function: str
    old: str
    new: str


MUTANTS: Final[dict[str, tuple[Change, ...]]] = {
    "the store is written before the commit": (
        Change(
            transactions.Transactions,
            "_publish",
            "ends = await writer.write(sends, commits, note)",
            "self._worker.tasks.store(partition).put_many(result.rows, None); "
            "ends = await writer.write(sends, commits, note)",
        ),
    ),
    "the store believes that it has more of the changelog than it has": (
        Change(
            transactions.Transactions,
            "_step",
            "put_many(result.rows, changelog_end)",
            "put_many(result.rows, changelog_end and changelog_end + 2)",
        ),
    ),
    "a store that is ahead of the changelog is trusted": (
        Change(task_recovery, "read_changelog", "store.offset > ends[tp]", "store.offset < 0"),
    ),
    "recovery believes that there is nothing to read": (
        Change(task_recovery._Reading, "__init__", "(store.offset or 0) < ends[tp]", "False"),
    ),
    "recovery reads a page and no more": (
        Change(task_recovery._Reading, "_read_out", "position >= self._ends[tp]", "fetched.fields().get(tp)"),
    ),
    "recovery waits for the record at the end, which is a marker": (
        Change(
            task_recovery._Reading,
            "_read_out",
            "position is not None and position >= self._ends[tp]",
            "tp in fetched.fields() and fetched.fields()[tp].offsets[-1] + 1 >= self._ends[tp]",
        ),
    ),
    "committed offsets are one short": (
        Change(transactions, "next_offsets", "record.offset + 1", "record.offset"),
    ),
    "offsets are committed for records that are still to be worked off": (
        Change(transactions, "next_offsets", "range(consumed)", "range(len(records))"),
    ),
    "offsets are committed past records that a later step is to work off": (
        Change(transactions.Transactions, "_publish", "result.consumed == len(records)", "True"),
    ),
    "offsets are committed past records that still lie in the buffers": (
        Change(merge.TaskBuffers, "passed", "not topic.records and ", ""),
    ),
    "offsets are committed by a transaction of their own": (
        Change(
            task_writer.ProducerWriter,
            "_publish",
            "waits.append(self._send_offsets(offsets, note))",
            "ends = await asyncio.gather(*waits); await producer.commit(); await producer.begin(); "
            "await self._send_offsets(offsets, note); return ends",
        ),
    ),
    "the rest of a batch is dropped when a step does not finish it": (
        Change(transactions.Transactions, "work_off", "records = records[consumed:]", "records = ()"),
    ),
    "a zombie is not fenced": (
        Change(
            task_writer.ProducerWriter,
            "open",
            "partition))\n",
            "partition) + open_producer.__self__._process.name)\n",
        ),
    ),
    "the previous owner is fenced only after recovery": (
        Change(
            transactions.Transactions,
            "open",
            "await asyncio.gather(*[self._open(partition) for partition in sorted(partitions)])",
            "return",
        ),
        Change(
            transactions.Transactions,
            "_step",
            "writer = self._writers[partition]",
            "writer = self._writers.get(partition) or (await self._open(partition), "
            "self._writers[partition])[1]",
        ),
    ),
    "a batch of an earlier assignment is worked off": (
        Change(
            transactions.Transactions,
            "_may_work",
            "batch.assignment == worker.assignment and ",
            "",
        ),
    ),
    "buffers outlive a rebalance": (
        Change(reader.TaskReader, "forget", "self._buffers = {}", "pass"),
        Change(
            reader.TaskReader,
            "begin",
            "partition: TaskBuffers(",
            "partition: self._buffers.get(partition) or TaskBuffers(",
        ),
    ),
    "a fetch that has just ended is dropped": (
        Change(
            reader.TaskReader,
            "fetch_some",
            "if self._failed is not None:",
            "if self._fetching is not None and self._fetching.done():\n        self._fetching = None\n"
            "    if self._failed is not None:",
        ),
    ),
    "task states outlive a rebalance": (
        Change(tasks.Tasks, "keep_only", "self._states.clear()", "pass"),
        Change(
            tasks.Tasks,
            "open_task",
            "self._make_task(partition, self.store(partition))",
            "self._states.get(partition) or self._make_task(partition, self.store(partition))",
        ),
    ),
    "a batch that failed is passed over": (
        Change(simulated_worker, "add_accounts_agent", "app.fail(error)", "pass"),
    ),
    "links go to the sender's partition": (
        Change(
            transactions,
            "by_destination",
            "if topic == _LINKS:",
            "if False:",
        ),
    ),
    "a topic that is behind does not hold the others back": (
        Change(merge.TaskBuffers, "take", "topic.behind and not topic.records", "False"),
    ),
}


@contextmanager
def mutated(changes: tuple[Change, ...]) -> Iterator[None]:
    """The code with these changes, for a while."""
    before = [(change, getattr(change.owner, change.function)) for change in changes]
    try:
        for change in changes:
            original = getattr(change.owner, change.function)
            setattr(change.owner, change.function, _changed(original, change))
        yield
    finally:
        for change, original in before:
            setattr(change.owner, change.function, original)


def _changed(function: Any, change: Change) -> Any:
    source = textwrap.dedent(inspect.getsource(function))
    if change.old not in source:
        raise LookupError(f"{change.function} does not say {change.old!r} any more")
    # The future's annotations are those of the module that it came from.
    text = "from __future__ import annotations\n" + source.replace(change.old, change.new)
    names = dict(vars(sys.modules[function.__module__]))
    exec(compile(text, f"<mutant of {change.function}>", "exec"), names)
    return names[change.function]
