"""An outcome put together from pieces is the JSON that an encoder makes of the whole, and its id stays what it was."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from engine.calendar import Zone
from schemas.json_text import quoted
from schemas.outcome import Cause, Decision, Outcome

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.one_of(st.none(), st.integers(-(2**53), 2**53), TEXTS, st.lists(TEXTS, max_size=2))
TIME = "2025-06-04T00:00:00+03:00"
CAUSES = st.one_of(
    st.builds(Cause, TEXTS, TEXTS, TEXTS.filter(bool), TEXTS, st.just(0)),
    st.builds(Cause, TEXTS, TEXTS, st.just(""), st.just(f"due/{TIME}"), st.just(0)),
)


@given(TEXTS)
def test_a_text_is_quoted_as_the_encoder_of_everything_else_quotes_it(text: str) -> None:
    assert quoted(text).encode() == orjson.dumps(text)


@given(TEXTS, CAUSES, TEXTS, TEXTS, st.dictionaries(TEXTS, VALUES, max_size=4))
def test_an_outcome_is_the_json_of_the_whole(
    subject: str, cause: Cause, rule: str, reason: str, more: dict[str, Any]
) -> None:
    more.pop("rule", None)
    more.pop("reason", None)
    decision = Decision("mts", subject, quoted(subject), TIME, cause, "0123456789abcdef")
    outcome = Outcome(decision, "points.credited", "f00d", rule, reason, more)
    assert outcome.encoded() == orjson.dumps(
        {
            "specversion": "1.0",
            "id": "f00d",
            "source": "/loyalty/mts",
            "type": "points.credited",
            "subject": subject,
            "operator": "mts",
            "time": TIME,
            "causationid": cause.id,
            "revision": "0123456789abcdef",
            "datacontenttype": "application/json",
            "data": {"rule": rule, "reason": reason, **more},
        }
    )


@given(TEXTS, CAUSES, TEXTS, TEXTS)
def test_an_id_is_the_hash_of_whom_why_and_what(subject: str, cause: Cause, rule: str, position: str) -> None:
    decision = Decision("mts", subject, quoted(subject), TIME, cause, "0123456789abcdef")
    parts = ("mts", subject, cause.operator, cause.subject, cause.source, cause.id, rule, "a.b", position)
    wanted = hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
    assert decision.outcome_id(rule, "a.b", position) == wanted
    assert decision.outcome_id(rule, "a.b", position) == wanted, "asking leaves nothing behind"


def test_instants_are_shown_in_any_order_even_where_the_offset_changes() -> None:
    """The day that was shown last is kept, unless its offset changes."""
    second = 1_000_000
    changes = 1_743_294_600  # Berlin, half past one on the night the clocks go forward
    shown = [
        (changes, "2025-03-30T01:30:00+01:00"),
        (changes + 3_600, "2025-03-30T03:30:00+02:00"),
        (changes - 5_400, "2025-03-30T00:00:00+01:00"),
        (changes - 5_401, "2025-03-29T23:59:59+01:00"),
        (changes + 73_800, "2025-03-30T23:00:00+02:00"),
        (changes + 77_400, "2025-03-31T00:00:00+02:00"),
    ]
    zone = Zone("Europe/Berlin")
    for time, text in [*shown, *reversed(shown), *shown[::2], *shown[1::2]]:
        assert zone.text(time * second) == text
    for time, text in [*shown, *reversed(shown)]:
        assert zone.text(time * second + 7) == f"{text[:19]}.000007{text[19:]}"
        assert zone.midnight(zone.day(time * second)) <= time * second
