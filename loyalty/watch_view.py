"""The live view of a demo: a page that renews itself on a terminal, a line a second elsewhere."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loyalty.tally import Tally
from loyalty.words import dead_letter_in_words, in_words
from schemas.topics import DEAD_LETTERS

LAST_OUTCOMES: Final = 14
UNSPOKEN: Final = frozenset({"entitlement.granted"})
"""Types that come with every activation and would crowd out the rest."""
RATE_WINDOW_S: Final = 3.0
"""The least time over which a rate is reckoned."""
BAR_CELLS: Final = 12
REFRESH_S: Final = 0.1
PLAIN_EVERY_S: Final = 1.0
"""How often a line is printed where there is no terminal."""


class View:
    """Shows a `Tally` as it grows. `when` is what time it is in the feed; `share` how much of it is done."""

    def __init__(
        self, tally: Tally, console: Console, title: str, *, plain_every_s: float = PLAIN_EVERY_S
    ) -> None:
        self.tally: Final = tally
        self._console: Final = console
        self._title: Final = title
        self.when = ""
        self.share = 0.0
        self.events = 0
        self._plain_every_s: Final = plain_every_s
        self._window_s: Final = max(RATE_WINDOW_S, 3 * plain_every_s)
        self._last: Final[deque[tuple[str, dict[str, Any]]]] = deque(maxlen=LAST_OUTCOMES)
        self._steps: Final[deque[tuple[float, int]]] = deque()

    def saw(self, topic: str, record: dict[str, Any]) -> None:
        """Remember what one outcome or dead letter says, for the list of the latest."""
        if record.get("type") not in UNSPOKEN:
            self._last.append((topic, record))

    def fed(self, count: int) -> None:
        """Count events that went in."""
        if not self._steps:
            self._steps.append((monotonic(), self.events))
        self.events += count
        self._steps.append((monotonic(), self.events))

    @property
    def rate(self) -> float:
        """Events per second over the last few seconds."""
        now = monotonic()
        while len(self._steps) > 1 and self._steps[0][0] < now - self._window_s:
            self._steps.popleft()
        if len(self._steps) < 2:
            return 0.0
        (first, before), (last, after) = self._steps[0], self._steps[-1]
        return (after - before) / max(last - first, 0.05)

    def show(self) -> AbstractContextManager[Callable[[], None]]:
        """A context in which the view is shown; what it gives is called to renew it."""
        if self._console.is_terminal:
            return _Page(self._console, self._page)
        return nullcontext(self._line)

    async def keep_showing(self, renew: Callable[[], None]) -> None:
        """Renew it as often as it makes sense, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S if self._console.is_terminal else self._plain_every_s)
            renew()

    def _line(self) -> None:
        tally = self.tally
        self._console.print(
            f"{self.when:<16} {self.events:>6,} events in  {self.rate:>5,.0f}/s  "
            f"{tally.points_credited:>6,} points credited  {tally.levels_raised:>4,} levels reached  "
            f"{tally.referrals_completed:>3} referrals completed  "
            f"{tally.discounts.total():>3} discounts granted  {tally.rejections.total():>3} rejections  "
            f"{tally.dead_letters.total():>2} dead letters",
            highlight=False,
            soft_wrap=True,
        )
        if spoken := _spoken(self._last):
            words = f"{'':<16}   {spoken[-1][1]}"
            self._console.print(words, style="dim", highlight=False, soft_wrap=True, markup=False)

    def _page(self) -> RenderableType:
        head = Table.grid(expand=True)
        head.add_column()
        head.add_column(justify="right")
        head.add_row(Text(self.when, style="bold"), ProgressBar(total=1.0, completed=self.share, width=40))
        body = Table.grid(expand=True, padding=(0, 2))
        body.add_column(width=34)
        body.add_column(ratio=1)
        body.add_row(self._numbers(), self._latest())
        return Panel(Group(head, Text(), body), title=self._title, box=box.ROUNDED, padding=(0, 1))

    def _numbers(self) -> RenderableType:
        tally = self.tally
        table = Table.grid(padding=(0, 1))
        table.add_column(justify="right", style="bold cyan", width=9)
        table.add_column()
        for number, name in (
            (self.events, "events in"),
            (round(self.rate), "events/s"),
            (tally.outcomes, "outcomes"),
            (tally.points_credited, "points credited"),
            (tally.points_redeemed, "points spent"),
            (tally.levels_raised, "levels reached"),
            (tally.referrals_completed, "referrals completed"),
            (tally.discounts.total(), "discounts granted"),
            (tally.rejections.total(), "rejections"),
            (tally.dead_letters.total(), "dead letters"),
        ):
            table.add_row(f"{number:,}", name)
        levels = tally.accounts_per_level()
        most = max((count for _, count in levels), default=1)
        for level, count in levels:
            bar = "█" * -(-count * BAR_CELLS // most)
            table.add_row(Text(f"level {level}", style="dim"), Text(f"{bar} {count}", style="green"))
        return table

    def _latest(self) -> RenderableType:
        spoken = _spoken(self._last)
        lines = [Text(words, style=colour, no_wrap=True, overflow="ellipsis") for colour, words in spoken]
        return Group(*lines, *[Text() for _ in range(LAST_OUTCOMES - len(lines))])


class _Page:
    """A page of rich, renewed when told to."""

    def __init__(self, console: Console, page: Callable[[], RenderableType]) -> None:
        self._page: Final = page
        self._live: Final = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Callable[[], None]:
        self._live.__enter__()
        return self._renew

    def __exit__(self, *_: object) -> None:
        self._renew()
        self._live.__exit__(None, None, None)

    def _renew(self) -> None:
        self._live.update(self._page(), refresh=True)


def _spoken(records: Iterable[tuple[str, dict[str, Any]]]) -> list[tuple[str, str]]:
    """Colour and words of what there is to say."""
    spoken: list[tuple[str, str]] = []
    for topic, record in records:
        if topic == DEAD_LETTERS.name:
            spoken.append(("yellow", dead_letter_in_words(record)))
        elif (words := in_words(record)) is not None:
            spoken.append((_colour(record), words))
    return spoken


def _colour(outcome: dict[str, Any]) -> str:
    kind = outcome["type"]
    if kind.endswith(("rejected", "refused")):
        return "red"
    if kind in ("referral.completed", "points.redeemed"):
        return "bold magenta"
    if kind == "discount.granted":
        return "cyan"
    if kind in ("points.credited", "level.changed"):
        fell = kind == "level.changed" and outcome["data"]["to"] < outcome["data"]["from"]
        return "red" if fell else "green"
    return "default"
