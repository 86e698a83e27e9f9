"""Bringing a friend: who gets what, when, and what stands against it."""

from __future__ import annotations

from typing import Final

from loyalty.rules.words import bullets, counted, ordinal, percent, points, reading, span, table
from schemas.programme_forms import Days
from schemas.programme_referral import AdvocateReward, FriendReward, Referral

_REASONS: Final = {
    "unknown-code": "the code belongs to no open account",
    "self-referral": "the code is one's own",
    "already-referred": "the friend has been referred already",
    "existing-customer": "the friend had a contract before, or was activated before registering the code",
    "not-individual": "friend or advocate is not a private customer",
    "programme-not-active": "the programme does not take codes at that time",
}


def referral(terms: Referral) -> str:
    """The whole of it."""
    parts = [bullets(_course(terms)), _advocate(terms.advocate)]
    parts.append(_friend(terms.friend) if terms.friend else "**The friend** gets nothing.")
    rows = [[f"`{test}`", _reason(terms, test)] for test in terms.tests]
    parts.append("A code is rejected, tested in this order, when\n\n" + table(["reason", "when"], rows))
    return "\n\n".join(parts)


def _course(terms: Referral) -> list[str]:
    when = f" {span(terms.active)}" if terms.active != Days() else ""
    lines = [f"Every account has a code of its own. A friend registers it{when}; both sides are told."]
    if terms.completes == "registration":
        lines.append("With the registration it is complete.")
    else:
        service = f" for `{terms.conversion_service}`" if terms.conversion_service else ""
        lines.append(
            f"It is complete once the friend is activated and has made a payment{service}, in whatever order. Whether "
            "the advocate takes part is tested again then."
        )
    lines.append("There is no limit to the number of friends.")
    return lines


def _advocate(terms: AdvocateReward) -> str:
    gets = f"gets {points(terms.points)} for each friend" if terms.points is not None else "gets a discount"
    text = f"**The advocate** {gets}"
    if not terms.ladder:
        return text + "."
    rows = [
        [
            f"{ordinal(step.friends)}{' and every later' if step is terms.ladder[-1] else ''}",
            percent(step.percent),
            counted(step.months, "month"),
            f"`{step.entitlement}` at exactly this number" if step.entitlement else "—",
        ]
        for step in terms.ladder
    ]
    counts = (
        "friends are counted over the lifetime"
        if terms.ladder_counts == "lifetime"
        else "friends are counted anew once the discount has ended"
    )
    return (
        f"{text} on `{terms.target}`, by the number of friends:\n\n"
        + table(["friend", "discount", "lasting", "besides"], rows)
        + "\n\nIt counts from the day on which the friend registers. A discount of this rule that is still active is "
        "changed: the new percentage, and the later of both last days. " + reading(counts)
    )


def _friend(terms: FriendReward) -> str:
    gets = [points(terms.points)] if terms.points is not None else []
    if terms.percent is not None and terms.months is not None:
        start = (
            ", starting the day after the promotional period, or at once where there is none"
            * terms.after_promo_period
        )
        gets.append(
            f"{percent(terms.percent)} off `{terms.target}` for {counted(terms.months, 'month')}{start}"
        )
    return f"**The friend** gets {' and '.join(gets)}."


def _reason(terms: Referral, test: str) -> str:
    if test == "too-late":
        return (
            f"the friend is not activated yet, or was more than {counted(terms.register_within_months or 0, 'month')} "
            "before"
        )
    if test == "not-participant":
        who = "the advocate does" if terms.participants == "advocate" else "friend or advocate does"
        return f"{who} not take part"
    return _REASONS[test]
