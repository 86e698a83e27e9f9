"""Histories of all operators as they are fed to a real worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from schemas.topics import TOPIC_OF_TYPE
from tests.case_runner import new_engine
from tests.histories import History
from tests.stream_world import Fed

CODES = new_engine().codes.code


def fed_history(seed: int) -> list[Fed]:
    """The history of this seed, without records that are no events at all."""
    return [
        Fed(TOPIC_OF_TYPE[json.loads(value)["type"]], key.decode(), value.decode(), _ms(moment))
        for moment, key, value in History(seed, CODES).records
        if value.startswith(b'{"specversion": "1.0", "id"')
    ]


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)
