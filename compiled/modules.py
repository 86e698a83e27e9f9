"""The modules that are worth compiling: all that runs once an event or more often, and what it calls."""

from __future__ import annotations

import sysconfig
from hashlib import blake2b
from pathlib import Path
from typing import Final

PACKAGES: Final = ("schemas", "engine", "agents", "streams")

NOT_COMPILED: Final = frozenset(
    {
        # Models of pydantic's: it needs classes that it can look into.
        "schemas/contract.py",
        "schemas/contract_forms.py",
        # A kind of bytes: nothing that the compiler knows how to make.
        "schemas/unread.py",
        # Run once an hour, or never, in a worker.
        "schemas/contract_docs.py",
        "schemas/contract_examples.py",
        "schemas/topics.py",
        "agents/accounts.py",
        "agents/replay.py",
        "agents/worker.py",
    }
)
_STREAMS: Final = frozenset({"streams/destinations.py", "streams/record_batch.py"})
"""Of the streams only these work on every record; the rest waits for Kafka."""
_PROGRAMME: Final = "schemas/programme"
"""What begins so is the programme definition: models, their checks and their documents."""


def hot_modules(root: Path) -> list[str]:
    """The modules to compile, as paths below `root`."""
    found = [
        f"{package}/{file.name}"
        for package in PACKAGES
        for file in sorted((root / package).glob("[a-z]*.py"))
    ]
    return [
        path
        for path in found
        if (path in _STREAMS or not path.startswith("streams/"))
        and path not in NOT_COMPILED
        and not path.startswith(_PROGRAMME)
    ]


def digest(root: Path) -> str:
    """Name of a build: the same for the same sources and interpreter."""
    hashed = blake2b(str(sysconfig.get_config_var("EXT_SUFFIX")).encode(), digest_size=10)
    for path in hot_modules(root):
        hashed.update(path.encode())
        hashed.update((root / path).read_bytes())
    return hashed.hexdigest()
