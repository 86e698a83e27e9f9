"""Tell the rules of a programme in plain language: what a member gets, and when."""

from __future__ import annotations

from pathlib import Path

import click

from loyalty.deployment import load, programmes_option
from loyalty.errors import LoyaltyError
from loyalty.rules.pages import index, page
from loyalty.rules.referral_diagram import document
from schemas.programme import Programme


@click.command("rules")
@click.argument("operator", required=False)
@click.option(
    "--write",
    "directory",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the pages into DIR instead of printing: rules.md, rules/OPERATOR.md and referral.md.",
)
@programmes_option
def command(operator: str | None, directory: Path | None, programmes_dir: Path | None) -> None:
    """Tell the rules of OPERATOR (default: of all) in plain language, in Markdown.

    Every sentence, number and table comes from the programme definition, so that whoever owns the programme
    can compare it with what was published.

    \b
      loyalty rules orgtechservice
      loyalty rules --write docs
    """
    by_operator: dict[str, list[Programme]] = {}
    for programme in load(programmes_dir):
        by_operator.setdefault(programme.operator, []).append(programme)
    if operator is not None and operator not in by_operator:
        raise LoyaltyError(
            f"OPERATOR: no programme of {operator!r}; there are: {', '.join(sorted(by_operator))}"
        )
    chosen = [operator] if operator is not None else sorted(by_operator)
    if directory is None:
        click.echo("\n".join(page(by_operator[name]) for name in chosen), nl=False)
        return
    files = {f"rules/{name}.md": page(by_operator[name]) for name in chosen}
    if operator is None:
        files |= {"rules.md": index(by_operator), "referral.md": document()}
    write(directory, files)


def write(directory: Path, files: dict[str, str]) -> None:
    """Write files into a directory, which is made where it is missing."""
    for name, text in files.items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as error:
            raise LoyaltyError(f"--write: {path}: {error.strerror}") from error
        click.echo(f"wrote {path}")
