"""The one place that branches: an event, a link or a due moment meets an account row, and this follows.

Everything here is a pure function of the row and what it is given: no I/O, clock, randomness or
environment. The row is changed in place; whoever calls keeps it only if what follows is kept too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from engine import accrual, billing, due, lifecycle, referral, requests, rewards, transfer
from engine.calendar import DAY
from engine.codes import ReferralCodes
from engine.forgotten import Forgotten, key_begins
from engine.rulebook import Rulebooks
from engine.terms_parts import Accrual
from engine.turn import Turn
from schemas import seen
from schemas.account import Account
from schemas.dead_letter import IDENTITY_CONFLICT, MALFORMED_FIELD, TOO_OLD, Unreadable
from schemas.event import Event
from schemas.link import OFFER, RETURN, Link
from schemas.outcome import Cause
from schemas.programme import Programme

HORIZON_DAYS: Final = 45
_HORIZON: Final = HORIZON_DAYS * DAY
Same = Callable[[bytes, Event], bool]
DUPLICATE: Final = -2
"""Says of an event that it was applied before; any other answer is a place in `Account.seen`, or that there is none."""

_HANDLERS: Final[dict[str, Callable[[Turn, Event], None]]] = {
    "account.opened": lifecycle.open_account,
    "service.activated": lifecycle.activate,
    "service.blocked": lifecycle.block,
    "service.unblocked": lifecycle.unblock,
    "owner.changed": lambda turn, _: lifecycle.change_owner(turn),
    "account.closed": lambda turn, _: lifecycle.close(turn),
    "line.linked": lambda turn, event: None,
    "legacy-discount.converted": lifecycle.convert_discount,
    "tariff.changed": lifecycle.change_tariff,
    "payment.received": lifecycle.pay,
    "payment.refunded": lifecycle.refund,
}


class Engine:
    """All programmes and the key of the referral codes; decides, and remembers nothing."""

    def __init__(self, programmes: Iterable[Programme], code_key: bytes) -> None:
        self.books: Final = Rulebooks(programmes)
        self.codes: Final = ReferralCodes(code_key)
        self.forgotten: Final = Forgotten(code_key)
        self.forgotten_keys: Final = tuple(
            [key_begins(operator) for operator in sorted(self.books.operators)]
        )
        """How the keys of forgotten accounts' rows begin."""

    def due(self, row: Account, until: int) -> list[Turn]:
        """Let every due moment of the row up to and including `until` act."""
        turns: list[Turn] = []
        while row.next_due <= until:
            turns.append(self.act(row))
        return turns

    def act(self, row: Account) -> Turn:
        """Let the next due moment of the row act."""
        turn = due.act(self.books.at(row.operator, row.next_due), row)
        self._look_ahead(row, turn)
        return turn

    def refuse(self, row: Account, event: Event, same: Same | None = None) -> int:
        """Test an event against what the row remembers: `DUPLICATE`, which changes nothing, or what `apply` has to know.

        `same` tells whether what is remembered of a content is that of the event; None if contents are content hashes.

        :raises Unreadable: too old, the identity of another event, or not what the programme takes.
        """
        if event.time < row.clock - _HORIZON:
            book = self.books.at(row.operator, event.time)
            raise Unreadable(
                TOO_OLD,
                f"time: {book.zone.text(event.time)} is more than {HORIZON_DAYS} days older than the account's "
                f"clock, {book.zone.text(row.clock)}",
            )
        known = seen.find(row.seen, event.identity)
        if known != seen.NOT_THERE and seen.time(row.seen, known) >= max(row.clock, event.time) - _HORIZON:
            remembered = seen.content(row.seen, known)
            if remembered != event.content if same is None else not same(remembered, event):
                raise Unreadable(
                    IDENTITY_CONFLICT,
                    "id: an event of this source and id was applied before with other content; a new fact needs a new id",
                )
            return DUPLICATE
        self._check(event)
        return known

    def apply(self, row: Account, event: Event, known: int) -> list[Turn]:
        """Apply an event that `refuse` has let through, with what it said: what was due before it acts first.

        Due moments that the event creates in the past act at once, after it.
        """
        turns = self.due(row, event.time) if row.next_due <= event.time else []
        book = self.books.at(row.operator, event.time)
        cause = Cause(row.operator, row.id, event.source, event.id, event.time)
        turn = Turn(book, row, cause, book.zone.spelled(event.time, event.time_text))
        self._remember(row, known, event.identity, event.content, event.time)
        self._handle(turn, event)
        return self._finish(row, turn, turns)

    def apply_link(self, row: Account, link: Link) -> list[Turn]:
        """Apply a step that another account sent; one that was applied before changes nothing."""
        identity = link.identity
        if seen.find(row.seen, identity) != seen.NOT_THERE:
            return []
        turns = self.due(row, link.cause.time) if row.next_due <= link.cause.time else []
        turn = Turn(self.books.at(row.operator, link.cause.time), row, link.cause)
        self._remember(row, seen.NOT_THERE, identity, seen.NO_CONTENT, max(link.cause.time, row.clock))
        if link.kind == OFFER:
            transfer.receive(turn, link)
        elif link.kind == RETURN:
            transfer.take_back(turn, link)
        else:
            referral.STEPS[link.kind](turn, link)
        return self._finish(row, turn, turns)

    def _finish(self, row: Account, turn: Turn, turns: list[Turn]) -> list[Turn]:
        turns.append(turn)
        row.clock = max(row.clock, turn.time)
        self._look_ahead(row, turn)
        if row.next_due <= row.clock:
            turns += self.due(row, row.clock)
        return turns

    def _look_ahead(self, row: Account, turn: Turn) -> None:
        book = turn.book if turn.time == row.clock else self.books.at(row.operator, row.clock)
        row.next_due = due.next_moment(book, row)

    def _handle(self, turn: Turn, event: Event) -> None:
        if event.type in requests.TYPES:
            requests.handle(turn, event)
        elif event.type == "referral.code-registered":
            referral.register(turn, event, self.codes)
        elif not turn.row.closed:
            handler = _HANDLERS.get(event.type)
            if handler is not None:
                handler(turn, event)
            elif turn.book.accrual is not None:
                _spend(turn, event, turn.book.accrual)

    def _check(self, event: Event) -> None:
        """Refuse as a record what only the operator's programme can tell.

        :raises Unreadable: with the field and what would be right.
        """
        if event.type == "points.redeem-requested":
            rewards.check(self.books.at(event.operator, event.time), event)
        elif event.type == "legacy-discount.converted":
            levels = self.books.at(event.operator, event.time).levels
            if levels is not None and event.data["percent"] > levels.maximum:
                raise Unreadable(
                    MALFORMED_FIELD,
                    f"data.percent: {event.data['percent']}; it becomes the level, 1 to {levels.maximum}",
                )

    def _remember(self, row: Account, known: int, identity: bytes, content: bytes, time: int) -> None:
        """Remember an identity, and forget the first ones once they are older than the horizon.

        `known` is where the row still has this identity, or `seen.NOT_THERE`.
        """
        horizon = max(row.clock, time) - _HORIZON
        row.seen = seen.remember(row.seen, known, identity, content, time, horizon)
        if row.refunded:
            billing.forget_refunds(row, horizon)


def _spend(turn: Turn, event: Event, rules: Accrual) -> None:
    data = event.data
    match event.type:
        case "charge.posted":
            accrual.earn(turn, rules, "charge", data["category"], data["amount"])
        case "purchase.completed":
            accrual.purchase(turn, rules, event)
        case "purchase.confirmed":
            accrual.confirm(turn, rules, data["purchase"])
        case "purchase.returned":
            accrual.give_back(turn, rules, data["purchase"])
