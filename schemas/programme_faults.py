"""What pydantic finds wrong with a definition, told in words of the file: the field, and what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from schemas.programme_forms import CURRENCY_PATTERN, NAME_PATTERN

ERROR: Final = "error"
WARNING: Final = "warning"
_PATTERNS: Final = {
    NAME_PATTERN: "a name of lower-case letters, digits and single hyphens",
    CURRENCY_PATTERN: "three capital letters such as RUB",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a definition: where it stands, and what is wrong with what would be right.

    `line` counts from 1; 0: no line of the file is meant. `field` is a dotted path, empty for the file itself.
    """

    file: Path
    line: int
    field: str
    message: str
    severity: str = ERROR

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        return ": ".join(part for part in (where, self.field, self.message) if part)


def told(model: type[BaseModel], fault: Any) -> str:
    """What is wrong with a field and what would be right, for one of pydantic's error entries."""
    context: dict[str, Any] = fault.get("ctx", {})
    given = fault["input"]
    match fault["type"]:
        case "extra_forbidden":
            known = fields_at(model, fault["loc"][:-1])
            near = suggestion(str(fault["loc"][-1]), known)
            return f"no such field{near or '; there are: ' + ', '.join(known)}"
        case "missing":
            return "is missing"
        case "literal_error":
            return _not_one_of(given, re.findall(r"'([^']*)'", context["expected"]), context["expected"])
        case "union_tag_invalid":
            tags = re.findall(r"'([^']*)'", context["expected_tags"])
            listed = " or ".join(map(repr, tags))
            return f"{_plain(context['discriminator'])}: {_not_one_of(context['tag'], tags, listed)}"
        case "union_tag_not_found":
            return f"{_plain(context['discriminator'])} is missing; it selects which fields there are"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"a section with fields of its own is wanted, not {_shown(given)}"
        case "tuple_type":
            return f"a list is wanted, such as [{_shown(given, quoted=False)}]"
        case "int_type" | "int_parsing" | "int_from_float":
            return f"a whole number without quotes is wanted, not {_shown(given)}"
        case "bool_type" | "bool_parsing":
            return f"true or false is wanted, not {_shown(given)}"
        case "string_type":
            return f"a text is wanted, not {_shown(given)}; put it in quotes"
        case "string_pattern_mismatch":
            return f"{_shown(given)} does not fit; {_PATTERNS.get(context['pattern'], context['pattern'])} is wanted"
    message = " ".join(str(fault["msg"]).removeprefix("Value error, ").split())
    message = message.removeprefix("Input ")
    if isinstance(given, dict | list) or _shown(given) in message:
        return message
    return f"{message}, not {_shown(given)}"


def suggestion(given: str, known: Sequence[str]) -> str:
    """`; did you mean …?`, or nothing where nothing is near."""
    near = difflib.get_close_matches(given.casefold(), known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def fields_at(model: type[BaseModel], path: Iterable[str | int]) -> list[str]:
    """Names of the fields that the section at a path of pydantic's has."""
    here: Any = model
    for part in path:
        here = _step(_bare(here), part)
    found = _bare(here)
    return list(found.model_fields) if isinstance(found, type) and issubclass(found, BaseModel) else []


def _not_one_of(given: Any, known: Sequence[str], listed: str) -> str:
    near = suggestion(given, known) if isinstance(given, str) else ""
    return f"{listed} is wanted, not {_shown(given)}{near}"


def _plain(discriminator: str) -> str:
    return discriminator.strip("'")


def _shown(given: Any, *, quoted: bool = True) -> str:
    if given is None:
        return "nothing"
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, str) and quoted:
        return repr(given)
    return str(given)


def _step(here: Any, part: str | int) -> Any:
    """The annotation one part of a path further: a field, a list's element, a key's value, a union's member."""
    if isinstance(here, type) and issubclass(here, BaseModel):
        field = here.model_fields.get(str(part))
        return field.annotation if field is not None else None
    if get_origin(here) in (Union, UnionType):
        return next((member for member in get_args(here) if part in _tags(member)), None)
    if get_origin(here) is tuple:
        return get_args(here)[0]
    if get_origin(here) is dict:
        return get_args(here)[1]
    return None


def _bare(here: Any) -> Any:
    """An annotation without its metadata, and without `None` where that leaves one."""
    while get_origin(here) is Annotated:
        here = get_args(here)[0]
    if get_origin(here) in (Union, UnionType):
        members = [member for member in get_args(here) if member is not type(None)]
        if len(members) == 1:
            return _bare(members[0])
        if len(members) < len(get_args(here)):
            return Union[tuple(members)]  # noqa: UP007 - built at run time
    return here


def _tags(member: Any) -> set[Any]:
    """By which values a member of a discriminated union is selected."""
    if not (isinstance(member, type) and issubclass(member, BaseModel)):
        return set()
    return {
        value
        for field in member.model_fields.values()
        if get_origin(field.annotation) is Literal
        for value in get_args(field.annotation)
    }
