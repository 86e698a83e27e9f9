"""Events a second as bars: an SVG put together from text, so that drawing needs nothing installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

NAME_WIDTH: Final = 330
BAR_WIDTH: Final = 430
VALUE_WIDTH: Final = 110
ROW_HEIGHT: Final = 24
TOP: Final = 34
OURS: Final = "#1f6f5c"
OTHERS: Final = "#8a94a6"


class Bar(NamedTuple):
    """One contender's bar; `low` and `high` are drawn as a line across its end."""

    name: str
    value: float
    low: float
    high: float
    is_ours: bool


def draw(title: str, bars: Sequence[Bar]) -> str:
    """The drawing, the longest bar first."""
    width, height = NAME_WIDTH + BAR_WIDTH + VALUE_WIDTH, TOP + ROW_HEIGHT * len(bars) + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    most = max((bar.high for bar in bars), default=1.0)
    for place, bar in enumerate(sorted(bars, key=lambda bar: bar.value, reverse=True)):
        lines += _row(bar, TOP + ROW_HEIGHT * place, BAR_WIDTH / most)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _row(bar: Bar, top: int, scale: float) -> list[str]:
    middle = top + ROW_HEIGHT // 2
    low, high = NAME_WIDTH + bar.low * scale, NAME_WIDTH + bar.high * scale
    return [
        f'<text x="{NAME_WIDTH - 8}" y="{middle + 4}" text-anchor="end">{escape(bar.name)}</text>',
        f'<rect x="{NAME_WIDTH}" y="{top + 4}" width="{max(bar.value * scale, 1):.1f}" '
        f'height="{ROW_HEIGHT - 8}" fill="{OURS if bar.is_ours else OTHERS}"/>',
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="#222222"/>',
        f'<text x="{high + 6:.1f}" y="{middle + 4}">{bar.value:,.0f}</text>',
    ]
