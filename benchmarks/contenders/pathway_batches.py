"""Pathway: a table over two topics; at the end of each of its times the rows that came are decided and written.

Its strongest guarantee without a licence is at least once, by persistence: what was read is kept on disk, and after
a crash read again from the start, which makes the state anew. It has no way for a Python function to change a state of
its own and say several things, so the accounts are those of the observer, and the observer writes.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pathway as pw

from benchmarks.cluster import MERGED
from benchmarks.contenders.peer_task import Arguments, arguments, ready
from benchmarks.contenders.peer_writer import PeerWriter

TIME_MS: Final = 100
"""How long a time of Pathway's lasts: one batch."""


class Decide:
    """Observes the table: collects the rows of a time, then decides them in their order."""

    def __init__(self, given: Arguments) -> None:
        self._peer: Final = PeerWriter(given)
        self._came: list[tuple[str, int, int, int, bytes, bytes]] = []

    def on_change(self, key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        """A record has come."""
        del key, time, is_addition
        at = row["_metadata"].as_dict()
        self._came.append(
            (at["topic"], at["partition"], at["offset"], at["timestamp_millis"], row["key"], row["data"])
        )

    def on_time_end(self, time: int) -> None:
        """All records of a time have come."""
        del time
        came, self._came = sorted(self._came), []
        events: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)
        for topic, partition, _, timestamp, key, value in came:
            if topic == MERGED:
                events[partition].append((timestamp, value))
            else:
                self._peer.write(self._peer.task(partition).take_link(timestamp, key, value)[0])
        for partition, values in events.items():
            self._peer.write(self._peer.task(partition).take(values)[0])
        self._peer.flush()


def main() -> None:
    """Run until stopped."""
    given = arguments()
    settings = {
        "bootstrap.servers": given.bootstrap,
        "group.id": given.group,
        "auto.offset.reset": "earliest",
        "queued.min.messages": "100000",
    }
    decide = Decide(given)
    for topic in (MERGED, given.topic("links")):
        table = pw.io.kafka.read(
            settings, topic, format="raw", with_metadata=True, autocommit_duration_ms=TIME_MS, name=topic
        )
        pw.io.subscribe(table, decide.on_change, on_time_end=decide.on_time_end, name=f"decide {topic}")
    backend = pw.persistence.Backend.filesystem(str(Path(given.directory) / "kept"))
    ready()
    pw.run(
        monitoring_level=pw.MonitoringLevel.NONE,
        persistence_config=pw.persistence.Config(backend),
    )


if __name__ == "__main__":
    main()
