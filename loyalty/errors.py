"""What the `loyalty` command says when it cannot do what it was asked."""

from __future__ import annotations

from typing import Final

BAD_USE: Final = 2
"""Exit status for bad command-line use, bad configuration and unusable input."""


class LoyaltyError(Exception):
    """An expected failure: shown as one line on stderr, never as a traceback.

    The message says what is wrong and what would be right. `exit_status` becomes the process's own.
    """

    def __init__(self, message: str, exit_status: int = BAD_USE) -> None:
        super().__init__(message)
        self.exit_status: Final = exit_status
