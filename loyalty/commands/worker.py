"""Decide the events on the Kafka topics, until told to stop; start as many as you like."""

from __future__ import annotations

import os
from pathlib import Path

import click

from loyalty import deployment
from loyalty.cluster import bootstrap_option, need_topics, settings_of, talk
from loyalty.errors import LoyaltyError
from streams.settings import SettingsError, variables


class _WithSettings(click.Command):
    """A command whose help ends with the list of settings."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every environment variable, what it sets, its default."""
        with formatter.section("Environment"):
            formatter.write_dl(
                [
                    (name, text + ("" if default in (None, False) else f" (default: {default})"))
                    for name, text, default in variables()
                ]
            )


@click.command("worker", cls=_WithSettings)
@bootstrap_option
@click.option(
    "--development-key",
    is_flag=True,
    help="Accept the key of the referral codes that everyone knows. For trying things out.",
)
@deployment.programmes_option
def command(bootstrap: str | None, development_key: bool, programmes_dir: Path | None) -> int:
    """Read events from Kafka, decide them, and write what follows, each batch in one transaction.

    Several workers share the partitions between them; when one ends, by a signal or by force, the others
    take over where its last transaction ended. SIGTERM and Ctrl-C end a worker in order, with status 0. A
    worker that fails says why, ends with another status, and is meant to be restarted.

    The key of the referral codes is a secret of the deployment: LOYALTY_CODE_KEY, or the file that
    LOYALTY_CODE_KEY_FILE names. All other settings are environment variables too, see below.

    \b
      LOYALTY_CODE_KEY=… loyalty worker
      loyalty worker --development-key
    """
    settings = settings_of(bootstrap=bootstrap)
    key = deployment.code_key(os.environ)
    if key == deployment.DEVELOPMENT_KEY and not development_key:
        raise LoyaltyError(
            f"{deployment.CODE_KEY} is not set: it is the secret key of the referral codes, 16 bytes or more; "
            "to try things out with the key that everyone knows, add --development-key"
        )
    programmes = deployment.load(programmes_dir)
    talk(settings, need_topics)

    from agents.worker import loyalty_task, reading_ahead, run_worker
    from engine.decide import Engine

    try:
        return run_worker(settings, loyalty_task(Engine(programmes, key)), reading_ahead())
    except SettingsError as error:
        raise LoyaltyError(str(error)) from error
