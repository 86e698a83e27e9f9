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

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from schemas.contract import Contract, TariffTerms
from schemas.contract_forms import TEXT_CHARACTERS_MAX, Spelled
from schemas.dead_letter import MALFORMED_FIELD, MISSING_FIELD, Unreadable
from schemas.event import Tariff

type_of = type
Check = Callable[[Any], Any]
"""A decoded JSON value → its converted value; raises `Unreadable`."""

Reader = Callable[[dict[str, Any]], Any]
"""A decoded JSON object → the fields it holds, converted; raises `Unreadable`."""

REMEMBERED_MAX: Final = 8_000
REMEMBERED_CHARACTERS_MAX: Final = 32
"""Values that a field's reader remembers as checked before it starts afresh, and how long they may be:
amounts, dates, services and numbers of months repeat."""

SHOWN_CHARACTERS_MAX: Final = 60


class _Field:
    """A field as its reader sees it: how to check it, and the values that were found right lately."""

    __slots__ = ("check", "default", "name", "remembered", "required")

    def __init__(self, name: str, field: FieldInfo, path: str) -> None:
        self.name: Final = name
        self.check: Final = compile_check(field, f"{path}.{name}")
        self.required: Final = field.is_required()
        self.default: Final[Any] = field.default
        self.remembered: Final[dict[str | int, Any]] = {}

    def learn(self, value: str | int) -> Any:
        """Checks a value and remembers what it becomes."""
        converted = self.check(value)
        if isinstance(value, int) or len(value) <= REMEMBERED_CHARACTERS_MAX:
            if len(self.remembered) >= REMEMBERED_MAX:
                self.remembered.clear()
            self.remembered[value] = converted
        return converted


def compile_reader(model: type[Contract], path: str, leave_out: Collection[str] = ()) -> Reader:
    """The reader of a model's fields but those to `leave_out`; `path` stands before names in error details."""
    fields = tuple(
        _Field(name, field, path) for name, field in model.model_fields.items() if name not in leave_out
    )
    lean = tuple((field.name, field.remembered.get, field) for field in fields)
    rules = model.REQUIRED_WHEN

    def read(given: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        get = given.get
        for name, recall, field in lean:
            value = get(name)
            # Only these two types: `True` and `1.0` would find what was remembered for `1`.
            if type_of(value) is str or type_of(value) is int:
                converted = recall(value)
                found[name] = field.learn(value) if converted is None else converted
            elif value is not None or field.required:
                found[name] = field.check(value)
            elif field.default is not None:
                found[name] = field.default
        return found

    def read_with_rules(given: dict[str, Any]) -> dict[str, Any]:
        found = read(given)
        for rule in rules:
            if found.get(rule.field) == rule.value and rule.required not in found:
                raise Unreadable(
                    MISSING_FIELD,
                    f"{path}.{rule.required}: missing; required when {path}.{rule.field} is {rule.value}",
                )
        return found

    return read_with_rules if rules else read


def compile_check(field: FieldInfo, path: str) -> Check:
    """The check of one field. Raises `TypeError` for a declaration that has no lean counterpart."""
    annotation, metadata = declared(field)
    for marker in metadata:
        if isinstance(marker, Spelled):
            return _spelled(marker, path)
    if annotation is bool:
        return _flag(path)
    if annotation is int:
        return _integer(metadata, path)
    if get_origin(annotation) is Literal:
        return _one_of(get_args(annotation), path)
    if annotation is TariffTerms:
        return _tariff(path)
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
        return _converted(form, form.convert, path)
    if form.pattern is None:
        return _text(form, path)
    return _matching(form, path)


def _text(form: Spelled, path: str) -> Check:
    right, characters_max = form.right, form.characters_max
    assert characters_max is not None, path

    def check(value: Any) -> str:
        if type_of(value) is str and 0 < len(value) <= characters_max:
            return value
        raise refusal(path, value, right)

    return check


def _matching(form: Spelled, path: str) -> Check:
    right, matches = form.right, _matcher(form)
    characters_max = form.characters_max or TEXT_CHARACTERS_MAX
    # Printable means no control character, so for a form that only forbids those the pattern can be spared.
    printable_will_do = matches("Printable, and любой") is not None

    def check(value: Any) -> str:
        if type_of(value) is str and 0 < len(value) <= characters_max:
            if printable_will_do and value.isprintable():
                return value
            if matches(value):
                return value
        raise refusal(path, value, right)

    return check


def _converted(form: Spelled, convert: Callable[[str], object], path: str) -> Check:
    right, matches = form.right, _matcher(form)
    characters_max = form.characters_max

    def check(value: Any) -> object:
        if type_of(value) is not str:
            raise refusal(path, value, right)
        if not matches(value) or (characters_max is not None and len(value) > characters_max):
            raise refusal(path, value, right)
        try:
            return convert(value)
        except Unreadable as unreadable:
            raise Unreadable(unreadable.reason, f"{path}: {unreadable.detail}") from None

    return check


def _matcher(form: Spelled) -> Callable[[str], object]:
    return re.compile(form.pattern if form.pattern is not None else r"(?s).+").fullmatch


def _flag(path: str) -> Check:
    def check(value: Any) -> bool:
        if value is True or value is False:
            return value
        raise refusal(path, value, "true or false")

    return check


def _integer(metadata: tuple[Any, ...], path: str) -> Check:
    (least,) = (int(str(marker.ge)) for marker in metadata if isinstance(marker, Ge))
    (most,) = (int(str(marker.le)) for marker in metadata if isinstance(marker, Le))
    right = f"a whole JSON number from {least} to {most}"

    def check(value: Any) -> int:
        if type_of(value) is int and least <= value <= most:
            return value
        raise refusal(path, value, right)

    return check


def _one_of(values: tuple[str, ...], path: str) -> Check:
    allowed = frozenset(values)
    right = f"one of {', '.join(values)}"

    def check(value: Any) -> str:
        if type_of(value) is str and value in allowed:
            return value
        raise refusal(path, value, right)

    return check


def _tariff(path: str) -> Check:
    read = compile_reader(TariffTerms, path)

    def check(value: Any) -> Tariff:
        if type_of(value) is not dict:
            raise refusal(path, value, 'an object such as {"code": "unlim-100", "family": "Unlim"}')
        return Tariff(**read(value))

    return check
