"""Erase a person: their records in every topic, their row, their name in the records of others."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import orjson

from loyalty import deployment
from loyalty.cluster import bootstrap_option, need_topics, settings_of, talk
from loyalty.errors import LoyaltyError
from schemas.programme_rewards import AmountReward
from streams.settings import Settings

if TYPE_CHECKING:
    from engine.decide import Engine
    from loyalty.forgetting.erasing import Erased
    from loyalty.lookup import Lookup
    from schemas.account import Account
    from schemas.programme import Programme

UNKNOWN: Final = 1
"""Exit status when there is no such account."""
CLOSED_ONLY: Final = 3
"""Exit status when the account was closed and is still to be erased."""
CLOSING_SECONDS_MAX: Final = 60.0
POLL_SECONDS: Final = 0.5


@click.command("forget")
@click.argument("operator")
@click.argument("account")
@bootstrap_option
@deployment.programmes_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    operator: str, account: str, bootstrap: str | None, programmes_dir: Path | None, yes: bool
) -> int:
    """Erase ACCOUNT of OPERATOR: nothing that names it stays in any topic, and the books still balance.

    It goes in two steps, and you run the same command for both.

    \b
      1. The workers run. An account that is open is closed, as account.closed closes it:
         points expire, discounts end, and consumers are told. Exit status 3.
      2. Workers and consumers are stopped. Journal, rows, inbound topics, outcomes, links
         and dead letters are written anew without the account. Exit status 0.

    What cannot be undone is asked for first. Records of other accounts stay, with an alias where they named this one;
    all consumer groups are moved along, so no consumer loses or repeats anything. Killed at any moment, it goes on
    when it is run again. It refuses while a worker or a consumer runs; inbound topics must not be written meanwhile.

    Run again later it also erases what was written about the account since. What it does not reach: copies that
    consumers and backups have, and the disks until Kafka compacts the changelog (docs/privacy.md).

    \b
      loyalty forget orgtechservice A-17
    """
    programmes = deployment.load(programmes_dir)
    if operator not in {programme.operator for programme in programmes}:
        known = ", ".join(sorted(programme.operator for programme in programmes))
        raise LoyaltyError(f"OPERATOR: no programme of {operator!r}; there are: {known}")
    engine = deployment.engine(programmes_dir)
    settings = settings_of(bootstrap=bootstrap)
    row, is_known = talk(settings, lambda found: _look(found, engine, operator, account))
    if not is_known:
        raise LoyaltyError(f"{operator}/{account}: no worker has seen an event of this account", UNKNOWN)
    if not yes:
        click.confirm(f"Erase {operator}/{account} for good?", abort=True, err=True)
    if row is not None and not row.closed:
        talk(settings, lambda known: _close(known, operator, account, row.clock))
        click.echo(
            "closed, and consumers are being told. Next: let consumers catch up, stop workers and consumers, pause "
            "what writes to the inbound topics, and run this again"
        )
        return CLOSED_ONLY
    senders = frozenset(_senders(programmes, operator))
    erased = talk(settings, lambda known: _erase(known, engine, operator, account, senders))
    _tell(erased)
    return 0


def _senders(programmes: Iterable[Programme], operator: str) -> Iterable[str]:
    """Operators whose members may send points to accounts of this one."""
    return (
        programme.operator
        for programme in programmes
        if programme.rewards is not None
        and any(
            isinstance(reward, AmountReward) and reward.receiver_operator == operator
            for reward in programme.rewards.items.values()
        )
    )


async def _look(
    settings: Settings, engine: Engine, operator: str, account: str
) -> tuple[Account | None, bool]:
    """The account's row, and whether the account has ever been known: one that was forgotten is, too."""
    from loyalty.lookup import Lookup

    await need_topics(settings)
    async with Lookup(settings) as lookup:
        row = await lookup.account(operator, account)
        return row, row is not None or await _was_forgotten(lookup, engine, operator, account)


async def _was_forgotten(lookup: Lookup, engine: Engine, operator: str, account: str) -> bool:
    partition = lookup.partition(operator, account)
    return await lookup.row(engine.forgotten.key(operator, account), partition) is not None


async def _close(settings: Settings, operator: str, account: str, clock: int) -> None:
    """Close the account as billing would, and wait until a worker has done it."""
    from aiokafka.admin import AIOKafkaAdminClient

    from loyalty.feed import Fact, route
    from loyalty.groups import Groups
    from loyalty.lookup import Lookup
    from loyalty.sending import Sender
    from loyalty.ticks import shown
    from schemas.topics import ACTIVATIONS

    admin = AIOKafkaAdminClient(**settings.kafka())
    await admin.start()
    try:
        if not await Groups(admin, ()).is_running(settings.application_id):
            raise LoyaltyError(
                f"{operator}/{account} is open, and no worker runs that could close it: start one, and run this again"
            )
    finally:
        await admin.close()
    # Never before what the account has seen: it would be refused as too old.
    now = max(time.time_ns() // 1000, clock)
    event = {
        "specversion": "1.0",
        "id": f"forget-{secrets.token_hex(8)}",
        "source": "/loyalty/forget",
        "type": "account.closed",
        "subject": account,
        "operator": operator,
        "time": shown(now),
        "data": {},
    }
    fact = Fact(now, ACTIVATIONS.name, f"{operator}/{account}".encode(), orjson.dumps(event))
    async with Sender(settings) as sender:
        await sender.send(route([fact], settings.partitions))
    deadline = time.monotonic() + CLOSING_SECONDS_MAX
    async with Lookup(settings) as lookup:
        while True:
            row = await lookup.account(operator, account)
            if row is None or row.closed:
                return
            if time.monotonic() > deadline:
                raise LoyaltyError(
                    f"{operator}/{account} was told to close {CLOSING_SECONDS_MAX:.0f} s ago and is still open: do the "
                    "workers keep up? Run this again later"
                )
            await asyncio.sleep(POLL_SECONDS)


async def _erase(
    settings: Settings, engine: Engine, operator: str, account: str, senders: frozenset[str]
) -> Erased:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    from loyalty.feed import partition_of
    from loyalty.forgetting.erasing import Erasing

    # Where a worker has shut us out, the client leaves behind errors that nobody has asked it for; we say it once.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("looking", total=None)

        def said(what: str, step: int, steps: int) -> None:
            bar.update(task, description=what, completed=step, total=steps)

        async with Erasing(settings, engine, said) as erasing:
            home = partition_of(f"{operator}/{account}".encode(), settings.partitions)
            await erasing.erase(operator, account, home, senders)
            return erasing.erased


def _tell(erased: Erased) -> None:
    click.echo(
        f"forgotten: {erased.gone:,} records gone, {erased.redacted:,} of others without the name, "
        f"{erased.partitions:,} partitions written anew"
    )
    if erased.left:
        click.echo(
            f"note: {erased.left:,} records of other accounts have the name in an id that billing or staff gave an event; "
            "with another id it would be another fact, so it stays",
            err=True,
        )
    click.echo("the old row goes from the disks when Kafka compacts the changelog (docs/privacy.md)")
