"""The lean reader and the pydantic models are the same contract, and no bytes get anything else out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import dead_letter
from schemas.contract import DATA_OF_TYPE, Contract, TariffTerms, envelope_of_type
from schemas.contract_docs import EVENTS_PAGE, EVENTS_SCHEMA, MEANING_OF_REASON, page, schema_text
from schemas.contract_examples import FULL_DATA, TARIFF, record_of
from schemas.dead_letter import Unreadable
from schemas.event import Event, Tariff
from schemas.topics import CLOCK, INBOUND
from schemas.wire import read_ahead, read_event

EXAMPLES_MAX = 400
OPERATORS = frozenset({"orgtechservice", "mts"})

EVENT_FIELDS = (
    "operator", "account", "type", "source", "id", "time", "time_text", "identity", "content", "id_hash", "raw", "kept",
)  # fmt: skip

REASONS = {value for name, value in vars(dead_letter).items() if name.isupper()}

ENUM_VALUES = [
    *(
        "individual",
        "business",
        "apartment",
        "house",
        "internet",
        "mobile",
        "pbx",
        "debt",
        "voluntary",
        "other",
    ),
    *(
        "calls-other-networks",
        "home-tv",
        "salon",
        "card:partner",
        "partner",
        "cabinet",
        "office",
        "RUB",
        "KGS",
    ),
]
NEAR_MONEY = st.from_regex(r"[-+ ]?[0-9]{0,17}([.,][0-9]{0,11})?[ eE\n]?[0-9]?", fullmatch=True)
NEAR_DATE = st.one_of(
    st.dates().map(str),
    st.from_regex(r"(19[67]|2[012]9)[0-9]-[0-9]{2}-[0-3][0-9]\n?", fullmatch=True),
)
NEAR_TIME = st.one_of(
    st.builds(
        "{}T{}{}".format, st.dates(), st.times(), st.sampled_from(["Z", "z", "+03:00", "-23:59", "", "+3"])
    ),
    st.from_regex(
        r"(1970|2025|2199)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]([01][0-9]|2[0-4]):[0-5][0-9]:"
        r"([0-5][0-9]|6[01])(\.[0-9]{0,12})?([Zz]|[+-][0-2][0-9]:?[0-6][0-9])?\n?",
        fullmatch=True,
    ),
)
NUMBERS = st.one_of(
    st.sampled_from(
        [0, 1, 12, 31, 32, 100, 101, 1200, 1201, 3650, 3651, 10**6, 10**7 + 1, 10**12, 10**12 + 1]
    ),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1.0, 0.0, -0.0, 31.0]),
)
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.sampled_from(ENUM_VALUES),
    st.builds(
        lambda character, length: character * length,
        st.sampled_from("xж\U0001f600\n"),
        st.integers(254, 1002),
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, NEAR_MONEY, NEAR_DATE, NEAR_TIME)
NAMES = st.one_of(
    st.sampled_from(sorted({name for data in FULL_DATA.values() for name in data} | set(TARIFF))),
    st.text(st.characters(codec="utf-8"), max_size=4),
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


@st.composite
def changed(draw: st.DrawFn, fields: dict[str, Any], values: st.SearchStrategy[Any]) -> dict[str, Any]:
    """An object with up to two of its fields taken out or given another value."""
    fields = dict(fields)
    names = st.lists(st.sampled_from(sorted(fields)), max_size=2) if fields else st.just([])
    for name in draw(names):
        if draw(st.booleans()):
            fields[name] = draw(values)
        else:
            fields.pop(name, None)
    return fields | draw(st.dictionaries(NAMES, values, max_size=1))


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """An event of any type, right or nearly so."""
    type_ = draw(st.sampled_from(sorted(FULL_DATA)))
    data: Any = FULL_DATA[type_]
    if "tariff" in data and draw(st.booleans()):
        data = {**data, "tariff": draw(changed(TARIFF, SCALARS))}
    if draw(st.booleans()):
        data = draw(changed(data, JSON))
    record = record_of(type_, data)
    if draw(st.booleans()):
        record["time"] = draw(NEAR_TIME)
    if draw(st.integers(0, 3)) == 0:
        record = draw(changed(record, JSON))
    return record


def test_every_inbound_type_has_its_model_and_its_example() -> None:
    types = {type_ for topic in (*INBOUND, CLOCK) for type_ in topic.types}
    assert set(DATA_OF_TYPE) == types == set(FULL_DATA)


@settings(max_examples=EXAMPLES_MAX, deadline=None)
@given(records())
@example(record_of("payment.received", {"amount": "650.00", "service": "internet", "months": True}))
@example(record_of("purchase.completed", {"purchase": "p", "amount": "1", "channel": "partner"}))
def test_the_lean_reader_and_the_models_agree(record: dict[str, Any]) -> None:
    value = orjson.dumps(record)
    decoded = orjson.loads(value)
    problems = problems_by_the_models(decoded)
    try:
        event = read_event(value, key=None, topic=None, operators=OPERATORS)
    except Unreadable as unreadable:
        assert unreadable.reason in REASONS
        place = unreadable.detail.split(":")[0]
        assert (unreadable.reason, place) in problems, (unreadable, problems)
    else:
        assert problems == set()
        assert told_by_the_reader(event) == told_by_the_models(decoded)


@settings(max_examples=EXAMPLES_MAX, deadline=None)
@given(st.binary(max_size=300) | JSON.map(orjson.dumps))
def test_arbitrary_bytes_are_an_event_or_a_reason(value: bytes) -> None:
    read_or_refuse(value)


@settings(max_examples=EXAMPLES_MAX, deadline=None)
@given(records(), st.data())
def test_damaged_events_are_an_event_or_a_reason(record: dict[str, Any], data: st.DataObject) -> None:
    value = orjson.dumps(record)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(value)))
        end = min(len(value), start + data.draw(st.integers(0, 4)))
        value = value[:start] + data.draw(st.binary(max_size=4)) + value[end:]
    read_or_refuse(value)


def read_or_refuse(value: bytes) -> None:
    said = outcome_of(value, b"")
    assert outcome_of(value, ahead_of(value)) == said, "who reads ahead must not change what is read"
    try:
        event = read_event(value, key=None, topic=None, operators=OPERATORS)
    except Unreadable as unreadable:
        assert unreadable.reason in REASONS
        assert 0 < len(unreadable.detail) < 500
        assert "\n" not in unreadable.detail
        unreadable.detail.encode()
    else:
        assert event.raw == value


def ahead_of(value: bytes) -> bytes:
    """What is read ahead of a value that lies under the key it names."""
    try:
        record = orjson.loads(value)
        key = f"{record['operator']}/{record['subject']}".encode()
    except (orjson.JSONDecodeError, KeyError, TypeError):
        key = None
    return read_ahead(value, key)


def outcome_of(value: bytes, ahead: bytes) -> tuple[Any, ...]:
    """What reading comes to: the event but for its data, or the refusal."""
    try:
        event = read_event(value, key=None, topic=None, operators=OPERATORS, ahead=ahead)
    except Unreadable as unreadable:
        return unreadable.reason, unreadable.detail
    return tuple(getattr(event, name) for name in EVENT_FIELDS)


@settings(max_examples=EXAMPLES_MAX, deadline=None)
@given(records())
def test_every_event_that_can_be_read_can_be_read_ahead(record: dict[str, Any]) -> None:
    value = orjson.dumps(record)
    ahead = ahead_of(value)
    assert outcome_of(value, ahead) == outcome_of(value, b"")
    try:
        event = read_event(value, key=None, topic=None, operators=OPERATORS)
    except Unreadable:
        return
    assert ahead.startswith(event.identity + event.content)


def test_a_key_that_stands_twice_is_refused_whoever_reads_it() -> None:
    value = orjson.dumps(record_of("payment.received")).replace(b'"months":', b'"months":2,"months":')
    assert value.count(b'"months"') == 2
    assert ahead_of(value) == b""
    assert outcome_of(value, b"")[0] == dead_letter.DUPLICATE_KEY


def test_what_lies_under_another_key_is_not_read_ahead() -> None:
    value = orjson.dumps(record_of("payment.received"))
    assert ahead_of(value)
    for key in (None, b"", b"mts/A-1"):
        assert read_ahead(value, key) == b""


def problems_by_the_models(record: dict[str, Any]) -> set[tuple[str, str]]:
    """Reason and place of all that pydantic and the lists of types and operators find wrong."""
    if record.get("specversion") != "1.0":
        return {(dead_letter.NOT_CLOUDEVENT, "specversion")}
    type_ = record.get("type")
    known = isinstance(type_, str) and type_ in DATA_OF_TYPE
    problems = problems_of(envelope_of_type(str(type_)), record, "")
    if not known:
        return problems | (
            {(dead_letter.UNKNOWN_TYPE, "type")} if ("type" not in dict(swapped(problems))) else set()
        )
    operator = record.get("operator")
    if type_ != "clock.advanced" and "operator" not in dict(swapped(problems)) and operator not in OPERATORS:
        problems.add((dead_letter.UNKNOWN_OPERATOR, "operator"))
    data = record.get("data")
    if data is not None and not isinstance(data, dict):
        return problems | {(dead_letter.MALFORMED_FIELD, "data")}
    return problems | problems_of(DATA_OF_TYPE[str(type_)], data or {}, "data.")


def swapped(problems: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(place, reason) for reason, place in problems}


def problems_of(model: type[Contract], fields: dict[str, Any], prefix: str) -> set[tuple[str, str]]:
    try:
        model.model_validate(fields)
    except ValidationError as error:
        return {
            (reason_of(found["type"]), prefix + ".".join(map(str, found["loc"] or ("percent",))))
            for found in error.errors()
        }
    return set()


def reason_of(pydantic_type: str) -> str:
    if pydantic_type in REASONS:
        return pydantic_type
    return dead_letter.MISSING_FIELD if pydantic_type == "missing" else dead_letter.MALFORMED_FIELD


def told_by_the_models(record: dict[str, Any]) -> dict[str, Any]:
    type_ = record["type"]
    envelope = dict(envelope_of_type(type_).model_validate(record))
    data = DATA_OF_TYPE[type_].model_validate(record.get("data") or {})
    return {
        "id": envelope["id"],
        "source": envelope["source"],
        "type": type_,
        "account": envelope.get("subject", ""),
        "operator": envelope.get("operator", ""),
        "time": envelope["time"],
        "data": {name: value for name, value in data if value is not None},
    }


def told_by_the_reader(event: Event) -> dict[str, Any]:
    told: dict[str, Any] = {
        name: getattr(event, name) for name in ("id", "source", "type", "account", "operator", "time")
    }
    told["data"] = {
        name: TariffTerms.model_construct(
            **{field: getattr(value, field) for field in TariffTerms.model_fields}
        )
        if isinstance(value, Tariff)
        else value
        for name, value in event.data.items()
    }
    for name, value in event.data.items():
        assert type(value) in (str, int, bool, Tariff) or type(value).__name__ == "Decimal", (name, value)
    return told


def test_the_documentation_is_current() -> None:
    for path, text in ((EVENTS_PAGE, page()), (EVENTS_SCHEMA, schema_text())):
        written = (Path(__file__).parents[1] / path).read_text(encoding="utf-8")
        assert written == text, f"{path} is old: run python -m schemas.contract_docs"


def test_every_reason_is_explained() -> None:
    assert set(MEANING_OF_REASON) == REASONS
