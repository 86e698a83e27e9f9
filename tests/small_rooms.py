"""The toy worker with so little memory shared with its I/O process that what is fetched and written goes round it."""

from __future__ import annotations

import sys
from typing import Final

from streams.rooms import Rooms
from tests.toy_worker import main

ROOM_BYTES: Final = 4096


if __name__ == "__main__":
    Rooms.BYTES = ROOM_BYTES  # type: ignore[misc]
    sys.exit(main())
