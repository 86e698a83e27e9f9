"""Faust's aiokafka transport with record batches and a transaction for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from faust.transport.drivers import aiokafka as driver

from streams.consumer import Consumer
from streams.transactions import Transactions

if TYPE_CHECKING:
    from streams.app import StreamApp


class Producer(driver.Producer):
    """The driver's producer; a transaction that is left open is aborted by the broker after a while."""

    def _settings_extra(self) -> Mapping[str, Any]:
        settings = cast("StreamApp", self.app).settings
        return {**super()._settings_extra(), "transaction_timeout_ms": settings.transaction_ms_max}


class Transport(driver.Transport):
    """What the app is wired with instead of the driver's own parts."""

    Consumer = Consumer
    Producer = Producer
    TransactionManager = Transactions
