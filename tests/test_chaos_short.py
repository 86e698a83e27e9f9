"""Faults on real workers and a real broker: a death at each named point, and a short seeded run of every kind.

One stage for all of it, and each test judges everything from the beginning. `CHAOS_SEED` chooses another run than
the usual one; `make chaos` is the long form.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from chaos.faults import FAULTS, killed_at
from chaos.points import POINTS
from chaos.run import Report, perform
from chaos.stage import Stage, staged

SEED: Final = int(os.environ.get("CHAOS_SEED", "20251101"))
SHORT_SECONDS: Final = 30.0
DAYS_A_POINT: Final = 4

pytestmark = pytest.mark.timeout(600)  # a machine that has other things to do, too


class Theatre:
    """A stage whose plays are asynchronous, for tests that are not."""

    def __init__(self, directory: Path) -> None:
        self._runner: Final = asyncio.Runner()
        self._staged: Final = staged(SEED, print, directory=directory)
        self._stage: Final[Stage] = self._runner.run(self._staged.__aenter__())

    def die_at(self, point: str) -> str:
        """Feed some days, have a worker die in the midst of them, wait for rest; what is wrong then, if anything."""
        return self._runner.run(self._die_at(point))

    async def _die_at(self, point: str) -> str:
        stage = self._stage
        feeding = asyncio.ensure_future(self._feed())
        await killed_at(stage, random.Random(f"{SEED} {point}"), point)
        await feeding
        await stage.feeder.send(stage.load.end())
        await stage.rest()
        verdict = await stage.judge()
        assert verdict.checked["events"] > 1000, "there was nothing to judge"
        assert not stage.crew.problems()
        return "" if verdict.clean else str(verdict)

    async def _feed(self) -> None:
        for chunk in islice(self._stage.days, DAYS_A_POINT):
            await self._stage.feeder.send(chunk)
            await asyncio.sleep(0.25)

    def every_kind(self) -> Report:
        """The short run; its workers have ended."""
        return self._runner.run(perform(self._stage, SEED, SHORT_SECONDS, print))

    def close(self) -> None:
        """End everything."""
        self._runner.run(self._staged.__aexit__(None, None, None))
        self._runner.close()


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """Three workers, a broker behind a proxy, and all members."""
    made = Theatre(tmp_path_factory.mktemp("chaos"))
    yield made
    made.close()


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_dies_there_loses_nothing_and_doubles_nothing(theatre: Theatre, point: str) -> None:
    assert theatre.die_at(point) == ""


def test_every_kind_of_fault_fires_and_nothing_is_lost_doubled_or_wrong(
    theatre: Theatre, capsys: pytest.CaptureFixture[Any]
) -> None:
    report = theatre.every_kind()
    with capsys.disabled():
        print(f"\n{report}")
    assert {fired.kind for fired in report.fired} == set(FAULTS)
    assert all(fired.proof for fired in report.fired)
    assert report.exits["killed"] >= len(POINTS) + 1
    assert report.exits["fenced"] >= 1 and report.exits["in order"] >= 4
    assert report.verdict.checked["events"] == report.accepted > 5_000
    for what in ("outcomes", "links", "gifts", "referrals", "dead letters", "balances"):
        assert report.verdict.checked[what] > 0, f"no {what} were looked at"
    assert report.verdict.clean, f"CHAOS_SEED={SEED}\n{report.verdict}"
