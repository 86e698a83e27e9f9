"""Exact arithmetic on money."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

_EXACT: Final = Context(prec=120)
_CENT: Final = Decimal("0.01")
_ONE: Final = Decimal(1)


def exact_product(a: Decimal, b: Decimal) -> Decimal:
    """The product with all its digits; Python's default context would round it at 28."""
    return _EXACT.multiply(a, b)


def ceiling(amount: Decimal) -> int:
    """The smallest whole number that is not below `amount`."""
    whole, rest = divmod(amount, _ONE)
    return int(whole) + (1 if rest else 0)


def money_text(amount: Decimal) -> str:
    """Money as outcomes show it: two decimals, plain notation, half a cent up."""
    return f"{amount.quantize(_CENT, ROUND_HALF_UP):f}"


def prorated(monthly_price: Decimal, days: int, days_in_month: int) -> Decimal:
    """`monthly_price / days_in_month × days`, rounded half-up to a cent without an inexact step in between."""
    cents, rest = divmod(exact_product(monthly_price, Decimal(100 * days)), Decimal(days_in_month))
    if rest * 2 >= days_in_month:
        cents += 1
    return cents * _CENT
