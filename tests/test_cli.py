"""The commands that talk to Kafka: their use, and what they do on the real broker."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from loyalty.cli import run
from loyalty.clock import seconds
from loyalty.sample_events import OPERATOR
from loyalty.sample_month import sample_month
from loyalty.tally import Tally
from schemas.billing_history import BILLING, SET
from schemas.topics import DISCOUNTS, MEMBERS, PAYMENTS, POINTS
from streams.settings import Settings, read_settings
from tests.case_runner import Outcome, new_engine
from tests.case_runner import run as simulate

ROOT: Final = Path(__file__).parent.parent
UNTIL: Final = "2025-10-01T00:00:00+03:00"
NOBODY: Final = "127.0.0.1:1"
PATIENCE_S: Final = 180.0


class Done:
    """What a `loyalty` command left behind."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status: Final = status
        self.out: Final = out
        self.err: Final = err


def call(environment: dict[str, str], *arguments: str) -> Done:
    """Run `loyalty` with these arguments and this environment, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with patch.dict(os.environ, environment), redirect_stdout(out), redirect_stderr(err):
        status = run(arguments)
    return Done(status, out.getvalue(), err.getvalue())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["worker"], "loyalty: LOYALTY_CODE_KEY is not set"),
        (
            ["worker", "--bootstrap", "nowhere"],
            "loyalty: KAFKA_BOOTSTRAP=nowhere cannot be used: it must be host",
        ),
        (["worker", "--programmes", "/nowhere", "--development-key"], "loyalty: /nowhere"),
        (["topics", "--partitions", "0"], "loyalty topics: Invalid value for '--partitions'"),
        (["send"], "loyalty send: Missing argument 'FILE'"),
        (["send", "/nowhere.ndjson"], "loyalty: FILE: /nowhere.ndjson: No such file"),
        (["send", "-", "--until", UNTIL], "loyalty: --until: it says where the clock stops"),
        (["send", "-", "--clock", "day", "--until", "soon"], "loyalty: --until: 'soon'"),
        (["send", "-", "--clock", "minute"], "loyalty send: Invalid value for '--clock'"),
        (["clock", "--every", "often"], "loyalty: --every: 'often' is no duration"),
        (["clock", "--max-jump", "0d"], "loyalty: --max-jump: '0d' is no duration"),
        (["clock", "--at", "2025-10-01T00:00:00"], "loyalty: --at: '2025-10-01T00:00:00' has no offset"),
        (["account", "orgtechservice"], "loyalty account: Missing argument 'ACCOUNT'"),
        (["account", "nobody", "A-1"], "loyalty: OPERATOR: no programme of 'nobody'; there are: mega-line"),
        (["history", "nobody", "A-1"], "loyalty: OPERATOR: no programme of 'nobody'"),
        (["history", OPERATOR, "A-1", "--status", "lost"], "loyalty history: Invalid value for '--status'"),
        (["demo", "--customers", "5"], "loyalty: --customers: it belongs to --telco"),
        (["demo", "--write-events", "/nowhere/x"], "loyalty: --write-events: /nowhere/x: No such file"),
    ],
)
def test_bad_use_is_one_line_and_status_2(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOYALTY_CODE_KEY", "LOYALTY_CODE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(complaint), captured.err
    assert (captured.out, captured.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["topics"],
        ["worker", "--development-key"],
        ["clock", "--at", UNTIL],
        ["account", OPERATOR, "A-1"],
        ["history", OPERATOR, "A-1"],
    ],
)
def test_a_broker_that_does_not_answer_is_one_line(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--bootstrap", NOBODY]) == 69
    captured = capfd.readouterr()
    assert captured.err.startswith(f"loyalty: no Kafka answers at {NOBODY}: start one with 'loyalty broker'")
    assert captured.err.count("\n") == 1


def test_a_short_or_missing_key_stops_a_worker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOYALTY_CODE_KEY", "short")
    assert run(["worker"]) == 2
    assert "16 bytes or more" in capsys.readouterr().err
    monkeypatch.delenv("LOYALTY_CODE_KEY")
    monkeypatch.setenv("LOYALTY_CODE_KEY_FILE", "/nowhere")
    assert run(["worker"]) == 2
    assert capsys.readouterr().err.startswith("loyalty: LOYALTY_CODE_KEY_FILE: /nowhere cannot be read")


def test_durations() -> None:
    assert [seconds(text) for text in ("30s", "5m", "2h", "7d")] == [30, 300, 7200, 604_800]
    assert [seconds(text) for text in ("", "5", "m", "0s", "-1s", "1w", "1.5h")] == [None] * 7


# --- on the real broker ----------------------------------------------------------------------------------------


class Month:
    """The sample month, sent and worked off by a worker of its own application; and what simulate says."""

    def __init__(self, environment: dict[str, str], sent: Done, worker_status: int, ids: list[str]) -> None:
        self.environment: Final = environment
        self.sent: Final = sent
        self.worker_status: Final = worker_status
        self.ids: Final = ids
        self.outcomes, self.dead = simulated()
        self.tally: Final = Tally()
        for outcome in self.outcomes:
            self.tally.count(outcome)

    def call(self, *arguments: str) -> Done:
        return call(self.environment, *arguments)


def simulated() -> tuple[list[Outcome], list[Any]]:
    """What simulate makes of the sample month."""
    engine = new_engine()
    lines = [arrival.line for arrival in sample_month(lambda account: engine.codes.code(OPERATOR, account))]
    return simulate(engine, lines, until=UNTIL, as_arrived=True)


@pytest.fixture(scope="module")
def month(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    directory = tmp_path_factory.mktemp("month")
    environment = {
        "KAFKA_BOOTSTRAP": kafka,
        "LOYALTY_APPLICATION_ID": f"cli-{os.getpid()}-{time.time_ns()}",
        "LOYALTY_STATE_DIR": str(directory),
    }
    settings = read_settings(environment)
    assert call(environment, "topics").status == 0
    file = directory / "month.ndjson"
    assert call(environment, "demo", "--write-events", str(file)).status == 0
    begin = asyncio.run(_ends(settings))
    sent = call(environment, "send", str(file), "--as-arrived", "--clock", "day", "--until", UNTIL)
    with (directory / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "loyalty.cli", "worker", "--development-key"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
    try:
        ids = asyncio.run(_read_ids(settings, begin, len(simulated()[0])))
        worker.send_signal(signal.SIGTERM)
        status = worker.wait(PATIENCE_S)
    finally:
        worker.kill()
        worker.wait()
    yield Month(environment, sent, status, ids)


async def _ends(settings: Settings) -> dict[TopicPartition, int]:
    async with AIOKafkaConsumer(**settings.kafka()) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(_outcome_partitions(settings))
        return ends


def _outcome_partitions(settings: Settings) -> list[TopicPartition]:
    return [
        TopicPartition(topic.name, partition)
        for topic in (POINTS, DISCOUNTS, MEMBERS)
        for partition in range(settings.partitions)
    ]


async def _read_ids(settings: Settings, begin: dict[TopicPartition, int], count: int) -> list[str]:
    """Ids of the outcomes from `begin` on: `count` of them, and whatever more comes within a second."""
    ids: list[str] = []
    deadline = time.monotonic() + PATIENCE_S
    async with AIOKafkaConsumer(**settings.kafka(), isolation_level="read_committed") as consumer:
        consumer.assign(list(begin))
        for tp, offset in begin.items():
            consumer.seek(tp, offset)
        while time.monotonic() < deadline:
            brought = await consumer.getmany(timeout_ms=1000)
            ids += [orjson.loads(record.value)["id"] for records in brought.values() for record in records]
            if not brought and len(ids) >= count:
                break
    return ids


def test_what_is_sent_before_a_worker_starts_gives_what_simulate_says(month: Month) -> None:
    assert sorted(month.ids) == sorted(outcome["id"] for outcome in month.outcomes)


def test_sending_says_how_much_and_refuses_what_is_no_event(month: Month) -> None:
    assert month.sent.status == 3
    *refused, summary = month.sent.err.splitlines()
    assert [orjson.loads(line)["reason"] for line in refused] == [
        letter.reason for letter in month.dead if letter.reason != "identity-conflict"
    ]
    assert summary.startswith("sent 1,392 events and 272 clock ticks for each of 4 partitions to ")


def test_a_worker_ends_in_order_when_asked_to(month: Month) -> None:
    assert month.worker_status == 0


def test_topics_that_are_fit_are_said_to_be_and_others_are_told_apart(month: Month) -> None:
    fit = month.call("topics", "--check")
    assert (fit.status, fit.out.count("\n")) == (0, 1)
    other = month.call("topics", "--check", "--partitions", "3")
    assert other.status == 1
    assert "billing.payments: number of partitions is 4, should be 3; " in other.out
    unready = call({**month.environment, "LOYALTY_PARTITIONS": "3"}, "worker", "--development-key")
    assert (unready.status, unready.err.count("\n")) == (2, 1)


def test_an_account_is_shown_as_simulate_leaves_it(month: Month) -> None:
    facts = {}
    for account in ("A-17", "A-33", "A-88", "A-154"):
        shown = month.call("account", OPERATOR, account, "--json")
        assert shown.status == 0
        facts[account] = orjson.loads(shown.out)
        assert facts[account]["balance"] == month.tally.balances.get(account, 0)
        assert facts[account]["level"] == month.tally.levels.get(account, 0)
        assert sum(lot["points"] for lot in facts[account]["lots"]) == facts[account]["balance"]
    row = orjson.loads(month.call("account", OPERATOR, "A-17", "--row").out)
    assert (row["level"], row["balance"]) == (facts["A-17"]["level"], facts["A-17"]["balance"])
    assert row["steps"][-1]["kind"] in (BILLING, SET) and row["seen"][-1][2] <= row["clock"]
    active = [discount["discount"] for discount in facts["A-154"]["discounts"]]
    assert active == ["summer-2025"]
    assert facts["A-154"]["discounts"][0]["last_day"] == "2025-12-15", "extended by staff"
    assert [past["reason"] for past in facts["A-33"]["past_discounts"]] == ["expired", "tariff-changed"]
    assert facts["A-17"]["referrals"]["own_code"].startswith("orgtechservice:A-17:")
    assert facts["A-17"]["next_due"]["time"] > UNTIL
    page = month.call("account", OPERATOR, "A-17").out
    assert "540 points" in page and "loyalty-full" in page and "next due" in page


def test_both_sides_of_a_referral_are_shown(month: Month) -> None:
    completed = next(o for o in month.outcomes if o["type"] == "referral.completed")["data"]
    friend = orjson.loads(month.call("account", OPERATOR, completed["friend"], "--json").out)
    assert friend["referrals"]["registered"] == [
        {"code": completed["code"], "advocate": completed["advocate"], "state": "completed"}
    ]
    advocate = orjson.loads(month.call("account", OPERATOR, completed["advocate"], "--json").out)
    assert {"friend": completed["friend"], "state": "completed"} in advocate["referrals"]["referred"]


def test_an_unknown_account_is_one_line_and_status_1(month: Month) -> None:
    for command in ("account", "history"):
        unknown = month.call(command, OPERATOR, "A-0")
        assert (unknown.status, unknown.out) == (1, "")
        assert unknown.err == "loyalty: orgtechservice/A-0: no worker has seen an event of this account\n"


@pytest.mark.parametrize(
    ("arguments", "belongs"),
    [
        ([], lambda o: True),
        (["--status", "accrued"], lambda o: o["type"] == "points.credited"),
        (["--status", "written-off"], lambda o: o["type"] in ("points.redeemed", "points.reversed")),
        (["--status", "rejected"], lambda o: o["type"] == "request.rejected"),
        (["--status", "pending"], lambda o: False),
        (["--type", "discount"], lambda o: o["type"].startswith("discount.")),
    ],
)
def test_history_is_what_was_decided_in_order(
    month: Month, arguments: list[str], belongs: Callable[[Outcome], bool]
) -> None:
    for account in ("A-60", "A-88"):
        wanted = [o for o in month.outcomes if o["subject"] == account and belongs(o)]
        shown = month.call("history", OPERATOR, account, "--json", *arguments)
        assert [orjson.loads(line) for line in shown.out.splitlines()] == wanted
        page = month.call("history", OPERATOR, account, *arguments).out
        assert page.count("\n") == (len(wanted) + 1 if wanted else 1)


def test_the_clock_goes_neither_back_nor_far_ahead_unless_forced(month: Month) -> None:
    back = month.call("clock", "--at", "2025-09-30T00:00:00+03:00")
    assert back.status == 1
    assert "the clock never goes back" in back.err
    far = month.call("clock", "--at", "2025-10-09T00:00:00+03:00")
    assert far.status == 1
    assert "8.0 days after the last tick" in far.err
    assert month.call("clock", "--at", "2025-10-07T00:00:00+03:00").status == 0
    assert "last tick: 2025-10-06T21:00:00Z" in month.call("clock", "--at", "2025-10-01T00:00:00+03:00").err
    assert month.call("clock", "--at", "2025-12-01T00:00:00+03:00", "--force").status == 0
    with subprocess.Popen(
        [sys.executable, "-m", "loyalty.cli", "clock", "--every", "1s", "--force"],
        cwd=ROOT,
        env={**os.environ, **month.environment},
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stderr is not None
        lines = [running.stderr.readline() for _ in range(3)]
        running.terminate()
        assert running.wait(PATIENCE_S) == 0
    assert lines[1].startswith(b"ticked ") and lines[1] < lines[2]


def test_raw_lines_are_sent_as_they_are(month: Month, tmp_path: Path) -> None:
    settings = read_settings(month.environment)
    (tmp_path / "odd").write_bytes(b"nonsense\n")
    sent = month.call("send", str(tmp_path / "odd"), "--raw")
    assert (sent.status, sent.err.count("\n")) == (0, 1)
    assert asyncio.run(_last_value(settings, b"nonsense"))


async def _last_value(settings: Settings, value: bytes) -> bool:
    """Whether some partition of the payments ends with this value."""
    partitions = [TopicPartition(PAYMENTS.name, partition) for partition in range(settings.partitions)]
    async with AIOKafkaConsumer(**settings.kafka(), isolation_level="read_committed") as consumer:
        consumer.assign(partitions)
        for tp, end in (await consumer.end_offsets(partitions)).items():
            consumer.seek(tp, max(0, end - 2))
        brought = await consumer.getmany(timeout_ms=3000)
        return any(record.value == value for records in brought.values() for record in records)
