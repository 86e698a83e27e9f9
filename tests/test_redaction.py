"""What becomes of single records when somebody is forgotten, and what a worker makes of events that come later."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import orjson
import pytest

from agents.fold import TaskState
from agents.replay import Replay
from engine.forgotten import closed_books
from loyalty.forgetting.redaction import Redaction
from schemas.account_codec import encode
from schemas.dead_letter import ACCOUNT_FORGOTTEN
from schemas.journal_erasure import balance, forgotten_entry, head_entry, heads
from schemas.record import Record
from schemas.topics import ALL, DEAD_LETTERS, JOURNAL, LINKS, PAYMENTS, POINTS, REQUESTS
from tests.fold_world import FoldWorld, MemoryRows
from tests.test_forgetting import ENGINE, Erased, person_of

PERSON: Final = person_of("mts", "A-1")
ALIAS: Final = PERSON.alias
CODE: Final = ENGINE.codes.code("mts", "A-1")


def kept(topic: Any, fields: Any, key: bytes = b"mts/B-2") -> Any:
    """What is kept of a record, decoded; None if it goes."""
    value = fields if isinstance(fields, bytes) else orjson.dumps(fields)
    result = Redaction(PERSON).record(topic, key, value)
    return None if result is None else orjson.loads(result)


def request(**data: Any) -> dict[str, Any]:
    """A request of another account."""
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/x",
        "type": "points.gift-requested",
        "subject": "B-2",
    }
    return {**event, "operator": "mts", "time": "2021-01-01T00:00:00Z", "data": data}


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("A-1", ALIAS),
        ("from A-1, again", f"from {ALIAS}, again"),
        ("mts/A-1", f"mts/{ALIAS}"),
        ("A-17", "A-17"),
        ("10-A-1", "10-A-1"),
        ("A-1-x and BA-1", "A-1-x and BA-1"),
        (CODE, ENGINE.codes.code("mts", ALIAS)),
        (f" {CODE.upper().replace('MTS', 'mts')} ", ENGINE.codes.code("mts", ALIAS)),
        ("mts:A-1:INVENTED00", f"mts:{ALIAS}:INVENTED00"),
    ],
)
def test_a_name_is_replaced_where_it_stands_by_itself(text: str, after: str) -> None:
    assert kept(REQUESTS, request(note=text)) == request(note=after)
    assert kept(REQUESTS, request(deep=[{"note": text}])) == request(deep=[{"note": after}])


def test_a_name_that_is_a_number_changes_no_amount() -> None:
    person = person_of("mts", "650")
    value = orjson.dumps(request(amount="650", note="650.00 for 650", points=650, paid="650.00"))
    after = orjson.loads(Redaction(person).record(PAYMENTS, b"mts/B-2", value) or b"")
    assert after["data"] == {
        "amount": "650",
        "note": f"650.00 for {person.alias}",
        "points": 650,
        "paid": "650.00",
    }


def test_however_json_spells_a_name_it_is_found() -> None:
    spelt = json.dumps(request(to="A-1")).replace("A-1", "\\u0041\\u002d1").encode()
    assert kept(REQUESTS, spelt) == request(to=ALIAS)
    person = person_of("mts", "Анна")
    value = json.dumps(request(to="Анна"), ensure_ascii=True).encode()
    assert person.alias.encode() in (Redaction(person).record(REQUESTS, b"mts/B-2", value) or b"")


def test_records_of_the_account_go_whatever_their_key_is() -> None:
    own = {**request(), "subject": "A-1"}
    for topic in (PAYMENTS, REQUESTS, POINTS, LINKS, DEAD_LETTERS):
        assert kept(topic, b"anything", b"mts/A-1") is None
    assert kept(PAYMENTS, own, b"mts/B-2") is None
    assert kept(PAYMENTS, b"not json", b"A-1") is None
    assert kept(DEAD_LETTERS, {"key": None, "detail": "", "value": orjson.dumps(own).decode()}) is None


def test_untouched_records_stay_byte_for_byte() -> None:
    value = b'{ "operator" : "mts", "subject":"B-2",  "id":"e\\u0031", "data":{"x":1.0} }'
    redaction = Redaction(PERSON)
    for topic in ALL:
        if topic is not JOURNAL and topic is not LINKS:
            assert redaction.record(topic, b"mts/B-2", value) == value
    assert redaction.left == 0


def test_an_account_of_the_same_name_elsewhere_is_somebody_else() -> None:
    stranger = {**request(to="A-1"), "operator": "spasibo", "subject": "A-1"}
    assert kept(REQUESTS, stranger, b"spasibo/A-1") == stranger
    letter = {"key": "spasibo/A-1", "detail": "A-1", "value": orjson.dumps(stranger).decode()}
    assert kept(DEAD_LETTERS, letter, b"spasibo/A-1") == letter
    # But whoever of another operator sends points to this one's accounts means this one.
    top_up = {**request(to="A-1"), "operator": "mts-cashback", "subject": "A-1"}
    assert kept(REQUESTS, top_up, b"mts-cashback/A-1") == {**top_up, "data": {"to": ALIAS}}


def test_letters_are_looked_into() -> None:
    letter = {
        "key": "mts/B-2",
        "detail": "subject: 'A-1'",
        "value": "no json: A-1, A-17",
        "reason": "not-json",
    }
    assert kept(DEAD_LETTERS, letter) == {
        **letter, "detail": f"subject: '{ALIAS}'", "value": f"no json: {ALIAS}, A-17",
    }  # fmt: skip
    coded = {"key": "mts/B-2", "detail": "", "value_base64": base64.b64encode(b"\xff A-1").decode()}
    assert base64.b64decode(kept(DEAD_LETTERS, coded)["value_base64"]) == b"\xff " + ALIAS.encode()


def test_an_id_that_names_the_account_stays_and_is_counted() -> None:
    redaction = Redaction(PERSON)
    value = orjson.dumps({**request(), "id": "gift-for A-1"})
    assert redaction.record(REQUESTS, b"mts/B-2", value) == value
    assert redaction.left == 1


def test_the_alias_leads_nowhere() -> None:
    other = person_of("mts", "A-1", b"t" * 32)
    assert len({PERSON.alias, other.alias, PERSON.books_name}) == 3, "only the secret decides"
    assert PERSON.books_name == other.books_name
    assert person_of("mts", "A-2", b"s" * 32).alias == PERSON.alias


def test_a_later_event_is_refused_and_nothing_of_it_kept() -> None:
    store = MemoryRows({PERSON.books_key: encode(closed_books("mts", PERSON.books_name))})
    task = TaskState(store, ENGINE)
    event = {**request(amount="5.00", service="mobile", passport="4509"), "type": "payment.received"}
    records = [
        Record(
            PAYMENTS.name,
            0,
            at,
            0,
            f"mts/{name}".encode(),
            orjson.dumps({**event, "subject": name, "id": f"id-of-{name}"}),
        )
        for at, name in enumerate(("A-1", "B-2"))
    ]
    result = task.fold(records)
    (letter,) = [made for made in result.produce if made.topic == DEAD_LETTERS.name]
    assert letter.key is None
    fields = orjson.loads(letter.value or b"")
    assert (fields["reason"], fields["offset"], fields["value"]) == (ACCOUNT_FORGOTTEN, 0, None)
    assert not [text for text in (b"A-1", b"4509") if text in (letter.value or b"")]
    assert list(result.rows) == [b"mts/B-2"], "nobody comes back"


def test_a_friend_of_a_forgotten_advocate_is_told_as_if_it_had_closed() -> None:
    person = person_of("orgtechservice", "ADVOCATE")
    world = FoldWorld(ENGINE)

    def happens(account: str, type_: str, day: int, **data: Any) -> None:
        event = {**request(**data), "id": f"{account}-{day}-{type_}", "type": type_, "subject": account}
        event |= {"operator": "orgtechservice", "time": f"2025-09-{day:02}T10:00:00+03:00"}
        world.event(f"orgtechservice/{account}".encode(), orjson.dumps(event))

    tariff = {"code": "u", "family": "Plain", "monthly_price": "650.00"}
    for account in ("ADVOCATE", "FRIEND"):
        happens(account, "account.opened", 1, segment="individual")
    happens("ADVOCATE", "service.activated", 2, service="internet", tariff=tariff)
    happens("FRIEND", "referral.code-registered", 3, code=ENGINE.codes.code("orgtechservice", "ADVOCATE"))
    happens("ADVOCATE", "account.closed", 4)
    erased = Erased(world, person)
    world.stores[0].clear()
    world.stores[0].update(erased.rows)
    world.forget_tasks()
    del world.journal[:]
    happens("FRIEND", "service.activated", 5, service="internet", tariff=tariff)
    happens("FRIEND", "payment.received", 6, amount="650.00", service="internet")
    told = [
        outcome
        for outcome in world.outcomes()["orgtechservice/FRIEND"]
        if outcome["type"] == "referral.rejected"
    ]
    assert [(outcome["data"]["reason"], outcome["data"]["advocate"]) for outcome in told] == [
        ("not-participant", person.alias)
    ]
    replay = Replay(ENGINE)
    for offset, entry in enumerate([*erased.journal, *world.journal]):
        fields = orjson.loads(entry)
        replay.take(f"{fields['operator']}/{fields['account']}".encode(), entry, offset)
    assert replay.problems == []
    assert {key: replay.row(key) for key in replay.rows} == world.rows()


def test_replay_begins_anew_at_a_head_and_judges_closed_books() -> None:
    replay = Replay(ENGINE)
    replay.take(b"mts/A", b"nonsense", 0)
    replay.take(b"", head_entry(1), 1)
    assert (replay.problems, replay.entries) == ([], 0)
    replay.take(
        PERSON.books_key, forgotten_entry("mts", PERSON.books_name, "2025-01-01", {"points.credited": 5}), 2
    )
    assert "do not close: 5 points" in replay.problems[0].what
    assert balance({"points.credited": 7, "points.gifted": 4, "points.expired": 3}) == 0
    assert heads(head_entry(7), 7)
    assert not heads(head_entry(7), 8)
    assert not heads(b'{"kind":"due"}', 7)
