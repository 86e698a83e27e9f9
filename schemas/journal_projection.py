"""What the journal keeps of an event: all that a decision needs, nothing that tells who the member is.

Kept are the CloudEvents attributes of the contract and the known fields of `data`, except those that the
contract marks as identifying; unknown fields, which nobody has judged, are left out. Source: SPEC section 1 (the
journal), and the promise that accounts are pseudonyms.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from schemas.contract import Contract, Envelope, TariffTerms, identifies
from schemas.json_keys import as_parsed
from schemas.wire_fields import Reader, declared

RAW_BYTES_MAX: Final = 4_000
"""Records up to here may be kept as they are; in a longer one there may be any amount of white space."""
_DATA: Final = as_parsed("data")
_ATTRIBUTES: Final = frozenset(map(as_parsed, Envelope.model_fields)) | {_DATA}
_ATTRIBUTES_ALL: Final = len(_ATTRIBUTES)
_CONTENT_TYPE: Final = as_parsed("datacontenttype")


class Projection:
    """What is kept of the events of one type, and how what was kept is read again."""

    __slots__ = ("_names", "_nested", "reader")

    def __init__(self, model: type[Contract], path: str = "data") -> None:
        identifying = frozenset(name for name, field in model.model_fields.items() if identifies(field))
        self._names: Final = frozenset(map(as_parsed, model.model_fields)) - identifying
        self._nested: Final = tuple(
            (as_parsed(name), Projection(TariffTerms, f"{path}.{name}"))
            for name, field in model.model_fields.items()
            if declared(field)[0] is TariffTerms
        )
        self.reader: Final = Reader(model, path, leave_out=identifying)
        """Reads kept data: as the wire reads data, without the identifying fields."""

    def is_whole(self, record: dict[str, Any], raw: bytes) -> bool:
        """Whether of a record that has every attribute the journal keeps `raw`, the record as it came, as it is."""
        data = record.get(_DATA)
        return len(raw) <= RAW_BYTES_MAX and _has_no_others(record) and (data is None or self._is_all(data))

    def part(self, record: dict[str, Any]) -> bytes:
        """What is kept of a readable record that is not kept whole, as JSON."""
        data = record.get(_DATA)
        kept = {name: value for name, value in record.items() if name in _ATTRIBUTES}
        if data is not None:
            kept[_DATA] = self._part(data)
        return orjson.dumps(kept)

    def _is_all(self, data: dict[str, Any]) -> bool:
        names = self._names
        for name in data:
            if name not in names:
                return False
        for name, nested in self._nested:
            terms = data.get(name)
            if terms is not None and not (type(terms) is dict and nested._is_all(terms)):
                return False
        return True

    def _part(self, data: dict[str, Any]) -> dict[str, Any]:
        part = {name: value for name, value in data.items() if name in self._names}
        for name, nested in self._nested:
            if part.get(name) is not None:
                part[name] = nested._part(part[name])
        return part


def _has_no_others(record: dict[str, Any]) -> bool:
    """Whether a record that has every attribute it needs has no others, but for the one that says it is JSON."""
    others = len(record) - _ATTRIBUTES_ALL
    if _DATA not in record:
        others += 1
    if record.get(_CONTENT_TYPE) == "application/json":
        others -= 1
    return others == 0
