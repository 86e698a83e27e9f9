"""What a link record must look like, so that whatever lies on the internal topic cannot stop a task.

Only workers write links (the broker's access rights say so), so what fails here is a foreign hand or a bug; it
becomes a dead letter like any other record. The terms of each kind are those that engine/referral.py and
engine/transfer.py send.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from schemas.contract_forms import NAME_CHARACTERS_MAX, TEXT_CHARACTERS_MAX
from schemas.instant import INSTANT_END_US

Check = Callable[[Any], bool]

_DAY_MAX: Final = date(9000, 1, 1).toordinal()
_LOT_FIELDS: Final = 3
_LOTS_MAX: Final = 100_000
_LOT_POINTS_MAX: Final = 10**16
"""More than the largest amount of money earns."""


def _text(characters_max: int, least: int = 1) -> Check:
    return lambda value: type(value) is str and least <= len(value) <= characters_max


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _whole(least: int, most: int) -> Check:
    return lambda value: type(value) is int and least <= value <= most


_NAME: Final = _text(NAME_CHARACTERS_MAX)
_WORD: Final = _text(TEXT_CHARACTERS_MAX)
_POINTS: Final = _whole(1, _LOT_POINTS_MAX)
_DAY: Final = _whole(0, _DAY_MAX)


def _lots(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) <= _LOTS_MAX
        and all(
            type(lot) is list
            and len(lot) == _LOT_FIELDS
            and _WORD(lot[0])
            and _POINTS(lot[1])
            and _DAY(lot[2])
            for lot in value
        )
    )


_TRANSFER: Final[dict[str, Check]] = {
    "what": lambda value: value in ("gift", "reward"),
    "rule": _WORD,
    "lots": _lots,
}
_ENDED: Final[dict[str, Check]] = {"code": _WORD, "reason": _optional(_WORD)}

TERMS: Final[dict[str, dict[str, Check]]] = {
    "referral.claim": {"code": _WORD, "fault": _optional(_WORD)},
    "referral.answer": _ENDED,
    "referral.conversion": {"code": _WORD},
    "referral.result": _ENDED,
    "transfer.offer": _TRANSFER,
    "transfer.return": _TRANSFER,
}
"""Kind of link → what its data must hold."""

_HEAD: Final[dict[str, Check]] = {
    "operator": _NAME,
    "account": _NAME,
    "sender_operator": _NAME,
    "sender": _NAME,
}
_CAUSE: Final[tuple[Check, ...]] = (
    _NAME,
    _NAME,
    _text(NAME_CHARACTERS_MAX, least=0),  # a due moment has no source
    _NAME,
    _whole(0, INSTANT_END_US),
)


def check(fields: dict[str, Any]) -> None:
    """Check a decoded link.

    :raises ValueError: naming the field that is missing or wrong.
    """
    kind = fields.get("kind")
    terms = TERMS.get(kind) if isinstance(kind, str) else None
    if terms is None:
        raise ValueError(f"kind: no link is of this kind; there are {', '.join(TERMS)}")
    _each(fields, _HEAD, "")
    cause = fields.get("cause")
    if type(cause) is not list or len(cause) != len(_CAUSE):
        raise ValueError("cause: missing or malformed")
    for number, test in enumerate(_CAUSE):
        if not test(cause[number]):
            raise ValueError(f"cause[{number}]: malformed")
    data = fields.get("data")
    if type(data) is not dict:
        raise ValueError("data: missing or malformed")
    _each(data, terms, "data.")


def _each(fields: dict[str, Any], checks: dict[str, Check], path: str) -> None:
    for name, test in checks.items():
        if not test(fields.get(name)):
            raise ValueError(f"{path}{name}: missing or malformed")
