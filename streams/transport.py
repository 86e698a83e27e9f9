"""Faust's aiokafka transport with record batches and a transaction for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from faust.transport.drivers import aiokafka as driver

from streams.consumer import Consumer
from streams.transaction_manager import BatchTransactions

if TYPE_CHECKING:
    from streams.app import StreamApp

RETRY_MS: Final = 10
"""Wait before a retry. A transaction that follows the last one at once is often told to come again, because
the markers of the last one are still being written; with the usual 100 ms that would be most of its time."""


class Producer(driver.Producer):
    """The driver's producer; a transaction that is left open is aborted by the broker after a while."""

    def _settings_extra(self) -> Mapping[str, Any]:
        settings = cast("StreamApp", self.app).settings
        return {
            **super()._settings_extra(),
            "transaction_timeout_ms": settings.transaction_ms_max,
            "retry_backoff_ms": RETRY_MS,
        }


class Transport(driver.Transport):
    """What the app is wired with instead of the driver's own parts."""

    Consumer = Consumer
    Producer = Producer
    TransactionManager = BatchTransactions
