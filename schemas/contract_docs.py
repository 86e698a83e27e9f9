"""Writes `docs/events.md` and `docs/events.schema.json` from the contract's models.

    python -m schemas.contract_docs

run in the project's directory. The files are kept with the sources; a test holds that they are current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from schemas import dead_letter
from schemas.contract import (
    CLOCK_ADVANCED,
    DATA_OF_TYPE,
    ClockEnvelope,
    Contract,
    Envelope,
    TariffTerms,
    envelope_of_type,
    identifies,
)
from schemas.contract_examples import record_of
from schemas.contract_forms import Spelled
from schemas.topics import CLOCK, INBOUND
from schemas.wire import RECORD_BYTES_MAX
from schemas.wire_fields import declared

EVENTS_PAGE: Final = Path("docs/events.md")
EVENTS_SCHEMA: Final = Path("docs/events.schema.json")

MEANING_OF_REASON: Final[dict[str, str]] = {
    dead_letter.NOT_JSON: "The value is empty, is not JSON in UTF-8, or is nested too deeply.",
    dead_letter.DUPLICATE_KEY: "A JSON object in the value names a key twice.",
    dead_letter.NOT_CLOUDEVENT: 'The value is not a JSON object, or its `specversion` is not "1.0".',
    dead_letter.UNKNOWN_OPERATOR: "No programme is loaded for `operator`.",
    dead_letter.UNKNOWN_TYPE: "`type` is none of those on this page.",
    dead_letter.WRONG_TOPIC: "The type belongs to another topic.",
    dead_letter.WRONG_KEY: "The record's key is not `operator/subject`.",
    dead_letter.MISSING_FIELD: "A required field is absent or null.",
    dead_letter.MALFORMED_FIELD: "A field does not have its form.",
    dead_letter.NAIVE_TIME: "`time` has no offset.",
    dead_letter.TIME_OUT_OF_RANGE: "A time or date lies outside the years 1970 to 2199.",
    dead_letter.TOO_LARGE: f"The value has more than {RECORD_BYTES_MAX:,} bytes, or its compressed record batch "
    "expands to more than 16 MiB; then one letter stands for the whole batch.",
    dead_letter.TOO_OLD: "The event is more than 45 days older than what its account has already seen.",
    dead_letter.IDENTITY_CONFLICT: "The same identity came before with other content.",
    dead_letter.ACCOUNT_FORGOTTEN: "The account was forgotten; such a letter keeps neither key nor value.",
}

INTRODUCTION: Final = """\
# Events coming in

Written by `python -m schemas.contract_docs` from the models in `schemas/contract.py`; change those, not this
page. [`events.schema.json`](events.schema.json) says the same as JSON Schema, as far as JSON Schema can.

Every record is one CloudEvent 1.0 in structured JSON mode, UTF-8. The record's key is `operator/subject`, its
timestamp is the event's `time` in milliseconds. Nothing is converted for you: a number in quotes is not a
number, 1.0 is not an integer, 1 is not `true`. Fields that are not listed are ignored, though they belong to
the content that makes a retry a duplicate or a conflict. An optional field that is `null` counts as absent.
Money is a decimal string, so that no reader on the way can round it.

The journal keeps the attributes below and the listed fields of `data`, but not those marked *not journalled*,
which tell who a member is (`x-identifying` in the schema), and no field that is not listed.

