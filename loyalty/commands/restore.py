"""Write rows that the changelog has lost again, from the journal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loyalty import deployment
from loyalty.cluster import bootstrap_option, need_topics, settings_of, talk
from streams.settings import Settings

if TYPE_CHECKING:
    from engine.decide import Engine
    from loyalty.restoring import Restored


@click.command("restore")
@bootstrap_option
@deployment.programmes_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(bootstrap: str | None, programmes_dir: Path | None, yes: bool) -> int:
    """Replay the journal and write the rows that the changelog lacks, or has older than the journal says.

    For when the changelog was deleted, cut or came back from a broken disk with less than it had: workers notice and end
    with status 69. Stop all workers first, and make the topic again if it is gone ('loyalty topics'). Consumers and
    producers may go on. Each partition is one transaction, so it is restored or as it was, and a run that was killed is
    run again.

    Nothing is written for a partition whose journal does not replay, or has lost something itself (exit status 1). It
    needs the definitions and the LOYALTY_CODE_KEY of the workers.

    \b
      loyalty topics && loyalty restore
    """
    engine = deployment.engine(programmes_dir)
    settings = settings_of(bootstrap=bootstrap)
    if not yes:
        click.confirm(
            f"Write the rows of {settings.application_id!r} again where they are not what the journal says?",
            abort=True,
            err=True,
        )
    done = talk(settings, lambda known: _restore(known, engine))
    click.echo(
        f"{done.entries:,} journal entries replayed, {done.accounts:,} accounts: "
        + (f"{done.rows:,} rows written" if done.rows else "every row was there")
    )
    return 0


async def _restore(settings: Settings, engine: Engine) -> Restored:
    from loyalty.journal_bar import journal_bar
    from loyalty.restoring import restore

    await need_topics(settings)
    with journal_bar("restoring", settings.partitions) as progress:
        return await restore(settings, engine, progress)
