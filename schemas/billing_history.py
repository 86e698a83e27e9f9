"""Payments and judged billing dates of an account, each packed into a few bytes of the row.

An account has dozens of them, gets one more a month, and looks at the older ones only when something has to be put
right: packed, they cost a copy when the row is written, and no objects while it rests.
"""

from __future__ import annotations

from decimal import Decimal
from struct import Struct
from typing import Final

from mypy_extensions import mypyc_attr

from schemas import packed
from schemas.payment_key import ID_BYTES
from schemas.remembered import remember

PAYMENT_BYTES: Final = 18
_pack_payment: Final = Struct("<QiHI").pack
_payment_at: Final = Struct("<QiHI").unpack_from
_run_at: Final = Struct("<8xiH").unpack_from

STEP_BYTES: Final = 27
_PRICE_BYTES: Final = 11
_pack_step: Final = Struct("<BBHIq11s").pack
_step_at: Final = Struct("<BBHIq11s").unpack_from

# Kinds of steps in the history of a level.
BILLING: Final = 0
SET: Final = 1


# Flags of a step as it is packed.
_SET: Final = 1
_PAID: Final = 2
_BLOCKED: Final = 4
_ACCRUES: Final = 8
_BOUGHT: Final = 16

_NO_PRICE: Final = b"\xff" + bytes(_PRICE_BYTES - 1)
_PRICES_REMEMBERED_MAX: Final = 10_000
_packed_prices: Final[dict[str, bytes]] = {}


@mypyc_attr(acyclic=True)
class Payment:
    """A payment that counts for billing dates `first` … `first + months - 1`; `first` -1: not activated yet.

    By its `key` `payment.refunded` finds it, see `schemas.payment_key`; packed, it begins with the bits of the id.
    """

    __slots__ = ("day", "first", "key", "months")

    def __init__(self, key: int, first: int, months: int, day: int) -> None:
        self.key = key
        self.first = first
        self.months = months
        self.day = day

    def covers(self, index: int) -> bool:
        """Whether it counts for billing date number `index`."""
        return self.first <= index < self.first + self.months

    def packed(self) -> bytes:
        """As the row keeps it."""
        return _pack_payment(self.key, self.first, self.months, self.day)


def payments_of(payments: bytes) -> list[Payment]:
    """The payments that a row keeps, as they came."""
    return [payment_at(payments, at) for at in range(0, len(payments), PAYMENT_BYTES)]


def payment_at(payments: bytes, at: int) -> Payment:
    """The payment that begins at `at`."""
    return Payment(*_payment_at(payments, at))


def find_payment(payments: bytes, key: int) -> int:
    """Where the payment of this source and id begins, or `packed.NOT_THERE`; of another source if the id alone must
    do."""
    whole = key.to_bytes(8, "little")
    at = packed.find(payments, whole, PAYMENT_BYTES)
    return packed.find(payments, whole[:ID_BYTES], PAYMENT_BYTES) if at == packed.NOT_THERE else at


def packed_payments(payments: list[Payment]) -> bytes:
    """Payments as the row keeps them."""
    return b"".join([payment.packed() for payment in payments])


def any_covers(payments: bytes, index: int) -> bool:
    """Whether a payment counts for billing date number `index`."""
    at = len(payments) - PAYMENT_BYTES  # the latest is the likeliest
    while at >= 0:
        run: tuple[int, int] = _run_at(payments, at)
        if run[0] <= index < run[0] + run[1]:
            return True
        at -= PAYMENT_BYTES
    return False


def oldest_run_end(payments: bytes) -> int:
    """Number of the billing date after those that the oldest payment counts for."""
    run: tuple[int, int] = _run_at(payments, 0)
    return run[0] + run[1]


@mypyc_attr(acyclic=True)
class LevelStep:
    """One step in the history of the level, kept so that a late or refunded payment can put things right.

    A `BILLING` step is billing date number `index`: was it `paid`, was the account `blocked`, may it credit
    (`accrues`), at which `price`, and how many points it has `credited`; `bought`: paid by points. A `SET`
    step puts the level to `level` (0: a block). `price_text` is the price in plain notation.
    """

    __slots__ = (
        "accrues", "blocked", "bought", "credited", "day", "index", "kind", "level", "paid", "price", "price_text",
    )  # fmt: skip

    def __init__(
        self,
        kind: int,
        day: int,
        index: int = 0,
        paid: bool = False,
        blocked: bool = False,
        accrues: bool = False,
        bought: bool = False,
        level: int = 0,
        credited: int = 0,
        price: Decimal | None = None,
        price_text: str | None = None,
    ) -> None:
        self.kind = kind
        self.day = day
        self.index = index
        self.paid = paid
        self.blocked = blocked
        self.accrues = accrues
        self.bought = bought
        self.level = level
        self.credited = credited
        self.price = price
        self.price_text = price_text

    def packed(self) -> bytes:
        """As the row keeps it."""
        flags = (
            (_SET if self.kind == SET else 0)
            | (_PAID if self.paid else 0)
            | (_BLOCKED if self.blocked else 0)
            | (_ACCRUES if self.accrues else 0)
            | (_BOUGHT if self.bought else 0)
        )
        return _pack_step(
            flags, self.level, self.index, self.day, self.credited, _packed_price(self.price_text)
        )


def steps_of(steps: bytes) -> list[LevelStep]:
    """The steps that a row keeps, oldest first."""
    return [step_at(steps, at) for at in range(0, len(steps), STEP_BYTES)]


def dates_in(steps: bytes) -> int:
    """How many of these steps are billing dates."""
    return sum([not flags & _SET for flags in steps[::STEP_BYTES]])


def step_at(steps: bytes, at: int) -> LevelStep:
    """The step that begins at `at`."""
    flags, level, index, day, credited, price = _step_at(steps, at)
    price_text = _price_text(price)
    return LevelStep(
        SET if flags & _SET else BILLING,
        day,
        index,
        bool(flags & _PAID),
        bool(flags & _BLOCKED),
        bool(flags & _ACCRUES),
        bool(flags & _BOUGHT),
        level,
        credited,
        None if price_text is None else Decimal(price_text),
        price_text,
    )


def packed_steps(steps: list[LevelStep]) -> bytes:
    """Steps as the row keeps them."""
    return b"".join([step.packed() for step in steps])


def _packed_price(text: str | None) -> bytes:
    """A price in plain notation as its number of decimals and its digits, a little-endian number."""
    if text is None:
        return _NO_PRICE
    price = _packed_prices.get(text)
    if price is None:
        whole, _, decimals = text.partition(".")
        digits = int(whole + decimals)
        price = bytes((len(decimals),)) + digits.to_bytes(_PRICE_BYTES - 1, "little")
        remember(_packed_prices, text, price, _PRICES_REMEMBERED_MAX)
    return price


def _price_text(price: bytes) -> str | None:
    if price == _NO_PRICE:
        return None
    decimals = price[0]
    digits = str(int.from_bytes(price[1:], "little")).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
