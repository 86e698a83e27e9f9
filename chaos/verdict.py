"""What the verifier found: lost, doubled, wrong, each with an explanation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

SHOWN: Final = 5


class Verdict:
    """Three lists, all empty when the promise was kept, and how much was looked at."""

    def __init__(self) -> None:
        self.lost: Final[list[str]] = []
        self.doubled: Final[list[str]] = []
        self.wrong: Final[list[str]] = []
        self.checked: Final[Counter[str]] = Counter()

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.lost or self.doubled or self.wrong)

    def compare(self, what: str, expected: Iterable[object], found: Iterable[object]) -> None:
        """As multisets: what is missing is lost, what is there too often doubled, what is unknown wrong."""
        wanted, there = Counter(expected), Counter(found)
        self.checked[what] += sum(there.values())
        for item in wanted.keys() | there.keys():
            less, more = wanted[item], there[item]
            if more < less:
                self.lost.append(f"{what}: {item} {more} times instead of {less}")
            elif more > less:
                (self.doubled if less else self.wrong).append(
                    f"{what}: {item} {more} times instead of {less}"
                )

    def check(self, right: bool, explanation: str) -> None:
        """Note something wrong."""
        if not right:
            self.wrong.append(explanation)

    def __str__(self) -> str:
        lines = [f"lost {len(self.lost)} / doubled {len(self.doubled)} / wrong {len(self.wrong)}"]
        for name, problems in (("lost", self.lost), ("doubled", self.doubled), ("wrong", self.wrong)):
            lines += [f"  {name}: {problem[:600]}" for problem in problems[:SHOWN]]
        return "\n".join(lines)
