"""How much work an event is, counted and not timed: calls, records and bytes of the fold over a fixed feed.

    python -m tests.work            shows it, by kind of record
    python -m tests.work --renew    makes it the baseline (`make work-baseline`)

The records of the benchmarks go through the production fold one at a time. Counted are calls of our own
functions, calls that they make of functions written in C, and what the fold wants written: records (outcomes,
journal, links, dead letters, rows) and their bytes. Nothing depends on the machine or on its load.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from compiled import VARIABLE

ROOT: Final = Path(__file__).parent.parent
BASELINE: Final = ROOT / "tests" / "work_baseline.json"
EVENTS: Final = 2_500
GROWTH_MAX: Final = 1.10
FIGURES: Final = ("calls", "c_calls", "records", "bytes")
COUNTED_WHEN_COMPILED: Final = ("records", "bytes")
_OWN: Final = tuple(f"{ROOT / package}/" for package in ("schemas", "engine", "agents", "streams", "loyalty"))
_INLINED: Final = frozenset(("<listcomp>", "<setcomp>", "<dictcomp>"))
"""Calls in Python 3.11, part of the function around them since 3.12."""

Work = dict[str, dict[str, float]]
"""Kind of record → how many of them (`events`), and each figure for one of them."""


class Calls:
    """A profiler that counts: calls of our own functions, and of C functions by them."""

    def __init__(self) -> None:
        self.own = 0
        self.c = 0
        self._is_own: Final[dict[CodeType, bool]] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """What Python calls at each call and return."""
        del argument
        code = frame.f_code
        own = self._is_own.get(code)
        if own is None:
            own = self._is_own[code] = code.co_filename.startswith(_OWN) and code.co_name not in _INLINED
        if own and event == "call":
            self.own += 1
        elif event == "c_call" and code.co_filename.startswith(_OWN):
            self.c += 1


def measure(burden: Callable[[], object] | None = None, *, count_calls: bool = True) -> Work:
    """Fold the feed, counting; `burden` is called before each record, as work that was not there before."""
    from agents.fold import TaskState
    from benchmarks.contenders.peer_task import Rows
    from benchmarks.events import make_feed, merged
    from benchmarks.outcomes import new_engine
    from schemas.record import Record
    from schemas.topics import LINKS, TOPIC_OF_TYPE

    rows = Rows()
    task = TaskState(rows, new_engine())
    totals: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("events", *FIGURES), 0))
    feed = [
        e for e in merged(make_feed(EVENTS)) if e.key is not None or e.partition == 0
    ]  # one tick, not eight
    waiting = deque(Record(e.topic, 0, 0, e.timestamp, e.key, e.value) for e in feed)
    last = waiting[-1].timestamp
    while waiting:
        record = waiting.popleft()
        calls = Calls()
        profiler = calls if count_calls else None
        sys.setprofile(profiler)
        if burden is not None:
            burden()
        result = task.fold([record])
        sys.setprofile(None)
        rows.put_many(result.rows, None)
        sys.setprofile(profiler)
        task.committed()
        sys.setprofile(None)
        assert result.consumed == 1, "few due moments at a time"
        written = [(item.key, item.value) for item in result.produce] + list(result.rows.items())
        total = totals[_kind(record, LINKS.name, TOPIC_OF_TYPE)]
        total["events"] += 1
        total["calls"] += calls.own
        total["c_calls"] += calls.c
        total["records"] += len(written)
        total["bytes"] += sum(len(key or b"") + len(value or b"") for key, value in written)
        waiting.extendleft(
            Record(item.topic, 0, 0, min(item.timestamp, last), item.key, item.value)
            for item in reversed([*result.produce])
            if item.topic == LINKS.name
        )
    return {
        kind: {"events": total["events"], **{f: round(total[f] / total["events"], 2) for f in FIGURES}}
        for kind, total in sorted(totals.items())
    }


def _kind(record: Any, links: str, known: Any) -> str:
    """The type of an event; of what came by other ways, what it is."""
    if record.topic == links:
        return "(link)"
    try:
        type_ = json.loads(record.value)["type"]
    except ValueError:
        return "(unreadable)"
    return type_ if type_ in known else "(unreadable)"


def growth(baseline: Work, measured: Work, figures: Sequence[str] = FIGURES) -> list[str]:
    """What has grown by more than a tenth, kind by kind, for a person."""
    lines = []
    for kind, now in measured.items():
        before = baseline.get(kind)
        if before is None or before["events"] != now["events"]:
            lines.append(f"{kind}: other events than the baseline's; is the feed another one?")
            continue
        lines += [
            f"{kind}: {now[figure]:,.2f} {figure} an event, {now[figure] / before[figure] - 1:+.0%} "
            f"(baseline {before[figure]:,.2f})"
            for figure in figures
            if now[figure] > before[figure] * GROWTH_MAX
        ]
    return lines


def read_baseline() -> Work:
    """The committed figures."""
    work: Work = json.loads(BASELINE.read_text("utf-8"))
    return work


def burden_of(calls: int) -> Callable[[], object]:
    """A function that, to the counter, is so many calls of our own."""
    source = f"def more():\n    pass\ndef burden():\n    for _ in range({calls - 1}):\n        more()\n"
    names: dict[str, Any] = {}
    exec(compile(source, f"{_OWN[0]}burden.py", "exec"), names)
    burden: Callable[[], object] = names["burden"]
    return burden


def main(arguments: list[str]) -> None:
    """Measure the Python source, even where it is compiled: calls of compiled functions cannot be counted."""
    os.environ[VARIABLE] = "0"
    work = measure(burden_of(int(arguments[1])) if arguments[:1] == ["--burden"] else None)
    if arguments == ["--renew"]:
        BASELINE.write_text(json.dumps(work, indent=1) + "\n", "utf-8")
        print(f"baseline: {BASELINE.relative_to(ROOT)}")
    else:
        print(json.dumps(work, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
