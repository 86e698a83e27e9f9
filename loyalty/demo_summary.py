"""What a demo says at its end: the totals, and what to try next."""

from __future__ import annotations

from rich.console import Console

from loyalty.tally import Tally
from loyalty.watch_view import View


def month_summary(console: Console, view: View) -> None:
    """The month's totals, and commands that really work."""
    console.print()
    say(console, f"{view.events:,} events became {view.tally.outcomes:,} outcomes.")
    totals(console, view.tally)
    say(
        console,
        "\nTry next:\n"
        "  loyalty demo --write-events month.ndjson        the same events as a file\n"
        "  loyalty simulate --events month.ndjson --as-arrived --until 2025-10-01T00:00:00+03:00\n"
        "                                                  the same outcomes with no Kafka at all\n"
        "  loyalty demo --telco                            7,043 customers of a real table\n"
        "\nA Kafka that stays, in a terminal of its own:\n"
        "  loyalty broker --data-dir kafka-data\n"
        "and then\n"
        "  export KAFKA_BOOTSTRAP=127.0.0.1:9092\n"
        "  loyalty topics\n"
        "  loyalty send month.ndjson --as-arrived --clock day --until 2025-10-01T00:00:00+03:00\n"
        "  loyalty worker --development-key &\n"
        "  loyalty account orgtechservice A-17\n"
        "  loyalty history orgtechservice A-17",
    )


def totals(console: Console, tally: Tally) -> None:
    """What came out, in numbers."""
    levels = ", ".join(f"{count} at {level}" for level, count in tally.accounts_per_level())
    say(
        console,
        f"  points         {tally.points_credited:,} credited, {tally.points_redeemed:,} spent, "
        f"{tally.points_outstanding:,} outstanding",
    )
    say(console, f"  levels         {levels or 'none above 0'}")
    say(console, f"  referrals      {tally.referrals_completed:,} completed")
    say(console, f"  discounts      {_listed(tally.discounts)}")
    say(console, f"  rejections     {_listed(tally.rejections)}")
    say(console, f"  dead letters   {_listed(tally.dead_letters)}")


def _listed(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered) or "none"


def say(console: Console, text: str) -> None:
    """Print a text as it is."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)
