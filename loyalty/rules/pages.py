"""The rules pages: one for each operator, and the list of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from loyalty.rules import account_life, earning, friends, offers, spending
from loyalty.rules.words import day, eve
from schemas.programme import Programme
from schemas.programme_promotions import DiscountPromotion

GENERATED: Final = (
    "Written from the programme definitions by `loyalty rules --write docs`; edit those instead."
)


def page(revisions: Iterable[Programme]) -> str:
    """The page of one operator, from all revisions of its programme."""
    ordered = sorted(revisions, key=lambda revision: revision.effective_from)
    latest = ordered[-1]
    lines = [f"# {latest.title}: what a member gets, and when", _about(latest)]
    for number, revision in enumerate(ordered):
        if len(ordered) > 1:
            after = ordered[number + 1] if number + 1 < len(ordered) else None
            lines.append(f"## {_in_force(revision, after, first=number == 0)}")
        mark = "###" if len(ordered) > 1 else "##"
        lines += [f"{mark} {title}\n\n{text}" for title, text in _sections(revision)]
    lines.append(f"---\n\n{GENERATED}")
    return "\n\n".join(lines) + "\n"


def index(by_operator: Mapping[str, list[Programme]]) -> str:
    """The list of all pages."""
    lines = [
        "# What members get, and when",
        "One page for each operator, to be compared with the published programme. *(Reading)* marks a choice: the "
        "published rules are silent there, or say two things; the definition has a field for it.",
    ]
    rows = []
    for operator in sorted(by_operator):
        latest = max(by_operator[operator], key=lambda revision: revision.effective_from)
        rows.append(f"- [{latest.title}](rules/{operator}.md) (`{operator}`). {latest.summary}".rstrip())
    lines += ["\n".join(rows), GENERATED]
    return "\n\n".join(lines) + "\n"


def _about(programme: Programme) -> str:
    parts = [programme.summary] if programme.summary else []
    parts.append(f"Operator `{programme.operator}`, {programme.currency}, {programme.zone}.")
    if programme.sources:
        parts.append(f"Source: {'; '.join(programme.sources)}.")
    return "\n\n".join(parts)


def _in_force(revision: Programme, after: Programme | None, *, first: bool) -> str:
    if after is not None and first:
        return f"Up to {day(eve(after.effective_from))}"
    if after is not None:
        return f"From {day(revision.effective_from)} to {day(eve(after.effective_from))}"
    return f"From {day(revision.effective_from)}"


def _sections(programme: Programme) -> Iterator[tuple[str, str]]:
    yield "Who takes part", earning.membership(programme)
    if programme.points.source == "adjustments" or _has_points(programme):
        yield "Points", earning.points_life(programme)
    if programme.levels is not None:
        yield "A level for paying on time", earning.levels(programme, programme.levels)
    if programme.accrual is not None:
        yield "Points for spending", earning.accrual(programme, programme.accrual)
    if programme.tenure is not None:
        yield "Points for staying", earning.tenure(programme)
    if programme.referral is not None:
        yield "Bringing a friend", friends.referral(programme.referral)
    for promotion in programme.promotions:
        title = f"{promotion.title or promotion.rule} (`{promotion.rule}`)"
        if isinstance(promotion, DiscountPromotion):
            yield title, offers.discount(promotion)
        else:
            yield title, offers.entitlement(promotion)
    if together := offers.groups(programme):
        yield "What goes together", together
    yield from _leaving(programme)


def _leaving(programme: Programme) -> Iterator[tuple[str, str]]:
    if programme.rewards is not None:
        yield "What points buy", spending.rewards(programme, programme.rewards)
    if programme.goals is not None:
        yield "Saving for a goal", spending.GOALS
    if programme.write_off is not None:
        yield "The monthly write-off", spending.write_off(programme)
    if programme.gifts is not None:
        yield "Giving points", spending.gifts(programme.gifts)
    if programme.tariff_change is not None:
        yield "Changing the tariff", account_life.tariff_change(programme, programme.tariff_change)
    if programme.owner_change is not None:
        yield "A new owner", account_life.owner_change(programme.owner_change)
    if programme.closure is not None:
        yield "The end of the programme", account_life.closure(programme.closure)
    yield "Always", account_life.always(programme)


def _has_points(programme: Programme) -> bool:
    referral = programme.referral
    friend = referral.friend if referral is not None else None
    return bool(
        programme.levels
        or programme.accrual
        or programme.tenure
        or programme.rewards
        or (referral is not None and referral.advocate.points)
        or (friend is not None and friend.points)
    )
