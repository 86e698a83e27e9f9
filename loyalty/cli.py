"""The `loyalty` command: finds its subcommands by file name and imports only the one that is called."""

from __future__ import annotations

import ast
import difflib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from loyalty import __version__
from loyalty.errors import BAD_USE, LoyaltyError

COMMANDS_DIR: Final = Path(__file__).parent / "commands"
ORDER: Final = (
    "demo",
    "simulate",
    "send",
    "worker",
    "clock",
    "account",
    "history",
    "code",
    "topics",
    "dead-letters",
    "audit",
    "restore",
    "forget",
    "check",
    "rules",
    "broker",
)
"""The order of `loyalty --help`: what a newcomer tries first comes first; others follow by name."""

INTERRUPTED: Final = 130
"""What a shell reports for a process that Ctrl-C ended."""


class LazyGroup(click.Group):
    """A group whose commands are the modules of `loyalty.commands`, imported only when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands that exist as a module, in `ORDER`."""
        names = {path.stem.replace("_", "-") for path in COMMANDS_DIR.glob("[a-z]*.py")}
        return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself; imports its module."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"loyalty.commands.{cmd_name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command), f"{module.__name__}.command is not a click command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but a mistyped command is told which one it resembles."""
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"it is one of {_listed(self.list_commands(ctx))}"
            )
            raise click.UsageError(f"no command {name!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, each with its module's first line, without importing any of them."""
        rows = [(name, _summary(name)) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _summary(name: str) -> str:
    source = (COMMANDS_DIR / f"{name.replace('-', '_')}.py").read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    return docstring.partition("\n")[0]


@click.group(
    cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, "-V", "--version", message="loyalty %(version)s")
@click.pass_context
def loyalty(ctx: click.Context) -> None:
    """Loyalty, referral and promotion programmes, decided on a stream of billing events.

    Events come in on Kafka topics, outcomes go out on others; 'loyalty demo' shows it all at work on this
    machine. Every command has a --help of its own.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(args: Sequence[str] | None = None) -> int:
    """Runs the command line `args` (default: the process's own) and returns its exit status.

    A command may return its exit status; None is 0. Expected failures are one line on stderr.
    """
    try:
        result = loyalty.main(
            args=None if args is None else list(args), prog_name="loyalty", standalone_mode=False
        )
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "loyalty"
        return _fail(where, f"{error.format_message().rstrip('.')} (see '{where} --help')", BAD_USE)
    except click.ClickException as error:
        return _fail("loyalty", error.format_message(), BAD_USE)
    except LoyaltyError as error:
        return _fail("loyalty", str(error), error.exit_status)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _fail(where: str, message: str, exit_status: int) -> int:
    print(f"{where}: {' '.join(message.split())}", file=sys.stderr)
    return exit_status


def main() -> NoReturn:
    """Entry point of the `loyalty` script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
