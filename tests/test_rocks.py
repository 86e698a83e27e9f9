"""A store on real files: killed, damaged, foreign, shared, and on a disk that is full."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

import orjson
import pytest

from schemas.account_codec import next_due
from streams.rocks_options import RocksMemory
from streams.rocks_store import RocksStore
from streams.settings import Settings, SettingsError, read_settings
from streams.state_dir import StateDirectory
from streams.store import StoreError
from streams.topic_identity import TopicIdentity

ROOT: Final = Path(__file__).parent.parent
IDENTITY: Final[dict[str, str | int]] = {
    "cluster": "c",
    "topic id": "b",
    "application": "loyalty",
    "partition": 0,
    "partitions": 4,
}
BATCHES: Final = 17
ROWS_A_BATCH: Final = 500


def rocks_at(directory: Path, **other: str | int) -> RocksStore:
    """A store on disk with little memory, so that most of it is in files."""
    return RocksStore(directory / "0", {**IDENTITY, **other}, RocksMemory(8).options, next_due)


@cache
def row_of(number: int, batch: int) -> bytes:
    """A row that does not compress to nothing, due at its number."""
    noise = "".join(blake2b(b"%d %d" % (number, part)).hexdigest() for part in range(4))
    return orjson.dumps({"due": number, "batch": batch, "noise": noise})


def key_of(number: int) -> bytes:
    """Keys far apart from each other."""
    return b"op/%d" % (number * 7919 % 1_000_003)


def write_batches(store: RocksStore, first: int, count: int) -> None:
    """Batch n writes new rows, touches the first one again, and ends at offset n + 1."""
    for batch in range(first, first + count):
        numbers = range(batch * ROWS_A_BATCH, (batch + 1) * ROWS_A_BATCH)
        rows = {key_of(number): row_of(number, batch) for number in numbers}
        rows[b"hot"] = row_of(batch, batch)
        store.put_many(rows, batch + 1)


def check_that_it_is_one_moment_of_the_past(store: RocksStore) -> int:
    """Rows, due index and offset are what they were after one of the batches; which one."""
    batches = store.offset or 0
    rows = dict(store.items())
    expected = {
        key_of(number): row_of(number, number // ROWS_A_BATCH) for number in range(batches * ROWS_A_BATCH)
    }
    if batches:
        expected[b"hot"] = row_of(batches - 1, batches - 1)
    assert rows == expected
    due = store.due(None, 10**9, 10**6)
    assert due == sorted((next_due(row), key) for key, row in expected.items())
    return batches


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose last batches are in the log only, as a killed worker leaves it. Copies of it are damaged."""
    directory = tmp_path_factory.mktemp("written")
    writer = "from tests.test_rocks import *; import sys; s = rocks_at(Path(sys.argv[1]))\n"
    writer += f"write_batches(s, 0, {BATCHES - 3}); s._db.flush(); write_batches(s, {BATCHES - 3}, 3)\n"
    writer += "print('written', flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", writer, str(directory)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "written\n"
    process.kill()
    process.wait()
    return directory


def test_a_killed_writer_leaves_all_that_it_wrote(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "s")
    store = rocks_at(tmp_path / "s")
    assert check_that_it_is_one_moment_of_the_past(store) == BATCHES
    store.close()


def test_a_writer_killed_at_any_moment_leaves_whole_batches(tmp_path: Path) -> None:
    writer = "from tests.test_rocks import *; import sys; s = rocks_at(Path(sys.argv[1]))\n"
    writer += "print('open', flush=True); write_batches(s, s.offset or 0, 10_000)"
    reached = []
    for turn in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", writer, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        time.sleep(0.11 + 0.07 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        store = rocks_at(tmp_path)
        reached.append(check_that_it_is_one_moment_of_the_past(store))
        store.close()
    assert reached == sorted(reached) and reached[-1] > reached[0], "it goes on where it was"


def damages(file: Path) -> Iterator[str]:
    """Damages a file in every way, one after another."""
    whole = file.read_bytes()
    if whole:
        for place in {0, min(5, len(whole) - 1), len(whole) // 3, len(whole) // 2, len(whole) - 1}:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
            yield f"{file.name} with byte {place} flipped"
        for kept in (0, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:kept])
            yield f"{file.name} cut to {kept} bytes"
        file.write_bytes(bytes(len(whole)))
        yield f"{file.name} full of zeros"
    file.unlink()
    yield f"{file.name} deleted"


