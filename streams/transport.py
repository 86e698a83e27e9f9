"""Faust's aiokafka transport with record batches and a transaction for each."""

from __future__ import annotations

from faust.transport.drivers import aiokafka as driver

from streams.consumer import Consumer
from streams.transaction_manager import BatchTransactions


class Transport(driver.Transport):
    """What the app is wired with instead of the driver's own parts."""

    Consumer = Consumer
    TransactionManager = BatchTransactions
