"""docs/referral.md: the transition table of referrals as a table and as a diagram."""

from __future__ import annotations

from typing import Final

from engine.referral import TRANSITIONS
from loyalty.rules.words import table

_INTRO: Final = """\
# How a referral moves

A referral lives in two account rows, the friend's and the advocate's, which may be on different workers. It
moves by records between them (claim, answer, conversion, result). Each step names the state it starts from,
and each record is applied once: a step that comes twice, or to a state it does not fit, changes nothing, so
duplicates and reordering do no harm. The table is `TRANSITIONS` in `engine/referral.py`; which tests a code
must pass, and what either side gets, is [the programme's](programme-reference.md#referral).

A programme that completes at registration goes on at once: where this says `accepted`, both sides are
`completed` in the same step, with `referral.accepted`, `referral.completed` and the reward.
"""


def document() -> str:
    """The text of docs/referral.md."""
    parts = [_INTRO]
    for side in dict.fromkeys(transition.side for transition in TRANSITIONS):
        parts.append(f"## In the {side}'s row\n\n```mermaid\n{_diagram(side)}\n```\n")
    rows = [[t.side, f"`{t.state}`", t.trigger, f"`{t.to}`", t.effect] for t in TRANSITIONS]
    parts.append("## All transitions\n\n" + table(["row", "from", "when", "to", "effect"], rows) + "\n")
    parts.append("Written from `TRANSITIONS` by `loyalty rules --write docs`.\n")
    return "\n".join(parts)


def _diagram(side: str) -> str:
    lines = ["stateDiagram-v2", "    [*] --> none"]
    lines += [f"    {t.state} --> {t.to}: {_label(t.trigger)}" for t in TRANSITIONS if t.side == side]
    return "\n".join(lines)


def _label(trigger: str) -> str:
    # A second colon would end the label.
    before, colon, after = trigger.partition(": ")
    return f"{before} ({after})" if colon else before
