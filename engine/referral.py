"""Referrals: one transition table for every programme (SPEC 2.1, 2.2, 2.7).

A referral lives in two rows, the friend's and the advocate's, and moves by link records between them. Each
step names the state it starts from; a step that comes twice, or to a state it does not fit, does nothing.
`TRANSITIONS` is the whole machine; the diagram in docs/referral.md is generated from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from engine import referral_rewards
from engine.calendar import add_months
from engine.codes import ReferralCodes
from engine.membership import is_member, took_part, was_member
from engine.terms_referral import Referral
from engine.turn import Turn
from schemas.account import Account, Claim
from schemas.event import Event
from schemas.link import ANSWER, CLAIM, CONVERSION, RESULT, Link

NONE: Final = "none"
WAITING: Final = "waiting"
CLAIMED: Final = "claimed"
ACCEPTED: Final = "accepted"
CONVERTED: Final = "converted"
COMPLETED: Final = "completed"
REJECTED: Final = "rejected"

UNKNOWN_CODE: Final = "unknown-code"
NOT_ACTIVE: Final = "programme-not-active"
_NO_RULE: Final = "referral"


class Transition(NamedTuple):
    """In whose row (`side`), from which state, on which trigger, to which state, with which effect."""

    side: str
    state: str
    trigger: str
    to: str
    effect: str


TRANSITIONS: Final = (
    Transition("friend", NONE, "code registered", CLAIMED, "claim to the advocate"),
    Transition("friend", NONE, "code registered, an earlier one has no answer", WAITING, "wait for it"),
    Transition("friend", WAITING, "the earlier one is answered", CLAIMED, "claim to the advocate"),
    Transition(
        "advocate", NONE, "claim, all tests passed", ACCEPTED, "referral.accepted; answer to the friend"
    ),
    Transition("advocate", NONE, "claim, a test failed", NONE, "answer with the reason"),
    Transition("friend", CLAIMED, "answer: accepted", ACCEPTED, "referral.accepted"),
    Transition("friend", CLAIMED, "answer: a reason", NONE, "referral.rejected"),
    Transition("friend", ACCEPTED, "activated and paid", CONVERTED, "conversion to the advocate"),
    Transition(
        "advocate", ACCEPTED, "conversion of a participant", COMPLETED, "referral.completed, reward; result"
    ),
    Transition(
        "advocate", ACCEPTED, "conversion otherwise", REJECTED, "referral.rejected; result with the reason"
    ),
    Transition("advocate", NONE, "conversion, forgotten since it accepted", NONE, "result with the reason"),
    Transition("friend", CONVERTED, "result: completed", COMPLETED, "referral.completed, reward"),
    Transition("friend", CONVERTED, "result: a reason", REJECTED, "referral.rejected"),
)


def register(turn: Turn, event: Event, codes: ReferralCodes) -> None:
    """At the friend: a code is registered."""
    row, book, referral = turn.row, turn.book, turn.book.referral
    code: str = event.data["code"]
    owner = codes.read(code)
    advocate = owner[1] if owner is not None and owner[0] == row.operator else None
    claim = Claim(CLAIMED, code, advocate or "", turn.cause, None)
    if not row.is_open:
        _say(turn, "referral.rejected", "friend", claim, "unknown-account")
    elif referral is None or book.is_over(turn.day):
        _say(turn, "referral.rejected", "friend", claim, NOT_ACTIVE)
    elif advocate is None:
        _say(turn, "referral.rejected", "friend", claim, UNKNOWN_CODE)
    elif advocate == row.id:
        _say(turn, "referral.rejected", "friend", claim, "self-referral")
    else:
        claim.fault = _friend_fault(turn, referral)
        if referral.completes == "conversion" and _is_customer(row):
            claim.converted = turn.cause  # the registration itself came last
        if any(other.state == CLAIMED for other in row.claims):
            claim.state = WAITING
        else:
            _send_claim(turn, claim)
        row.claims += (claim,)


def answer_claim(turn: Turn, link: Link) -> None:
    """At the advocate: a friend claims to be referred."""
    row, referral = turn.row, turn.book.referral
    friend = link.sender
    reason = _claim_fault(turn, link, referral)
    if reason is None and referral is not None:
        completes = referral.completes == "registration"
        if row.advocated is None:
            row.advocated = {}
        row.advocated[friend] = COMPLETED if completes else ACCEPTED
        claim = _advocates_view(turn, link)
        _say(turn, "referral.accepted", "advocate", claim, "accepted", friend=friend)
        if completes:
            _complete_advocate(turn, referral, claim, friend)
    turn.send(ANSWER, link.sender_operator, friend, {"reason": reason, "code": link.data["code"]})


def take_answer(turn: Turn, link: Link) -> None:
    """At the friend: the advocate's account has accepted or refused."""
    row, referral = turn.row, turn.book.referral
    claim = next(
        (c for c in row.claims if c.state == CLAIMED and c.cause.packed() == turn.cause.packed()), None
    )
    if claim is None:
        return
    reason: str | None = link.data["reason"]
    if reason is not None:
        row.claims = tuple([other for other in row.claims if other is not claim])
        _say(turn, "referral.rejected", "friend", claim, reason)
    else:
        claim.state = ACCEPTED
        _say(turn, "referral.accepted", "friend", claim, "accepted")
        if referral is not None and referral.completes == "registration":
            _complete_friend(turn, referral, claim)
        elif claim.converted is not None:
            _convert(turn, claim)
    _next_claim(turn)


