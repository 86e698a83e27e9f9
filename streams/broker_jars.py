"""The jars of the embedded broker: fetched once as Maven artifacts, then kept in the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from streams.broker_errors import BrokerError

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

Result = TypeVar("Result")

KAFKA_VERSION: Final = "4.1.0"
COORDINATES: Final = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",
)
"""The broker, and the smallest logging backend of the generation its slf4j-api asks for."""
CLASSPATH_SCOPES: Final = (None, "compile", "runtime")
TRIES: Final = 3
DOWNLOADS_AT_ONCE: Final = 8
TIMEOUT_S: Final = 30
SAY_EVERY: Final = 10


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Where the jars are kept: below `XDG_CACHE_HOME`, or `~/.cache`."""
    root = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(root) / "loyalty-streams" / f"kafka-{KAFKA_VERSION}"


def kafka_jars(cache: Path, say: Callable[[str], None]) -> list[Path]:
    """All jars of the broker's class path, from `cache`, fetched into it when they are not there.

    Processes may call this at the same time: one fetches, the others wait. What is in the cache is whole:
    it is put there by one rename, after every jar has been read through. Raises BrokerError.
    """
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        if not cache.is_dir():
            with _locked(cache.with_suffix(".lock")):
                if not cache.is_dir():
                    _fetch(cache, say)
        jars = sorted(cache.glob("*.jar"))
    except OSError as error:
        raise BrokerError(f"cannot keep Kafka's jars in {cache}: {error}; set XDG_CACHE_HOME") from error
    if not jars:
        raise BrokerError(f"{cache} holds no jars; remove it and they are fetched again")
    return jars


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(cache: Path, say: Callable[[str], None]) -> None:
    from jgo.maven import MavenContext

    say(f"looking up Apache Kafka {KAFKA_VERSION} (the first time only)")
    staging = cache.with_suffix(".staging")
    shutil.rmtree(staging, ignore_errors=True)
    context = MavenContext(repo_cache=staging / "repository", timeout=TIMEOUT_S)
    artifacts = _patiently(
        f"look up Apache Kafka {KAFKA_VERSION}", lambda: _resolve(context), staging / "repository"
    )
    jars = staging / "jars"
    jars.mkdir(parents=True)
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        fetches = [pool.submit(_fetch_one, artifact, jars) for artifact in artifacts]
        for done, fetch in enumerate(as_completed(fetches), start=1):
            try:
                fetch.result()
            except BrokerError:
                pool.shutdown(cancel_futures=True)
                raise
            if done % SAY_EVERY == 0 or done == len(fetches):
                say(f"fetching Apache Kafka {KAFKA_VERSION} (only this once): {done}/{len(fetches)} files")
    jars.rename(cache)
    shutil.rmtree(staging, ignore_errors=True)


def _resolve(context: MavenContext) -> list[Artifact]:
    """The artifacts of the class path, by the pure Python resolver: neither Java nor Maven is needed."""
    asked = [context.create_dependency(coordinate) for coordinate in COORDINATES]
    inputs, transitive = context.resolver.resolve(asked)
    return [found.artifact for found in (*inputs, *transitive) if found.scope in CLASSPATH_SCOPES]


def _fetch_one(artifact: Artifact, jars: Path) -> None:
    path = artifact.cached_path
    assert path is not None

    def fetch() -> None:
        with zipfile.ZipFile(artifact.resolve()) as jar:
            damaged = jar.testzip()
        if damaged is not None:
            raise RuntimeError(f"{path.name} came damaged ({damaged})")

    _patiently(f"fetch {path.name} for Apache Kafka {KAFKA_VERSION}", fetch, path)
    path.rename(jars / path.name)


def _patiently(what: str, attempt: Callable[[], Result], leftover: Path) -> Result:
    """The result of `attempt`; a failed one leaves nothing at `leftover` that the next would trust."""
    import requests

    for tries_left in range(TRIES - 1, -1, -1):
        try:
            return attempt()
        except (
            RuntimeError,
            OSError,
            AssertionError,
            zipfile.BadZipFile,
            requests.RequestException,
        ) as error:
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)
            if not tries_left:
                raise BrokerError(
                    f"cannot {what} from Maven Central ({_cause(error)}); "
                    "set KAFKA_BOOTSTRAP to use a broker of your own"
                ) from error
    raise AssertionError("unreachable")


def _cause(error: BaseException) -> str:
    """The innermost reason's first line: outer ones repeat addresses over several lines."""
    while error.__context__ is not None:
        error = error.__context__
    return (str(error) or type(error).__name__).partition("\n")[0]
