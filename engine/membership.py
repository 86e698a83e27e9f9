"""Who takes part in an operator's programme."""

from __future__ import annotations

from engine.rulebook import Rulebook
from schemas.account import Account


def in_segment(book: Rulebook, row: Account) -> bool:
    """Whether the account is of the segment that the programme is for."""
    return book.segment is None or row.segment == book.segment


def participates(book: Rulebook, row: Account) -> bool:
    """Whether the account is enrolled and has not opted out; its segment is another question."""
    if book.opt_out and not row.participant:
        return False
    if book.starts_when_opened:
        return row.opened
    if row.enrolled_day == 0:
        return False
    return book.activated_before is None or row.enrolled_day < book.activated_before


def is_member(book: Rulebook, row: Account) -> bool:
    """Whether the account is open, of the right segment, and takes part."""
    return row.is_open and in_segment(book, row) and participates(book, row)


def was_member(book: Rulebook, row: Account, time: int) -> bool:
    """Whether the account is a member, and was by `time`: what another account sent then may come long after."""
    return in_segment(book, row) and took_part(book, row, time)


def took_part(book: Rulebook, row: Account, time: int) -> bool:
    """Whether the account is open and participates, and did by `time`; its segment is another question."""
    if not (row.was_open(time) and participates(book, row)):
        return False
    return book.starts_when_opened or row.enrolled_day <= book.zone.day(time)
