"""A real table of customers as a feed: who joined when, what they have, how they pay, who left.

The table is the one in examples/, described there. Its customers' last months end on 1 September 2025. Each
customer is opened `tenure` months before that. Those with internet are activated on the same day; the
others, who only have a telephone, pay for that, which earns nothing. One payment a month is made the day
before the billing date. Customers who pay by mailed check pay every 7th month one day late, and those who
left have no payment in their last month. One customer in ten was referred by the customer in the row before.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

from engine.calendar import add_months, day_in, month_of
from loyalty.errors import LoyaltyError
from loyalty.sample_events import ZONE, Arrival, at, draw, event

TABLE: Final = Path(__file__).parent.parent / "examples" / "telco-customers.csv"
COLUMNS: Final = (
    "customerID",
    "tenure",
    "InternetService",
    "Contract",
    "PaymentMethod",
    "MonthlyCharges",
    "Churn",
)
LAST_DAY: Final = date(2025, 9, 1).toordinal()
END: Final = ZONE.midnight(LAST_DAY + 1)
"""Where the clock stops, in microseconds: the last billing dates, of 1 September 2025, are judged."""
BILLING_DAYS: Final = 28
LATE_EVERY: Final = 7
REFERRED_EVERY: Final = 10
FAMILIES: Final = {"DSL": "Unlim", "Fiber optic": "Turbo"}


def telco_feed(
    code: Callable[[str], str], *, table: Path | None = None, customers: int | None = None
) -> list[Arrival]:
    """The feed in order of time, of the first `customers` rows if limited; `code` makes referral codes.

    :raises LoyaltyError: the table is not there or is another one.
    """
    rows = _rows(table or TABLE)[:customers]
    arrivals: list[Arrival] = []
    for number, row in enumerate(rows):
        referrer = rows[number - 1]["customerID"] if number and number % REFERRED_EVERY == 0 else None
        arrivals += _customer(row, code(referrer) if referrer else None)
    arrivals.sort(key=lambda arrival: arrival.at)
    return arrivals


def billing_day(customer: str) -> int:
    """The customer's billing day, 1 to 28: a stable hash of the id."""
    return 1 + draw(customer, "billing day", BILLING_DAYS)


def _customer(row: dict[str, str], code: str | None) -> list[Arrival]:
    account, tenure = row["customerID"], int(row["tenure"])
    start = add_months(LAST_DAY, -tenure)
    arrivals: list[Arrival] = []

    def say(type_: str, id_: str, time: int, data: dict[str, Any]) -> None:
        arrivals.append(Arrival(time, event(type_, account, id_, time, data)))

    minute = draw(account, "minute", 60)
    say("account.opened", "opened", at(start, 9, minute), {
        "segment": "individual",
        "dwelling": "apartment" if row["Contract"] == "Month-to-month" else "house",
        "city": "Labinsk",
        "signed_on": date.fromordinal(start).isoformat(),
    })  # fmt: skip
    if code is not None:
        say("referral.code-registered", "code", at(start, 10, minute), {"code": code})
    family = FAMILIES.get(row["InternetService"])
    number = billing_day(account)
    if family is not None:
        say("service.activated", "activated", at(start, 11, minute), {
            "service": "internet",
            "billing_day": number,
            "tariff": {
                "code": f"{family.lower()}-{row['MonthlyCharges']}",
                "family": family,
                "monthly_price": row["MonthlyCharges"],
            },
        })  # fmt: skip
    service = "internet" if family is not None else "telephone"
    slow = row["PaymentMethod"] == "Mailed check"
    paid = tenure - 1 if row["Churn"] == "Yes" else tenure
    first = month_of(start) + (1 if number == 1 else 0)
    for month in range(paid):
        late = slow and (month + 1) % LATE_EVERY == 0
        day = day_in(first + month, number) - (0 if late else 1)
        data = {"amount": row["MonthlyCharges"], "service": service}
        say(
            "payment.received",
            f"paid-{month + 1}",
            at(day, 12 + draw(account, f"hour {month}", 8), minute),
            data,
        )
    return arrivals


def _rows(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise LoyaltyError(
                    f"--table: {table} has no column {missing[0]}; it needs {', '.join(COLUMNS)}"
                )
            return list(reader)
    except OSError as error:
        raise LoyaltyError(
            f"--table: {table}: {error.strerror}; the table is part of the source tree, under examples/"
        ) from error
