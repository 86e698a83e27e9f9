"""Create the Kafka topics, or say how those that exist differ from what is needed."""

from __future__ import annotations

from typing import Final

import click

from loyalty.cluster import bootstrap_option, settings_of, talk
from streams.settings import Settings

DIFFERENT: Final = 1
"""Exit status when topics are not as they must be."""


@click.command("topics")
@bootstrap_option
@click.option("--check", is_flag=True, help="Only compare; create nothing.")
@click.option(
    "--partitions",
    type=click.IntRange(1, 1000),
    help="Partitions of every topic (default: LOYALTY_PARTITIONS, else 4).",
)
@click.option("--acls", is_flag=True, help="Only print the least access rights of each role, as commands.")
def command(bootstrap: str | None, check: bool, partitions: int | None, acls: bool) -> int:
    """Create the topics that are missing, and compare all of them with what is needed.

    What exists is never changed. Each difference is one line on standard output with its remedy, and the
    exit status is 1. All topics need the same number of partitions, which decides what belongs to one task
    and cannot be changed while there is state; and since the timestamp of a record is the time of its event,
    an age limit such as Kafka's usual seven days would delete a replay of last year.

    \b
      loyalty topics
      loyalty topics --check && echo ready
      loyalty topics --acls > acls.sh
    """
    settings = settings_of(bootstrap=bootstrap, partitions=partitions)
    if acls:
        from streams.access import commands

        for line in commands(settings):
            click.echo(line)
        return 0
    created, differences = talk(settings, lambda known: _create_and_check(known, create=not check))
    for name in created:
        click.echo(f"created {name}, {_counted(settings.partitions, 'partition')}")
    for difference in differences:
        click.echo(difference)
    if not differences:
        click.echo(f"all topics at {settings.bootstrap} are as they must be")
    return DIFFERENT if differences else 0


async def _create_and_check(settings: Settings, *, create: bool) -> tuple[list[str], list[str]]:
    from streams.topics import check_topics, create_topics

    created = await create_topics(settings) if create else []
    return created, [str(difference) for difference in await check_topics(settings)]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
