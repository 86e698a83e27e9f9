"""What stands for a record's value that was too large to be read."""

from __future__ import annotations


class Unread(bytes):
    """The text of the detail that its dead letter is to have."""

    __slots__ = ()
