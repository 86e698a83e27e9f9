"""Show everything that was decided about one account, in order, from the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
STATUSES: Final = {
    "accrued": frozenset({"points.credited", "points.received"}),
    "pending": frozenset({"points.pending"}),
    "rejected": frozenset({"points.rejected", "request.rejected", "referral.rejected", "discount.refused"}),
    "written-off": frozenset({"points.redeemed", "points.gifted", "points.expired", "points.reversed"}),
}


@click.command("history")
@click.argument("operator")
@click.argument("account")
@bootstrap_option
@deployment.programmes_option
@click.option(
    "--status",
    type=click.Choice(list(STATUSES)),
    help="Only points that were accrued, are still pending, were rejected, or left the balance.",
)
@click.option("--type", "type_", metavar="TYPE", help="Only outcomes whose type begins so, such as discount.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the outcomes as they are, one JSON object a line."
)
def command(
    operator: str,
    account: str,
    bootstrap: str | None,
    programmes_dir: Path | None,
    status: str | None,
    type_: str | None,
    as_json: bool,
) -> int:
    """List every outcome of ACCOUNT of OPERATOR in the order decided, with its cause.

    Without --status all of it: points, levels, discounts and entitlements, referrals, rejections. It is
    read from the journal, so it also tells what an account had that was closed long ago.

    \b
      loyalty history orgtechservice A-17
      loyalty history mts-cashback C-5 --status pending
      loyalty history t2-pbx FIRM-1 --type referral
    """
    known = {programme.operator for programme in deployment.load(programmes_dir)}
    if operator not in known:
        raise LoyaltyError(f"OPERATOR: no programme of {operator!r}; there are: {', '.join(sorted(known))}")
    settings = settings_of(bootstrap=bootstrap)
    row, entries = talk(settings, lambda found: _read(found, operator, account))
    if row is None and not entries:
        raise LoyaltyError(f"{operator}/{account}: no worker has seen an event of this account", UNKNOWN)
    chosen = [
        outcome
        for outcome in _outcomes(entries)
        if (type_ is None or outcome["type"].startswith(type_)) and _has_status(outcome, status, row)
    ]
    if as_json:
        for outcome in chosen:
            click.echo(orjson.dumps(outcome).decode())
        return 0
    _print(chosen)
    return 0


async def _read(
    settings: Settings, operator: str, account: str
) -> tuple[Account | None, list[dict[str, Any]]]:
    from loyalty.lookup import Lookup

    await need_topics(settings)
    async with Lookup(settings) as lookup:
        return await lookup.account(operator, account), await lookup.journal(operator, account)


def _outcomes(entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each outcome once: where two applications have decided the same events, both write the same ids."""
    seen: set[str] = set()
    for entry in entries:
        for outcome in entry["outcomes"]:
            if outcome["id"] not in seen:
                seen.add(outcome["id"])
                yield outcome


def _has_status(outcome: dict[str, Any], status: str | None, row: Account | None) -> bool:
    if status is None:
        return True
    if outcome["type"] not in STATUSES[status]:
        return False
    if status != "pending" or row is None:
        return True

    from loyalty.account_facts import purchase_state

    return purchase_state(row, outcome["data"]["purchase"]) == "pending"


def _print(outcomes: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from loyalty.screen import screen
    from loyalty.words import in_words

    if not outcomes:
        click.echo("nothing so far")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("when", "type", "what", "balance"):
        table.add_column(
            heading, justify="right" if heading == "balance" else "left", no_wrap=heading != "what"
        )
    for outcome in outcomes:
        balance = outcome["data"].get("balance")
        when = outcome["time"][:16].replace("T", " ")
        words = in_words(outcome) or f"{outcome['data']['rule']}: {outcome['data']['reason']}"
        table.add_row(when, outcome["type"], Text(words), "" if balance is None else f"{balance:,}")
    screen().print(table)
