"""The faults, each with the proof that it fired: an exit status, a line in a log, a counter that moved."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from chaos.crew import READY, Member
from chaos.disk_faults import disk_damaged, disk_full
from chaos.points import KILL, OPEN_TRANSACTION, POINTS, STOP, told
from chaos.stage import SESSION_MS, ChaosError, Stage
from chaos.worker import CLOCK_JUMPED

SHORT_STALL_SECONDS: Final = 1.5
LONG_STALL_SECONDS: Final = SESSION_MS / 1000 + 3
OUTAGE_SECONDS: Final = 1.5
CUTS: Final = 4
DAY_MS: Final = 86_400_000
ORDER_SECONDS: Final = 12.0
"""How long a worker is given to come to the point; then another one is tried."""
EXIT_FENCED: Final = 75


class Fired(NamedTuple):
    """A fault that happened: how it is known, and how long until all that had been written by then was worked off."""

    kind: str
    proof: str
    seconds: float


Fault = Callable[[Stage, random.Random], Awaitable[str]]
"""Makes the fault happen and returns the proof; raises ChaosError when it did not."""


async def fire(kind: str, stage: Stage, chosen: random.Random) -> Fired:
    """One fault and the recovery from it, which is over when all that had been written is worked off."""
    started = time.monotonic()
    proof = await FAULTS[kind](stage, chosen)
    await stage.caught_up(stage.feeder.ends)
    return Fired(kind, proof, time.monotonic() - started)


async def kill(stage: Stage, chosen: random.Random) -> str:
    """SIGKILL in mid-batch, at a named point: none comes again before all the others have."""
    least = min(stage.died_at[point] for point in POINTS)
    return await killed_at(
        stage, chosen, chosen.choice([point for point in POINTS if stage.died_at[point] == least])
    )


async def killed_at(stage: Stage, chosen: random.Random, point: str) -> str:
    """SIGKILL at this point."""
    member = await _ordered(stage, chosen, point, KILL, lambda one: one.status is not None)
    if member.status != -signal.SIGKILL:
        raise ChaosError(f"{member.name} was to be killed at {point}, but ended with {member.status}")
    stage.died_at[point] += 1
    return f"{member.name} died of SIGKILL {point}"


async def freeze(stage: Stage, chosen: random.Random) -> str:
    """SIGSTOP with an open transaction until others have taken over, then SIGCONT: it must find itself fenced."""
    point = chosen.choice(OPEN_TRANSACTION)
    member = await _ordered(stage, chosen, point, STOP, lambda one: one.frozen)
    # Counted only now: what others were given before it froze is not what they take over from it.
    ready = {one.name: one.log.count(READY) for one in stage.crew.all}
    started = time.monotonic()

    def taken_over() -> bool:
        others = [one for one in stage.crew.living if one is not member]
        return time.monotonic() - started > SESSION_MS / 1000 and all(
            one.log.count(READY) > ready.get(one.name, 0) for one in others
        )

    await stage.until(taken_over, f"the others to take over from {member.name}")
    os.killpg(member.process.pid, signal.SIGCONT)
    asleep = time.monotonic() - started
    await stage.until(lambda: member.status is not None, f"{member.name} to find itself fenced", 30)
    if member.status != EXIT_FENCED:
        raise ChaosError(
            f"{member.name} woke up and ended with {member.status}, not {EXIT_FENCED}\n{member.log}"
        )
    return f"{member.name} slept {asleep:.0f} s {point}, woke up fenced, status {EXIT_FENCED}"


async def terminate(stage: Stage, chosen: random.Random) -> str:
    """SIGTERM, as in a deployment: the batch is finished, nothing has to be done again."""
    while True:
        member = await _ready(stage, chosen)
        member.process.send_signal(signal.SIGTERM)
        await stage.until(lambda one=member: one.status is not None, f"{member.name} to end", 30)  # type: ignore[misc]
        if not stage.crew.excused(member):  # it came upon damaged files at this very moment
            break
    if member.status or member.redone:
        raise ChaosError(f"{member.name} ended with {member.status}: {member.redone}\n{member.log}")
    return f"{member.name} ended with status 0, every transaction that it began is committed"


async def scale(stage: Stage, chosen: random.Random) -> str:
    """One more worker, and one of the old ones dismissed."""
    before = len(stage.crew.living)
    leaver = await _ready(stage, chosen)
    member = stage.crew.start()
    await stage.until(lambda: member.ready, f"{member.name} to have tasks")
    await stage.until(lambda: leaver.ready or leaver.status is not None, f"{leaver.name}")
    if leaver.status is None:
        stage.crew.dismiss(leaver)
        await stage.until(lambda: leaver.status is not None, f"{leaver.name} to end", 30)
    return f"{before} + 1 - 1 workers: {member.name} has tasks, {leaver.name} ended with {leaver.status}"


async def broker_dies(stage: Stage, chosen: random.Random) -> str:
    """kill -9 of the broker, and its return on the same data."""
    await asyncio.to_thread(stage.broker.kill)
    if stage.broker.running:
        raise ChaosError("the broker lives on")
    await asyncio.sleep(OUTAGE_SECONDS)
    started = time.monotonic()
    await asyncio.to_thread(stage.broker.restart)
    return (
        f"the broker died of SIGKILL and was back after {OUTAGE_SECONDS + time.monotonic() - started:.1f} s"
    )


async def reset(stage: Stage, chosen: random.Random) -> str:
    """Connections between workers and broker cut with RST, again and again."""
    before = stage.proxy.resets
    for _ in range(CUTS):
        stage.proxy.reset()
        await asyncio.sleep(chosen.uniform(0.05, 0.4))
    count = stage.proxy.resets - before
    if not count:
        raise ChaosError("there was no connection to reset")
    return f"{count} connections reset"


async def stall(stage: Stage, chosen: random.Random) -> str:
    """A network that hangs for a moment, shorter than the session."""
    return await _stalled(stage, SHORT_STALL_SECONDS)


async def long_stall(stage: Stage, chosen: random.Random) -> str:
    """A network that hangs for longer than the session, for all workers at once."""
    return await _stalled(stage, LONG_STALL_SECONDS)


async def clock_back(stage: Stage, chosen: random.Random) -> str:
    """A tick of a clock that went wrong: weeks back."""
    days = chosen.randrange(1, 60)
    await stage.feeder.turn_clock_back(days * DAY_MS)
    return f"a tick {days} days back on every partition"


async def clock_jumps(stage: Stage, chosen: random.Random) -> str:
    """A worker whose wall clock leaps to and fro takes the place of another; it stays."""
    leaver = await _ready(stage, chosen)
    days = chosen.randrange(2, 400)
    member = stage.crew.start(CHAOS_CLOCK=str(days * 86_400))
    await stage.until(lambda: member.ready, f"{member.name} to have tasks")
    await stage.until(lambda: member.log.count(CLOCK_JUMPED) > 2, "the clock to jump")
    if leaver.status is None:
        stage.crew.dismiss(leaver)
        await stage.until(lambda: leaver.status is not None, f"{leaver.name} to end", 30)
    return f"{member.name} has tasks, and a wall clock that leaps by {days} days"


FAULTS: Final[Mapping[str, Fault]] = {
    "kill": kill,
    "freeze": freeze,
    "terminate": terminate,
    "scale": scale,
    "broker-dies": broker_dies,
    "reset": reset,
    "stall": stall,
    "long-stall": long_stall,
    "disk-full": disk_full,
    "disk-damaged": disk_damaged,
    "clock-back": clock_back,
    "clock-jumps": clock_jumps,
}


async def _stalled(stage: Stage, seconds: float) -> str:
    before = stage.proxy.stalled
    stage.proxy.pause()
    try:
        await asyncio.sleep(seconds)
    finally:
        stage.proxy.go_on()
    count = stage.proxy.stalled - before
    if not count:
        raise ChaosError("nothing had to wait for the network")
    return f"nothing passed for {seconds:.1f} s, {count} connections held up"


async def _ready(stage: Stage, chosen: random.Random) -> Member:
    await stage.until(lambda: any(one.ready for one in stage.crew.living), "a worker to be ready")
    return chosen.choice([one for one in stage.crew.living if one.ready])


async def _ordered(
    stage: Stage, chosen: random.Random, point: str, action: str, done: Callable[[Member], bool]
) -> Member:
    """Give a worker an order, another one if that one does not come to the point; who carried it out."""
    for _ in range(5):
        member = await _ready(stage, chosen)
        member.order.give(point, action)
        deadline = time.monotonic() + ORDER_SECONDS
        while time.monotonic() < deadline and member.status is None:
            if done(member):
                break
            await asyncio.sleep(0.02)
        if not member.order.withdraw():
            # It has taken the order; what it said of it is on its way through the pipe.
            while not (done(member) and told(point, action) in member.log):
                if time.monotonic() > deadline + ORDER_SECONDS:
                    raise ChaosError(f"{member.name} was to {action} at {point}, and did not")
                await asyncio.sleep(0.02)
            return member
    raise ChaosError(f"no worker came to {point}")
