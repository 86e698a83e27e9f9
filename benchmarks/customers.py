"""The customers of the telco table, multiplied to as many accounts as are wanted."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks import ROOT

TABLE: Final = ROOT / "examples" / "telco-customers.csv"
OPERATOR: Final = "orgtechservice"

_SPEEDS: Final = {"Unlim": (20, 50, 100), "Turbo": (200, 300, 500), "Ultra": (1000,)}


class Customer(NamedTuple):
    """One row of the table that has internet: its id and what of it the events use."""

    id: str
    fiber: bool
    apartment: bool
    by_check: bool
    churned: bool
    price: Decimal


class Member(NamedTuple):
    """One account to be: a customer of the table, or a copy of one with chances of its own."""

    number: int
    account: str
    customer: Customer
    chance: random.Random
    """Seeded by the account, so that the same account always does the same."""


def read_customers(table: Path = TABLE) -> list[Customer]:
    """Every customer of the table that has internet, in its order."""
    with table.open(newline="", encoding="utf-8") as file:
        return [
            Customer(
                row["customerID"],
                fiber=row["InternetService"].startswith("Fiber"),
                apartment=row["Contract"] == "Month-to-month",
                by_check=row["PaymentMethod"] == "Mailed check",
                churned=row["Churn"] == "Yes",
                price=Decimal(row["MonthlyCharges"]),
            )
            for row in csv.DictReader(file)
            if row["InternetService"] != "No"
        ]


def members(customers: list[Customer], numbers: range) -> Iterator[Member]:
    """The accounts of these numbers: the customers again and again, each time under another account."""
    for number in numbers:
        account = account_of(customers, number)
        yield Member(number, account, customers[number % len(customers)], random.Random(f"bench/{account}"))


def account_of(customers: list[Customer], number: int) -> str:
    """The name of an account."""
    return f"{customers[number % len(customers)].id}-{number // len(customers)}"


def tariff(member: Member, family: str) -> dict[str, Any]:
    """A tariff of a family at the customer's price."""
    speed = member.chance.choice(_SPEEDS[family])
    return {
        "code": f"{family.lower()}-{speed}",
        "family": family,
        "speed_mbps": speed,
        "monthly_price": f"{member.customer.price:.2f}",
    }
