"""The wire: what can be read becomes an exact event, everything else gets a reason."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import dead_letter
from schemas.contract import TariffTerms
from schemas.contract_examples import FULL_DATA, record_of
from schemas.dead_letter import Unreadable
from schemas.event import Event, Tariff
from schemas.shared_tariffs import of_parts, unpacked
from schemas.topics import TOPIC_OF_TYPE
from schemas.wire import RECORD_BYTES_MAX, parse_instant, read_event

OPERATORS = frozenset({"orgtechservice", "mts"})
DROP = object()
"""Stands for a field that is taken out."""

IDENTITY_OF_EXAMPLE = bytes.fromhex("c2d53f3eabe3acc8")
CONTENT_OF_EXAMPLE = bytes.fromhex("dde78f20bf164f0d")


def read(record: Any, *, key: bytes | None = None, topic: str | None = None) -> Event:
    value = record if isinstance(record, bytes) else orjson.dumps(record)
    return read_event(value, key=key, topic=topic, operators=OPERATORS)


def refusal(record: Any, *, key: bytes | None = None, topic: str | None = None) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        read(record, key=key, topic=topic)
    return caught.value


def payment(**changes: Any) -> dict[str, Any]:
    """A payment whose envelope is changed."""
    record = {**record_of("payment.received"), **changes}
    return {name: value for name, value in record.items() if value is not DROP}


def with_data(type_: str, **changes: Any) -> dict[str, Any]:
    """A full event of a type whose data are changed."""
    data = {**FULL_DATA[type_], **changes}
    return record_of(type_, {name: value for name, value in data.items() if value is not DROP})


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def comparable(value: Any) -> Any:
    if isinstance(value, Tariff):
        return {name: getattr(value, name) for name in TariffTerms.model_fields}
    if isinstance(value, dict):
        return {name: comparable(field) for name, field in value.items()}
    return value


def test_a_payment_is_read_exactly() -> None:
    value = (
        b'{"specversion":"1.0","id":"pay-1","source":"/orgtechservice/billing","type":"payment.received",'
        b'"subject":"A-1","operator":"orgtechservice","time":"2025-09-01T10:00:00+03:00",'
        b'"data":{"amount":"650.00","currency":"RUB","service":"internet","months":1}}'
    )
    event = read_event(
        value, key=b"orgtechservice/A-1", topic="billing.payments", operators=frozenset({"orgtechservice"})
    )
    assert (event.operator, event.account, event.type) == ("orgtechservice", "A-1", "payment.received")
    assert (event.source, event.id) == ("/orgtechservice/billing", "pay-1")
    assert event.time == int(datetime(2025, 9, 1, 7, tzinfo=UTC).timestamp()) * 1_000_000
    assert event.data == {"amount": Decimal("650.00"), "currency": "RUB", "service": "internet", "months": 1}
    assert str(event.data["amount"]) == "650.00"
    assert event.raw is value
    assert len(event.identity) == len(event.content) == 8


# Type, data as sent, data as read: only what is required, so every default shows.
MINIMAL: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "payment.received",
        {"amount": "1", "service": "tv"},
        {"amount": Decimal(1), "service": "tv", "months": 1},
    ),
    ("payment.refunded", {"payment": "pay-1"}, {"payment": "pay-1"}),
    (
        "charge.posted",
        {"amount": "0.5", "category": "mobile"},
        {"amount": Decimal("0.5"), "category": "mobile"},
    ),
    (
        "purchase.completed",
        {"purchase": "p", "amount": "30.00", "channel": "salon"},
        {"purchase": "p", "amount": Decimal("30.00"), "channel": "salon"},
    ),
    ("purchase.confirmed", {"purchase": "p"}, {"purchase": "p"}),
    ("purchase.returned", {"purchase": "p"}, {"purchase": "p"}),
    (
        "account.opened",
        {"segment": "business"},
        {"segment": "business", "existing_customer": False, "participant": True},
    ),
    (
        "service.activated",
        {"service": "pbx", "tariff": {"code": "c", "family": "f"}},
        {
            "service": "pbx",
            "tariff": {
                "code": "c",
                "family": "f",
                "speed_mbps": None,
                "monthly_price": None,
                "prepaid": False,
                "min_notice_days": 0,
            },
        },
    ),
    ("service.blocked", {"kind": "debt"}, {"kind": "debt"}),
    ("service.unblocked", {"kind": "voluntary"}, {"kind": "voluntary"}),
    ("owner.changed", {}, {}),
    ("account.closed", {}, {}),
    ("line.linked", {"line": "+79180000000"}, {"line": "+79180000000"}),
    (
        "legacy-discount.converted",
        {"percent": 7, "last_day": "2025-12-31"},
        {"percent": 7, "last_day": day("2025-12-31")},
    ),
    (
        "tariff.changed",
        {"tariff": {"code": "c", "family": "f", "monthly_price": "0.00", "speed_mbps": 0}},
        {
            "tariff": {
                "code": "c",
                "family": "f",
                "speed_mbps": 0,
                "monthly_price": Decimal(0),
                "prepaid": False,
                "min_notice_days": 0,
            }
        },
    ),
    (
        "tariff.change-requested",
        {"tariff": {"code": "c", "family": "f", "prepaid": True}, "change_on": "2024-02-29"},
        {
            "tariff": {
                "code": "c",
                "family": "f",
                "speed_mbps": None,
                "monthly_price": None,
                "prepaid": True,
                "min_notice_days": 0,
            },
            "change_on": day("2024-02-29"),
        },
    ),
    ("referral.code-registered", {"code": "X"}, {"code": "X"}),
    ("points.redeem-requested", {"reward": "turbo"}, {"reward": "turbo", "quantity": 1}),
    ("points.gift-requested", {"to": "B", "points": 10**12}, {"to": "B", "points": 10**12}),
    ("goal.set", {"amount": "999999999999999.999999999"}, {"amount": Decimal("999999999999999.999999999")}),
    (
        "points.adjusted",
        {"points": -5, "reason": "r", "by": "b"},
        {"points": -5, "reason": "r", "by": "b"},
    ),
    (
        "discount.extended",
        {"rule": "summer-2025", "last_day": "2199-12-31", "reason": "r", "by": "b"},
        {"rule": "summer-2025", "last_day": day("2199-12-31"), "reason": "r", "by": "b"},
    ),
    ("clock.advanced", {}, {}),
]


@pytest.mark.parametrize(("type_", "sent", "expected"), MINIMAL, ids=[row[0] for row in MINIMAL])
def test_the_least_that_is_required_is_read_with_its_defaults(
    type_: str, sent: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert comparable(read(record_of(type_, sent)).data) == expected


@pytest.mark.parametrize("type_", sorted(FULL_DATA))
def test_every_field_of_every_type_is_read(type_: str) -> None:
    record = record_of(type_)
    key = b"orgtechservice/A-1"
    event = read(record, key=key, topic=TOPIC_OF_TYPE[type_])
    assert set(event.data) == set(FULL_DATA[type_])


@pytest.mark.parametrize("type_", sorted(FULL_DATA))
def test_every_required_field_is_missed(type_: str) -> None:
    least = next(sent for name, sent, _ in MINIMAL if name == type_)
    for name in least:
        for absent in (DROP, None):
            unreadable = refusal(with_data(type_, **{name: absent}))
            assert unreadable.reason == dead_letter.MISSING_FIELD
            assert unreadable.detail.startswith(f"data.{name}: missing")


def test_an_optional_field_that_is_null_counts_as_absent() -> None:
    event = read(with_data("account.opened", dwelling=None, city=None, signed_on=None, participant=None))
    assert event.data == {"segment": "individual", "existing_customer": True, "participant": True}


def test_unknown_fields_are_left_out() -> None:
    event = read(
        with_data("charge.posted", note="?", line={"number": 1}) | {"traceparent": "00-1", "extra": None}
    )
    assert set(event.data) == {"amount", "category"}


@pytest.mark.parametrize("data", [DROP, None, {}])
def test_missing_data_count_as_empty(data: Any) -> None:
    record = {**record_of("account.closed"), "data": data}
    assert read({name: value for name, value in record.items() if value is not DROP}).data == {}


def test_the_clock_concerns_no_account() -> None:
    record = record_of("clock.advanced")
    for name in ("subject", "operator", "data"):
        record.pop(name, None)
    event = read(record, key=b"whatever", topic="loyalty.clock")
    assert (event.operator, event.account, event.data) == ("", "", {})


MONEY_WRONG: list[Any] = [
    650,
    650.5,
    True,
    [],
    {},
    "",
    " 1",
    "1 ",
    "+1",
    "-1",
    "-100.00",
    "1e2",
    "1.",
    ".5",
    "1,00",
    "1_000",
    "NaN",
    "Infinity",
    "a hundred",
    "1\n",
    "٣",
    "１",
    "1" * 16,
    "1.0000000001",
    "0x1",
]
NAME_WRONG: list[Any] = ["", 5, "x" * 257, "a\x00b", "a\x7f", "a\x85", "a\nb", [], {}]
INTEGER_WRONG: list[Any] = [1.0, 1.5, True, False, "1", [], {}, 10**30]

BAD_DATA: list[tuple[str, str, list[Any]]] = [
    ("payment.received", "amount", MONEY_WRONG),
    ("payment.received", "currency", ["rub", "RUBL", "RU", "", "РУБ", 643, "RUB\n"]),
    ("payment.received", "months", [*INTEGER_WRONG, 0, -1, 1201]),
    ("payment.received", "service", ["", 5, [], "x" * 1001]),
    ("payment.refunded", "payment", ["", 5, "a\x00b", "x" * 257]),
    ("charge.posted", "amount", MONEY_WRONG),
    ("charge.posted", "category", ["roaming", "", 1, [], {}]),
    ("purchase.completed", "channel", ["shop", "Salon", "", []]),
    ("purchase.completed", "percent", MONEY_WRONG),
    ("purchase.completed", "partner", ["", 1]),
    ("account.opened", "segment", ["Individual", "person", 1]),
    ("account.opened", "dwelling", ["flat", True]),
    ("account.opened", "participant", [1, 0, "true", "yes", []]),
    ("account.opened", "existing_customer", [1, "false"]),
    (
        "account.opened",
        "signed_on",
        ["2025-8-1", "20250801", "2025-02-29", "2025-13-01", "2025-08-01T00:00:00Z", 1, "2025-08-0١"],
    ),
    ("service.activated", "service", ["tv", "Internet", 0]),
    ("service.activated", "billing_day", [*INTEGER_WRONG, 0, 32]),
    ("service.activated", "feasible_ultra", [0, "no"]),
    ("service.activated", "tariff", ["unlim", [], 1, True]),
    ("service.blocked", "kind", ["Debt", 1]),
    ("service.unblocked", "kind", ["other "]),
    ("owner.changed", "new_owner", ["", 1, {}]),
    ("line.linked", "line", [79180000000, ""]),
    ("legacy-discount.converted", "percent", [*INTEGER_WRONG, 0, 101]),
    ("tariff.changed", "tariff", ["unlim"]),
    ("tariff.change-requested", "channel", ["phone", ""]),
    ("tariff.change-requested", "change_on", ["tomorrow", 20250901]),
    ("referral.code-registered", "code", ["", 1]),
    ("points.redeem-requested", "quantity", [*INTEGER_WRONG, 0, -1, 1_000_001]),
    ("points.redeem-requested", "amount", MONEY_WRONG),
    ("points.redeem-requested", "to", ["", 1, "a\nb", "x" * 257]),
    ("points.gift-requested", "points", [*INTEGER_WRONG, 0, -1, 10**12 + 1]),
    ("goal.set", "amount", MONEY_WRONG),
    ("points.adjusted", "points", [*INTEGER_WRONG, 10**12 + 1, -(10**12) - 1]),
    ("points.adjusted", "by", ["", 1]),
    ("points.adjusted", "reason", ["", 1]),
    ("discount.extended", "last_day", ["31.12.2025", ""]),
]


@pytest.mark.parametrize(
    ("type_", "name", "value"),
    [(type_, name, value) for type_, name, values in BAD_DATA for value in values],
)
def test_a_malformed_field_is_named(type_: str, name: str, value: Any) -> None:
    # json, because some of these numbers are too large for orjson to write.
    unreadable = refusal(json.dumps(with_data(type_, **{name: value})).encode())
    assert unreadable.reason == dead_letter.MALFORMED_FIELD
    assert unreadable.detail.startswith(f"data.{name}: ")
    assert len(unreadable.detail) < 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("speed_mbps", -1),
        ("speed_mbps", 10**7 + 1),
        ("speed_mbps", 100.0),
        ("monthly_price", 650),
        ("prepaid", 1),
        ("min_notice_days", 3651),
        ("min_notice_days", -1),
        ("code", ""),
        ("family", 5),
    ],
)
def test_a_malformed_field_of_a_tariff_is_named(name: str, value: Any) -> None:
    tariff = {**FULL_DATA["tariff.changed"]["tariff"], name: value}
    unreadable = refusal(with_data("tariff.changed", tariff=tariff))
    assert unreadable.reason == dead_letter.MALFORMED_FIELD
    assert unreadable.detail.startswith(f"data.tariff.{name}: ")


def test_what_was_read_before_does_not_let_its_lookalikes_through() -> None:
    for _ in range(2):
        assert read(with_data("payment.received", months=1)).data["months"] == 1
        for lookalike in (True, 1.0, "1"):
            assert refusal(with_data("payment.received", months=lookalike)).reason == "malformed-field"
        assert read(with_data("account.opened", participant=True)).data["participant"] is True
        for lookalike in (1, 1.0, "true"):
            assert refusal(with_data("account.opened", participant=lookalike)).reason == "malformed-field"


def test_a_partner_purchase_needs_its_percent_and_no_other_does() -> None:
    assert refusal(with_data("purchase.completed", channel="partner", percent=DROP)).reason == "missing-field"
    assert refusal(with_data("purchase.completed", channel="partner", percent=None)).reason == "missing-field"
    assert "percent" not in read(with_data("purchase.completed", channel="salon", percent=DROP)).data


def test_the_detail_says_what_would_be_right() -> None:
    assert refusal(with_data("payment.received", amount=650)).detail == (
        'data.amount: the JSON number 650; money is a decimal string such as "650.00": '
        "up to 15 digits, then at most 9 after a point, no sign, no exponent"
    )
    assert refusal(with_data("charge.posted", category="tv")).detail == (
        "data.category: 'tv'; one of calls-other-networks, calls-on-net, mobile, home-internet, home-tv"
    )


BAD_ENVELOPES: list[tuple[str, Any, str]] = [
    ("a null value", None, dead_letter.NOT_JSON),
    ("no bytes", b"", dead_letter.NOT_JSON),
    ("not JSON", b"not json", dead_letter.NOT_JSON),
    ("cut off", orjson.dumps(record_of("payment.received"))[:-1], dead_letter.NOT_JSON),
    ("invalid UTF-8", b'{"id":"\xff"}', dead_letter.NOT_JSON),
    ("a lone surrogate", b'{"id":"\\ud800"}', dead_letter.NOT_JSON),
    ("an encoded surrogate", b'{"id":"\xed\xa0\x80"}', dead_letter.NOT_JSON),
    ("a byte order mark", b"\xef\xbb\xbf{}", dead_letter.NOT_JSON),
    ("NaN", b'{"id":NaN}', dead_letter.NOT_JSON),
    ("a nesting bomb", b"[" * 500_000, dead_letter.NOT_JSON),
    (
        "a deep unknown field",
        orjson.dumps(payment())[:-1] + b',"deep":' + b"[" * 600 + b"]" * 600 + b"}",
        dead_letter.NOT_JSON,
    ),
    ("an array", b"[]", dead_letter.NOT_CLOUDEVENT),
    ("a string", b'"payment"', dead_letter.NOT_CLOUDEVENT),
    ("null", b"null", dead_letter.NOT_CLOUDEVENT),
    ("an empty object", b"{}", dead_letter.NOT_CLOUDEVENT),
    ("too large", b" " * (RECORD_BYTES_MAX + 1), dead_letter.TOO_LARGE),
    ("another version", payment(specversion="0.3"), dead_letter.NOT_CLOUDEVENT),
    ("a numeric version", payment(specversion=1.0), dead_letter.NOT_CLOUDEVENT),
    ("no version", payment(specversion=DROP), dead_letter.NOT_CLOUDEVENT),
    ("an unknown type", payment(type="payment.teleported"), dead_letter.UNKNOWN_TYPE),
    ("an outcome's type", payment(type="points.credited"), dead_letter.UNKNOWN_TYPE),
    ("a type that is a list", payment(type=[]), dead_letter.MALFORMED_FIELD),
    ("an empty type", payment(type=""), dead_letter.MALFORMED_FIELD),
    ("an unknown operator", payment(operator="beeline"), dead_letter.UNKNOWN_OPERATOR),
    ("an operator that is a list", payment(operator=["mts"]), dead_letter.MALFORMED_FIELD),
    ("data that is a list", payment(data=[]), dead_letter.MALFORMED_FIELD),
    ("data that is a string", payment(data="{}"), dead_letter.MALFORMED_FIELD),
    *[
        (f"no {name}", payment(**{name: DROP}), dead_letter.MISSING_FIELD)
        for name in ("id", "source", "type")
    ],
    *[
        (f"a null {name}", payment(**{name: None}), dead_letter.MISSING_FIELD)
        for name in ("subject", "operator", "time", "source")
    ],
    *[
        (f"{name} {value!r:.20}", payment(**{name: value}), dead_letter.MALFORMED_FIELD)
        for name in ("id", "source", "subject")
        for value in NAME_WRONG
    ],
    ("a time without an offset", payment(time="2020-06-02T12:00:00"), dead_letter.NAIVE_TIME),
    ("a numeric time", payment(time=1_700_000_000), dead_letter.MALFORMED_FIELD),
    ("a time of 2200", payment(time="2200-01-01T00:00:00Z"), dead_letter.TIME_OUT_OF_RANGE),
    (
        "a date of 2200",
        with_data("tariff.change-requested", change_on="2200-01-01"),
        dead_letter.TIME_OUT_OF_RANGE,
    ),
    ("a date of 0000", with_data("account.opened", signed_on="0000-01-01"), dead_letter.TIME_OUT_OF_RANGE),
    ("a date of 1969", with_data("account.opened", signed_on="1969-12-31"), dead_letter.TIME_OUT_OF_RANGE),
]


@pytest.mark.parametrize(
    ("record", "reason"), [row[1:] for row in BAD_ENVELOPES], ids=[row[0] for row in BAD_ENVELOPES]
)
def test_what_is_no_event_gets_its_reason(record: Any, reason: str) -> None:
    if record is None:
        with pytest.raises(Unreadable) as caught:
            read_event(None, key=None, topic=None, operators=OPERATORS)
        assert caught.value.reason == reason
    else:
        assert refusal(record).reason == reason


def test_names_of_every_script_and_of_full_length_are_read() -> None:
    name = "Счёт № 7\u00a0/ 客\U0001f600"
    event = read(payment(subject=name, id="x" * 256), key=f"orgtechservice/{name}".encode())
    assert (event.account, event.id) == (name, "x" * 256)


@pytest.mark.parametrize("key", [b"", b"A-1", b"mts/A-1", b"orgtechservice/A-1 ", b"\xff\xfe"])
def test_the_key_must_be_the_account_of_the_operator(key: bytes) -> None:
    assert read(payment(), key=b"orgtechservice/A-1").account == "A-1"
    assert refusal(payment(), key=key).reason == dead_letter.WRONG_KEY


def test_the_topic_must_be_that_of_the_type() -> None:
    assert refusal(payment(), topic="billing.activations").reason == dead_letter.WRONG_TOPIC


# --- identity and content


def test_identity_is_source_and_id_alone() -> None:
    first = read(payment())
    assert read(payment(subject="B", time="2021-01-01T00:00:00Z")).identity == first.identity
    assert read(payment(id="other")).identity != first.identity
    assert read(payment(source="other")).identity != first.identity
    assert read(payment(source="a", id="bc")).identity != read(payment(source="ab", id="c")).identity


def test_hashes_are_the_same_in_every_process_and_release() -> None:
    # State and changelogs hold these: another value here means that a release reads old rows wrongly.
    event = read(payment())
    assert (event.identity, event.content) == (IDENTITY_OF_EXAMPLE, CONTENT_OF_EXAMPLE)


def test_a_retry_that_only_writes_the_json_differently_has_the_same_content() -> None:
    record = payment()
    backwards = dict(reversed(list(record.items())))
    backwards["data"] = dict(reversed(list(record["data"].items())))
    spaced = json.dumps(backwards, indent=2, ensure_ascii=True).encode()
    assert read(spaced).content == read(record).content


@pytest.mark.parametrize(
    "changed",
    [
        payment(time="2025-09-01T07:00:00Z"),
        payment(extension="1"),
        with_data("payment.received", amount="650.0"),
        with_data("payment.received", unknown=1),
    ],
)
def test_the_content_is_the_whole_record(changed: dict[str, Any]) -> None:
    assert read(changed).content != read(payment()).content


# --- time

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59-00:01", 59_000_000),
        ("1970-01-01T00:00:00-23:59", 86_340_000_000),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T00:00:00.1Z", 100_000),
        ("1970-01-01T00:00:00.1234567890123456789Z", 123_456),
        ("1970-01-01T00:00:00.9999999+00:00", 999_999),
        ("1970-01-01T00:00:60Z", 59_999_999),
        ("1970-01-01T00:00:60.5Z", 59_999_999),
        ("2199-12-31T23:59:59.999999Z", 7_258_118_399_999_999),
        ("2200-01-01T00:30:00+01:00", 7_258_116_600_000_000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
    ],
)
def test_times_of_rfc_3339(text: str, instant: int) -> None:
    # Twice, for the second time its parts have been seen before.
    assert [parse_instant(text), parse_instant(text)] == [instant, instant]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2020-06-02T12:00:00", dead_letter.NAIVE_TIME),
        ("2020-06-02T12:00:00.5", dead_letter.NAIVE_TIME),
        ("1970-01-01T00:00:00+00:01", dead_letter.TIME_OUT_OF_RANGE),
        ("2199-12-31T23:59:59-00:01", dead_letter.TIME_OUT_OF_RANGE),
        ("0000-02-29T00:00:00Z", dead_letter.TIME_OUT_OF_RANGE),
        ("9999-12-31T23:59:59.5-23:59", dead_letter.TIME_OUT_OF_RANGE),
        *[
            (text, dead_letter.MALFORMED_FIELD)
            for text in (
                "",
                "yesterday",
                "2020-06-02",
                "2020-06-02 12:00:00Z",
                "2020-06-02T12:00Z",
                "2020-06-02T24:00:00Z",
                "2020-06-02T12:60:00Z",
                "2020-06-02T12:00:61Z",
                "2020-06-31T12:00:00Z",
                "2023-02-29T12:00:00Z",
                "2020-13-01T12:00:00Z",
                "2020-00-01T12:00:00Z",
                "0000-02-30T00:00:00Z",
                "2020-06-02T12:00:00+0300",
                "2020-06-02T12:00:00+03",
                "2020-06-02T12:00:00+24:00",
                "2020-06-02T12:00:00+03:60",
                "2020-06-02T12:00:00.Z",
                "2020-06-02T12:00:00,5Z",
                "2020-06-02T12:00:00.+5Z",
                "2020-06-02T12:00:00.1_0Z",
                "2020-06-02T12:00:00.٣Z",
                "2020-06-02T12:00:00Z\n",
                "2020-06-02T12:00:00.5Z\n",
                " 2020-06-02T12:00:00Z",
                "２020-06-02T12:00:00Z",
                "2020-W23-2T12:00:00Z",
                "12020-06-02T12:00:00Z",
                "-2020-06-02T12:00:00Z",
                "2020-06-02T12:00:00Zz",
                "2020-06-02T12:00:00 Z",
            )
        ],
    ],
)
def test_times_that_are_refused(text: str, reason: str) -> None:
    parse_instant("2020-06-02T12:00:00Z")
    parse_instant("2020-06-02T12:00:00+03:00")
    for _ in range(2):
        with pytest.raises(Unreadable) as caught:
            parse_instant(text)
        assert caught.value.reason == reason


@given(
    moment=st.datetimes(datetime(1970, 1, 3), datetime(2199, 12, 29)),  # noqa: DTZ001 (zoned below)
    offset_minutes=st.integers(-23 * 60 - 59, 23 * 60 + 59),
    digits=st.integers(0, 9),
)
def test_an_instant_is_what_datetime_says(moment: datetime, offset_minutes: int, digits: int) -> None:
    kept = moment.microsecond // 10 ** max(0, 6 - digits) * 10 ** max(0, 6 - digits)
    moment = moment.replace(microsecond=kept, tzinfo=timezone(timedelta(minutes=offset_minutes)))
    text = moment.isoformat(timespec="seconds")
    if digits:
        fraction = f"{moment.microsecond:06d}"[:digits].ljust(digits, "7" if digits > 6 else "0")
        text = f"{text[:19]}.{fraction}{text[19:]}"
    expected = (moment - EPOCH) // MICROSECOND
    assert [parse_instant(text), parse_instant(text)] == [expected, expected]
    if offset_minutes == 0:
        assert parse_instant(text[:-6] + "Z") == expected


@given(st.dates(date(1970, 1, 1), date(2199, 12, 31)))
def test_a_date_is_what_date_says(moment: date) -> None:
    record = with_data("tariff.change-requested", change_on=moment.isoformat())
    assert read(record).data["change_on"] == moment.toordinal()


def test_a_key_that_stands_twice_is_found_where_a_number_makes_up_for_the_length() -> None:
    twice = orjson.dumps(payment())[:-1] + b',"n":1,"n":1e6}'
    assert len(orjson.dumps(orjson.loads(twice))) == len(twice), (
        "1000000.0 is as much longer as a key was dropped"
    )
    assert refusal(twice).reason == dead_letter.DUPLICATE_KEY


def test_tariffs_that_are_told_alike_are_one_object_from_record_or_row() -> None:
    record = with_data("tariff.changed", tariff={"code": "c", "family": "f", "monthly_price": "75.10"})
    tariff = read(record).data["tariff"]
    again = with_data(
        "tariff.changed", tariff={"family": "f", "monthly_price": "075.10", "code": "c", "?": 1}
    )
    assert read(record).data["tariff"] is tariff
    assert read(again).data["tariff"] is tariff
    assert unpacked(bytes(bytearray(tariff.packed))) is tariff
    assert of_parts(orjson.loads(orjson.dumps(tariff.parts))) is tariff


def test_a_tariff_that_differs_in_a_digit_of_its_price_is_another() -> None:
    prices = ("75.1", "75.10", None)
    tariffs = [
        read(with_data("tariff.changed", tariff={"code": "c", "family": "f", "monthly_price": p})).data[
            "tariff"
        ]
        for p in prices
    ]
    assert tuple(tariff.price_text for tariff in tariffs) == prices


def test_a_tariff_read_before_does_not_let_its_lookalikes_pass() -> None:
    right = {"code": "c", "family": "f", "speed_mbps": 1, "prepaid": True, "min_notice_days": 1}
    for _ in range(2):
        read(with_data("tariff.changed", tariff=right))
        for name, lookalike in (("speed_mbps", True), ("speed_mbps", 1.0), ("prepaid", 1), ("code", None)):
            error = refusal(with_data("tariff.changed", tariff={**right, name: lookalike}))
            assert error.detail.startswith(f"data.tariff.{name}: ")


def test_a_tariff_nested_too_deeply_is_refused_as_the_record_that_it_is_in() -> None:
    terms = b'{"code":"c","family":"f","deep":' + b"[" * 400 + b"]" * 400 + b"}"
    record = orjson.dumps(with_data("tariff.changed", tariff="TERMS")).replace(b'"TERMS"', terms)
    error = refusal(record)
    assert (error.reason, error.detail) == (dead_letter.NOT_JSON, "value: nested deeper than 250 levels")