def notice_conversion(turn: Turn) -> None:
    """At the friend, after an activation or a payment: both together make the friend a customer."""
    row, referral = turn.row, turn.book.referral
    if referral is None or referral.completes != "conversion" or not _is_customer(row):
        return
    for claim in row.claims:
        if claim.converted is None and claim.state in (CLAIMED, ACCEPTED, WAITING):
            claim.converted = turn.cause
            if claim.state == ACCEPTED:
                _convert(turn, claim)


def settle(turn: Turn, link: Link) -> None:
    """At the advocate: the friend has become a customer."""
    row, referral = turn.row, turn.book.referral
    friend = link.sender
    if not row.opened and referral is not None:  # accepted once, so it was forgotten since
        turn.send(
            RESULT, link.sender_operator, friend, {"reason": "not-participant", "code": link.data["code"]}
        )
        return
    advocated = row.advocated
    if advocated is None or advocated.get(friend) != ACCEPTED or referral is None:
        return
    claim = _advocates_view(turn, link)
    # Of all the tests participation alone is made again; the segment was tested at registration.
    if took_part(turn.book, row, turn.time) and not turn.book.is_over(turn.day):
        advocated[friend] = COMPLETED
        _complete_advocate(turn, referral, claim, friend)
        reason = None
    else:
        advocated[friend] = REJECTED
        reason = "not-participant"
        _say(turn, "referral.rejected", "advocate", claim, reason, friend=friend)
    turn.send(RESULT, link.sender_operator, friend, {"reason": reason, "code": link.data["code"]})


def take_result(turn: Turn, link: Link) -> None:
    """At the friend: the advocate's account has settled the conversion."""
    referral = turn.book.referral
    claim = next((c for c in turn.row.claims if c.state == CONVERTED and c.advocate == link.sender), None)
    if claim is None or referral is None:
        return
    reason: str | None = link.data["reason"]
    if reason is None:
        _complete_friend(turn, referral, claim)
    else:
        claim.state = REJECTED
        _say(turn, "referral.rejected", "friend", claim, reason)


STEPS: Final[dict[str, Callable[[Turn, Link], None]]] = {
    CLAIM: answer_claim,
    ANSWER: take_answer,
    CONVERSION: settle,
    RESULT: take_result,
}


def _is_customer(row: Account) -> bool:
    return row.is_open and row.activated_day != 0 and row.paid_count > 0


