"""Faults of the disk under a worker's rows: the supervisor starts each worker's successor on the same disk."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Final

from chaos.crew import EXIT_DISK, Member
from chaos.disks import FILES, LOG, damage, fill, make_room
from chaos.stage import ChaosError, Stage

DISCARDED: Final = "is discarded and rebuilt from the changelog"
UNUSABLE: Final = "cannot be used any more (Corruption"
NOTICE_SECONDS: Final = 3.0
"""How long a worker may run on damaged files before it is killed, so that its successor must open them; and how long
the successor is given to read what is damaged."""
ATTEMPTS: Final = 4
"""A successor may be given other tasks than those whose stores are damaged."""


async def disk_full(stage: Stage, chosen: random.Random) -> str:
    """No file under a worker can grow: it ends with status 74, and so does its successor until there is room."""
    member = await _on_disk(stage, chosen)
    crew = stage.crew
    crew.troubled.add(member.state)
    crew.full.add(member.state)
    fill(member.process.pid)
    try:
        await stage.until(lambda: member.status is not None, f"{member.name} to find its disk full", 30)
        await stage.until(
            lambda: any(one.status is not None for one in crew.successors(member)),
            f"a successor of {member.name} to find the disk full",
            30,
        )
    finally:
        crew.full.discard(member.state)
        for one in crew.living:
            if one.state == member.state:
                make_room(one.process.pid)
    failed = [member, *(one for one in crew.successors(member) if one.status is not None)]
    if any(one.status != EXIT_DISK for one in failed):
        raise ChaosError(
            f"the disk is full, and {[(one.name, one.status) for one in failed]}\n{failed[-1].log}"
        )
    last = await _ready_on(stage, member)
    return f"{len(failed)} workers on a full disk ended with status {EXIT_DISK}, {last.name} has room again"


async def disk_damaged(stage: Stage, chosen: random.Random) -> str:
    """Bytes turned over in a kind of file of every store under a living worker."""
    kind = chosen.choice(list(FILES))
    for _ in range(ATTEMPTS):
        member = await _on_disk(stage, chosen)
        stage.crew.troubled.add(member.state)
        count = damage(member.state, kind)
        if not count:  # nothing has been moved out of the log yet
            kind = "manifest"
            continue
        if not await _within(stage, lambda one=member: one.status is not None):  # type: ignore[misc]
            member.process.kill()
        last = await _ready_on(stage, member)
        proof = f"{count} files ({FILES[kind]}) damaged under {member.name}"
        if kind == LOG:  # a torn log is no corruption: the store lags behind, and the changelog has the rest
            found = re.findall(r"recovered \d+ tasks: (\d+) changelog records", last.log)
            return f"{proof}; {last.name} read {found[0]} records of the changelog"
        if await _within(stage, lambda one=member: bool(_noticed(stage, one))):  # type: ignore[misc]
            return f"{proof}; {_noticed(stage, member)}"
    raise ChaosError(f"nobody noticed that {kind} files were damaged")


def _noticed(stage: Stage, member: Member) -> str:
    """Who came upon the damage, and what it did; nothing if nobody did."""
    for one in (member, *stage.crew.successors(member)):
        if UNUSABLE in one.log and one.status == EXIT_DISK:
            return f"{one.name} read them and ended with status {EXIT_DISK}"
        if one is not member and DISCARDED in one.log:
            return f"{one.name} rebuilt its rows from the changelog"
    return ""


async def _on_disk(stage: Stage, chosen: random.Random) -> Member:
    """A worker that is ready and has its rows on a disk; if there is none, another one makes way for one."""

    def found() -> list[Member]:
        return [one for one in stage.crew.living if one.on_disk and one.ready]

    if not any(one.on_disk for one in stage.crew.living):
        leaver = chosen.choice(stage.crew.living)
        member = stage.crew.start(on_disk=True)
        await stage.until(lambda: member.ready, f"{member.name} to have tasks")
        stage.crew.dismiss(leaver)
    await stage.until(lambda: bool(found()), "a worker with its rows on a disk")
    return chosen.choice(found())


async def _ready_on(stage: Stage, member: Member) -> Member:
    """The successor that has tasks on the same disk."""

    def ready() -> list[Member]:
        return [one for one in stage.crew.successors(member) if one.ready]

    await stage.until(lambda: bool(ready()), f"a successor of {member.name} to have tasks")
    return ready()[-1]


async def _within(stage: Stage, condition: Callable[[], bool]) -> bool:
    try:
        await stage.until(condition, "", NOTICE_SECONDS)
    except ChaosError:
        return False
    return True
