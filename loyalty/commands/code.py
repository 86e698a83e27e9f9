"""Print the referral code of an account."""

from __future__ import annotations

from pathlib import Path

import click

from loyalty.deployment import engine, programmes_option
from loyalty.errors import LoyaltyError


@click.command("code")
@click.argument("operator")
@click.argument("account")
@programmes_option
def command(operator: str, account: str, programmes_dir: Path | None) -> None:
    """Print the code by which ACCOUNT of OPERATOR brings others.

    The code carries operator and account with a keyed check, so no table of codes exists; the key is the
    deployment's secret, in LOYALTY_CODE_KEY or the file that LOYALTY_CODE_KEY_FILE names.

    \b
      loyalty code orgtechservice A-1
    """
    decide = engine(programmes_dir)
    if operator not in decide.books.operators:
        known = ", ".join(sorted(decide.books.operators))
        raise LoyaltyError(f"OPERATOR: no programme of {operator!r}; there are: {known}")
    if not account:
        raise LoyaltyError("ACCOUNT: empty; the account's id at its operator is wanted")
    click.echo(decide.codes.code(operator, account))
