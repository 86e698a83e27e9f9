"""Every distribution that is installed is pinned at exactly that version, none is missing, none is pinned for nobody.

All of it from what is on this machine: the constraints, the project's requirements, the metadata of the environment.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ROOT: Final = Path(__file__).parent.parent
CONSTRAINTS: Final = ROOT / "constraints.txt"
TOOLS: Final = frozenset({"pip", "setuptools", "wheel"})
"""What an environment is born with: not ours to choose."""
USUAL_EXTRAS: Final = frozenset({"dev"})
"""What `make install` installs."""

Environment = Mapping[str, metadata.Distribution]
"""Normalised name → distribution."""


class Project:
    """What pyproject.toml asks for. `optional` are the requirements of extras that nobody has to install."""

    def __init__(self, file: Path = ROOT / "pyproject.toml") -> None:
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        extras: dict[str, list[str]] = project.get("optional-dependencies", {})
        self.name: Final[str] = canonicalize_name(project["name"])
        self.usual: Final = [
            *project["dependencies"],
            *(r for extra in USUAL_EXTRAS for r in extras.get(extra, ())),
        ]
        self.optional: Final = [
            r for extra, all_ in extras.items() if extra not in USUAL_EXTRAS for r in all_
        ]


def environment(path: Iterable[str] | None = None) -> Environment:
    """What is installed here, or in the directories of `path`."""
    found = metadata.distributions() if path is None else metadata.distributions(path=list(path))
    return {canonicalize_name(one.metadata["Name"]): one for one in found}


def read_pins(text: str) -> tuple[dict[str, str], list[str]]:
    """Normalised name → version of a constraints file, and what is wrong with its lines."""
    pins: dict[str, str] = {}
    problems: list[str] = []
    for line in (line.partition("#")[0].strip() for line in text.splitlines()):
        if not line:
            continue
        try:
            pin = Requirement(line)
            name = canonicalize_name(pin.name)
            if not re.fullmatch(r"==[^*,]+", str(pin.specifier)) or pin.marker or pin.extras:
                raise InvalidRequirement("a pin is NAME==VERSION")
            version = Version(str(pin.specifier)[2:])
        except (InvalidRequirement, InvalidVersion) as error:
            problems.append(f"{line}: {error}")
            continue
        if name in pins:
            problems.append(f"{line}: it is pinned twice")
        if version.is_prerelease or version.local is not None:
            problems.append(f"{line}: not a release")
        pins[name] = str(version)
    return pins, problems


def problems(text: str, project: Project, installed: Environment) -> list[str]:
    """What is not as it was tested; one line each."""
    pins, found = read_pins(text)
    for name, one in sorted(installed.items()):
        if name in TOOLS or name == project.name:
            continue
        if name not in pins:
            found.append(f"{name} {one.version} is installed, but not pinned")
        elif Version(one.version) != Version(pins[name]):
            found.append(f"{name} {one.version} is installed, but {pins[name]} is pinned")
    needed, mentioned = _closure(project, installed)
    found += [f"{name} is needed, but not installed" for name in sorted(needed - installed.keys())]
    found += [f"{name} is pinned, but nothing asks for it" for name in sorted(pins.keys() - mentioned)]
    return found


def _closure(project: Project, installed: Environment) -> tuple[set[str], set[str]]:
    """What is needed here, transitively; and what may be: on other systems and by extras that need not be there."""
    needed: set[str] = set()
    mentioned: set[str] = set()
    seen: set[tuple[str, str, bool]] = set()
    queue = [(text, frozenset({""}), True) for text in project.usual]
    queue += [(text, frozenset({""}), False) for text in project.optional]
    while queue:
        text, extras, here = queue.pop()
        requirement = Requirement(text)
        marker = requirement.marker
        holds = marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)
        if not holds and "extra" in str(marker):
            continue  # an extra that nobody asked for
        here = here and holds
        name = canonicalize_name(requirement.name)
        mentioned.add(name)
        if here:
            needed.add(name)
        key = (name, ",".join(sorted(requirement.extras)), here)
        if key not in seen and name in installed:
            seen.add(key)
            inner = frozenset({"", *requirement.extras})
            queue += [(more, inner, here) for more in installed[name].requires or ()]
    return needed, mentioned
