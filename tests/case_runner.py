"""Runs given/then cases in this process: the same files and the same reading of them as a `loyalty simulate` run.

A case: `case` (one sentence), `operator`, `events` (`[time, account, type, data, id?, source?]`), optionally
`raw` (lines sent as they are after the events), `until`, `as_arrived`; then `expect` (each must appear; keys
of data are matched as a subset, `on` is the local date), `only` (of these types nothing else appears), `none`
(these types do not appear), `balance` (the last one that an outcome of the account shows), `dead_letters`.
`${code:A}` is the referral code of account A, `${code:mts/A}` that of another operator's account.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from engine.decide import Engine
from engine.simulation import Simulation
from loyalty.deployment import DEVELOPMENT_KEY, load
from schemas.dead_letter import Unreadable
from schemas.event import Event
from schemas.instant import parse_instant
from schemas.topics import CLOCK
from schemas.wire import read_event

CASES: Final = Path(__file__).parent / "cases"
ZONES: Final = {"mega-line": ZoneInfo("Asia/Bishkek")}
MOSCOW: Final = ZoneInfo("Europe/Moscow")

Outcome = dict[str, Any]


def read_cases(*files: Path) -> list[dict[str, Any]]:
    """The cases of these files, by default of every file of the project, each with its `file`."""
    found: list[dict[str, Any]] = []
    for file in files or sorted(CASES.glob("*.yaml")):
        found += [{**case, "file": file.stem} for case in yaml.safe_load(file.read_text("utf-8"))]
    return found


def new_engine() -> Engine:
    """An engine with the programmes of the project and the development key."""
    return Engine(load(None), DEVELOPMENT_KEY)


def lines_of(case: dict[str, Any], engine: Engine) -> list[bytes]:
    """The case's events as NDJSON lines, codes filled in."""
    operator = case["operator"]
    lines = []
    for number, (time, account, kind, data, *extra) in enumerate(case["events"], 1):
        event = {
            "specversion": "1.0",
            "id": extra[0] if extra else f"e{number}",
            "source": extra[1] if len(extra) > 1 else f"/{operator}/case",
            "type": kind,
            "subject": str(account),
            "operator": operator,
            "time": time if isinstance(time, str) else time.isoformat(),
            "data": _with_codes(data or {}, operator, engine),
        }
        lines.append(json.dumps(event, ensure_ascii=False).encode())
    return lines + [line.encode() for line in case.get("raw", [])]


def run(
    engine: Engine, lines: Iterable[bytes], *, until: str | None = None, as_arrived: bool = False
) -> tuple[list[Outcome], list[Unreadable]]:
    """What `loyalty simulate` would print, and its dead letters."""
    events: list[Event] = []
    dead: list[Unreadable] = []
    for line in lines:
        try:
            event = read_event(line, key=None, topic=None, operators=engine.books.operators)
        except Unreadable as error:
            dead.append(error)
            continue
        if event.type not in CLOCK.types:
            events.append(event)
    if not as_arrived:
        events.sort(key=lambda event: event.time)
    simulation = Simulation(engine)
    outcomes: list[Outcome] = []
    for event in events:
        try:
            for turn in simulation.apply(event):
                outcomes += [json.loads(outcome.encoded()) for outcome in turn.outcomes]
        except Unreadable as error:
            dead.append(error)
    if until is not None:
        for turn in simulation.advance(parse_instant(until)):
            outcomes += [json.loads(outcome.encoded()) for outcome in turn.outcomes]
    return outcomes, dead


def problems_of(case: dict[str, Any], engine: Engine) -> list[str]:
    """Everything that is not as the case says; empty if it holds."""
    until = None if "until" not in case else str(case["until"])
    outcomes, dead = run(
        engine, lines_of(case, engine), until=until, as_arrived=case.get("as_arrived", False)
    )
    return list(judge(case, outcomes, dead))


def judge(case: dict[str, Any], outcomes: list[Outcome], dead: list[Unreadable]) -> Iterator[str]:
    """What the outcomes lack of the case, or have beyond it."""
    if len(dead) != case.get("dead_letters", 0):
        yield f"dead letters: {[(letter.reason, letter.detail) for letter in dead]}"
    if len({outcome["id"] for outcome in outcomes}) != len(outcomes):
        yield "two outcomes with one id"
    operator = case["operator"]
    left = list(outcomes)
    for want in case.get("expect", []):
        found = next((outcome for outcome in left if _matches(operator, want, outcome)), None)
        if found is None:
            yield f"missing {want}; of that type: {_shown(operator, outcomes, want['type'])}"
        else:
            left.remove(found)
    for kind in case.get("only", []):
        yield from (f"unexpected {shown}" for shown in _shown(operator, left, kind))
    for kind in case.get("none", []):
        yield from (f"unexpected {shown}" for shown in _shown(operator, outcomes, kind))
    for account, balance in case.get("balance", {}).items():
        seen = [
            o["data"]["balance"] for o in outcomes if o["subject"] == str(account) and "balance" in o["data"]
        ]
        if (seen[-1] if seen else 0) != balance:
            yield f"balance of {account} is {seen[-1] if seen else 0}, not {balance}"


def _matches(operator: str, want: dict[Any, Any], outcome: Outcome) -> bool:
    for key, value in want.items():
        if key in ("type", "subject"):
            got: Any = outcome[key]
        elif key in ("on", True):  # YAML 1.1 reads a bare `on` as true
            got = _local_date(operator, outcome)
        else:
            got = outcome["data"].get(key, "<absent>")
        if got != (value.isoformat() if isinstance(value, datetime.date) else value):
            return False
    return True


def _shown(operator: str, outcomes: list[Outcome], kind: str) -> list[Outcome]:
    return [
        {"type": kind, "subject": outcome["subject"], "on": _local_date(operator, outcome), **outcome["data"]}
        for outcome in outcomes
        if outcome["type"] == kind
    ]


def _local_date(operator: str, outcome: Outcome) -> str:
    time = datetime.datetime.fromisoformat(outcome["time"].replace("Z", "+00:00"))
    return time.astimezone(ZONES.get(operator, MOSCOW)).date().isoformat()


def _with_codes(value: Any, operator: str, engine: Engine) -> Any:
    if isinstance(value, dict):
        return {key: _with_codes(inner, operator, engine) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_codes(inner, operator, engine) for inner in value]
    if isinstance(value, str) and value.startswith("${code:"):
        *other, account = value.removeprefix("${code:").removesuffix("}").split("/")
        return engine.codes.code(other[0] if other else operator, account)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value
