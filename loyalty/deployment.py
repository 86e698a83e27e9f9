"""What a command needs of the deployment before it can decide anything: programmes, and the key of the codes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

import programmes
from engine.decide import Engine
from loyalty.errors import LoyaltyError
from schemas.programme import Programme
from schemas.programme_files import ProgrammeError, load_programmes

CODE_KEY: Final = "LOYALTY_CODE_KEY"
CODE_KEY_FILE: Final = "LOYALTY_CODE_KEY_FILE"
DEVELOPMENT_KEY: Final = b"loyalty-streams: for development only, known to everyone"
_KEY_BYTES_MIN: Final = 16

programmes_option = click.option(
    "--programmes",
    "programmes_dir",
    type=click.Path(path_type=Path),
    help="Directory of programme definitions (default: those that come with this program).",
)


def programmes_directory() -> Path:
    """The programmes that come with this program."""
    return Path(next(iter(programmes.__path__)))


def load(directory: Path | None) -> list[Programme]:
    """The programmes of a directory, by default those that come with this program."""
    try:
        return load_programmes(directory or programmes_directory())
    except ProgrammeError as error:
        first, *more = error.problems
        raise LoyaltyError(
            first + (f" (and {len(more)} more; see 'loyalty check')" if more else "")
        ) from error


def code_key(environment: Mapping[str, str] = os.environ) -> bytes:
    """The secret key of the referral codes, from the environment or a file it names.

    Without one it is the development key, which everyone knows: good for trying things out, refused by
    `loyalty worker`.
    """
    text = environment.get(CODE_KEY)
    name = CODE_KEY
    if text is None and (file := environment.get(CODE_KEY_FILE)) is not None:
        name = CODE_KEY_FILE
        try:
            text = Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise LoyaltyError(f"{CODE_KEY_FILE}: {file} cannot be read: {error}") from error
    if text is None:
        return DEVELOPMENT_KEY
    key = text.encode()
    if len(key) < _KEY_BYTES_MIN:
        raise LoyaltyError(f"{name}: the key of the referral codes has at least {_KEY_BYTES_MIN} bytes")
    return key


def engine(directory: Path | None) -> Engine:
    """The engine with the deployment's programmes and key."""
    return Engine(load(directory), code_key())
