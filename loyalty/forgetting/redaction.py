"""What becomes of each record of every topic when an account is forgotten. Pure: nothing here talks to Kafka.

The account's own records go. In those of others its name becomes the alias, wherever it stands; what they say
otherwise stays as it is, ids included.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import orjson

from loyalty.forgetting.person import PROTECTED, Person
from schemas.told_cause import FORGOTTEN_SOURCE
from schemas.topics import DEAD_LETTERS, LINKS, Role, Topic

Json = dict[str, Any]
_CODED: Final = b'"value_base64"'
"""In a dead letter of a value that is no text."""


class Redaction:
    """The redaction of one task's topics.

    The journal comes first (`entry`): it tells which outcomes of others were caused by the account's events, and
    their `causationid` must not lead back to them.
    """

    def __init__(self, person: Person) -> None:
        self.person: Final = person
        self.causes: Final[dict[str, str]] = {}
        """Id of an outcome of another account → what stands for the id of the event behind it."""
        self.left = 0
        """Records that still name the account, in an id that another account's event was given."""

    def record(self, topic: Topic, key: bytes | None, value: bytes | None) -> bytes | None:
        """The record's value as it is to be kept; None: the record goes."""
        if self.person.is_key(key) or value is None:
            return None
        outcome = topic.role is Role.OUTCOME
        is_plain = not (outcome and self.causes) and _CODED not in value
        if is_plain and not self.person.may_be_in(value):
            return value
        try:
            fields = orjson.loads(value)
        except orjson.JSONDecodeError:
            return self.person.raw(value)
        if not isinstance(fields, dict):
            return self._encoded(self._walk(fields), fields, value)
        if topic.name == LINKS.name:
            kept: Json | None = self._link(fields)
        elif topic.name == DEAD_LETTERS.name:
            kept = self._letter(fields)
        elif outcome:
            kept = self._outcome(fields)
        else:
            kept = self._event(fields)
        return None if kept is None else self._encoded(kept, fields, value)

    def entry(self, value: bytes) -> bytes:
        """A journal entry of another account, as it is to be kept."""
        entry: Json = orjson.loads(value)
        link = entry.get("link")
        if not self.person.may_be_in(value) and not (link and link["cause"][1] == self.person.alias):
            return value
        kept = dict(entry)
        if "event" in entry:
            kept["event"] = self._event(entry["event"]) or entry["event"]
        if link:
            kept["link"] = self._link(link)
            operator, subject, source, id, _ = kept["link"]["cause"]
            if source == FORGOTTEN_SOURCE and (operator, subject) == (
                self.person.operator,
                self.person.alias,
            ):
                self.causes.update({outcome["id"]: id for outcome in entry["outcomes"]})
        kept["outcomes"] = [self._outcome(outcome) for outcome in entry["outcomes"]]
        return self._encoded(kept, entry, value)

    def header(self, value: bytes | None) -> bytes | None:
        """The value of a record's header."""
        return value if value is None else self.person.raw(value)

    def _encoded(self, kept: Any, before: Any, value: bytes) -> bytes:
        result = value if kept == before else orjson.dumps(kept)
        if self.person.is_named(result) and not self._of_strangers(kept):
            self.left += 1
        return result

    def _of_strangers(self, fields: Any) -> bool:
        """Whether a record is of an operator whose accounts of the same name are other people."""
        if not isinstance(fields, dict):
            return False
        if "sender_operator" in fields or "link" in fields:  # every name in a link has its operator beside it
            return True
        operator, key = fields.get("operator"), fields.get("key")
        if operator is None and isinstance(key, str) and "/" in key:  # a dead letter
            operator = key.partition("/")[0]
        return isinstance(operator, str) and operator != self.person.operator

    def _event(self, fields: Json) -> Json | None:
        operator = fields.get("operator")
        if operator == self.person.operator and fields.get("subject") == self.person.account:
            return None  # under a wrong key, or none
        return self._of_operator(fields, operator)

    def _outcome(self, fields: Json) -> Json:
        kept = self._of_operator(fields, fields.get("operator"))
        cause = self.causes.get(kept.get("id", ""))
        return kept if cause is None else {**kept, "causationid": cause}

    def _of_operator(self, fields: Json, operator: Any) -> Json:
        data = fields.get("data")
        if operator == self.person.operator or not isinstance(operator, str):
            walked: Json = self._walk(fields)
            return walked
        if (
            operator in self.person.senders
            and isinstance(data, dict)
            and data.get("to") == self.person.account
        ):
            return {**fields, "data": {**data, "to": self.person.alias}}
        return fields

    def _link(self, fields: Json) -> Json:
        person, kept = self.person, dict(fields)
        if (fields["sender_operator"], fields["sender"]) == (person.operator, person.account):
            kept["sender"] = person.alias
        operator, subject, _, id, time = fields["cause"]
        if (operator, subject) == (person.operator, person.account):
            kept["cause"] = [operator, person.alias, FORGOTTEN_SOURCE, person.cause_id(id), time]
        code = fields["data"].get("code")
        if isinstance(code, str) and person.operator in (fields["operator"], fields["sender_operator"]):
            kept["data"] = {**fields["data"], "code": person.text(code)}
        return kept

    def _letter(self, fields: Json) -> Json | None:
        """A dead letter: what is in it was refused, so it can be anything."""
        kept = dict(fields)
        text, coded = fields.get("value"), fields.get("value_base64")
        if isinstance(text, str):
            inner = self._inside(text)
            if inner is None:
                return None
            kept["value"] = inner
        elif isinstance(coded, str) and self.person.may_be_in(raw := base64.b64decode(coded)):
            kept["value_base64"] = base64.b64encode(self.person.raw(raw)).decode("ascii")
        for name in () if self._of_strangers(fields) else ("detail", "key"):
            if isinstance(fields.get(name), str):
                kept[name] = self.person.text(fields[name])
        return kept

    def _inside(self, text: str) -> str | None:
        try:
            record = orjson.loads(text)
        except orjson.JSONDecodeError:
            return self.person.text(text)
        kept = self._event(record) if isinstance(record, dict) else self._walk(record)
        if kept is None:
            return None
        return text if kept == record else orjson.dumps(kept).decode()

    def _walk(self, value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            return value if name in PROTECTED else self.person.text(value)
        if isinstance(value, list):
            return [self._walk(item, name) for item in value]
        if isinstance(value, dict):
            return {
                key if key in PROTECTED else self.person.text(key): self._walk(item, key)
                for key, item in value.items()
            }
        return value
