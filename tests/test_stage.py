"""The stage of the demos, when its workers do not do what they should."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from loyalty import stage as stage_module
from loyalty.errors import LoyaltyError
from loyalty.feed import Fact, route
from loyalty.sending import Sender
from loyalty.stage import Stage, fresh
from loyalty.ticks import tick_value
from schemas.topics import CLOCK
from streams.settings import read_settings


def play(kafka: str, directory: Path, workers: int) -> None:
    """A stage with one tick to work off, and so many workers whose key is too short to start with."""

    async def run() -> None:
        settings = fresh(read_settings({}, bootstrap=kafka))
        async with Stage(settings, directory, lambda topic, value: None) as stage:
            await stage.begin_at()
            async with Sender(settings) as sender:
                await sender.send(route([Fact(1_000_000, CLOCK.name, None, tick_value(1_000_000))], 4))
                stage.workers.start(workers)
                await stage.wait(sender.ends)

    asyncio.run(run())


def test_a_worker_that_ends_ends_the_demo_with_its_last_words(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOYALTY_CODE_KEY", "short")
    with pytest.raises(
        LoyaltyError, match=r"a worker ended by itself: loyalty: .*LOYALTY_CODE_KEY.*16 bytes"
    ):
        play(kafka, tmp_path, workers=1)


def test_work_that_nobody_does_ends_the_demo(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_module, "STUCK_S", 1.0)
    with pytest.raises(LoyaltyError, match="not moved for 1 s, with 4 records to go: no worker runs"):
        play(kafka, tmp_path, workers=0)
