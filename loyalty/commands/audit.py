"""Rebuild every account from the journal and compare it with what the workers have, while they run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from loyalty import deployment
from loyalty.cluster import bootstrap_option, need_topics, settings_of, talk
from loyalty.errors import LoyaltyError
from streams.settings import Settings

if TYPE_CHECKING:
    from engine.decide import Engine
    from loyalty.parity import Parity

DIFFERENT: Final = 1
"""Exit status when something differs."""
SHOWN_MAX: Final = 100
"""Differences and problems that are printed as text; --json has all that were kept."""


@click.command("audit")
@click.argument("operator", required=False)
@bootstrap_option
@deployment.programmes_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(operator: str | None, bootstrap: str | None, programmes_dir: Path | None, as_json: bool) -> int:
    """Replay the journal and compare with the live rows, of OPERATOR only or of everyone.

    Every entry goes through the same engine in the order it was applied. What it says came out must come
    out again, and the rows at the end must be those in the changelog, field by field. Workers may go on:
    rows that moved meanwhile are read again. It writes nothing.

    It needs the definitions and the LOYALTY_CODE_KEY that the workers had; with others, codes and rules give
    other results, and those are shown as differences. Exit status: 0 when all is equal, 1 when not.

    \b
      loyalty audit
      loyalty audit mts --json | jq .differences
    """
    engine = deployment.engine(programmes_dir)
    if operator is not None and operator not in engine.books.operators:
        known = ", ".join(sorted(engine.books.operators))
        raise LoyaltyError(f"OPERATOR: no programme of {operator!r}; there are: {known}")
    settings = settings_of(bootstrap=bootstrap)
    found = talk(settings, lambda known: _audit(known, engine, operator))
    if as_json:
        click.echo(orjson.dumps(_facts(found)))
    else:
        _tell(found)
    if not found.equal and deployment.code_key(os.environ) == deployment.DEVELOPMENT_KEY:
        click.echo(
            f"note: {deployment.CODE_KEY} is not set, so referral codes were judged with the development key",
            err=True,
        )
    return 0 if found.equal else DIFFERENT


async def _audit(settings: Settings, engine: Engine, operator: str | None) -> Parity:
    from loyalty.journal_bar import journal_bar
    from loyalty.parity import audit

    await need_topics(settings)
    with journal_bar("auditing", settings.partitions) as progress:
        return await audit(settings, engine, operator, progress)


def _facts(found: Parity) -> dict[str, Any]:
    return {
        "equal": found.equal,
        "entries": found.entries,
        "accounts": found.accounts,
        "forgotten": found.forgotten,
        "differences": [
            {
                "account": difference.key,
                "partition": difference.partition,
                "fields": {
                    name: {"journal": given, "table": there}
                    for name, (given, there) in difference.fields.items()
                },
            }
            for difference in found.differences
        ],
        "entries_that_disagree": found.disagreements,
        "problems": [
            {"account": p.key, "partition": partition, "offset": p.offset, "what": p.what}
            for partition, p in found.problems
        ],
    }


def _tell(found: Parity) -> None:
    for difference in found.differences[:SHOWN_MAX]:
        click.echo(f"{difference.key} (partition {difference.partition})")
        for name, (given, there) in difference.fields.items():
            click.echo(f"  {name}: the journal gives {_shown(given)}, the table has {_shown(there)}")
    for partition, problem in found.problems[:SHOWN_MAX]:
        click.echo(f"{problem.key}: journal partition {partition} offset {problem.offset}: {problem.what}")
    left = max(0, len(found.differences) - SHOWN_MAX) + max(0, found.disagreements - SHOWN_MAX)
    if left:
        click.echo(f"... and {left:,} more")
    verdict = (
        "equal, every outcome too"
        if found.equal
        else f"{len(found.differences):,} rows and {found.disagreements:,} entries differ"
    )
    forgotten = f" ({found.forgotten:,} forgotten)" if found.forgotten else ""
    click.echo(
        f"{found.entries:,} journal entries replayed, {found.accounts:,} accounts{forgotten}: {verdict}"
    )


def _shown(value: Any) -> str:
    return "nothing" if value is None else orjson.dumps(value).decode()
