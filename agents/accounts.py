"""The accounts agent: a merged batch in, what follows from it out, in one transaction."""

from __future__ import annotations

from typing import Any, Final

from streams.app import StreamApp, task_channel

BATCHES_MAX: Final = 8
"""Batches that are on their way at once: one is folded while the others' commits are waited for."""


def add_accounts_agent(app: StreamApp) -> None:
    """Give the app its accounts agent. Batches of different tasks overlap, those of one task never do."""

    @app.agent(task_channel(app), name="accounts", concurrency=min(app.settings.partitions, BATCHES_MAX))
    async def accounts(batches: Any) -> None:
        async for batch in batches:
            try:
                await app.transactions.work_off(batch)
            except Exception as error:
                # Faust would acknowledge the batch and go on to the next one: the process must end instead.
                app.fail(error)
