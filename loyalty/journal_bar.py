"""How far a command is that reads all journals, one partition after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loyalty.task_books import Progress


@contextmanager
def journal_bar(what: str, partitions: int) -> Iterator[Progress]:
    """A bar on standard error while it lasts, if that is a terminal; gives what is to be called with how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def progress(partition: int, read: int, known: int) -> None:
            bar.update(
                task, description=f"partition {partition + 1} of {partitions}", completed=read, total=known
            )

        yield progress
