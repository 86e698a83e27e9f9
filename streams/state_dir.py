"""The directory that is one worker's own: locked while it runs, one store a task inside."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from schemas.account_codec import VERSION, next_due
from streams.rocks_options import RocksMemory
from streams.rocks_store import RocksStore
from streams.settings import Settings, SettingsError
from streams.table import changelog_topic
from streams.topic_identity import TopicIdentity

_VARIABLE: Final = "LOYALTY_STATE_DIR"


class StateDirectory:
    """Stores under `settings.state_dir`, which is this process's until it ends, however it ends.

    Raises SettingsError when the directory cannot be used or another worker has it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._path: Final = settings.state_dir.absolute()
        self._lock: Final = _locked(self._path)
        self._memory: Final = RocksMemory(settings.store_cache_mb)

    def open(self, partition: int, changelog: TopicIdentity) -> RocksStore:
        """The store of a task, as it was left if it is still of use: what was written down of another `changelog` is not.

        Raises StoreError when the disk fails.
        """
        settings = self._settings
        identity: dict[str, str | int] = {
            "cluster": changelog.cluster_id,
            "application": settings.application_id,
            "topic": changelog_topic(settings.application_id),
            "topic id": changelog.topic_id,
            "partition": partition,
            "partitions": settings.partitions,
            "row version": VERSION,
        }
        return RocksStore(self._path / "tasks" / str(partition), identity, self._memory.options, next_due)

    def release(self) -> None:
        """Let another process have the directory."""
        os.close(self._lock)


def _locked(path: Path) -> int:
    """A descriptor that holds the directory's lock: the system gives it up when the process ends."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise SettingsError(
            f"{_VARIABLE}={path} cannot be used: it must be a directory that this worker may write to "
            f"({error.strerror})"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise SettingsError(
            f"{_VARIABLE}={path} is in use by another worker (process {owner or 'unknown'}): "
            "each worker needs a directory of its own"
        ) from None
    os.ftruncate(descriptor, 0)
    # Who has it is a courtesy. A disk without room for even that is for the stores to report.
    with suppress(OSError):
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
