"""Reads programme definitions from YAML files; an error names the file, the line, the field and the remedy.

A file holds one operator's revisions, one YAML document each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from schemas.programme import Programme
from schemas.programme_faults import ERROR, Problem, told
from schemas.programme_rewards import AmountReward

# The C parser is ten times faster; where PyYAML was built without it, the other reads the same.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE: Final = "the definition"
_KEY_TAGS: Final = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
_PLAIN_TAGS: Final = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class ProgrammeError(ValueError):
    """Definitions that cannot be used; `problems` has one line for each fault, `file:line: field: what`."""

    def __init__(self, found: list[Problem]) -> None:
        self.found: Final = found
        self.problems: Final = [str(problem) for problem in found]
        super().__init__("\n".join(self.problems))


class Located:
    """A definition, and how to find the line of each of its fields."""

    def __init__(self, programme: Programme, file: Path, node: yaml.Node) -> None:
        self.programme: Final = programme
        self.file: Final = file
        self._node: Final = node

    def line(self, *path: str | int) -> int:
        """The line of a field, or of the nearest section around it that stands in the file."""
        return _line(self._node, path)

    def where(self, *path: str | int) -> str:
        """`file:line` of a field."""
        return f"{self.file}:{self.line(*path)}"

    def problem(self, path: tuple[str | int, ...], message: str, severity: str) -> Problem:
        """A problem with one of its fields."""
        return Problem(self.file, self.line(*path), ".".join(map(str, path)) or _WHOLE, message, severity)


def load_programmes(directory: Path) -> list[Programme]:
    """All programmes of a directory.

    :raises ProgrammeError: with every fault found.
    """
    return [located.programme for located in locate_programmes(directory)]


def locate_programmes(directory: Path) -> list[Located]:
    """All programmes of a directory, with their places.

    :raises ProgrammeError: with every fault found.
    """
    found, problems = read_directory(directory)
    if problems:
        raise ProgrammeError(problems)
    return found


def read_directory(directory: Path) -> tuple[list[Located], list[Problem]]:
    """The definitions of a directory that can be read, and every fault of those that cannot."""
    if not directory.is_dir():
        return [], [Problem(directory, 0, "", "not a directory; programme definitions are its *.yaml files")]
    files = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")])
    if not files:
        return [], [Problem(directory, 0, "", "no *.yaml file in it; each holds one operator's programme")]
    found: list[Located] = []
    problems: list[Problem] = []
    for file in files:
        read, faults = _read(file)
        found += read
        problems += faults
    return found, problems + list(_across(found, whole=not problems))


def _read(file: Path) -> tuple[list[Located], list[Problem]]:
    try:
        nodes = [node for node in yaml.compose_all(file.read_bytes(), _LOADER) if node is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        return [], [
            Problem(file, line, "", f"not YAML: {' '.join(str(getattr(error, 'problem', error)).split())}")
        ]
    except OSError as error:
        return [], [Problem(file, 0, "", f"cannot be read: {error.strerror}")]
    except RecursionError:
        return [], [Problem(file, 1, "", "nested too deeply; a programme definition is wanted")]
    if not nodes:
        return [], [Problem(file, 1, "", "empty; a programme definition is wanted")]
    problems: list[Problem] = []
    found: list[Located] = []
    for node in nodes:
        faults = list(_faults(file, node))
        if not faults:
            try:
                found.append(Located(Programme.model_validate(_value(node)), file, node))
            except ValidationError as error:
                faults = [_problem(file, node, fault) for fault in _proper(error.errors(include_url=False))]
        problems += faults
    return found, problems


def _value(node: yaml.Node) -> Any:
    loader = _LOADER(b"")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _proper(faults: list[Any]) -> list[Any]:
    """Without what only follows from another fault: a list is called too short when its elements are wrong."""
    return [
        fault
        for fault in faults
        if fault["type"] != "too_short"
        or not any(f["loc"][: len(fault["loc"])] == fault["loc"] for f in faults if f is not fault)
    ]


def _problem(file: Path, node: yaml.Node, fault: Any) -> Problem:
    # pydantic puts the name of a union's member into the path, which is no key of the file.
    path = _in_file(node, fault["loc"], missing=fault["type"] == "missing")
    field = ".".join(map(str, path)) or _WHOLE
    return Problem(file, _line(node, path), field, told(Programme, fault))


def _in_file(node: yaml.Node, path: Sequence[str | int], *, missing: bool) -> list[str | int]:
    kept: list[str | int] = []
    for part in path:
        child = _child(node, part)
        if child is not None:
            kept.append(part)
            node = child
    return [*kept, path[-1]] if missing else kept


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child
    return None


def _line(node: yaml.Node, path: Iterable[str | int]) -> int:
    line = int(node.start_mark.line)
    for part in path:
        child = _child(node, part)
        if child is None:
            break
        key = (
            next((key for key, value in node.value if value is child), child) if _is_mapping(node) else child
        )
        line = int(key.start_mark.line)
        node = child
    return line + 1


def _is_mapping(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode)


def _faults(file: Path, node: yaml.Node, above: tuple[yaml.Node, ...] = ()) -> Iterator[Problem]:
    """What YAML lets pass or stumbles over: keys that stand twice, values that are no day, loops."""
    line = node.start_mark.line + 1
    if node in above:
        yield Problem(file, line, "", "an alias of what it stands in; write the value itself")
    elif not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN_TAGS:
        yield Problem(file, line, "", f"the tag {node.tag!r} has no meaning here; leave it out")
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag not in _KEY_TAGS:
                yield Problem(file, here, "", "a key is a plain word; put what YAML takes for more in quotes")
            elif key.value in seen:
                yield Problem(file, here, key.value, "written twice")
            else:
                seen.add(key.value)
            yield from _faults(file, value, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _faults(file, child, (*above, node))
    else:
        try:
            _value(node)
        except (yaml.YAMLError, ValueError) as error:
            what = getattr(error, "problem", None) or error
            yield Problem(file, line, "", f"{node.value}: {what}; a day is written such as 2025-08-01")


def _across(found: list[Located], *, whole: bool) -> Iterator[Problem]:
    """Faults between definitions: revisions that begin on the same day, receivers without a programme.

    `whole`: every file could be read, so an operator that is not there is missing.
    """
    operators = {located.programme.operator for located in found}
    begins: dict[tuple[str, Any], Located] = {}
    for located in found:
        programme = located.programme
        first = begins.setdefault((programme.operator, programme.effective_from), located)
        if first is not located:
            yield located.problem(
                ("effective_from",),
                f"revision of {programme.operator!r} from {programme.effective_from} stands in "
                f"{first.where('effective_from')} too; one may begin on a day",
                ERROR,
            )
        for name, reward in (programme.rewards.items if programme.rewards else {}).items():
            wanted = reward.receiver_operator if isinstance(reward, AmountReward) else None
            if whole and wanted is not None and wanted not in operators:
                yield located.problem(
                    ("rewards", "items", name, "receiver_operator"),
                    f"no programme of operator {wanted!r}; there are: {', '.join(sorted(operators))}",
                    ERROR,
                )
