"""An inbound event after the wire: validated, typed, exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import orjson
from mypy_extensions import mypyc_attr

from schemas.short_json import shortened


@mypyc_attr(acyclic=True)
class Tariff:
    """A tariff as billing describes it; a tariff without a `monthly_price` is not monthly. `price_text` is the price
    in plain notation, `parts` the whole tariff as JSON can hold it, and `packed` the same as rows keep it."""

    __slots__ = (
        "code", "family", "min_notice_days", "monthly_price", "packed", "parts", "prepaid", "price_text", "speed_mbps",
    )  # fmt: skip

    def __init__(
        self,
        code: str,
        family: str,
        speed_mbps: int | None = None,
        monthly_price: Decimal | None = None,
        prepaid: bool = False,
        min_notice_days: int = 0,
    ) -> None:
        self.code: Final = code
        self.family: Final = family
        self.speed_mbps: Final = speed_mbps
        self.monthly_price: Final = monthly_price
        self.price_text: Final = None if monthly_price is None else f"{monthly_price:f}"
        self.prepaid: Final = prepaid
        self.min_notice_days: Final = min_notice_days
        self.parts: Final[tuple[Any, ...]] = (
            code, family, speed_mbps, self.price_text, prepaid, min_notice_days
        )  # fmt: skip
        self.packed: Final = shortened(orjson.dumps(self.parts))


@mypyc_attr(acyclic=True, free_list_len=1)
class Event:
    """One readable inbound event.

    `time` is the instant it happened, in microseconds since the Unix epoch, `time_text` the same as it came. `data`
    holds the fields that SPEC section 1 names, converted: money and percentages as `Decimal`, dates as proleptic
    ordinals (`date.toordinal()`), tariffs as `Tariff`; absent optional fields are absent keys, defaults are filled
    in, unknown fields are left out. `identity` is a 64-bit hash of (source, id) (operator and account are
    the row's key), `content` a 64-bit hash of the whole record in canonical JSON, and `id_hash` for a payment what
    a refund finds it by (see `schemas.payment_key`), for others 0. `raw` is the record's
    value as it came, and `kept` what the journal keeps of it: nothing that tells who the member is.
    """

    __slots__ = (
        "account", "content", "data", "id", "id_hash", "identity", "kept", "operator", "raw", "source",
        "time", "time_text", "type",
    )  # fmt: skip

    def __init__(
        self,
        operator: str,
        account: str,
        type: str,
        source: str,
        id: str,
        time: int,
        time_text: str,
        data: dict[str, Any],
        identity: bytes,
        content: bytes,
        id_hash: int,
        raw: bytes,
        kept: bytes,
    ) -> None:
        self.operator: Final = operator
        self.account: Final = account
        self.type: Final = type
        self.source: Final = source
        self.id: Final = id
        self.time: Final = time
        self.time_text: Final = time_text
        self.data: Final = data
        self.identity: Final = identity
        self.content: Final = content
        self.id_hash: Final = id_hash
        self.raw: Final = raw
        self.kept: Final = kept
