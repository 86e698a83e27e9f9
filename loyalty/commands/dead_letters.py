"""List refused records, show what is wrong with one, send corrected ones again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from loyalty.cluster import bootstrap_option, need_topics, settings_of, talk
from loyalty.deployment import load, programmes_option
from loyalty.errors import LoyaltyError
from schemas.dead_letter import Unreadable
from schemas.instant import parse_instant
from streams.settings import Settings

if TYPE_CHECKING:
    from loyalty.dead_letter_box import Coordinates, Letter, Wanted
    from loyalty.feed import Fact

UNKNOWN: Final = 1
"""Exit status when there is no such letter."""
REFUSED: Final = 3
"""Exit status when lines of a file were not sent."""


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            bootstrap_option,
            click.option("--reason", metavar="REASON", help="Only this reason, such as malformed-field."),
            click.option(
                "--operator", metavar="NAME", help="Only records of this operator, as far as they tell."
            ),
            click.option("--topic", metavar="TOPIC", help="Only records of this topic."),
            click.option(
                "--since",
                metavar="TIME",
                help="Only records from then on, by their own timestamp (RFC 3339).",
            ),
        )
    ):
        function = option(function)
    return function


@click.group("dead-letters", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> int | None:
    """Look at the records that were refused, and send them again once they are right.

    A record that cannot be read, or whose identity was used for something else, changes nothing: a copy of
    it goes to loyalty.dead-letters with the reason, and where it stands as TOPIC/PARTITION/OFFSET. Without
    a subcommand the latest are listed.

    \b
      loyalty dead-letters list --reason malformed-field
      loyalty dead-letters show billing.payments/2/1041
      loyalty dead-letters resend billing.payments/2/1041 --set data.amount=650.00
      loyalty dead-letters export --operator mts > letters.ndjson   (edit it, then)
      loyalty dead-letters send letters.ndjson
    """
    if ctx.invoked_subcommand is None:
        result: int = ctx.invoke(list_command)
        return result
    return None


@command.command("list")
@_filters
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Only the latest so many."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_command(
    bootstrap: str | None,
    reason: str | None,
    operator: str | None,
    topic: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """List the latest refused records, oldest first: where they stand, and why they were refused."""
    from loyalty.dead_letter_box import latest, without_value

    wanted = _wanted(reason, operator, topic, since)

    async def read(settings: Settings) -> tuple[list[Letter], int]:
        await need_topics(settings)
        return await latest(settings, wanted, limit, without_value)

    found, count = talk(settings_of(bootstrap=bootstrap), read)
    for letter in found:
        if as_json:
            click.echo(orjson.dumps(_facts(letter)))
        else:
            click.echo(_plain(f"{letter.at}  {letter.key or '(no key)'}  {letter.reason}: {letter.detail}"))
    if not as_json:
        left = f", the latest {len(found):,} of them" if count > len(found) else ""
        click.echo(f"{count:,} dead letters{left}" if count else "no dead letters", err=True)
    return 0


@command.command("show")
@click.argument("coordinates", metavar="TOPIC/PARTITION/OFFSET")
@bootstrap_option
@programmes_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a page.")
def show_command(coordinates: str, bootstrap: str | None, programmes_dir: Path | None, as_json: bool) -> int:
    """Show one refused record: what is wrong, what would be right, and the record itself."""
    settings = settings_of(bootstrap=bootstrap)
    letter = _found(settings, _coordinates(coordinates))
    verdict = _verdict(letter, _operators(programmes_dir))
    if as_json:
        click.echo(orjson.dumps({**_facts(letter), "now": verdict, "example": _example(letter)}))
        return 0
    from schemas.contract_docs import MEANING_OF_REASON

    wrong, _, right = letter.detail.partition("; ")
    record = letter.record()
    value = letter.text() if record is None else orjson.dumps(record, option=orjson.OPT_INDENT_2).decode()
    rows = [
        ("record", str(letter.at)),
        ("key", letter.key or "none"),
        ("reason", f"{letter.reason}. {MEANING_OF_REASON.get(letter.reason, '')}"),
        ("kept", f"the beginning of {letter.value_bytes:,} bytes" if letter.value_bytes else ""),
        ("wrong", wrong),
        ("right", right),
        ("now", verdict),
    ]
    for name, text in rows:
        if text:
            click.echo(_plain(f"{name:8}{text}"))
    click.echo(_plain(f"value\n{value}"))
    example = _example(letter)
    if example is not None:
        click.echo(f"a right one of this type\n{orjson.dumps(example).decode()}")
    return 0


@command.command("resend")
@click.argument("coordinates", metavar="TOPIC/PARTITION/OFFSET")
@bootstrap_option
@programmes_option
@click.option(
    "--set", "sets", multiple=True, metavar="FIELD=VALUE", help="Set a field, such as data.months=1."
)
@click.option("--remove", "removes", multiple=True, metavar="FIELD", help="Remove a field.")
@click.option(
    "--edit",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The whole corrected record, as JSON in a file.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
def resend_command(
    coordinates: str,
    bootstrap: str | None,
    programmes_dir: Path | None,
    sets: tuple[str, ...],
    removes: tuple[str, ...],
    edit: Path | None,
    dry_run: bool,
) -> int:
    """Send a refused record again, corrected, to the topic and with the key it should have had.

    It keeps its identity unless you set another id: sent twice it still counts once. What would be refused
    again is not sent. The letter itself stays where it is, as evidence.
    """
    from loyalty.corrections import corrected, sendable

    if edit is not None and (sets or removes):
        raise LoyaltyError("--edit: it gives the whole record, so it goes without --set and --remove")
    operators = _operators(programmes_dir)
    settings = settings_of(bootstrap=bootstrap)
    letter = _found(settings, _coordinates(coordinates))
    if edit is not None:
        value = edit.read_bytes().strip()
    elif letter.value_bytes is not None:
        raise LoyaltyError(
            f"{letter.at}: the letter keeps only the beginning of {letter.value_bytes:,} bytes; "
            "give the whole corrected record with --edit FILE"
        )
    elif sets or removes:
        value = corrected(letter.record(), sets, removes)
    else:
        value = letter.value or b""
    fact = sendable(value, operators, letter.reason, letter.record())
    if not dry_run:
        talk(settings, lambda known: _send(known, [fact]))
    click.echo(f"{'would send' if dry_run else 'sent'} to {fact.topic}: {fact.value.decode()}")
    return 0


@command.command("export")
@_filters
def export_command(
    bootstrap: str | None, reason: str | None, operator: str | None, topic: str | None, since: str | None
) -> int:
    """Write refused records to standard output, one JSON object a line: correct `record`, then send them."""
    from loyalty.dead_letter_box import letters

    wanted = _wanted(reason, operator, topic, since)

    async def write(settings: Settings) -> None:
        await need_topics(settings)
        async for letter in letters(settings):
            if wanted.takes(letter):
                record = letter.record()
                line = {"at": str(letter.at), "reason": letter.reason, "detail": letter.detail}
                click.echo(orjson.dumps({**line, "record": letter.text() if record is None else record}))

    talk(settings_of(bootstrap=bootstrap), write)
    return 0


@command.command("send")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@bootstrap_option
@programmes_option
def send_command(file: Path, bootstrap: str | None, programmes_dir: Path | None) -> int:
    """Send the corrected records of FILE, made by export (- for standard input).

    Lines that would be refused again are not sent; they go to standard error, and the exit status is 3.
    """
    from loyalty.corrections import sendable

    operators = _operators(programmes_dir)
    settings = settings_of(bootstrap=bootstrap)
    lines = (sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).splitlines()
    facts: list[Fact] = []
    refused = 0
    originals = _originals(settings, lines)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            given = _line(line)
            letter = originals.get(given["at"])
            if letter is None:
                raise LoyaltyError(f"{given['at']}: no dead letter about this record")
            value = orjson.dumps(given["record"])
            facts.append(sendable(value, operators, letter.reason, letter.record()))
        except LoyaltyError as error:
            refused += 1
            click.echo(orjson.dumps({"line": number, "detail": str(error)}), err=True)
    talk(settings, lambda known: _send(known, facts))
    click.echo(f"sent {len(facts):,}, kept back {refused:,}", err=True)
    return REFUSED if refused else 0


def _line(line: bytes) -> dict[str, Any]:
    try:
        given = orjson.loads(line)
        return {"at": str(_coordinates(given["at"])), "record": given["record"]}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise LoyaltyError(
            'the line is not what export writes: {"at": "topic/partition/offset", "record": {…}}'
        ) from error


def _originals(settings: Settings, lines: Sequence[bytes]) -> dict[str, Letter]:
    """The letters that the lines speak of, by coordinates."""
    from loyalty.dead_letter_box import letters

    named: set[str] = set()
    for line in lines:
        try:
            named.add(_line(line)["at"])
        except LoyaltyError:
            continue  # told when its turn comes

    async def read(known: Settings) -> dict[str, Letter]:
        await need_topics(known)
        return {str(letter.at): letter async for letter in letters(known) if str(letter.at) in named}

    return talk(settings, read)


async def _send(settings: Settings, facts: Sequence[Fact]) -> None:
    from loyalty.feed import route
    from loyalty.sending import Sender

    async with Sender(settings) as sender:
        await sender.send(route(facts, settings.partitions))


def _found(settings: Settings, at: Coordinates) -> Letter:
    from loyalty.dead_letter_box import find

    async def read(known: Settings) -> Letter | None:
        await need_topics(known)
        return await find(known, at)

    letter = talk(settings, read)
    if letter is None:
        raise LoyaltyError(
            f"{at}: no dead letter about this record; 'loyalty dead-letters list' shows what there is",
            UNKNOWN,
        )
    return letter


def _coordinates(text: str) -> Coordinates:
    from loyalty.dead_letter_box import Coordinates

    try:
        return Coordinates.parse(text)
    except ValueError as error:
        raise LoyaltyError(
            f"{text!r}: a record is named by TOPIC/PARTITION/OFFSET, such as billing.payments/2/1041"
        ) from error


def _wanted(reason: str | None, operator: str | None, topic: str | None, since: str | None) -> Wanted:
    from loyalty.dead_letter_box import Wanted

    try:
        return Wanted(reason, operator, topic, None if since is None else parse_instant(since))
    except Unreadable as error:
        raise LoyaltyError(f"--since: {error.detail}") from error


def _operators(directory: Path | None) -> set[str]:
    return {programme.operator for programme in load(directory)}


def _verdict(letter: Letter, operators: set[str]) -> str:
    """What would come of sending it as it is."""
    from loyalty.corrections import sendable

    try:
        sendable(letter.value or b"", operators, letter.reason, letter.record())
    except LoyaltyError as error:
        text = str(error)
        return "" if letter.detail in text else text
    return "it can be read as it is; resend it to the right topic with the right key"


def _example(letter: Letter) -> dict[str, Any] | None:
    from schemas.contract_examples import FULL_DATA, record_of

    record = letter.record()
    type_ = record.get("type") if isinstance(record, dict) else None
    return record_of(type_) if isinstance(type_, str) and type_ in FULL_DATA else None


def _plain(text: str) -> str:
    """The text without anything that a terminal would obey: it was written by strangers."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def _facts(letter: Letter) -> dict[str, Any]:
    return {
        "at": str(letter.at),
        "key": letter.key,
        "timestamp": letter.timestamp,
        "reason": letter.reason,
        "detail": letter.detail,
        "value": letter.text(),
    }
