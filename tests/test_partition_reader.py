"""What a fetch hands out of what the client has: shares for those that others wait for, and nothing is lost by an error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.consumer.fetcher import FetchError, FetchResult
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from faust.types import TP

from streams.log import Wanted
from streams.partition_reader import _handed_out

A, B, C = TP("a", 0), TP("b", 0), TP("c", 0)


class _Fetcher:
    """The client's: numbers for records, or an error."""

    def __init__(self, **counts: int | KafkaError) -> None:
        self._records: dict[TP, Any] = {}
        self.left: dict[TP, list[int]] = {}
        for topic, count in counts.items():
            tp = TP(topic, 0)
            if isinstance(count, int):
                self._records[tp] = object.__new__(FetchResult)
                self.left[tp] = list(range(count))
            else:
                self._records[tp] = FetchError(error=count, backoff=0)

    async def fetched_records(self, tps: tuple[TP], timeout: float, max_records: int) -> dict[TP, list[int]]:
        (tp,) = tps
        if tp not in self.left:
            self._records.pop(tp).check_raise()
        given, self.left[tp] = self.left[tp][:max_records], self.left[tp][max_records:]
        if not self.left[tp]:
            self._records.pop(tp)
        return {tp: given} if given else {}


def handed_out(fetcher: Any, urgent: list[TP], others: list[TP], records_max: int) -> dict[TP, int]:
    """How many of each, all in their order."""
    found = asyncio.run(_handed_out(fetcher, Wanted(urgent, others), records_max))
    assert all(records == list(range(len(records))) for records in found.values())
    return {tp: len(records) for tp, records in found.items()}


def test_the_urgent_share_what_may_be_handed_out() -> None:
    assert handed_out(_Fetcher(a=100, b=100, c=100), [A, B], [C], 10) == {A: 5, B: 5}
    assert handed_out(_Fetcher(a=100, b=2, c=4), [A, B], [C], 20) == {A: 14, B: 2, C: 4}
    assert handed_out(_Fetcher(a=100, c=100), [A, B], [C], 10) == {A: 5, C: 5}
    assert handed_out(_Fetcher(a=1, c=2), [], [A, C], 10) == {A: 1, C: 2}
    assert handed_out(_Fetcher(a=9), [A, B, C], [], 2) == {A: 2}


def test_an_error_comes_when_nothing_else_has_come_with_it() -> None:
    fetcher = _Fetcher(a=3, b=TopicAuthorizationFailedError("b"), c=2)
    assert handed_out(fetcher, [A, B], [C], 10) == {A: 3, C: 2}
    with pytest.raises(TopicAuthorizationFailedError):
        handed_out(fetcher, [A, B], [C], 10)