What cannot be read goes to `loyalty.dead-letters` with one of the [reasons](#reasons) and a sentence that
names the field and what would be right, such as

> data.amount: the JSON number 650; money is a decimal string such as "650.00": up to 15 digits, then at most
> 9 after a point, no sign, no exponent
"""


def page() -> str:
    """The text of `docs/events.md`."""
    parts = [INTRODUCTION, "## The envelope\n", _table(Envelope)]
    for topic in (*INBOUND, CLOCK):
        parts.append(f"## Topic `{topic.name}`\n")
        parts.extend(_of_type(type_) for type_ in topic.types)
    parts += [f"## Tariff object\n\n{_told(TariffTerms)}\n", _table(TariffTerms), "## Reasons\n"]
    rows = [f"| `{reason}` | {meaning} |" for reason, meaning in MEANING_OF_REASON.items()]
    parts.append("\n".join(["| reason | meaning |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def json_schema() -> dict[str, Any]:
    """The content of `docs/events.schema.json`."""
    models: set[type[Contract]] = {*DATA_OF_TYPE.values(), Envelope, ClockEnvelope, TariffTerms}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, generated = models_json_schema([(model, "validation") for model in ordered])
    definitions = generated["$defs"]
    for model in ordered:
        _tidy(definitions[model.__name__], model)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Events coming in",
        "description": "One CloudEvent of any inbound type. Written by schemas.contract_docs.",
        "oneOf": [_schema_of_type(type_) for type_ in DATA_OF_TYPE],
        "$defs": definitions,
    }


def write(directory: Path) -> list[Path]:
    """Writes both files below a directory and returns their paths."""
    texts = {EVENTS_PAGE: page(), EVENTS_SCHEMA: schema_text()}
    for path, text in texts.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")
    return list(texts)


def schema_text() -> str:
    """The text of `docs/events.schema.json`."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _of_type(type_: str) -> str:
    model = DATA_OF_TYPE[type_]
    record = record_of(type_)
    if type_ == CLOCK_ADVANCED:
        record = {name: record[name] for name in ClockEnvelope.model_fields} | {"source": "/loyalty/clock"}
    example = json.dumps(record, ensure_ascii=False)
    return f"### `{type_}`\n\n{_told(model)}\n\n{_table(model)}\n```json\n{example}\n```\n"


def _told(model: type[Contract]) -> str:
    sections = model.SOURCE.replace(", ", " and ") if model.SOURCE.count(",") == 1 else model.SOURCE
    return f"{' '.join((model.__doc__ or '').split())} *(SPEC {sections})*"


def _table(model: type[Contract]) -> str:
    if not model.model_fields:
        return "No data.\n"
    rows = [
        f"| {f'**`{name}`**' if field.is_required() else f'`{name}`'} | {_form(field)} "
        f"| {_default(field)} | {_meaning(field)} |"
        for name, field in model.model_fields.items()
    ]
    return "\n".join(["| field | form | if absent | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _form(field: FieldInfo) -> str:
    annotation, metadata = declared(field)
    for marker in metadata:
        if isinstance(marker, Spelled):
            # "money is a decimal string": in the table the field has been named already.
            return marker.right.rpartition(" is ")[2]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if annotation is TariffTerms:
        return "[tariff object](#tariff-object)"
    if annotation is bool:
        return "true or false"
    (least,) = (marker.ge for marker in metadata if isinstance(marker, Ge))
    (most,) = (marker.le for marker in metadata if isinstance(marker, Le))
    return f"whole JSON number from {least} to {most}"


def _meaning(field: FieldInfo) -> str:
    return f"{field.description}{' *Not journalled.*' if identifies(field) else ''}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "refused"
    return "stays absent" if field.default is None else f"`{json.dumps(field.default)}`"


def _schema_of_type(type_: str) -> dict[str, Any]:
    model = DATA_OF_TYPE[type_]
    data: dict[str, Any] = {"$ref": f"#/$defs/{model.__name__}"}
    required = any(field.is_required() for field in model.model_fields.values())
    return {
        "title": type_,
        "allOf": [{"$ref": f"#/$defs/{envelope_of_type(type_).__name__}"}],
        "properties": {
            "type": {"const": type_},
            "data": data if required else {"anyOf": [data, {"type": "null"}]},
        },
        "required": ["type", "data"] if required else ["type"],
    }


def _tidy(definition: dict[str, Any], model: type[Contract]) -> None:
    """Says what pydantic's schema leaves out: null for every optional field, and fields required together."""
    required = definition.get("required", [])
    for name, field in definition.get("properties", {}).items():
        field.pop("title", None)
        if name not in required and {"type": "null"} not in field.get("anyOf", []):
            kept = {key: field.pop(key) for key in ("default", "description") if key in field}
            definition["properties"][name] = {"anyOf": [field, {"type": "null"}], **kept}
        elif field.get("default", ...) is None:
            del field["default"]
    definition["description"] = " ".join((model.__doc__ or "").split())
    if model.REQUIRED_WHEN:
        definition["allOf"] = [
            {
                "if": {"properties": {rule.field: {"const": rule.value}}, "required": [rule.field]},
                "then": {
                    "properties": {rule.required: {"not": {"type": "null"}}},
                    "required": [rule.required],
                },
            }
            for rule in model.REQUIRED_WHEN
        ]


if __name__ == "__main__":
    for written in write(Path.cwd()):
        sys.stdout.write(f"wrote {written}\n")
