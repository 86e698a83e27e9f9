"""One deployment with a person in it: lives that touch hers in every way there is, and a look for what is left."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from engine.decide import Engine
from schemas.topics import ALL, DISCOUNTS, INBOUND, LINKS, MEMBERS, PAYMENTS, POINTS, TOPIC_OF_TYPE
from streams.table import changelog_topic
from tests.case_runner import new_engine
from tests.fold_world import FoldWorld
from tests.stream_world import Fed, Worker, World, until

ENGINE: Final[Engine] = new_engine()
OPERATOR: Final = "mts"
ANNA: Final = "ANNA-17"
SECRETS: Final = (
    ANNA, "Петрова-Водкина", "+7 918 000-11-22", "passport 4509", "Verkhneozersk", "her-own-event", "her-purchase",
)  # fmt: skip
"""Everything that stands in her records and tells who she is."""
ON_DISK: Final = (*SECRETS[1:], f"mts:{ANNA}:")
"""What to look for where compression may have cut ANNA-170 into two; the last is how her code begins."""
OUTCOMES: Final = (POINTS.name, DISCOUNTS.name, MEMBERS.name)
MOSCOW: Final = ZoneInfo("Europe/Moscow")
NAMES: Final = (ANNA, "BORIS-1", "CLARA-2", "DAVID-3", "ANNA-170", "10-ANNA-17")
"""Two are called nearly like her, and must lose nothing."""
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
"""A letter as JSON may write it."""


class Lives:
    """Events of everybody, in order; the same each time."""

    def __init__(self) -> None:
        self._numbers: Final = itertools.count(1)
        self._moment = datetime(2021, 3, 1, 10, tzinfo=MOSCOW)
        self.first: Final = list(self._first())
        self.then: Final = list(self._then())
        self.late: Final = [self._event(ANNA, "charge.posted", {"amount": "90.00", "category": "mobile"})]

    def _first(self) -> Iterator[dict[str, Any]]:
        for name in NAMES:
            city = "Verkhneozersk" if name == ANNA else "Labinsk"
            yield self._event(name, "account.opened", {"segment": "individual", "city": city})
            tariff = {"code": "smart", "family": "Smart", "monthly_price": "300.00"}
            yield self._event(name, "service.activated", {"service": "mobile", "tariff": tariff})
            yield self._event(name, "points.adjusted", {"points": 500, "reason": "a start", "by": "staff-7"})
        yield self._event(
            ANNA, "line.linked", {"line": "+7 918 000-11-22", "note": {"passport": "passport 4509"}}
        )
        yield self._event(ANNA, "owner.changed", {"new_owner": "Петрова-Водкина"})
        for name in NAMES:
            purchase = "her-purchase" if name == ANNA else f"purchase of {name}"
            yield self._event(
                name, "purchase.completed", {"purchase": purchase, "amount": "999.00", "channel": "salon"}
            )
        yield self._event("BORIS-1", "referral.code-registered", {"code": ENGINE.codes.code(OPERATOR, ANNA)})
        yield self._event(ANNA, "referral.code-registered", {"code": ENGINE.codes.code(OPERATOR, "CLARA-2")})
        yield self._event(ANNA, "points.gift-requested", {"to": "BORIS-1", "points": 50})
        yield self._event("CLARA-2", "points.gift-requested", {"to": ANNA, "points": 70})
        yield self._event("DAVID-3", "points.gift-requested", {"to": "NOBODY", "points": 20})
        yield self._event(
            "DAVID-3",
            "points.adjusted",
            {"points": 5, "reason": f"moved from {ANNA}, twice", "by": "staff-7"},
        )
        yield self._event("BORIS-1", "points.redeem-requested", {"reward": "blacklist"})
        yield self._event(ANNA, "points.redeem-requested", {"reward": "hide-number"})

    def _then(self) -> Iterator[dict[str, Any]]:
        for name in NAMES[1:]:
            yield self._event(name, "charge.posted", {"amount": "123.00", "category": "mobile"})
        yield self._event("BORIS-1", "points.gift-requested", {"to": "DAVID-3", "points": 60})
        yield self._event("CLARA-2", "points.gift-requested", {"to": "ANNA-170", "points": 40})
        yield self._event(
            "DAVID-3", "referral.code-registered", {"code": ENGINE.codes.code(OPERATOR, "CLARA-2")}
        )

    def _event(self, account: str, type_: str, data: dict[str, Any]) -> dict[str, Any]:
        self._moment += timedelta(hours=7)
        own = "her-own-event-" if account == ANNA else "e"
        return {
            "specversion": "1.0",
            "id": f"{own}{next(self._numbers)}",
            "source": "/mts/billing",
            "type": type_,
            "subject": account,
            "operator": OPERATOR,
            "time": self._moment.isoformat(),
            "data": data,
        }


def fed(events: list[dict[str, Any]]) -> list[Fed]:
    """Events as records."""
    return [
        Fed(
            TOPIC_OF_TYPE[event["type"]],
            f"{event['operator']}/{event['subject']}",
            json.dumps(event, ensure_ascii=False),
            int(datetime.fromisoformat(event["time"]).timestamp() * 1000),
        )
        for event in events
    ]


REFUSED: Final = [
    Fed(PAYMENTS.name, f"mts/{ANNA}", "{this is no JSON: " + ANNA, 0),
    Fed(
        PAYMENTS.name,
        "mts/BORIS-1",
        json.dumps({"operator": "mts", "subject": ANNA, "passport": "passport 4509"}),
        0,
    ),
    Fed(PAYMENTS.name, "mts/CLARA-2", f"paid for {ANNA}, not for ANNA-170", 0),
]
"""What no worker can read, and keeps as dead letters."""


def outcomes_without_forgetting(lives: Lives) -> dict[str, list[str]]:
    """Account → ids of its outcomes, had she been closed and nothing else: from the fold, without Kafka."""
    world = FoldWorld(ENGINE)
    closing = {
        **lives.late[0],
        "id": "close",
        "type": "account.closed",
        "data": {},
        "time": "2021-04-20T00:00:00+03:00",
    }
    for record in [*fed(lives.first), *fed([closing]), *fed(lives.then)]:
        world.event(record.key, record.text.encode())
        world.settle()
    return {
        key.partition("/")[2]: [outcome["id"] for outcome in outcomes]
        for key, outcomes in world.outcomes().items()
    }


def worker_of(world: World) -> Worker:
    """A worker with its rows on one disk, whenever it is started."""
    worker = world.worker(
        "loyalty.cli",
        "worker",
        "--development-key",
        LOYALTY_STORE="rocksdb",
        LOYALTY_STATE_DIR=str(world.directory / "rows"),
    )
    worker.wait_for("ready: ")
    return worker


def settled(world: World) -> None:
    """Wait until all is worked off, what accounts sent each other too."""
    until(lambda: asyncio.run(_left(world)) == 0, 60, "everything worked off")


async def _left(world: World) -> int:
    """Records that no worker has taken; the end of a transaction, which counts as lag, is none."""
    admin = AIOKafkaAdminClient(**world.settings.kafka())
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(world.application_id)
    finally:
        await admin.close()
    left = 0
    for topic in (*INBOUND, LINKS):
        for record in await world._read(topic.name):
            done = offsets.get(TopicPartition(topic.name, record.partition))
            left += done is None or record.offset >= done.offset
    return left


def consume(world: World, group: str) -> list[str]:
    """What a consumer of outcomes gets from where it left off; ids, in order by partition."""

    async def read() -> list[str]:
        consumer = AIOKafkaConsumer(
            *OUTCOMES,
            **world.settings.kafka(),
            group_id=group,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        found: list[str] = []
        async with consumer:
            quiet = 0
            while quiet < 5:
                brought = await consumer.getmany(timeout_ms=300)
                records = [record for some in brought.values() for record in some]
                found += [orjson.loads(record.value)["id"] for record in records]
                quiet = 0 if records else quiet + 1
            await consumer.commit()
        return found

    return asyncio.run(read())


def traces(world: World, secrets: tuple[str, ...] = SECRETS) -> list[tuple[str, int, str]]:
    """Every record that anybody could still read in which one of the secrets stands: keys, values and headers."""

    async def look() -> list[tuple[str, int, str]]:
        topics = [*(topic.name for topic in ALL), changelog_topic(world.application_id)]
        tps = [TopicPartition(topic, p) for topic in topics for p in range(world.settings.partitions)]
        found = []
        async with AIOKafkaConsumer(**world.settings.kafka()) as consumer:
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            ends = await consumer.end_offsets(tps)
            while not all([await consumer.position(tp) >= ends[tp] for tp in tps]):
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    for record in records:
                        parts = [record.key or b"", record.value or b""]
                        parts += [
                            part for name, value in record.headers for part in (name.encode(), value or b"")
                        ]
                        text = b"\n".join(parts).decode("utf-8", "replace")
                        text += _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
                        text = _without_likes(text)
                        found += [(tp.topic, record.offset, secret) for secret in secrets if secret in text]
        return found

    return asyncio.run(look())


def compact(world: World) -> None:
    """Have the broker compact the changelog now, tombstones too, which it otherwise does in its own time."""
    config = {
        "cleanup.policy": "compact",
        "segment.ms": "1",
        "min.cleanable.dirty.ratio": "0.0",
        "delete.retention.ms": "0",
        "message.timestamp.before.max.ms": str(2**63 - 1),
        "message.timestamp.after.max.ms": str(2**63 - 1),
    }
    world.configure(changelog_topic(world.application_id), config)


def files_with(directory: Path, secrets: tuple[str, ...]) -> list[tuple[str, str]]:
    """Files below a directory that hold one of the secrets."""
    return [
        (str(file.relative_to(directory)), secret)
        for file in sorted(directory.rglob("*"))
        if file.is_file()
        for secret in secrets
        if secret.encode() in file.read_bytes()
    ]


def _without_likes(text: str) -> str:
    """The text without those who are called nearly like her: they are others."""
    for name in NAMES[4:]:
        text = text.replace(name, "")
    return text
