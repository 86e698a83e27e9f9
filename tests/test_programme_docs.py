"""What is written from definitions and their models: never stale, and nothing left out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from engine.referral import TRANSITIONS
from loyalty.cli import run
from loyalty.deployment import load, programmes_directory
from loyalty.rules.pages import page
from schemas import programme_docs
from schemas.programme import Programme
from schemas.programme_examples import EXAMPLES, HEAD

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = ROOT / "docs"
SCHEMA: Final = programme_docs.schema()
DEFINITIONS: Final = sorted(programmes_directory().glob("*.yaml"))


def test_the_reference_and_the_schema_are_what_the_models_say() -> None:
    """`python -m schemas.programme_docs` writes them."""
    assert (DOCS / programme_docs.REFERENCE).read_text("utf-8") == programme_docs.reference()
    assert (DOCS / programme_docs.SCHEMA).read_text("utf-8") == programme_docs.schema_text()


def test_the_rules_pages_are_what_the_definitions_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`loyalty rules --write docs` writes them."""
    assert run(["rules", "--write", str(tmp_path)]) == 0
    written = {path.relative_to(tmp_path): path.read_text("utf-8") for path in tmp_path.rglob("*.md")}
    there = [DOCS / "rules.md", DOCS / "referral.md", *(DOCS / "rules").glob("*.md")]
    assert {path.relative_to(DOCS): path.read_text("utf-8") for path in there} == written
    assert len(written) == len(DEFINITIONS) + 2


@pytest.mark.parametrize("name", ["Programme", *SCHEMA["$defs"]])
def test_every_section_has_an_example_that_is_valid_and_shows_it(name: str) -> None:
    example = EXAMPLES[name]
    text = example if name == "Programme" else HEAD + example
    assert name in set(models_in(Programme.model_validate(yaml.safe_load(text))))
    assert matches(yaml.safe_load(text), SCHEMA), "an editor would find fault with it"


def models_in(value: Any) -> Iterator[str]:
    """Names of all models in a definition that stand there, and not by default."""
    if isinstance(value, BaseModel):
        yield type(value).__name__
        for name in value.model_fields_set:
            yield from models_in(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from models_in(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from models_in(inner)


def test_every_field_says_what_it_means() -> None:
    silent = [
        f"{model['title']}.{name}"
        for model in [SCHEMA, *SCHEMA["$defs"].values()]
        for name, field in model["properties"].items()
        if len(field.get("description", "")) < 8 and "$ref" not in field
    ]
    assert not silent


@pytest.mark.parametrize("file", DEFINITIONS, ids=lambda file: file.stem)
def test_every_definition_names_the_schema_for_editors_and_fits_it(file: Path) -> None:
    first, _, rest = file.read_text("utf-8").partition("\n")
    target = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", first)
    assert target is not None
    assert (file.parent / target[1]).resolve() == (DOCS / programme_docs.SCHEMA).resolve()
    definition = yaml.safe_load(rest)
    assert matches(definition, SCHEMA)
    assert not matches({**definition, "levls": {}}, SCHEMA)
    assert not matches({**definition, "currency": "roubles"}, SCHEMA)
    assert not matches({**definition, "membership": {"segment": "all"}}, SCHEMA)


def matches(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value fits a schema, as far as ours go: the part of JSON Schema that an editor applies."""
    if "$ref" in schema:
        return matches(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    value = value.isoformat() if isinstance(value, datetime.date) else value
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "anyOf" in schema and not any(matches(value, choice) for choice in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(matches(value, choice) for choice in schema["oneOf"]) != 1:
        return False
    kinds = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "object": dict,
        "array": list,
        "null": type(None),
    }
    if "type" in schema and (
        not isinstance(value, kinds[schema["type"]])
        or (schema["type"] == "integer" and isinstance(value, bool))
    ):
        return False
    match value:
        case dict():
            known = schema.get("properties", {})
            patterns = schema.get("patternProperties", {})
            return set(schema.get("required", ())) <= set(value) and all(
                matches(inner, known[name])
                if name in known
                else any(re.search(p, name) and matches(inner, s) for p, s in patterns.items())
                if patterns
                else schema.get("additionalProperties", True) is not False
                for name, inner in value.items()
            )
        case list():
            return len(value) >= schema.get("minItems", 0) and all(
                matches(inner, schema.get("items", {})) for inner in value
            )
        case str():
            return re.search(schema.get("pattern", ""), value) is not None
        case int():
            return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def test_the_diagram_of_referrals_has_every_transition() -> None:
    text = (DOCS / "referral.md").read_text("utf-8")
    for transition in TRANSITIONS:
        assert f"    {transition.state} --> {transition.to}: " in text
        assert f"| {transition.side} | `{transition.state}` | {transition.trigger} |" in text


# What keeps a row small is no rule that a member would read about.
UNTOLD: Final = {"history_months", "remember_purchases_days", "effective_from"}


# Without the other field these have no effect: field -> does its section give it one?
EFFECTIVE: Final[dict[str, Callable[[Any], bool]]] = {
    "carry_remainder": lambda rate: rate["per"] is not None,
    "points": lambda section: section.get("percent_maximum") is None,
    "after_promo_period": lambda friend: friend["percent"] is not None,
}


def changed(value: Any) -> Any:
    """Another value of the same kind; None where there is none to take."""
    match value:
        case bool():
            return not value
        case int() | Decimal():
            return value + 1
        case datetime.date():
            return value + datetime.timedelta(days=1)
    return None


def variants(fields: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """All definitions that differ in one number, day or truth value, each with the place where it differs."""
    pairs = (
        fields.items() if isinstance(fields, dict) else enumerate(fields) if isinstance(fields, tuple) else ()
    )
    for key, value in pairs:
        other = changed(value)
        found = [((*path, key), other)] if other is not None else list(variants(value, (*path, key)))
        for place, inner in found:
            if isinstance(fields, dict):
                yield place, {**fields, key: inner}
            else:
                assert isinstance(key, int)
                yield place, (*fields[:key], inner, *fields[key + 1 :])


@pytest.mark.parametrize("programme", load(None), ids=lambda programme: programme.operator)
def test_no_number_day_or_choice_of_a_definition_is_missing_from_its_page(programme: Programme) -> None:
    told = page([programme])
    silent, tried = [], 0
    whole = programme.model_dump()
    for place, fields in variants(whole):
        section: Any = whole
        for part in place[:-1]:
            section = section[part]
        if place[-1] in UNTOLD or not EFFECTIVE.get(str(place[-1]), bool)(section):
            continue
        try:
            other = Programme.model_validate(fields)
        except ValidationError:
            continue  # one value alone cannot change here
        tried += 1
        if page([other]) == told:
            silent.append(".".join(map(str, place)))
    assert not silent
    assert tried > 2


def test_the_command_prints_one_page_or_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "spasibo"]) == 0
    assert capsys.readouterr().out == (DOCS / "rules" / "spasibo.md").read_text("utf-8")
    assert run(["rules"]) == 0
    assert capsys.readouterr().out.count("\n# ") == len(DEFINITIONS) - 1


def test_an_operator_that_is_not_there_is_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "nobody"]) == 2
    assert capsys.readouterr().err.startswith(
        "loyalty: OPERATOR: no programme of 'nobody'; there are: mega-line"
    )
