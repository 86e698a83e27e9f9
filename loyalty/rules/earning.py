"""Who takes part, how points come, how long they live."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from engine.calendar import add_months
from engine.money import exact_product
from loyalty.rules.words import (
    bullets,
    called,
    counted,
    day,
    listed,
    money,
    ordinal,
    percent,
    points,
    reading,
    table,
)
from schemas.programme import Programme
from schemas.programme_parts import Accrual, CalendarYear, Levels, Never, Rate, Rolling

_EXAMPLE_PRICE: Final = Decimal(650)
_LEAP_DAY: Final = datetime.date(2024, 2, 29)


def membership(programme: Programme) -> str:
    """Who takes part."""
    who = programme.membership
    service = f"`{programme.service}`" if programme.service else "any service"
    starts = (
        "as soon as the account is opened; no service need be activated"
        if who.starts_with == "account.opened"
        else f"with the first activation of {service}"
    )
    lines = [f"Open to {called(who.segment) if who.segment else 'everyone'}; an account takes part {starts}."]
    if who.activated_before is not None:
        lines.append(
            f"Only accounts activated before {day(who.activated_before)} take part. "
            + reading("enrolment is automatic; older subscribers could also enrol by message")
        )
    lines.append(
        "Who has declined to take part gets nothing from what asks for participation."
        if who.opt_out
        else "Declining to take part is not possible."
    )
    return bullets(lines)


def points_life(programme: Programme) -> str:
    """How long points live."""
    terms = programme.points
    lines: list[str] = []
    if terms.source == "adjustments":
        lines.append("Points are decided elsewhere and reach the account as corrections by staff.")
    match terms.expiry:
        case Rolling() as rolling:
            end = add_months(
                _LEAP_DAY.toordinal(), rolling.months, past_missing_day=rolling.missing_day == "next-day"
            )
            lines.append(
                f"Points are usable for {counted(rolling.months, 'month')}: they expire at 00:00 of the same day "
                f"{counted(rolling.months, 'month')} after they were credited. Credited on {day(_LEAP_DAY)}, they "
                f"expire on {day(datetime.date.fromordinal(end))}. "
                + reading(
                    "a day that a month lacks becomes its last day"
                    if rolling.missing_day == "month-end"
                    else "a day that a month lacks becomes the day after its end"
                )
            )
        case CalendarYear() as years:
            when = (
                "the next 1 January" if years.years == 1 else f"the {ordinal(years.years)} 1 January after it"
            )
            lines.append(f"All points credited in a calendar year expire together at 00:00 of {when}.")
        case _:
            lines.append("Points do not expire.")
    if terms.warn_days_before:
        before = listed(counted(days, "day") for days in sorted(terms.warn_days_before, reverse=True))
        lines.append(f"The member is warned {before} before points expire.")
    if not isinstance(terms.expiry, Never) or programme.closure is not None:
        lines.append("Points that expire first are spent first.")
    if terms.may_be_negative:
        lines.append(
            "Taking points back may push the balance below zero; later credits settle it first. "
            + reading("the debt stays")
        )
    else:
        lines.append("The balance never goes below zero; points are taken back as far as it goes.")
    return bullets(lines)


def levels(programme: Programme, terms: Levels) -> str:
    """The level that paying on time raises."""
    lines = [
        "It asks for an activated monthly tariff. Every billing date that is paid for on time raises the level by 1, "
        f"up to {terms.maximum}. A payment for `{terms.payment_service}` made before the day of the billing date is "
        "on time; on the day itself it is late. A payment for several months counts for as many billing dates.",
        "A billing date that is not paid for puts the level back to 0, and so does any block, at once. While a block "
        "is on, the level does not rise and nothing is credited.",
        _crediting(terms),
        (
            "Two payments between two billing dates count for the same date. "
            if terms.same_period == "once"
            else "Of two payments between two billing dates the second counts for the first date not yet paid. "
        )
        + reading("the published rules do not say what the second one does"),
    ]
    if terms.paused_by_group is not None:
        lines.append(
            f"Nothing is credited while a discount of the group `{terms.paused_by_group}` is active."
        )
    if terms.late_arrival_days:
        lines.append(
            f"A payment made in time that reaches the system up to {counted(terms.late_arrival_days, 'day')} after "
            "the billing date puts level and points right. A refunded payment counts no longer; level and points "
            "are put right, the points as far as the balance goes."
        )
    if terms.converted_rule is not None:
        lines.append(
            f"A discount of the older programme (`{terms.converted_rule}`) becomes the level of its percentage; up to "
            "its last day it stays active."
        )
    return bullets(lines) + "\n\n" + _level_table(programme, terms)


def _crediting(terms: Levels) -> str:
    used = (
        "the level after that date's change"
        if terms.level_used == "after"
        else "the level before that date's change"
    )
    since = (
        "counted once from activation"
        if terms.months_counted_from == "activation"
        else "counted again after each reset to level 0"
    )
    from_month = (
        f" from the {ordinal(terms.accrues_from_month)} month of use on, {since}"
        if terms.accrues_from_month > 1
        else ""
    )
    return (
        f"On each billing date{from_month}, the level times {percent(terms.percent_per_level)} of the tariff's monthly "
        f"price is credited, rounded down. " + reading(used)
    )


def _level_table(programme: Programme, terms: Levels) -> str:
    shown = sorted({1, 2, 3, terms.maximum // 2, terms.maximum} & set(range(1, terms.maximum + 1)))
    credited = [int(exact_product(_EXAMPLE_PRICE, terms.percent_per_level * level) // 100) for level in shown]
    return f"With a monthly price of {money(_EXAMPLE_PRICE, programme.currency)}:\n\n" + table(
        ["level", *map(str, shown)], [["points per billing date", *map(str, credited)]]
    )


def accrual(programme: Programme, terms: Accrual) -> str:
    """What spending earns."""
    rows = [[_of(rate), _earns(rate, programme.currency)] for rate in terms.rates]
    parts = [table(["for", "a member gets"], rows), bullets(_terms(programme, terms))]
    return "\n\n".join(part for part in parts if part)


def _of(rate: Rate) -> str:
    if rate.event == "payment":
        return "payments for " + listed(f"`{name}`" for name in rate.of)
    return listed(called(name) for name in rate.of)


def _earns(rate: Rate, currency: str) -> str:
    if rate.percent_maximum is not None:
        return f"the partner's percentage of the amount in points, at most {percent(rate.percent_maximum)}, rounded down"
    if rate.per is None:
        return f"{points(rate.points)} each time"
    step = f"{points(rate.points)} for every {money(rate.per, currency)}"
    if rate.threshold is None:
        return step
    return (
        f"{points(rate.welcome_points)} once the purchases total {money(rate.threshold, currency)}; what goes beyond "
        f"earns {step}"
    )


def _terms(programme: Programme, terms: Accrual) -> Iterator[str]:
    carrying = next((rate for rate in terms.rates if rate.per is not None and rate.carry_remainder), None)
    if carrying is not None and carrying.per is not None:
        step, currency = carrying.per, programme.currency
        first, rest = step * Decimal("2.4"), step * Decimal("0.4")
        yield (
            f"What is left below a step waits for the next event of the same kind: {money(first, currency)} earn "
            f"{points(2 * carrying.points)} and {money(rest, currency)} wait; the next {money(step - rest, currency)} "
            f"earn {points(carrying.points)} more. " + reading("the remainder carries over")
        )
    if any(rate.per is not None and not rate.carry_remainder for rate in terms.rates):
        which = listed(_of(rate) for rate in terms.rates if rate.per is not None and not rate.carry_remainder)
        yield f"What is left below a step is lost for {which}."
    if all(rate.event != "purchase" for rate in terms.rates):
        return
    if terms.confirm_within_days is None:
        yield "Points for a purchase are credited at once."
    else:
        yield (
            "Points for a purchase are pending until the purchase is confirmed. Without a confirmation by 00:00 of "
            f"the {ordinal(terms.confirm_within_days)} day after it they are rejected, and a later confirmation has "
            "no effect."
        )
    yield "A returned purchase takes back what it earned, its own points first, and only once."


def tenure(programme: Programme) -> str:
    """Points for staying."""
    terms = programme.tenure
    assert terms is not None, "tested by the caller"
    return (
        f"On the 1st of each month {points(terms.points)} are credited to who has been a customer for at least "
        f"{counted(terms.full_years, 'full year')} since activation. " + reading("since activation")
    )
