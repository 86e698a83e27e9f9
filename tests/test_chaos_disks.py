"""What the chaos run does to a worker's disk really is a full disk and a damaged file; and its schedule keeps its word."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from chaos.crew import Crew
from chaos.disks import FILES, LOG, damage, fill, make_room
from chaos.faults import FAULTS
from chaos.points import KILL
from chaos.schedule import schedule

WRITER = """
import sys
print("open", flush=True)
for line in sys.stdin:
    try:
        with open(sys.argv[1], "a") as file:
            file.write("more")
        print("written", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


def test_on_a_full_disk_nothing_can_be_written_until_there_is_room(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "file")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdin is not None and writer.stdout is not None
    assert writer.stdout.readline() == "open\n"
    said = []
    for change in (fill, make_room):
        change(writer.pid)
        writer.stdin.write("\n")
        writer.stdin.flush()
        said.append(writer.stdout.readline().strip())
    writer.stdin.close()
    writer.stdout.close()
    assert writer.wait(10) == 0
    assert said == ["File too large", "written"]


@pytest.mark.parametrize("kind", FILES)
def test_damage_leaves_no_block_of_such_files_as_it_was_and_others_alone(tmp_path: Path, kind: str) -> None:
    names = {"pointer": "CURRENT", "manifest": "MANIFEST-000005", "table": "000009.sst", "log": "000011.log"}
    assert names.keys() == FILES.keys()
    content = bytes(range(256)) * 32
    for name in names.values():
        (tmp_path / "tasks" / "3").mkdir(parents=True, exist_ok=True)
        (tmp_path / "tasks" / "3" / name).write_bytes(content)
    assert damage(tmp_path, kind) == 1
    for other, name in names.items():
        found = (tmp_path / "tasks" / "3" / name).read_bytes()
        assert len(found) == len(content)
        changed = {at // 1024 for at, (a, b) in enumerate(zip(found, content, strict=True)) if a != b}
        assert changed == (set() if other != kind else set(range(4 if kind == LOG else 0, 8)))


def test_every_other_worker_has_its_rows_on_a_disk_and_its_successor_the_same_disk(tmp_path: Path) -> None:
    crew = Crew(tmp_path, {"KAFKA_BOOTSTRAP": "nowhere"})  # a setting that ends each at once
    try:
        seats = [crew.start() for _ in range(3)]
        assert [one.on_disk for one in seats] == [True, False, True]
        assert len({one.state for one in seats}) == 3
        for one in seats:
            one.process.wait(30)
        crew.tend()
        crew.closing = True
        for one in seats:
            (successor,) = crew.successors(one)
            assert (successor.state, successor.on_disk) == (one.state, one.on_disk)
            assert one.status == 2 and "KAFKA_BOOTSTRAP" in one.log, "its last words are in its log"
        assert len(crew.problems()) >= 3, "nobody asked them to end like that"
    finally:
        crew.close()


def test_a_round_has_every_fault_and_some_more_often() -> None:
    kinds = [kind for kind, _ in islice(schedule(1, FAULTS, {KILL: 3}), len(FAULTS) + 2)]
    assert Counter(kinds) == Counter({**dict.fromkeys(FAULTS, 1), KILL: 3})
    assert [kind for kind, _ in islice(schedule(1, FAULTS, {KILL: 3}), len(FAULTS) + 2)] == kinds
