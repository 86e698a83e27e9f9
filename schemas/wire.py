"""Reads one record's value into an `Event`, or says why it cannot be one (SPEC section 1).

This is the hot path: every record of every inbound topic goes through `read_event` once. The rules are those
of the models in `schemas.contract`, compiled once at import.
"""

from __future__ import annotations

from collections.abc import Collection
from json import loads as loads_with_pairs
from struct import Struct
from sys import intern
from typing import Any, Final

import orjson

from schemas.contract import CLOCK_ADVANCED, DATA_OF_TYPE, Envelope
from schemas.dead_letter import (
    DUPLICATE_KEY,
    NOT_CLOUDEVENT,
    NOT_JSON,
    TOO_LARGE,
    UNKNOWN_OPERATOR,
    UNKNOWN_TYPE,
    WRONG_KEY,
    WRONG_TOPIC,
    Unreadable,
)
from schemas.event import Event
from schemas.instant import parse_instant
from schemas.journal_projection import Projection
from schemas.json_keys import as_parsed
from schemas.payment_key import id_hash_of
from schemas.remembered import remember
from schemas.short_hash import ShortHash
from schemas.topics import TOPIC_OF_TYPE
from schemas.unread import Unread
from schemas.wire_fields import Reader, compile_check, refusal, spelled, told

__all__ = [
    "RECORD_BYTES_MAX",
    "content_hash",
    "identity_hash",
    "parse_instant",
    "read_ahead",
    "read_event",
    "read_kept",
    "same_content",
]

RECORD_BYTES_MAX: Final = 1_000_000
HASH_BYTES: Final = 8
SOURCES_SEEN_MAX: Final = 1000

_loads: Final = orjson.loads
_dumps: Final = orjson.dumps
_SORTED: Final = orjson.OPT_SORT_KEYS


class _Kind:
    """What reading needs to know about one type."""

    __slots__ = ("is_clock", "is_refundable", "projection", "reader", "topic", "type")

    def __init__(self, type_: str) -> None:
        # Interned as the literals that it is compared with are: comparing then takes one glance.
        self.type: Final = intern(type_)
        self.topic: Final = TOPIC_OF_TYPE[type_]
        self.reader: Final = Reader(DATA_OF_TYPE[type_], "data")
        self.is_clock: Final = type_ == CLOCK_ADVANCED
        self.is_refundable: Final = type_ == "payment.received"
        self.projection: Final = Projection(DATA_OF_TYPE[type_])

    def id_hash(self, identifier: str) -> int:
        """See `Event.id_hash`."""
        return id_hash_of(identifier) if self.is_refundable else 0


class _Source:
    """A source of events: its name, checked, and the identities of its events."""

    __slots__ = ("_identities", "name")

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self._identities: Final = ShortHash(HASH_BYTES, f"{name}\0".encode())

    def identity(self, identifier: str) -> bytes:
        """See `identity_hash`."""
        return self._identities.of(identifier.encode())


_KINDS: Final = {type_: _Kind(type_) for type_ in DATA_OF_TYPE}
_id: Final = compile_check(Envelope.model_fields["id"], "id")
_source: Final = compile_check(Envelope.model_fields["source"], "source")
_type: Final = compile_check(Envelope.model_fields["type"], "type")
_subject: Final = compile_check(Envelope.model_fields["subject"], "subject")
_operator: Final = compile_check(Envelope.model_fields["operator"], "operator")
# As the parser spells them: see `schemas.json_keys`.
_SPECVERSION: Final = as_parsed("specversion")
_TYPE: Final = as_parsed("type")
_ID: Final = as_parsed("id")
_SOURCE: Final = as_parsed("source")
_SUBJECT: Final = as_parsed("subject")
_OPERATOR: Final = as_parsed("operator")
_TIME: Final = as_parsed("time")
_DATA: Final = as_parsed("data")
_TIME_RIGHT: Final = spelled(Envelope.model_fields["time"]).right
_sources: Final[dict[str, _Source]] = {}
"""Those seen lately: there are few, so each is checked once."""

_contents: Final = ShortHash(HASH_BYTES)

_AHEAD: Final = Struct("<8s8sqQ?")
"""What reads ahead says of an event: identity, content, time, id hash, and whether the journal keeps the record whole."""
_pack_ahead: Final = _AHEAD.pack
_unpack_ahead: Final = _AHEAD.unpack


