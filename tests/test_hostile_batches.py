"""Record batches that are made to hurt: bombs of every codec, and more megabytes than a worker may hold at once."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import cramjam
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.record._crecords import default_records as in_c
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from schemas.contract_examples import record_of
from schemas.dead_letter import TOO_LARGE, Unreadable
from schemas.record import Record
from schemas.topics import ACTIVATIONS, DEAD_LETTERS, JOURNAL, PAYMENTS
from schemas.unread import Unread
from schemas.wire import read_event
from streams.expansion import BATCH_BYTES_MAX, READ_BYTES_MAX, Batches, TooFar, bound_expansion
from streams.merge import TOPIC_BYTES_MAX, TaskBuffers
from tests.hostile import KEY, MEGABYTE, event
from tests.stream_world import Worker, World, empty_broker, until, world

__all__ = ["empty_broker", "world"]

CODECS: Final = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ENCODE: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip_encode,
    "snappy": snappy_encode,
    "lz4": lz4_encode,
    "zstd": zstd_encode,
    "two gzips": lambda data: gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]),
    "plain snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
}
GIGABYTE: Final = 1_000_000_000


def expand(codec: str) -> Callable[[bytes], bytes]:
    """What the client expands batches of a codec with."""
    bound_expansion()
    bound_expansion()
    return getattr(in_c, f"{codec.rsplit(maxsplit=1)[-1].removesuffix('s')}_decode")  # type: ignore[no-any-return]


@pytest.mark.parametrize("codec", ENCODE)
def test_what_honest_producers_compress_comes_out_as_it_was(codec: str) -> None:
    for data in (b"", b"a", bytes(range(256)) * 3_000, b"x" * BATCH_BYTES_MAX):
        assert expand(codec)(ENCODE[codec](data)) == data


@pytest.mark.parametrize("codec", ENCODE)
def test_a_bomb_stops_at_the_limit(codec: str) -> None:
    with pytest.raises(TooFar):
        expand(codec)(ENCODE[codec](b"x" * (BATCH_BYTES_MAX + 1)))


def batch_of(codec: int, values: Sequence[bytes], first: int) -> bytes:
    """A record batch as the broker stores it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=False, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=2**31,
    )  # fmt: skip
    for number, value in enumerate(values):
        assert builder.append(number, timestamp=1_000 + number, key=KEY, value=value, headers=[]) is not None
    made = bytearray(builder.build())
    made[:8] = first.to_bytes(8, "big")
    return bytes(made)


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_is_one_record_at_its_last_offset_that_says_what_it_was(codec: str) -> None:
    bound_expansion()
    bomb = batch_of(CODECS[codec], [b"a", b"0" * (BATCH_BYTES_MAX // 2), b"0" * BATCH_BYTES_MAX], 5)
    batch = Batches(MemoryRecords(bomb)).next_batch()
    assert (batch.base_offset, batch.next_offset) == (5, 8)
    (record,) = batch
    assert (record.offset, record.key) == (7, None)
    assert type(record.value) is Unread
    with pytest.raises(Unreadable) as refused:
        read_event(record.value, key=b"", topic=PAYMENTS.name, operators=())
    assert refused.value.reason == TOO_LARGE
    assert refused.value.detail == (
        f"value: its record batch (offsets 5 to 7, {codec}) expands to more than {BATCH_BYTES_MAX} bytes and was not "
        "read; write smaller batches"
    )


def test_what_expands_just_within_the_limit_is_read_a_few_batches_at_a_time() -> None:
    bound_expansion()
    size = READ_BYTES_MAX // 2
    found = Batches(MemoryRecords(b"".join(batch_of(4, [b"0" * size], n) for n in range(9))))
    read = []
    while found.has_next():
        read += [len(record.value) for record in found.next_batch()]
    assert read == [size, size]


def test_the_page_for_producers_names_the_limit() -> None:
    page = (Path(__file__).parent.parent / "docs" / "events.md").read_text("utf-8")
    assert f"expands to more than {BATCH_BYTES_MAX // 2**20} MiB" in page


def test_plain_batches_are_not_touched() -> None:
    found = Batches(MemoryRecords(b"".join(batch_of(0, [b"0" * READ_BYTES_MAX], n) for n in range(3))))
    count = 0
    while found.has_next():
        assert type(found.next_batch()).__name__ == "DefaultRecordBatch"
        count += 1
    assert count == 3


def test_no_more_megabytes_are_fetched_ahead_than_a_topic_may_hold() -> None:
    buffers = TaskBuffers(["a", "b"], records_max=20_000)
    value, offset = b"x" * MEGABYTE, 0
    while buffers.wants("a"):
        buffers.add("a", [Record("a", 0, offset + n, 0, None, value) for n in range(4)])
        offset += 4
    assert TOPIC_BYTES_MAX <= offset * MEGABYTE <= TOPIC_BYTES_MAX + 4 * MEGABYTE
    assert buffers.wants("b")
    for topic in "ab":
        buffers.progress(topic, offset, offset)
    assert len(buffers.take(0)) == offset
    assert buffers.wants("a"), "all of it has gone"


async def write_bombs(world: World, codec: Any, size: int) -> None:
    """One record that expands to `size`, between two good ones."""
    options: dict[str, Any] = {"max_request_size": 2**31 - 1, "max_batch_size": 2**31 - 1}
    async with (
        AIOKafkaProducer(**world.settings.kafka()) as honest,
        AIOKafkaProducer(**world.settings.kafka(), compression_type=codec, **options) as hostile,
    ):
        for number in range(2):
            good = orjson.dumps(event(f"{codec}-{number}"))
            await honest.send_and_wait(
                PAYMENTS.name, good, key=KEY, partition=1, timestamp_ms=1_756_710_000_000
            )
            if not number:
                await hostile.send_and_wait(
                    PAYMENTS.name, b"0" * size, key=KEY, partition=1, timestamp_ms=1_756_710_000_000
                )


def peak_bytes(worker: Worker) -> int:
    """The most memory that the worker and its I/O process have had."""
    total = 0
    for process in (worker.process.pid, worker.io_process()):
        status = Path(f"/proc/{process}/status").read_text("utf-8")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        total += int(found[1]) * 1024
    return total


def test_bombs_of_every_codec_become_letters_and_a_worker_stays_small(world: World) -> None:
    worker = world.worker("loyalty.cli", "worker", "--development-key")
    worker.wait_for("ready: ")
    before = peak_bytes(worker)
    # What is left of the codecs' ratios within the megabyte that the broker takes.
    for codec, size in (
        ("gzip", 400_000_000),
        ("lz4", 200_000_000),
        ("zstd", 400_000_000),
        ("snappy", 20_000_000),
    ):
        asyncio.run(write_bombs(world, codec, size))
    until(lambda: world.lag() == 0 or worker.process.poll() is not None, 60, lambda: worker.log[-3000:])
    assert worker.process.poll() is None, worker.log[-3000:]
    assert peak_bytes(worker) - before < 150_000_000, "a tenth of what it was sent"
    letters = [orjson.loads(record.value) for record in world.read(DEAD_LETTERS.name)]
    assert [letter["reason"] for letter in letters] == [TOO_LARGE] * 4
    assert all(letter["detail"].endswith("write smaller batches") for letter in letters)
    entries = [orjson.loads(record.value) for record in world.read(JOURNAL.name)]
    good = [entry["event"]["id"] for entry in entries if entry["kind"] == "event"]
    assert good == [f"{codec}-{n}" for codec in ("gzip", "lz4", "zstd", "snappy") for n in range(2)]
    assert worker.stop() == 0, worker.log


def test_a_topic_full_of_megabytes_does_not_fill_a_worker_that_has_to_wait(world: World) -> None:
    """While a transaction is open on another topic of the task nothing may be worked on, but could be fetched ahead."""
    count = 400
    note = "n" * 950_000
    options: dict[str, Any] = {"partition": 1, "timestamp_ms": 1_756_710_000_000}

    async def write() -> Worker:
        plain = AIOKafkaProducer(**world.settings.kafka(), max_request_size=MEGABYTE + 1_000)
        slow = AIOKafkaProducer(
            **world.settings.kafka(), transactional_id="slow", transaction_timeout_ms=300_000
        )
        async with plain, slow, slow.transaction():
            early = {**record_of("account.opened"), "id": "early"}
            await slow.send_and_wait(ACTIVATIONS.name, orjson.dumps(early), key=KEY, **options)
            for number in range(count):
                value = orjson.dumps(event(f"m-{number}", note=note))
                await plain.send_and_wait(PAYMENTS.name, value, key=KEY, **options)
            worker = world.worker("loyalty.cli", "worker", "--development-key")
            while "ready: " not in worker.log:
                await asyncio.sleep(0.1)
            await asyncio.sleep(8)
            assert not await asyncio.to_thread(world.read, JOURNAL.name), "it did not have to wait"
        return worker

    worker = asyncio.run(write())
    until(lambda: len(world.read(JOURNAL.name)) > count, 90, lambda: worker.log[-3000:])
    assert peak_bytes(worker) < 250_000_000, "it was sent 380 MB, and is some 100 MB without any"
    assert worker.stop() == 0, worker.log
