"""The real table as a feed, and a thin slice of it through Kafka three ways."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from rich.console import Console

from loyalty.cli import run
from loyalty.demo_telco import Run, report
from loyalty.sample_events import Arrival
from loyalty.tally import Tally
from loyalty.telco import TABLE, billing_day, telco_feed

ROOT: Final = Path(__file__).parent.parent
THIN: Final = 300


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["customerID"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def feed() -> list[Arrival]:
    return telco_feed(lambda account: f"code of {account}")


@pytest.fixture(scope="module")
def events(feed: list[Arrival]) -> list[dict[str, Any]]:
    return [orjson.loads(arrival.line) for arrival in feed]


@pytest.fixture(scope="module")
def of(events: list[dict[str, Any]]) -> Callable[[str, str], list[dict[str, Any]]]:
    """`of(customer, type)`: the events of one customer."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in events:
        found.setdefault((event["subject"], event["type"]), []).append(event)
    return lambda customer, type_: found.get((customer, type_), [])


Of = Callable[[str, str], list[dict[str, Any]]]


def test_the_counts_are_those_of_the_table(
    events: list[dict[str, Any]], rows: dict[str, dict[str, str]]
) -> None:
    counts = Counter(event["type"] for event in events)
    assert counts == {
        "account.opened": 7_043,
        "service.activated": 5_517,
        "referral.code-registered": 704,
        "payment.received": 226_121,
    }
    months = sum(int(row["tenure"]) for row in rows.values())
    left = sum(row["Churn"] == "Yes" for row in rows.values())
    assert (months, left) == (227_990, 1_869)
    assert counts["payment.received"] == months - left
    assert sum(event["data"].get("service") == "telephone" for event in events) == sum(
        int(row["tenure"]) - (row["Churn"] == "Yes")
        for row in rows.values()
        if row["InternetService"] == "No"
    )


def test_the_feed_is_in_order_of_time_and_each_event_has_an_identity_of_its_own(
    feed: list[Arrival], events: list[dict[str, Any]]
) -> None:
    times = [arrival.at for arrival in feed]
    assert times == sorted(times)
    identities = {(event["subject"], event["source"], event["id"]) for event in events}
    assert len(identities) == len(events)


def test_customers_begin_tenure_months_before_september(of: Of, rows: dict[str, dict[str, str]]) -> None:
    opened = of("7590-VHVEG", "account.opened")[0]  # the first row: DSL, month to month, tenure 1
    assert opened["data"] == {
        "segment": "individual",
        "dwelling": "apartment",
        "city": "Labinsk",
        "signed_on": "2025-08-01",
    }
    activated = of("7590-VHVEG", "service.activated")[0]
    assert activated["data"] == {
        "service": "internet",
        "billing_day": billing_day("7590-VHVEG"),
        "tariff": {"code": "unlim-29.85", "family": "Unlim", "monthly_price": "29.85"},
    }
    for customer, row in rows.items():
        signed = of(customer, "account.opened")[0]["data"]["signed_on"]
        year, month = divmod(2025 * 12 + 8 - int(row["tenure"]), 12)
        assert signed == f"{year}-{month + 1:02}-01"
        fiber = row["InternetService"] == "Fiber optic"
        active = of(customer, "service.activated")
        assert len(active) == (row["InternetService"] != "No")
        if active:
            assert active[0]["data"]["tariff"]["family"] == ("Turbo" if fiber else "Unlim")


def test_billing_days_are_spread_over_the_month_and_never_change(rows: dict[str, dict[str, str]]) -> None:
    assert [billing_day(customer) for customer in ("7590-VHVEG", "5575-GNVDE", "3668-QPYBK")] == [13, 23, 21]
    days = Counter(map(billing_day, rows))
    assert set(days) == set(range(1, 29))
    assert min(days.values()) > 7_043 / 28 * 0.75


def test_payments_are_made_on_the_eve_and_by_mailed_check_every_7th_is_late(
    of: Of, rows: dict[str, dict[str, str]]
) -> None:
    for customer, row in list(rows.items())[:1_500]:
        payments = of(customer, "payment.received")
        assert len(payments) == int(row["tenure"]) - (row["Churn"] == "Yes" and row["tenure"] != "0")
        late = []
        for number, payment in enumerate(payments, 1):
            eve = billing_day(customer) - 1
            day = int(payment["time"][8:10])
            if day == billing_day(customer):
                late.append(number)
            else:
                assert day == eve or (eve == 0 and day >= 28)
            assert payment["data"]["amount"] == row["MonthlyCharges"]
        wanted = range(7, len(payments) + 1, 7) if row["PaymentMethod"] == "Mailed check" else ()
        assert late == list(wanted)


def test_every_tenth_customer_was_referred_by_the_row_before(of: Of, rows: dict[str, dict[str, str]]) -> None:
    customers = list(rows)
    for number, customer in enumerate(customers):
        codes = [event["data"]["code"] for event in of(customer, "referral.code-registered")]
        assert codes == ([f"code of {customers[number - 1]}"] if number % 10 == 0 and number else [])


def test_another_table_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.csv").write_text("customerID,tenure\nA,1\n")
    for table, complaint in (("other.csv", "has no column InternetService"), ("none.csv", "No such file")):
        assert run(["demo", "--telco", "--table", str(tmp_path / table), "--write-events", "-"]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("loyalty: --table: ") and complaint in captured.err
        assert captured.err.count("\n") == 1


def test_kafka_gives_the_same_as_simulate_with_one_worker_two_and_a_split_feed(kafka: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loyalty.cli", "demo", "--telco", "--customers", str(THIN)],
        cwd=ROOT,
        env={**os.environ, "KAFKA_BOOTSTRAP": kafka},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    verdicts = [line.strip().partition(" (")[0] for line in done.stdout.splitlines()[-3:]]
    assert verdicts == [
        "the same outcomes with 1 worker",
        "the same outcomes with 2 workers",
        "the same outcomes with the feed split in two, the worker restarted in between",
    ]
    assert "9,707 outcomes from loyalty simulate" in done.stdout
    assert "46,941 credited" in done.stdout


def credited(*ids: str, points: int = 1) -> Tally:
    tally = Tally()
    for id_ in ids:
        data = {"rule": "r", "reason": "x", "points": points, "balance": points}
        tally.count({"id": id_, "type": "points.credited", "subject": "A", "data": data})
    return tally


@pytest.mark.parametrize(
    ("other", "status"),
    [
        (credited("b", "a"), 0),
        (credited("a"), 1),
        (credited("a", "b", "b"), 1),
        (credited("a", "c"), 1),
        (credited("a", "b", points=2), 1),
    ],
)
def test_a_run_that_lacks_repeats_or_changes_an_outcome_is_told(other: Tally, status: int) -> None:
    out = io.StringIO()
    simulated = Run("simulate", credited("a", "b"), 1.0)
    assert report(Console(file=out, width=160), simulated, [Run("1 worker", other, None)]) == status
    assert ("the same outcomes" in out.getvalue()) == (status == 0)
