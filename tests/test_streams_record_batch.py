"""A record batch is, byte for byte, what the client's builder makes of the records; so an upgrade of it is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from streams.record_batch import Item, RecordBatch, record_batches, varint

BATCH_BYTES = 2_000
TIMES = st.integers(min_value=0, max_value=2**42)
ITEMS = st.lists(
    st.tuples(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=300), TIMES),
    min_size=1,
    max_size=40,
)
CLOSE_ITEMS = st.lists(
    st.tuples(
        st.binary(max_size=4), st.binary(max_size=9), st.integers(min_value=10**12, max_value=10**12 + 90)
    ),
    min_size=1,
    max_size=400,
)
"""As a worker writes them: of nearly one time, and many in a batch."""


def ours(items: Sequence[Item], bytes_max: int = BATCH_BYTES) -> list[tuple[bytes, int]]:
    """Batches with the number of their records."""
    return [(sent(batch), batch.record_count()) for batch in record_batches(items, bytes_max)]


def theirs(items: Sequence[Item], bytes_max: int = BATCH_BYTES) -> list[tuple[bytes, int]]:
    """The same, made by the client as its transactional producer does."""
    found = []
    at = 0
    while at < len(items):
        builder: Any = BatchBuilder(bytes_max, 0, is_transactional=True)
        for key, value, timestamp in items[at:]:
            if builder.append(timestamp=timestamp, key=key, value=value) is None:
                break
            at += 1
        builder._set_producer_state(41, 3, 1_000)
        found.append((bytes(builder._build()), builder.record_count()))
    return found


def sent(batch: RecordBatch) -> bytes:
    """A batch as it goes to the socket."""
    batch._set_producer_state(41, 3, 1_000)
    data = b"".join(batch.pieces())
    assert len(data) == len(batch) == batch.size()
    return data


@given(ITEMS | CLOSE_ITEMS)
def test_the_batches_are_the_clients(items: list[Item]) -> None:
    assert ours(items) == theirs(items)


@pytest.mark.parametrize("size", [*range(55, 70), *range(8_180, 8_200), *range(16_370, 16_390), 2_000_000])
def test_the_batches_are_the_clients_where_a_length_takes_one_byte_more(size: int) -> None:
    items: list[Item] = [(b"k" * size, b"v", 1), (b"k", b"v" * size, 1), (None, b"v" * size, 2**41)]
    assert ours(items, 900_000) == theirs(items, 900_000)


def test_a_batch_of_very_many_records_is_the_clients() -> None:
    items: list[Item] = [(b"%d" % number, b"v" * (number % 7), number // 3) for number in range(20_000)]
    assert ours(items, 900_000) == theirs(items, 900_000)


def test_a_retry_sends_the_same_bytes() -> None:
    batch = RecordBatch((b"k", b"v", 1), iter(()), BATCH_BYTES)
    first = sent(batch)
    assert batch._build() is batch
    assert b"".join(batch.pieces()) == first


def test_the_client_reads_what_was_written() -> None:
    items: list[Item] = [(b"k", b"one", 5), (None, b"two", 3), (b"l", None, 2**40)]
    batch: Any = DefaultRecordBatch(ours(items)[0][0])
    assert batch.validate_crc()
    assert [(record.key, record.value, record.timestamp) for record in batch] == items


def test_what_does_not_fit_is_given_back_and_nothing_beyond_it_taken() -> None:
    huge: Item = (b"k", b"v" * 2 * BATCH_BYTES, 1)
    rest = iter([huge, (b"k", b"next", 2), (b"k", b"last", 3)])
    batch = RecordBatch((b"k", b"v", 1), rest, BATCH_BYTES)
    assert (batch.left, batch.record_count()) == (huge, 1)
    # A first record is taken whatever its size, as by the client: the broker says whether it is too large.
    batch = RecordBatch(huge, rest, BATCH_BYTES)
    assert (batch.left, batch.record_count()) == ((b"k", b"next", 2), 1)
    assert list(rest) == [(b"k", b"last", 3)]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (63, "7e"),
        (64, "8001"),
        (-64, "7f"),
        (-65, "8101"),
        (8192, "808001"),
    ],
)
def test_a_number_is_written_as_kafka_does(value: int, written: str) -> None:
    assert varint(value).hex() == written
