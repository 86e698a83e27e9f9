"""Reads programme definitions from YAML files; an error names the file, the line, the field and the remedy.

A file holds one operator's revisions, one YAML document each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from schemas.programme import Programme
from schemas.programme_rewards import AmountReward

# The C parser is ten times faster; where PyYAML was built without it, the other reads the same.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ProgrammeError(ValueError):
    """Definitions that cannot be used; `problems` has one line for each fault, `file:line: field: what`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems: Final = problems


class Located:
    """A definition, and how to find the line of each of its fields."""

    def __init__(self, programme: Programme, file: Path, node: yaml.Node) -> None:
        self.programme: Final = programme
        self.file: Final = file
        self._node: Final = node

    def where(self, *path: str | int) -> str:
        """`file:line` of a field."""
        return f"{self.file}:{_line(self._node, path)}"


def load_programmes(directory: Path) -> list[Programme]:
    """All programmes of a directory.

    :raises ProgrammeError: with every fault found.
    """
    return [located.programme for located in locate_programmes(directory)]


def locate_programmes(directory: Path) -> list[Located]:
    """All programmes of a directory, with their places.

    :raises ProgrammeError: with every fault found.
    """
    if not directory.is_dir():
        raise ProgrammeError([f"{directory}: not a directory; programme definitions are its *.yaml files"])
    files = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")])
    if not files:
        raise ProgrammeError([f"{directory}: no *.yaml file in it; each holds one operator's programme"])
    found: list[Located] = []
    problems: list[str] = []
    for file in files:
        try:
            found += _read(file)
        except ProgrammeError as error:
            problems += error.problems
    problems += _across(found)
    if problems:
        raise ProgrammeError(problems)
    return found


def _read(file: Path) -> list[Located]:
    try:
        nodes = [node for node in yaml.compose_all(file.read_bytes(), _LOADER) if node is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ProgrammeError([f"{file}:{line}: not YAML: {getattr(error, 'problem', error)}"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProgrammeError([f"{file}: cannot be read: {error}"]) from error
    if not nodes:
        raise ProgrammeError([f"{file}:1: empty; a programme definition is wanted"])
    problems: list[str] = []
    found: list[Located] = []
    for node in nodes:
        problems += [f"{file}:{line}: {key}: written twice" for key, line in _twice(node)]
        try:
            found.append(Located(Programme.model_validate(_value(node)), file, node))
        except ValidationError as error:
            problems += [_told(file, node, fault) for fault in error.errors(include_url=False)]
        except yaml.YAMLError as error:
            problems.append(f"{file}:{node.start_mark.line + 1}: {getattr(error, 'problem', error)}")
    if problems:
        raise ProgrammeError(problems)
    return found


def _value(node: yaml.Node) -> Any:
    loader = _LOADER(b"")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _told(file: Path, node: yaml.Node, fault: Any) -> str:
    # pydantic puts the name of a union's member into the path, which is no key of the file.
    path = _in_file(node, fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "no such field; the fields are listed in docs/programme-reference.md"
    elif fault["type"] == "missing":
        message = "is missing"
    elif not isinstance(fault["input"], dict | list):
        message += f", not {fault['input']!r}"
    return f"{file}:{_line(node, path)}: {'.'.join(map(str, path)) or 'the definition'}: {message}"


def _in_file(node: yaml.Node, path: Iterable[str | int]) -> list[str | int]:
    kept: list[str | int] = []
    path = list(path)
    for number, part in enumerate(path):
        child = _child(node, part)
        if child is None:
            if number == len(path) - 1 and isinstance(node, yaml.MappingNode):
                kept.append(part)
            continue
        kept.append(part)
        node = child
    return kept


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child
    return None


def _line(node: yaml.Node, path: Iterable[str | int]) -> int:
    for part in path:
        if isinstance(node, yaml.MappingNode):
            key = next((key for key, _ in node.value if key.value == part), None)
            if key is None:
                break
        child = _child(node, part)
        if child is None:
            break
        node = child
    return int(node.start_mark.line) + 1


def _twice(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """Keys that stand twice in a mapping: YAML would take the last one without a word."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _twice(child)


def _across(found: list[Located]) -> list[str]:
    """Faults between definitions: revisions that begin on the same day, receivers without a programme."""
    problems: list[str] = []
    operators = {located.programme.operator for located in found}
    begins: dict[tuple[str, Any], Located] = {}
    for located in found:
        programme = located.programme
        key = (programme.operator, programme.effective_from)
        if key in begins:
            problems.append(
                f"{located.where('effective_from')}: effective_from: revision of {programme.operator!r} from "
                f"{programme.effective_from} stands in {begins[key].where('effective_from')} too; one may begin on a day"
            )
        begins.setdefault(key, located)
        for name, reward in (programme.rewards.items if programme.rewards else {}).items():
            if isinstance(reward, AmountReward) and reward.receiver_operator not in (None, *operators):
                problems.append(
                    f"{located.where('rewards', 'items', name, 'receiver_operator')}: rewards.items.{name}."
                    f"receiver_operator: no programme of operator {reward.receiver_operator!r}; there are: "
                    f"{', '.join(sorted(operators))}"
                )
    return problems
