"""Promotions: discounts and entitlements, to whom, for how long, and what goes with what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loyalty.rules.words import bullets, called, counted, day, listed, percent, reading, span, table
from schemas.programme import Programme
from schemas.programme_check_points import exclusion_groups
from schemas.programme_forms import Days, Speeds
from schemas.programme_promotions import (
    Conditions,
    DiscountPromotion,
    Duration,
    EntitlementPromotion,
    TariffMatch,
)
from schemas.programme_rewards import FeeDiscountReward


def discount(terms: DiscountPromotion) -> str:
    """One discount: what, for whom, when, how long."""
    lines = [
        f"**{percent(terms.percent)} off** `{terms.target}`, {_lasting(terms.lasts)}.",
        f"Granted {_trigger(terms)}{_active(terms.active)}.",
    ]
    lines += _conditions(terms.when)
    if terms.activated != Days():
        lines.append(f"Only for accounts activated {span(terms.activated)}.")
    if terms.after_end == "refuse" and terms.active.until is not None:
        lines.append(f"After {day(terms.active.until)} it is refused: the promotion is over.")
    if terms.when.signed_on is not None and terms.trigger == "activation" and terms.activated == Days():
        lines.append(
            "The day of the activation does not matter beyond that. "
            + reading("a delayed connection is still granted it")
        )
    if terms.ends_on_leaving_tariffs:
        lines.append("It ends at once when the tariff changes to one that does not qualify.")
    if terms.group is not None:
        then = (
            "that one stays and this one is refused. "
            if terms.on_conflict == "refuse"
            else "that one ends and this one replaces it. "
        )
        lines.append(
            f"When another discount of the group `{terms.group}` covers its first day, {then}"
            + reading("the source does not say which of them stays")
        )
    return bullets(lines)


def _lasting(lasts: Duration) -> str:
    if lasts.months is not None:
        text = f"for {counted(lasts.months, 'month')} (to the day before the same day of the month)"
    elif lasts.billing_months is not None:
        text = (
            f"for {counted(lasts.billing_months, 'billing month')}, starting with the first billing date that the "
            "payment counts for"
        )
    else:
        text = "" if lasts.not_after is not None else "without a last day"
    if lasts.not_after is None:
        return text
    limit = day(lasts.not_after)
    return f"{text}, but never after {limit}" if text else f"to {limit}"


def _trigger(terms: DiscountPromotion) -> str:
    match terms.trigger:
        case "activation":
            return "at the first activation"
        case "tariff":
            return "at activation with a qualifying tariff, or on changing to one"
    months = counted(terms.payment_months or 1, "month")
    return f"for one payment that covers at least {months}, made before or after activation"


def _active(active: Days) -> str:
    text = span(active)
    return f", {text}" if text else ", at any time"


def _conditions(when: Conditions) -> Iterator[str]:
    if when.segment is not None:
        yield f"Only for {called(when.segment)}."
    if when.dwelling is not None:
        yield f"Only for {called(when.dwelling)}."
    if when.city:
        yield f"Only in {when.city[0]}" + (
            f" (also written {listed(when.city[1:], 'or')})." if when.city[1:] else "."
        )
    if when.feasible_ultra is not None:
        yield f"Only where the Ultra family can{'' if when.feasible_ultra else 'not'} be had."
    if when.existing_customer is not None:
        yield (
            "Only for customers with an earlier contract."
            if when.existing_customer
            else "Only for new connections."
        )
    if when.signed_on is not None:
        yield f"Only for contracts signed {span(when.signed_on)}."
    if when.tariffs:
        yield f"Only with {tariffs(when.tariffs)}."


def tariffs(matches: tuple[TariffMatch, ...]) -> str:
    """`a tariff of the family Unlim with 20 to 100 Mbit/s or of the family Turbo`."""
    return "a tariff " + listed((f"of the family {m.family}{_speeds(m.speed_mbps)}" for m in matches), "or")


def _speeds(speeds: Speeds | None) -> str:
    match speeds:
        case None | Speeds(at_least=None, at_most=None):
            return ""
        case Speeds(at_least=None, at_most=high):
            return f" with at most {high} Mbit/s"
        case Speeds(at_least=low, at_most=None):
            return f" with at least {low} Mbit/s"
    return f" with {speeds.at_least} to {speeds.at_most} Mbit/s"


def entitlement(terms: EntitlementPromotion) -> str:
    """One entitlement, with its terms by tariff."""
    keys = sorted({key for variant in terms.variants for key in variant.terms})
    rows = [
        [tariffs(variant.tariffs), *(_value(variant.terms.get(key)) for key in keys)]
        for variant in terms.variants
    ]
    lines = [
        f"Comes with the tariff, at activation or on changing to it{_active(terms.active)}, and ends on leaving it.",
        *_conditions(terms.when),
    ]
    if len(terms.variants) > 1:
        lines.append("Changing between these tariffs grants it again with the new terms.")
    heads = ["with", *(key.replace("_", " ") for key in keys)]
    return bullets(lines) + "\n\n" + table(heads, rows)


def _value(value: Any) -> str:
    match value:
        case None:
            return "—"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return " to ".join(map(str, value)) if len(value) == 2 else ", ".join(map(str, value))
    return str(value)


def groups(programme: Programme) -> str:
    """Which discounts exclude each other."""
    lines = []
    for group in sorted(exclusion_groups(programme)):
        members = [
            f"`{promotion.rule}`"
            for promotion in programme.promotions
            if isinstance(promotion, DiscountPromotion) and promotion.group == group
        ]
        rewards = programme.rewards.items.values() if programme.rewards else ()
        members += [
            f"`{reward.rule}`"
            for reward in rewards
            if isinstance(reward, FeeDiscountReward) and reward.group == group
        ]
        levels = programme.levels
        if levels is not None and levels.converted_group == group:
            members.append(f"`{levels.converted_rule}`")
        if len(members) > 1:
            lines.append(
                f"Of {listed(members)} (group `{group}`) an account has one at a time. What is outside the group goes "
                "together with everything."
            )
    return "\n\n".join(lines)
