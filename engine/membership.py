"""Who takes part in an operator's programme."""

from __future__ import annotations

from engine.rulebook import Rulebook
from schemas.account import Account


def in_segment(book: Rulebook, row: Account) -> bool:
    """Whether the account is of the segment that the programme is for."""
    segment = book.membership.segment
    return segment is None or row.segment == segment


def participates(book: Rulebook, row: Account) -> bool:
    """Whether the account is enrolled and has not opted out; its segment is another question."""
    membership = book.membership
    if membership.opt_out and not row.participant:
        return False
    if membership.starts_with == "account.opened":
        return row.opened
    if row.enrolled_day == 0:
        return False
    return membership.activated_before == 0 or row.enrolled_day < membership.activated_before


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
    return book.membership.starts_with == "account.opened" or row.enrolled_day <= book.zone.day(time)
