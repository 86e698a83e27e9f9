"""Records that no honest system writes, each with why it must be refused (None: it must be applied)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from schemas.contract_examples import record_of
from schemas.topics import ACTIVATIONS, CLOCK, LINKS, PAYMENTS, REQUESTS

KEY: Final = b"orgtechservice/A-1"
MEGABYTE: Final = 1_000_000
TICK: Final = orjson.dumps(record_of("clock.advanced"))


class Hostile(NamedTuple):
    """One record: where it is written, its key and value, and the reason it must be refused for."""

    what: str
    topic: str
    key: bytes | None
    value: bytes | None
    reason: str | None


def event(id: str, /, **changes: Any) -> dict[str, Any]:
    """A readable payment with attributes changed."""
    return {**record_of("payment.received", {"amount": "1.00", "service": "internet"}), "id": id, **changes}


def records() -> Iterator[Hostile]:
    """All of them."""
    payments = PAYMENTS.name
    raw = orjson.dumps(event("raw"))
    for what, value, reason in (
        ("null", None, "not-json"),
        ("nothing", b"", "not-json"),
        ("no text", b"\x00\xff\xfe\x80" * 100, "not-json"),
        ("a megabyte of bytes that are no text", b"\xff" * MEGABYTE, "not-json"),
        ("a megabyte of what grows sixfold when escaped", b"\x01" * MEGABYTE, "not-json"),
        ("more than a megabyte", b" " * (MEGABYTE + 1), "too-large"),
        ("a byte order mark", b"\xef\xbb\xbf" + raw, "not-json"),
        ("UTF-16", raw.decode().encode("utf-16"), "not-json"),
        ("a compressed bomb", b"\x1f\x8b\x08\x00" + b"\x00" * 1000, "not-json"),
        ("nested beyond any stack", b"[" * 400_000 + b"]" * 400_000, "not-json"),
        ("nested deep in unknown data", raw[:-2] + b',"x":' + b"[" * 500 + b"]" * 500 + b"}}", "not-json"),
        ("NaN", raw.replace(b'"1.00"', b"NaN"), "not-json"),
        ("infinity", raw.replace(b'"1.00"', b"1e999"), "not-json"),
        ("a number of 100,000 digits", raw.replace(b'"1.00"', b"9" * 100_000), "not-json"),
        ("a huge number in an unknown field", raw[:-1] + b',"n":-18446744073709551617}', None),
        ("a lone surrogate", raw.replace(b"internet", b"\\ud800"), "not-json"),
        ("a key twice", raw[:-1] + b',"id":"other"}', "duplicate-key"),
        ("a key twice, spelt in escapes", raw[:-1] + b',"\\u0069d":"other\\u003a"}', "duplicate-key"),
        ("a list", b"[]", "not-a-cloudevent"),
        ("a string", b'"payment"', "not-a-cloudevent"),
        ("an account that is an object", orjson.dumps(event("a1", subject={})), "malformed-field"),
        ("an id that is a number", orjson.dumps(event("a2", id=1)), "malformed-field"),
        ("an id with a line feed", orjson.dumps(event("a3", id="a\nb")), "malformed-field"),
        ("a type that is a list", orjson.dumps(event("a4", type=["x"])), "malformed-field"),
        ("a type that nobody knows", orjson.dumps(event("a5", type="payment.invented")), "unknown-type"),
        ("a foreign operator", orjson.dumps(event("a6", operator="stranger")), "unknown-operator"),
        ("data that is a list", orjson.dumps(event("a7", data=[])), "malformed-field"),
        ("no data", orjson.dumps(event("a8", data=None)), "missing-field"),
        ("year 1", orjson.dumps(event("a9", time="0001-01-01T00:00:00Z")), "time-out-of-range"),
        ("year 9999", orjson.dumps(event("a10", time="9999-12-31T23:59:59Z")), "time-out-of-range"),
        (
            "year 9999, a day ahead",
            orjson.dumps(event("a11", time="9999-12-31T23:59:59-23:59")),
            "time-out-of-range",
        ),
        ("no offset", orjson.dumps(event("a12", time="2025-09-01T00:00:00")), "naive-time"),
        ("a time that is a number", orjson.dumps(event("a13", time=1756710000)), "malformed-field"),
        (
            "a white megabyte",
            raw.replace(b'"raw"', b'"wid"')[:-1] + b" " * (MEGABYTE - len(raw)) + b"}",
            None,
        ),
        ("an unknown field of a megabyte", orjson.dumps(event("a14", note="n" * 990_000)), None),
    ):
        yield Hostile(what, payments, KEY, value, reason)
    yield Hostile("no key", payments, None, orjson.dumps(event("b1")), "wrong-key")
    yield Hostile("an empty key", payments, b"", orjson.dumps(event("b2")), "wrong-key")
    yield Hostile("another's key", payments, b"mts/A-1", orjson.dumps(event("b3")), "wrong-key")
    yield Hostile(
        "a long key of no text", payments, b"\xff" * 500_000, orjson.dumps(event("b4")), "wrong-key"
    )
    yield Hostile("in the wrong topic", REQUESTS.name, KEY, orjson.dumps(event("c1")), "wrong-topic")
    yield Hostile(
        "a tick in the wrong topic",
        ACTIVATIONS.name,
        KEY,
        orjson.dumps(record_of("clock.advanced")),
        "wrong-topic",
    )
    for topic in (CLOCK.name, LINKS.name):
        yield Hostile(f"garbage on {topic}", topic, KEY, b"garbage", "not-json")
        yield Hostile(f"null on {topic}", topic, None, None, "not-json")
    yield Hostile("an event on the clock", CLOCK.name, KEY, orjson.dumps(event("c2")), "wrong-topic")
    link: dict[str, Any] = {
        "v": 1, "kind": "referral.claim", "operator": "orgtechservice", "account": "A-1", "sender_operator": "mts",
        "sender": "B", "cause": ["mts", "B", "/s", "e", 1_756_710_000_000_000], "data": {},
    }  # fmt: skip
    for what, change in (
        ("of no version", {"v": 2}),
        ("of no kind", {"kind": "referral.invented"}),
        ("with nothing in it", {"data": None}),
        ("that lacks its terms", {}),
        ("with a cause of no time", {"cause": ["mts", "B", "/s", "e", "now"]}),
        ("with half a cause", {"cause": ["mts"]}),
        ("for an account that is a number", {"account": 7}),
        ("for a foreign operator", {"operator": "stranger"}),
        ("for a list of operators", {"operator": []}),
        ("with a time out of range", {"cause": ["mts", "B", "/s", "e", 2**60]}),
        ("with lots that are text", {"kind": "transfer.offer", "data": {"lots": "all", "points": "many"}}),
    ):
        yield Hostile(f"a link {what}", LINKS.name, KEY, orjson.dumps({**link, **change}), "a link")


def marked(found: Hostile) -> str:
    """The record's name in an assertion."""
    return f"{found.what}: {(found.value or b'')[:80]!r}"
