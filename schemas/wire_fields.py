"""Compiles the contract's models into lean readers: the same rules without pydantic's cost per record.

A check takes a decoded JSON value and returns what it becomes, or raises `Unreadable` naming the field and
what would be right. The models in `schemas.contract` stay the single source; a test holds that both ways of
reading agree.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Collection
from typing import Any, Final, Literal, Union, get_args, get_origin

import orjson
from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from schemas.contract import Contract, TariffTerms
from schemas.contract_forms import TEXT_CHARACTERS_MAX, Spelled
from schemas.dead_letter import MALFORMED_FIELD, MISSING_FIELD, Unreadable
from schemas.event import Tariff
from schemas.json_keys import as_parsed
from schemas.remembered import remember
from schemas.shared_tariffs import shared

REMEMBERED_MAX: Final = 8_000
REMEMBERED_CHARACTERS_MAX: Final = 32
"""Strings that a field's reader remembers as checked before it starts afresh, and how long they may be:
amounts, dates, services and cities repeat."""

TERMS_BYTES_MAX: Final = 300
"""The terms of a tariff are remembered up to here."""

SHOWN_CHARACTERS_MAX: Final = 60


class Check:
    """What one value must be. Objects with a method, not functions: compiled, those are called directly."""

    __slots__ = ()

    def of(self, value: Any) -> Any:
        """A decoded JSON value, converted; raises `Unreadable`."""
        raise NotImplementedError


class _Field:
    """A field as its reader sees it: how to check it, and the values that were found right lately."""

    __slots__ = ("check", "default", "key", "name", "remembered", "required")

    def __init__(self, name: str, field: FieldInfo, path: str) -> None:
        self.name: Final = name
        self.key: Final = as_parsed(name)
        self.check: Final = compile_check(field, f"{path}.{name}")
        self.required: Final = field.is_required()
        self.default: Final[Any] = field.default
        self.remembered: Final[dict[str, Any]] = {}

    def learn(self, value: str) -> Any:
        """Checks a string and remembers what it becomes."""
        converted = self.check.of(value)
        if len(value) <= REMEMBERED_CHARACTERS_MAX:
            remember(self.remembered, value, converted, REMEMBERED_MAX)
        return converted


class Reader:
    """Reads a model's fields but those to `leave_out`; `path` stands before names in error details."""

    __slots__ = ("_fields", "_path", "_rules")

    def __init__(self, model: type[Contract], path: str, leave_out: Collection[str] = ()) -> None:
        self._path: Final = path
        self._fields: Final = tuple(
            [_Field(name, field, path) for name, field in model.model_fields.items() if name not in leave_out]
        )
        self._rules: Final = model.REQUIRED_WHEN

    def read(self, given: dict[str, Any]) -> dict[str, Any]:
        """The fields that a decoded JSON object holds, converted; raises `Unreadable`."""
        found: dict[str, Any] = {}
        for field in self._fields:
            value = given.get(field.key)
            if type(value) is str:
                converted = field.remembered.get(value)
                found[field.name] = field.learn(value) if converted is None else converted
            elif value is not None or field.required:
                found[field.name] = field.check.of(value)
            elif field.default is not None:
                found[field.name] = field.default
        if self._rules:
            self._keep_rules(found)
        return found

    def _keep_rules(self, found: dict[str, Any]) -> None:
        path = self._path
        for rule in self._rules:
            if found.get(rule.field) == rule.value and rule.required not in found:
                raise Unreadable(
                    MISSING_FIELD,
                    f"{path}.{rule.required}: missing; required when {path}.{rule.field} is {rule.value}",
                )


def compile_check(field: FieldInfo, path: str) -> Check:
    """The check of one field. Raises `TypeError` for a declaration that has no lean counterpart."""
    annotation, metadata = declared(field)
    for marker in metadata:
        if isinstance(marker, Spelled):
            return _spelled(marker, path)
    if annotation is bool:
        return _Flag(path)
    if annotation is int:
        return _Integer(metadata, path)
    if get_origin(annotation) is Literal:
        return _OneOf(get_args(annotation), path)
    if annotation is TariffTerms:
        return _Terms(path)
    raise TypeError(f"{path}: no lean check for {annotation!r} with {metadata!r}")


def refusal(path: str, value: object, right: str) -> Unreadable:
    """What to raise for a value that is not right: `missing-field` for null, else `malformed-field`."""
    if value is None:
        return Unreadable(MISSING_FIELD, f"{path}: missing; {right}")
    return Unreadable(MALFORMED_FIELD, f"{path}: {told(value)}; {right}")


def told(value: object) -> str:
    """A decoded JSON value, told in a few words."""
    if isinstance(value, str):
        return repr(value if len(value) <= SHOWN_CHARACTERS_MAX else value[: SHOWN_CHARACTERS_MAX - 1] + "…")
    if isinstance(value, bool):
        return f"the JSON boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the JSON number {value}"
    if isinstance(value, list):
        return "a JSON array"
    if isinstance(value, dict):
        return "a JSON object"
    return "null"


def spelled(field: FieldInfo) -> Spelled:
    """The form of a field that is a spelled string. Raises `StopIteration` for any other field."""
    return next(marker for marker in declared(field)[1] if isinstance(marker, Spelled))


def declared(field: FieldInfo) -> tuple[Any, tuple[Any, ...]]:
    """A field's plain type and markers, without what makes it optional."""
    annotation: Any = field.annotation
    metadata = list(field.metadata)
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = (arm for arm in get_args(annotation) if arm is not types.NoneType)
    if hasattr(annotation, "__metadata__"):
        metadata.extend(annotation.__metadata__)
        annotation = annotation.__origin__
    return annotation, tuple(metadata)


