"""The judge of a simulated history: reads the log in memory as a read_committed consumer would, when all is quiet.

The main part is the verifier that judges the faults on the real broker (`chaos.verifier`): every accepted event
once and in order, every outcome once, ids as in the fault-free run, books, gifts, referrals. Then the auditor of
the journal (`tests.auditor`), which recounts every account from the rules. And beyond them: every
record was consumed by exactly one committed transaction; the committed offsets say so too; the rows of every
store, those of the changelog and those that a replay of the journal gives are the same, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from faust.types import TP

from agents.replay import Replay
from chaos.topics_read import READ, Found
from chaos.verdict import Verdict
from chaos.verifier import verify
from schemas.record import Record
from schemas.topics import JOURNAL
from streams.store import Store
from tests.auditor import Auditor
from tests.memory_broker import MemoryBroker
from tests.simulated_load import ENGINE, SimulatedLoad
from tests.simulated_witness import WITNESS
from tests.simulated_worker import TASK_TOPICS


def judge(
    broker: MemoryBroker,
    partitions: int,
    load: SimulatedLoad,
    changelog: str,
    stores: Sequence[tuple[str, int, Store]],
) -> Verdict:
    """Everything that is not as it should be. `stores`: whose, partition, rows, of all that are up to date."""
    numbers: Final = range(partitions)
    topics = {topic: [_found(r) for p in numbers for r in _committed(broker, topic, p)] for topic in READ}
    verdict = verify(topics, load.sent, load.fault_free)
    auditor = Auditor()
    auditor.read(record.value or b"" for p in numbers for record in _committed(broker, JOURNAL.name, p))
    verdict.wrong.extend(auditor.finish())
    for partition in numbers:
        _consumed(verdict, broker, partition)
        _rows(verdict, broker, changelog, partition, stores)
    return verdict


def _consumed(verdict: Verdict, broker: MemoryBroker, partition: int) -> None:
    """Every record in one committed transaction, each topic's in order, and the offsets after the last one."""
    seen = [
        (topic, offset)
        for record in _committed(broker, WITNESS, partition)
        for topic, offset in json.loads(record.value or b"")
    ]
    for topic in TASK_TOPICS:
        tp = TP(topic, partition)
        written = [record.offset for record in _committed(broker, topic, partition)]
        consumed = [offset for name, offset in seen if name == topic]
        verdict.compare(f"consumed of {topic}/{partition}", written, consumed)
        verdict.check(consumed == sorted(consumed), f"{topic}/{partition} was consumed out of order")
        next_one = broker.committed([tp]).offsets[tp]
        after_last = written[-1] + 1 if written else 0
        verdict.check(
            after_last <= (next_one or 0) <= broker.partition(tp).stable,
            f"committed offset of {topic}/{partition}: {next_one}, and {after_last} is that after its last record",
        )


def _rows(
    verdict: Verdict,
    broker: MemoryBroker,
    changelog: str,
    partition: int,
    stores: Sequence[tuple[str, int, Store]],
) -> None:
    latest = {record.key: record.value for record in _committed(broker, changelog, partition)}
    replay = Replay(ENGINE)
    for record in _committed(broker, JOURNAL.name, partition):
        replay.take(record.key or b"", record.value or b"", record.offset)
    verdict.wrong.extend(f"replay of {problem.key}: {problem.what}" for problem in replay.problems)
    replayed = {key: replay.row(key) for key in replay.rows}
    _same(verdict, f"rows replayed from the journal of {partition}", replayed, latest)
    for name, number, store in stores:
        if number == partition:
            _same(verdict, f"rows of {name}, task {partition}", dict(store.items()), latest)


def _same(
    verdict: Verdict, what: str, rows: dict[bytes, bytes | None], latest: dict[bytes | None, bytes | None]
) -> None:
    for key in rows.keys() | latest.keys():
        verdict.checked["rows"] += 1
        verdict.check(rows.get(key or b"") == latest.get(key), f"{what}: {key!r} is not as in the changelog")


def _committed(broker: MemoryBroker, topic: str, partition: int) -> Iterable[Record]:
    return broker.partition(TP(topic, partition)).committed()


def _found(record: Record) -> Found:
    return Found(
        (record.key or b"").decode(), json.loads(record.value or b""), record.partition, record.offset
    )