def _friend_fault(turn: Turn, referral: Referral) -> str | None:
    """The first test that fails on the friend's side."""
    row, book = turn.row, turn.book
    limit = referral.register_within_months
    for test in referral.tests:
        match test:
            case "already-referred":
                failed = any(c.state in (ACCEPTED, CONVERTED, COMPLETED, REJECTED) for c in row.claims)
            case "existing-customer":
                failed = row.existing_customer or (row.activated_day != 0 and row.activated_at <= turn.time)
            case "not-individual":
                failed = row.segment != "individual"
            case "not-participant":
                failed = referral.participants == "both" and not is_member(book, row)
            case "too-late":
                failed = (
                    row.activated_day == 0
                    or row.activated_at > turn.time
                    or (limit is not None and turn.day > add_months(row.activated_day, limit))
                )
            case "programme-not-active":
                failed = not referral.active.include(turn.day)
            case _:
                failed = False
        if failed:
            return test
    return None


def _claim_fault(turn: Turn, link: Link, referral: Referral | None) -> str | None:
    """The first test that fails on either side, in the order of the definition."""
    row, book = turn.row, turn.book
    if not row.was_open(turn.time):
        return UNKNOWN_CODE
    if referral is None:
        return NOT_ACTIVE
    if row.advocated is not None and link.sender in row.advocated:
        return "already-referred"
    fault: str | None = link.data["fault"]
    for test in referral.tests:
        if test == fault:
            return test
        if test == "not-individual" and row.segment != "individual":
            return test
        if test == "not-participant" and not was_member(book, row, turn.time):
            return test
    return None


def _send_claim(turn: Turn, claim: Claim) -> None:
    turn.send(CLAIM, turn.row.operator, claim.advocate, {"code": claim.code, "fault": claim.fault})


def _next_claim(turn: Turn) -> None:
    """Let the next registration that waited go its way, with its own cause."""
    row = turn.row
    waiting = next((claim for claim in row.claims if claim.state == WAITING), None)
    if waiting is None:
        return
    again = Turn(turn.book, row, waiting.cause)
    waiting.state = CLAIMED
    if (
        any(c.state in (ACCEPTED, CONVERTED, COMPLETED) for c in row.claims)
        and turn.book.referral is not None
    ):
        tests = turn.book.referral.tests
        faults = [fault for fault in (waiting.fault, "already-referred") if fault is not None]
        waiting.fault = min(faults, key=lambda fault: tests.index(fault) if fault in tests else len(tests))
    _send_claim(again, waiting)
    turn.links.extend(again.links)


def _convert(turn: Turn, claim: Claim) -> None:
    assert claim.converted is not None, "only a converted claim is sent on"
    claim.state = CONVERTED
    sender = Turn(turn.book, turn.row, claim.converted)
    sender.send(CONVERSION, turn.row.operator, claim.advocate, {"code": claim.code})
    turn.links.extend(sender.links)


def _complete_advocate(turn: Turn, referral: Referral, claim: Claim, friend: str) -> None:
    _say(turn, "referral.completed", "advocate", claim, "completed", friend=friend)
    referral_rewards.reward_advocate(turn, referral.advocate)


def _complete_friend(turn: Turn, referral: Referral, claim: Claim) -> None:
    claim.state = COMPLETED
    _say(turn, "referral.completed", "friend", claim, "completed")
    if referral.friend is not None and not turn.row.closed:
        referral_rewards.reward_friend(turn, referral.friend)


def _advocates_view(turn: Turn, link: Link) -> Claim:
    return Claim(ACCEPTED, link.data["code"], turn.row.id, turn.cause, None)


def _say(turn: Turn, type: str, role: str, claim: Claim, reason: str, *, friend: str = "") -> None:
    data: dict[str, Any] = {
        "code": claim.code,
        "role": role,
        "advocate": claim.advocate or None,
        "friend": friend or turn.row.id,
    }
    referral = turn.book.referral
    turn.emit(type, referral.rule if referral else _NO_RULE, reason, data)
