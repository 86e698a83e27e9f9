"""`python -m chaos [--seed N] [--minutes M]`: exit status 0 when nothing was lost, doubled or wrong."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from pathlib import Path

import click

from chaos.faults import FAULTS
from chaos.run import run
from chaos.stage import ChaosError


@click.command()
@click.option("--seed", type=int, help="The schedule and the load (default: a new one, which is printed).")
@click.option(
    "--minutes", type=click.FloatRange(0, 60), default=5.0, show_default=True, help="How long at least."
)
@click.option(
    "--only",
    type=click.Choice(list(FAULTS)),
    multiple=True,
    help="Not all faults, but this one; again for more.",
)
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Where logs are to stay.")
def main(seed: int | None, minutes: float, only: tuple[str, ...], keep: Path | None) -> None:
    """Three workers, a broker behind a proxy, seven operators' load, and one fault after the other."""
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    click.echo(f"SEED={chosen}")
    # Billing and the watcher talk to a broker that is killed now and then: nothing to say about that.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    try:
        report = asyncio.run(
            run(chosen, minutes * 60, click.echo, faults=only or tuple(FAULTS), directory=keep)
        )
    except ChaosError as error:
        click.echo(f"SEED={chosen}: {error}", err=True)
        sys.exit(1)
    click.echo(str(report))
    sys.exit(0 if report.verdict.clean else 1)


if __name__ == "__main__":
    main()
