"""An empty store that is filled with a whole changelog: as good as any other afterwards, whatever happens meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from rocksdict import Rdict

from schemas.account import NEVER
from schemas.account_codec import next_due
from streams import rocks_filling
from streams.rocks_layout import DUE, FILLING
from streams.rocks_options import RocksMemory
from streams.rocks_store import RocksStore
from streams.store import StoreError
from tests.test_rocks import (
    IDENTITY,
    ROOT,
    check_that_it_is_one_moment_of_the_past,
    key_of,
    rocks_at,
    row_of,
    write_batches,
)
from tests.test_store import RocksMachine

BATCHES: Final = 30


def settle(store: RocksStore) -> None:
    """All steps of it."""
    for _ in store.settle():
        pass


def places(directory: Path) -> list[bytes]:
    """Where something lies in the files of a closed store."""
    db = Rdict(str(directory / "0"))
    found = [place for place, _ in db.items() if isinstance(place, bytes)]
    db.close()
    return found


class _Filling(RocksMachine):
    """The same while the store is filled, and when that is broken off."""

    moments_max = 1_000

    def __init__(self) -> None:
        self.bounds = pytest.MonkeyPatch()
        self.bounds.setattr(rocks_filling, "ENTRIES_MAX", 2)
        self.bounds.setattr(rocks_filling, "MOMENTS_MAX", self.moments_max)
        self.is_filling = False
        super().__init__()

    @rule()
    def expect_many(self) -> None:
        self.store.expect_many()
        self.is_filling = True

    @rule(steps=st.integers(0, 2))
    @precondition(lambda self: self.is_filling)
    def break_the_settling_off(self, steps: int) -> None:
        settling = iter(self.store.settle())
        for _ in range(steps):
            if next(settling, self) is self:
                return
        del settling
        self.open_it_again()

    @rule()
    def settle(self) -> None:
        settle(self.rocks)
        self.is_filling = False
        assert self.rocks.due(None, NEVER - 1, 1000) == self.due()

    def teardown(self) -> None:
        self.settle()
        super().teardown()
        self.bounds.undo()


class _LargeFilling(_Filling):
    """With more rows than due moments are kept of."""

    moments_max = 2


_Filling.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
_LargeFilling.TestCase.settings = _Filling.TestCase.settings
TestFilling = _Filling.TestCase
TestLargeFilling = _LargeFilling.TestCase


def test_a_store_that_was_filled_is_one_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rocks_filling, "ENTRIES_MAX", 700)
    store = rocks_at(tmp_path)
    store.expect_many()
    write_batches(store, 0, BATCHES)
    settle(store)
    assert check_that_it_is_one_moment_of_the_past(store) == BATCHES
    write_batches(store, BATCHES, 3)
    assert check_that_it_is_one_moment_of_the_past(store) == BATCHES + 3
    store.close()
    assert FILLING not in places(tmp_path)


def test_a_filler_killed_at_any_moment_leaves_one_moment_of_the_past_and_is_gone_on_with(
    tmp_path: Path,
) -> None:
    """Its rows are in no log: they are lost from some moment on, and everything after it with them."""
    filler = "from tests.test_rocks_filling import *; s = rocks_at(Path(sys.argv[1])); s.expect_many()\n"
    filler += "print('open', s.offset, flush=True); write_batches(s, s.offset or 0, 10_000)"
    reached = [0]
    for turn in range(5):
        command = [sys.executable, "-c", filler, str(tmp_path)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline().startswith("open")
        time.sleep(0.4 + 0.13 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        store = rocks_at(tmp_path)
        reached.append(store.offset or 0)
        store.close()
        assert FILLING in places(tmp_path)
    assert reached == sorted(reached) and len(set(reached)) > 2, f"it goes on where it was: {reached}"
    store = rocks_at(tmp_path)
    settle(store)
    assert check_that_it_is_one_moment_of_the_past(store) == reached[-1]
    store.close()


def test_a_settling_killed_at_any_step_is_done_again(tmp_path: Path) -> None:
    settler = (
        "from tests.test_rocks_filling import *; import os; rocks_filling.ENTRIES_MAX = 1_000\n"
        "s = rocks_at(Path(sys.argv[1])); steps = s.settle()\n"
        "for _ in range(int(sys.argv[2])): next(steps)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    store = rocks_at(tmp_path)
    store.expect_many()
    write_batches(store, 0, BATCHES)
    store.close()
    for steps in range(1, 6):
        done = subprocess.run(
            [sys.executable, "-c", settler, str(tmp_path), str(steps)], cwd=ROOT, check=False
        )
        assert done.returncode == -signal.SIGKILL
    assert any(place.startswith(DUE) for place in places(tmp_path)), "some of the index was made"
    store = rocks_at(tmp_path)
    settle(store)
    assert check_that_it_is_one_moment_of_the_past(store) == BATCHES
    store.close()


def test_who_was_forgotten_while_a_store_was_filled_is_in_none_of_its_files(tmp_path: Path) -> None:
    name = b"mts/FORGOTTEN"
    secret = row_of(5, 1).replace(b'"due":5', b'"due":5,"who":"SECRETLY"')
    store = rocks_at(tmp_path)
    store.expect_many()
    store.put_many({name: secret, key_of(1): row_of(1, 1)}, 1)
    store._db.flush()
    store.put_many({name: None, key_of(2): row_of(2, 1)}, 2)
    store.close()
    store = rocks_at(tmp_path)
    store.expect_many()
    store.put_many({key_of(3): row_of(3, 1)}, 3)
    settle(store)
    assert {key for key, _ in store.items()} == {key_of(number) for number in (1, 2, 3)}
    store.close()
    tables = [file.read_bytes() for file in (tmp_path / "0").glob("*.sst")]
    assert tables
    assert not any(name in table or b"SECRETLY" in table for table in tables)


def test_only_an_empty_store_is_filled(tmp_path: Path) -> None:
    store = rocks_at(tmp_path)
    write_batches(store, 0, 2)
    store.expect_many()
    write_batches(store, 2, 2)
    assert check_that_it_is_one_moment_of_the_past(store) == 4, "with its index at any time"
    settle(store)
    store.close()


def test_a_store_found_unusable_when_it_was_full_is_not_taken_for_a_recovered_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = rocks_at(tmp_path)
    store.expect_many()
    write_batches(store, 0, 2)
    steps: Any = iter(store.settle())
    next(steps)
    store._db.flush()
    for table in (tmp_path / "0").glob("*.sst"):
        table.write_bytes(bytes(table.stat().st_size))
    with pytest.raises(StoreError, match="the next start rebuilds it from the changelog"):
        list(steps)
    store.close()
    store = rocks_at(tmp_path)
    assert store.offset is None and not list(store.items())
    store.close()


@pytest.mark.parametrize("filled", [True, False])
def test_a_store_that_is_opened_again_stays_within_the_memory_of_all(filled: bool, tmp_path: Path) -> None:
    """The options are those of whoever opens it, not those that the one before has left in the directory."""
    first = RocksStore(tmp_path / "0", IDENTITY, RocksMemory(8).options, next_due)
    if filled:
        first.expect_many()
    write_batches(first, 0, BATCHES)
    settle(first)
    first.close()
    memory = RocksMemory(8)
    again = RocksStore(tmp_path / "0", IDENTITY, memory.options, next_due)
    before = memory.used_bytes
    assert sum(1 for _ in again.items()) == BATCHES * 500 + 1
    assert memory.used_bytes > before + 2**20, "the blocks that were read are in the shared cache"
    again.close()


def test_a_disk_that_is_full_when_buffers_become_files_is_told(tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk's, and is met by what RocksDB does on its own."""
    filler = (
        "import os, resource; from tests.test_rocks_filling import *\n"
        "s = rocks_at(Path(sys.argv[1])); s.expect_many(); write_batches(s, 0, 6)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**16,) * 2)\n"
        "try: settle(s)\n"
        "except StoreError as error: print(error, flush=True); os._exit(0)"
    )
    command = [sys.executable, "-c", filler, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("the disk of the store in ") and done.stdout.count("\n") == 1
    store = rocks_at(tmp_path)
    store.expect_many()
    first = store.offset or 0
    write_batches(store, first, 6)
    settle(store)
    assert check_that_it_is_one_moment_of_the_past(store) == first + 6
    store.close()
