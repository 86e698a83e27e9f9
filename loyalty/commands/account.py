"""Show what the stream knows of one account: level, balance, discounts, referrals, what is due."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import orjson

from loyalty import deployment
from loyalty.cluster import bootstrap_option, need_topics, settings_of, talk
from loyalty.errors import LoyaltyError
from schemas.account import Account
from streams.settings import Settings

UNKNOWN: Final = 1
"""Exit status when there is no such account."""


@click.command("account")
@click.argument("operator")
@click.argument("account")
@bootstrap_option
@deployment.programmes_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a page.")
@click.option(
    "--row", "as_row", is_flag=True, help="Print the row itself, field by field, as one JSON object."
)
def command(
    operator: str,
    account: str,
    bootstrap: str | None,
    programmes_dir: Path | None,
    as_json: bool,
    as_row: bool,
) -> int:
    """Show ACCOUNT of OPERATOR as its worker last committed it.

    Profile, service, level, balance and what expires when, pending points, discounts now and before,
    entitlements, referrals on both sides, gifts, an ordered tariff change, and what is due next. It is as
    of the latest clock tick or event, and reads the changelog: no worker has to run. An account that no
    worker knows is one line on standard error and exit status 1. What the fields of a row mean stands in
    schemas/account.py.

    \b
      loyalty account orgtechservice A-17
      loyalty account mts 79181234567 --json | jq .lots
      loyalty account mts 79181234567 --row | jq .steps
    """
    engine = deployment.engine(programmes_dir)
    if operator not in engine.books.operators:
        known = ", ".join(sorted(engine.books.operators))
        raise LoyaltyError(f"OPERATOR: no programme of {operator!r}; there are: {known}")
    settings = settings_of(bootstrap=bootstrap)
    row, tick = talk(settings, lambda known: _read(known, operator, account))
    if row is None:
        raise LoyaltyError(f"{operator}/{account}: no worker has seen an event of this account", UNKNOWN)

    if as_row:
        from loyalty.row_fields import fields_of

        click.echo(orjson.dumps(fields_of(row)).decode())
        return 0

    from loyalty.account_facts import describe

    now = max(row.clock, tick or row.clock)
    facts: dict[str, Any] = describe(row, engine.books.at(operator, now), engine.codes, now)
    if as_json:
        click.echo(orjson.dumps(facts).decode())
        return 0

    from loyalty.account_page import print_account
    from loyalty.screen import screen

    print_account(screen(), facts)
    return 0


async def _read(settings: Settings, operator: str, account: str) -> tuple[Account | None, int | None]:
    from loyalty.lookup import Lookup

    await need_topics(settings)
    async with Lookup(settings) as lookup:
        row = await lookup.account(operator, account)
        return row, await lookup.last_tick(lookup.partition(operator, account))