def read_event(
    value: bytes | None,
    *,
    key: bytes | None,
    topic: str | None,
    operators: Collection[str],
    ahead: bytes = b"",
    early: int | None = None,
    mark: bytes = b"",
) -> Event:
    """The event in a record's value.

    `key` and `topic` are those of the record and must fit the event; None means not checked. `operators` are the
    names of the operators that have a programme, `ahead` what `read_ahead` says of value and key, `early` what
    `schemas.early_time` says of the value. A `mark` stands for the content hash, which is not computed then: for those who
    have the value at hand should it matter, and keep no journal. An event of the
    clock concerns no account: its operator and account are empty, and its key is not checked. Raises `Unreadable`, and
    nothing else, for whatever bytes it is given.
    """
    if not value or len(value) > RECORD_BYTES_MAX:
        raise _wrong_size(value)
    try:
        record = _loads(value)
    except orjson.JSONDecodeError as error:
        if type(value) is Unread:
            raise Unreadable(TOO_LARGE, value.decode()) from None
        raise Unreadable(NOT_JSON, f"value: {error}") from None
    if type(record) is not dict:
        raise Unreadable(NOT_CLOUDEVENT, f"value: {told(record)}; a CloudEvent is a JSON object")
    try:
        version, type_, identifier, named = (
            record[_SPECVERSION], record[_TYPE], record[_ID], record[_SOURCE]
        )  # fmt: skip
        account, operator, time, data = (
            record[_SUBJECT], record[_OPERATOR], record[_TIME], record[_DATA]
        )  # fmt: skip
    except KeyError:
        version, type_, identifier, named = map(record.get, (_SPECVERSION, _TYPE, _ID, _SOURCE))
        account, operator, time, data = map(record.get, (_SUBJECT, _OPERATOR, _TIME, _DATA))
    if version != "1.0":
        raise Unreadable(NOT_CLOUDEVENT, f'specversion: {told(version)}; must be the string "1.0"')
    kind = _KINDS.get(type_) if type(type_) is str else None
    if kind is None:
        listed = "the types are listed in docs/events.md"
        raise Unreadable(UNKNOWN_TYPE, f"type: {told(_type.of(type_))}; {listed}")
    if not ahead:
        identifier = _id.of(identifier)
        named = _source_of(named).name
    if kind.is_clock:
        account = operator = ""
    else:
        if not ahead:
            account = _subject.of(account)
        if type(operator) is not str or operator not in operators:
            raise _unknown_operator(_operator.of(operator), operators)
        if not ahead and key is not None and key != _key_of(operator, account):
            raise Unreadable(WRONG_KEY, f"key: {_told_key(key)}; the record's key is operator/subject")
    if topic is not None and topic != kind.topic:
        raise Unreadable(WRONG_TOPIC, f"topic: {topic}; {type_} is written to {kind.topic}")
    if ahead:
        identity, content, instant, id_hash, is_whole = _unpack_ahead(ahead)
    elif early is not None and type(time) is str:
        instant = early
    else:
        instant = _instant_of(time)
    if data is None:
        data = {}
    elif type(data) is not dict:
        raise refusal("data", data, "a JSON object")
    known = kind.reader.read(data)
    if mark:
        _check_keys(record, value)
        identity, content, id_hash = identity_hash(named, identifier), mark, kind.id_hash(identifier)
        is_whole = True
    elif not ahead:
        identity, content = identity_hash(named, identifier), _content(record, value)
        id_hash, is_whole = kind.id_hash(identifier), kind.projection.is_whole(record, value)
    return Event(
        operator,
        account,
        kind.type,
        named,
        identifier,
        instant,
        time,
        known,
        identity,
        content,
        id_hash,
        value,
        value if is_whole else kind.projection.part(record),
    )


def read_kept(kept: dict[str, Any], content: bytes) -> Event:
    """The event in a journal entry, as it was when it was applied; its identifying fields are not there.

    `kept` is the entry's `event`, decoded, and `content` its content hash, which only the whole record gives.
    Raises `Unreadable` or `KeyError` for what `read_event` never let through.
    """
    type_, source, identifier, data = kept["type"], kept["source"], kept["id"], kept.get("data")
    kind = _KINDS[type_]
    return Event(
        kept["operator"],
        kept["subject"],
        type_,
        source,
        identifier,
        parse_instant(kept["time"]),
        kept["time"],
        kind.projection.reader.read(data or {}),
        identity_hash(source, identifier),
        content,
        kind.id_hash(identifier),
        b"",
        b"",
    )


