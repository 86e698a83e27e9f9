"""The toy worker with a client whose fetching dies once the file that `TOY_FETCHING_DIES` names is there.

It dies as it did when a connection broke at the wrong moment: of an error that the client does not expect.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from aiokafka.consumer.fetcher import Fetcher

from tests.toy_worker import main

DIES_IN: Final = "TOY_FETCHING_DIES"


def let_it_die(order: Path) -> None:
    """Have the fetching look for the order each time it plans what to fetch."""
    plan = Fetcher._get_actions_per_node

    def planned(self: Any, assignment: Any) -> Any:
        if order.exists():
            raise RuntimeError("the fetching was told to die")
        return plan(self, assignment)

    Fetcher._get_actions_per_node = planned


if __name__ == "__main__":
    let_it_die(Path(os.environ[DIES_IN]))
    sys.exit(main())
