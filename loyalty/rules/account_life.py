"""What happens to an account itself: tariff changes, a new owner, the end of the programme or of the account."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Final

from engine.money import prorated
from loyalty.rules.words import bullets, counted, day, eve, listed, money, reading
from schemas.programme import Programme
from schemas.programme_parts import Closure, OwnerChange, TariffChange

_EXAMPLE_DAY: Final = datetime.date(2025, 6, 19)
_EXAMPLE_DAYS_LEFT: Final = 12
_EXAMPLE_PRICE: Final = Decimal(1100)


def tariff_change(programme: Programme, terms: TariffChange) -> str:
    """Tariff changes scheduled by request."""
    charge = prorated(_EXAMPLE_PRICE, _EXAMPLE_DAYS_LEFT, terms.proration_days)
    lines = [
        "A member chooses the day of a tariff change, from today on; a tariff may ask for notice. The change is free "
        "and takes place at 00:00 of that day, whatever the balance. "
        + reading("the source also says that the charge must be in the account"),
        f"Between two changes lie at least {counted(terms.days_between_changes, 'day')}. A newer request replaces "
        "one that waits.",
        f"Prepaid tariffs are recalculated on that day: old price and new price, each divided by "
        f"{terms.proration_days}, times the days left in the month, the day itself included. Changed to a prepaid "
        f"tariff of {money(_EXAMPLE_PRICE, programme.currency)} on {day(_EXAMPLE_DAY)}, {_EXAMPLE_DAYS_LEFT} days are "
        f"left: {money(charge, programme.currency)} are charged.",
    ]
    business = []
    if terms.business_channel is not None:
        business.append(f"only through the channel `{terms.business_channel}`")
    if terms.business_first_of_next_month:
        business.append("only for the 1st of the next month")
    if business:
        lines.append(f"Businesses change {listed(business)}.")
    return bullets(lines)


def owner_change(terms: OwnerChange) -> str:
    """What a new owner loses."""
    loses = ["all points expire"] * terms.expire_points + [
        "tenure counts from that day"
    ] * terms.restart_tenure
    return f"When the account gets a new owner, {listed(loses) or 'nothing changes'}. No warning comes before it."


def closure(terms: Closure) -> str:
    """The programme's end."""
    lines = [
        f"The programme ends on {day(terms.day)}: at 00:00 every point that is not spent expires. The last day to "
        f"spend is {day(eve(terms.day))}. Nothing is credited from then on, and requests and codes are rejected.",
        "No point lives longer than that, whenever it was credited.",
    ]
    if terms.warn_days_before:
        before = listed(counted(days, "day") for days in sorted(terms.warn_days_before, reverse=True))
        lines.append(f"Members are warned {before} before.")
    return bullets(lines)


def always(programme: Programme) -> str:
    """What holds for every programme."""
    lines = [
        f"Days and months are those of {programme.zone}. Every event is judged by the time at which it happened.",
        "Staff may correct points, with a reason that the member sees; a deduction may "
        + ("push the balance below zero." if programme.points.may_be_negative else "not exceed the balance."),
        "When an account is closed, discounts and entitlements end, unspent points expire and pending ones are "
        "rejected. Nothing reopens it.",
    ]
    return bullets(lines)