def read_ahead(value: bytes | None, key: bytes | None) -> bytes:
    """What reading an event takes of its record alone, for whoever reads it later: empty if that would refuse it."""
    if not value or len(value) > RECORD_BYTES_MAX:
        return b""
    try:
        record = _loads(value)
        if type(record) is not dict:
            return b""
        type_, operator, data = record.get(_TYPE), record.get(_OPERATOR), record.get(_DATA)
        kind = _KINDS.get(type_) if type(type_) is str else None
        if kind is None or not (data is None or type(data) is dict):
            return b""
        if not kind.is_clock and (
            type(operator) is not str or key != _key_of(operator, _subject.of(record.get(_SUBJECT)))
        ):
            return b""
        identifier = _id.of(record.get(_ID))
        ahead: bytes = _pack_ahead(
            _source_of(record.get(_SOURCE)).identity(identifier),
            _content(record, value),
            _instant_of(record.get(_TIME)),
            kind.id_hash(identifier),
            kind.projection.is_whole(record, value),
        )
        return ahead
    except (orjson.JSONDecodeError, Unreadable):
        return b""


def identity_hash(source: str, identifier: str) -> bytes:
    """64-bit hash of an event's identity within its account. Neither part holds control characters, so the
    zero between them cannot be part of one."""
    known = _sources.get(source)
    return (_Source(source) if known is None else known).identity(identifier)


def content_hash(record: dict[str, Any]) -> bytes:
    """64-bit hash of a decoded record in canonical JSON, so that a retry which only writes the JSON
    differently has the same content. Raises `Unreadable` for a record nested too deeply."""
    return _contents.of(_written(record, _SORTED))


def same_content(value: bytes, other: bytes) -> bool:
    """Whether the values of two readable records have the same content."""
    return value == other or content_hash(_loads(value)) == content_hash(_loads(other))


def _written(record: dict[str, Any], option: int) -> bytes:
    try:
        return _dumps(record, option=option)
    except TypeError:
        raise Unreadable(NOT_JSON, "value: nested deeper than 250 levels") from None


def _content(record: dict[str, Any], value: bytes) -> bytes:
    """The content hash of a record that names no key twice."""
    _check_keys(record, value)
    return content_hash(record)


def _check_keys(record: dict[str, Any], value: bytes) -> None:
    """Raises `Unreadable` if an object of the value names a key twice: parsers keep one or the other.

    A record that is written again exactly as it came has lost nothing in between; most come so, and counting takes
    longer. Of the others, a key that was dropped leaves the value with more colons; an escape may spell one, too.
    """
    written = _written(record, 0)
    if value != written and (value.count(b":") != written.count(b":") or b"\\u003" in value):
        _refuse_key_twice(value)


def _refuse_key_twice(value: bytes) -> None:
    """Raises `Unreadable` if an object of the value names a key twice."""

    def unique(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Unreadable(DUPLICATE_KEY, f"value: the key {told(name)} stands twice in one object")
            seen.add(name)

    # Numbers stay text: the standard library refuses those of thousands of digits.
    loads_with_pairs(value.decode(), object_pairs_hook=unique, parse_int=str, parse_float=str)


def _instant_of(time: Any) -> int:
    if type(time) is not str:
        raise refusal("time", time, _TIME_RIGHT)
    try:
        return parse_instant(time)
    except Unreadable as unreadable:
        raise Unreadable(unreadable.reason, f"time: {unreadable.detail}") from None


def _key_of(operator: str, account: str) -> bytes:
    return f"{operator}/{account}".encode()


def _wrong_size(value: bytes | None) -> Unreadable:
    if not value:
        return Unreadable(NOT_JSON, "value: empty; a record is a CloudEvent in structured JSON mode")
    return Unreadable(TOO_LARGE, f"value: {len(value)} bytes; at most {RECORD_BYTES_MAX} are read")


def _source_of(value: Any) -> _Source:
    """A source, checked unless it was seen lately."""
    known = _sources.get(value) if type(value) is str else None
    if known is not None:
        return known
    source = _Source(_source.of(value))
    return remember(_sources, source.name, source, SOURCES_SEEN_MAX)


def _unknown_operator(operator: str, operators: Collection[str]) -> Unreadable:
    known = ", ".join(sorted(operators))
    return Unreadable(UNKNOWN_OPERATOR, f"operator: {told(operator)}; those with a programme are: {known}")


def _told_key(key: bytes) -> str:
    """A record's key in a few words, whatever its bytes are."""
    return told(key.decode("utf-8", "backslashreplace"))
