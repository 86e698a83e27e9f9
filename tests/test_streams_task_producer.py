"""A batch that is filled in one go is, byte for byte, what the client's builder makes; so an upgrade of it is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from streams.log import Item
from streams.task_producer import fill

BATCH_BYTES = 2_000
ITEMS = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=40),
        st.none() | st.binary(max_size=300),
        st.integers(min_value=0, max_value=2**42),
    ),
    min_size=1,
    max_size=40,
)


def empty(compression: int = 0) -> Any:
    """A batch as the client's transactional producer makes it."""
    return BatchBuilder(BATCH_BYTES, compression, is_transactional=True)


def ours(items: Sequence[Item], compression: int) -> list[tuple[bytes, int]]:
    """Batches with the number of their records."""
    found = []
    rest = iter(items)
    item = next(rest, None)
    while item is not None:
        batch = empty(compression)
        item = fill(batch, item, rest)
        found.append(_sent(batch))
    return found


def theirs(items: Sequence[Item], compression: int) -> list[tuple[bytes, int]]:
    """The same, filled by the client."""
    found = []
    at = 0
    while at < len(items):
        batch = empty(compression)
        for key, value, timestamp in items[at:]:
            if batch.append(timestamp=timestamp, key=key, value=value) is None:
                break
            at += 1
        batch.close()
        found.append(_sent(batch))
    return found


def _sent(batch: Any) -> tuple[bytes, int]:
    """A batch as the client's sender takes it."""
    assert batch.closed()
    assert batch.size() > 0
    batch._set_producer_state(41, 3, 1_000)
    return bytes(batch._build()), batch.record_count()


@given(ITEMS, st.sampled_from([0, 1]))
def test_the_batches_are_the_clients(items: list[Item], compression: int) -> None:
    assert ours(items, compression) == theirs(items, compression)


def test_what_does_not_fit_is_given_back_and_nothing_beyond_it_taken() -> None:
    huge: Item = (b"k", b"v" * 2 * BATCH_BYTES, 1)
    rest = iter([huge, (b"k", b"next", 2), (b"k", b"last", 3)])
    batch = empty()
    assert fill(batch, (b"k", b"v", 1), rest) == huge
    assert batch.record_count() == 1
    # A first record is taken whatever its size, as by the client: the broker says whether it is too large.
    batch = empty()
    assert fill(batch, huge, rest) == (b"k", b"next", 2)
    assert batch.record_count() == 1
    assert list(rest) == [(b"k", b"last", 3)]