def _spelled(form: Spelled, path: str) -> Check:
    if form.convert is not None:
        return _Converted(form, form.convert, path)
    if form.pattern is None:
        return _Text(form, path)
    return _Matching(form, path)


class _Text(Check):
    """A string that only its length limits."""

    __slots__ = ("_characters_max", "_path", "_right")

    def __init__(self, form: Spelled, path: str) -> None:
        assert form.characters_max is not None, path
        self._characters_max: Final[int] = form.characters_max
        self._path: Final = path
        self._right: Final[str] = form.right

    def of(self, value: Any) -> str:
        """The string itself."""
        if type(value) is str and 0 < len(value) <= self._characters_max:
            return value
        raise refusal(self._path, value, self._right)


class _Matching(Check):
    """A string of one pattern."""

    __slots__ = ("_characters_max", "_matches", "_path", "_printable_will_do", "_right")

    def __init__(self, form: Spelled, path: str) -> None:
        self._characters_max: Final[int] = form.characters_max or TEXT_CHARACTERS_MAX
        self._path: Final = path
        self._right: Final[str] = form.right
        self._matches: Final = _matcher(form)
        # Printable means no control character, so for a form that only forbids those the pattern can be spared.
        self._printable_will_do: Final = self._matches("Printable, and любой") is not None

    def of(self, value: Any) -> str:
        """The string itself."""
        if type(value) is str and 0 < len(value) <= self._characters_max:
            if self._printable_will_do and value.isprintable():
                return value
            if self._matches(value):
                return value
        raise refusal(self._path, value, self._right)


class _Converted(Check):
    """A string of one pattern that becomes something else."""

    __slots__ = ("_characters_max", "_convert", "_matches", "_path", "_right")

    def __init__(self, form: Spelled, convert: Callable[[str], object], path: str) -> None:
        self._characters_max: Final[int | None] = form.characters_max
        self._convert: Final = convert
        self._path: Final = path
        self._right: Final[str] = form.right
        self._matches: Final = _matcher(form)

    def of(self, value: Any) -> object:
        """What the string becomes."""
        if type(value) is not str or not self._matches(value):
            raise refusal(self._path, value, self._right)
        if self._characters_max is not None and len(value) > self._characters_max:
            raise refusal(self._path, value, self._right)
        try:
            return self._convert(value)
        except Unreadable as unreadable:
            raise Unreadable(unreadable.reason, f"{self._path}: {unreadable.detail}") from None


def _matcher(form: Spelled) -> Callable[[str], object]:
    return re.compile(form.pattern if form.pattern is not None else r"(?s).+").fullmatch


class _Flag(Check):
    """A boolean."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path: Final = path

    def of(self, value: Any) -> bool:
        """The boolean itself."""
        if value is True or value is False:
            return value
        raise refusal(self._path, value, "true or false")


class _Integer(Check):
    """A whole number within bounds."""

    __slots__ = ("_least", "_most", "_path")

    def __init__(self, metadata: tuple[Any, ...], path: str) -> None:
        (least,) = [int(str(marker.ge)) for marker in metadata if isinstance(marker, Ge)]
        (most,) = [int(str(marker.le)) for marker in metadata if isinstance(marker, Le)]
        self._least: Final[int] = least
        self._most: Final[int] = most
        self._path: Final = path

    def of(self, value: Any) -> int:
        """The number itself; `true` is none, though Python counts it among the whole numbers."""
        if type(value) is int and self._least <= value <= self._most:
            return value
        raise refusal(self._path, value, f"a whole JSON number from {self._least} to {self._most}")


class _OneOf(Check):
    """A string out of a few."""

    __slots__ = ("_allowed", "_path", "_right")

    def __init__(self, values: tuple[str, ...], path: str) -> None:
        self._allowed: Final = frozenset(values)
        self._path: Final = path
        self._right: Final = f"one of {', '.join(values)}"

    def of(self, value: Any) -> str:
        """The string itself."""
        if type(value) is str and value in self._allowed:
            return value
        raise refusal(self._path, value, self._right)


class _Terms(Check):
    """The terms of a tariff. There are few tariffs, so those read lately are remembered."""

    __slots__ = ("_path", "_reader", "_remembered")

    def __init__(self, path: str) -> None:
        self._path: Final = path
        self._reader: Final = Reader(TariffTerms, path)
        self._remembered: Final[dict[bytes, Tariff]] = {}
        """By the terms as JSON: it tells `1`, `1.0` and `true` apart, as values in a key would not."""

    def of(self, value: Any) -> Tariff:
        """The tariff."""
        if type(value) is not dict:
            raise refusal(self._path, value, 'an object such as {"code": "unlim-100", "family": "Unlim"}')
        try:
            terms = orjson.dumps(value)
        except TypeError:  # nested deeper than JSON is written: refused when its record is hashed
            return Tariff(**self._reader.read(value))
        tariff = self._remembered.get(terms)
        return self._learn(terms, value) if tariff is None else tariff

    def _learn(self, terms: bytes, value: dict[str, Any]) -> Tariff:
        tariff = shared(Tariff(**self._reader.read(value)))
        if len(terms) <= TERMS_BYTES_MAX:
            remember(self._remembered, terms, tariff, REMEMBERED_MAX)
        return tariff