def test_whatever_is_damaged_it_is_a_moment_of_the_past_or_discarded_with_one_line_why(
    written: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = sorted(file.name for file in (written / "0").iterdir())
    assert any(name.endswith(".sst") for name in names) and any(name.endswith(".log") for name in names)
    outcomes = {"kept": 0, "lagging": 0, "discarded": 0, "found in use": 0}
    for name in names:
        work = tmp_path / name
        shutil.copytree(written, work)
        spare = tmp_path / "spare"
        for what in damages(work / "0" / name):
            shutil.rmtree(spare, ignore_errors=True)
            shutil.copytree(work, spare)
            caplog.clear()
            outcomes[_outcome(spare, caplog, what)] += 1
        shutil.rmtree(work)
    assert all(outcomes.values()), f"the damages have not shown everything: {outcomes}"


def test_a_store_that_lost_all_of_its_log_is_not_taken_for_a_new_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = rocks_at(tmp_path / "in use")
    write_batches(store, 0, 1)
    shutil.copytree(tmp_path / "in use", tmp_path / "killed")  # before anything left the log
    store.close()
    assert not list((tmp_path / "killed" / "0").glob("*.sst"))
    [log] = (tmp_path / "killed" / "0").glob("*.log")
    log.write_bytes(b"?" + log.read_bytes()[1:])
    assert _outcome(tmp_path / "killed", caplog, "its first record") == "discarded"
    assert caplog.messages[0].endswith("it does not say what it is of")


def _outcome(directory: Path, caplog: pytest.LogCaptureFixture, what: str) -> str:
    store = rocks_at(directory)
    try:
        batches = check_that_it_is_one_moment_of_the_past(store)
    except StoreError as error:
        assert "the next start rebuilds it" in str(error) and "\n" not in str(error), what
        assert not caplog.messages, what
        store.close()
        store = rocks_at(directory)
        assert store.offset is None, what
        found = "found in use"
        batches = 0
    else:
        found = "discarded" if store.offset is None else "kept" if batches == BATCHES else "lagging"
    if store.offset is None:
        assert len(caplog.messages) == 1, what
        assert "is discarded and rebuilt from the changelog: it " in caplog.text, what
        assert not list(store.items()), what
    else:
        assert not caplog.messages, what
    write_batches(store, batches, 2)
    assert check_that_it_is_one_moment_of_the_past(store) == batches + 2, what
    store.close()
    return found


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("cluster", "d"),
        ("topic id", "a"),
        ("application", "toy"),
        ("partition", 1),
        ("partitions", 8),
        ("layout", 999),
    ],
)
def test_a_store_of_something_else_is_discarded(
    name: str, other: str | int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = rocks_at(tmp_path, **{name: other})
    write_batches(store, 0, 1)
    store.close()
    store = rocks_at(tmp_path)
    assert store.offset is None and not list(store.items())
    right = {**IDENTITY, "layout": 1}[name]
    assert caplog.messages == [
        f"the store in {tmp_path / '0'} is discarded and rebuilt from the changelog: "
        f"its {name} is {other}, here it is {right}"
    ]
    write_batches(store, 0, 1)
    store.close()
    store = rocks_at(tmp_path)
    assert store.offset == 1, "the new one is ours"
    store.close()


def test_what_a_crash_left_half_discarded_is_never_opened(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written / "0", tmp_path / "0.discarded")
    store = rocks_at(tmp_path)
    assert store.offset is None
    store.close()
    assert not (tmp_path / "0.discarded").exists()


def test_a_store_left_alone_for_long_is_discarded_as_the_changelog_may_have_dropped_deletions(
    written: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for hours, discarded in ((11, False), (30, True)):
        directory = tmp_path / str(hours)
        shutil.copytree(written, directory)
        for file in (directory / "0").iterdir():
            os.utime(file, times=(time.time() - hours * 3600,) * 2)
        store = rocks_at(directory)
        assert (store.offset is None) is discarded
        store.close()
    assert len(caplog.messages) == 1 and "it was not in use for 30 hours" in caplog.text


def test_a_store_that_had_nothing_to_write_was_in_use_until_it_was_closed(
    written: Path, tmp_path: Path
) -> None:
    shutil.copytree(written / "0", tmp_path / "0")
    store = rocks_at(tmp_path)
    for file in (tmp_path / "0").iterdir():
        os.utime(file, times=(time.time() - 30 * 3600,) * 2)
    store.close()
    store = rocks_at(tmp_path)
    assert store.offset == BATCHES
    store.close()


def settings_at(directory: Path, **environment: str) -> Settings:
    """Settings of a worker with rows on disk."""
    return read_settings({"LOYALTY_STORE": "rocksdb", "LOYALTY_STATE_DIR": str(directory), **environment})


def test_a_directory_is_one_workers_until_that_ends(tmp_path: Path) -> None:
    first = StateDirectory(settings_at(tmp_path))
    with pytest.raises(SettingsError) as error:
        StateDirectory(settings_at(tmp_path))
    assert str(error.value) == (
        f"LOYALTY_STATE_DIR={tmp_path} is in use by another worker (process {os.getpid()}): "
        "each worker needs a directory of its own"
    )
    first.release()
    StateDirectory(settings_at(tmp_path)).release()


def test_a_directory_that_cannot_be_one_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        SettingsError, match=r"LOYALTY_STATE_DIR=.*/file cannot be used: it must be a directory"
    ):
        StateDirectory(settings_at(tmp_path / "file"))


def test_a_disk_without_room_for_the_owners_name_is_for_the_stores_to_report(tmp_path: Path) -> None:
    """A worker that starts again on a disk that is still full ends with the disk's status, not with a traceback."""
    opened = (
        "import resource, sys; from tests.test_rocks import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); directory = StateDirectory(settings_at(sys.argv[1]))\n"
        "try: directory.open(0, TopicIdentity('cluster', 'topic'))\n"
        "except StoreError as error: print(error, flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", opened, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the disk of the store in ") and "File too large" in done.stdout


def test_stores_of_a_directory_are_told_apart_by_their_rows_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for version, discarded in ((1, False), (2, True)):
        monkeypatch.setattr("streams.state_dir.VERSION", version)
        directory = StateDirectory(settings_at(tmp_path))
        store = directory.open(3, TopicIdentity("cluster", "topic"))
        assert (store.offset is None) is (discarded or not caplog.messages)
        store.put_many({b"mts/1": row_of(1, 1)}, 7)
        store.close()
        directory.release()
        assert ("its row version is 1, here it is 2" in caplog.text) is discarded


def settled(memory: RocksMemory, bound: int) -> int:
    """The bytes in use once what waits for a busy disk has had time to be written."""
    deadline = time.monotonic() + 10
    while (used := memory.used_bytes) >= bound and time.monotonic() < deadline:
        time.sleep(0.01)
    return used


def test_memory_stays_within_its_bound_over_more_rows_than_it_holds(tmp_path: Path) -> None:
    memory = RocksMemory(8)
    stores = [RocksStore(tmp_path / str(n), IDENTITY, memory.options, next_due) for n in range(3)]
    used = []
    for batch in range(40):
        for store in stores:
            write_batches(store, batch, 1)
            if batch % 10 == 9:
                assert sum(1 for _ in store.items()) == (batch + 1) * ROWS_A_BATCH + 1
        used.append(settled(memory, 12 * 2**20))
    assert max(used) < 12 * 2**20, "rows that wait to be written may go over for a moment, but not stay there"
    for store in stores:
        store.close()  # before the files are counted: until then a compaction may remove some
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.sst")) > 12 * 2**20


def test_a_full_disk_is_told_and_nothing_of_the_batch_is_there(tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk's: no test may fill the disk of the machine it runs on."""
    writer = (
        "import resource, sys; from tests.test_rocks import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 2**20,) * 2); s = rocks_at(Path(sys.argv[1]))\n"
        "try: write_batches(s, 0, 10_000)\n"
        "except StoreError as error: print(s.offset, error, flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", writer, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    reached, _, said = done.stdout.partition(" ")
    assert said.startswith("the disk of the store in ") and said.count("\n") == 1
    assert "File too large" in said and "nothing is lost" in said
    store = rocks_at(tmp_path)
    assert store.offset is not None, "it was not discarded for it"
    assert 0 < check_that_it_is_one_moment_of_the_past(store) <= int(reached)
    store.close()


def test_a_small_disk_that_fills_up_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        store = rocks_at(tmp_path)
        with pytest.raises(StoreError, match=r"failed \(IO error: No space left on device"):
            write_batches(store, 0, 10_000)
        store.close()
        with caplog.at_level(logging.WARNING), pytest.raises(StoreError, match=r"No space left|free or mend"):
            store = rocks_at(tmp_path)
            write_batches(store, store.offset or 0, 10_000)
        assert not caplog.messages, "a full disk is no reason to discard a store"
        store.close()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
