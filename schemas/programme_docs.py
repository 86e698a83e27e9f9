"""Writes docs/programme-reference.md and docs/programme.schema.json from the models of the definition.

`python -m schemas.programme_docs` writes both; a test fails when they are stale.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from schemas.programme import Programme
from schemas.programme_examples import EXAMPLES
from schemas.programme_forms import CURRENCY_PATTERN, NAME_PATTERN

DOCS: Final = Path(__file__).parent.parent / "docs"
REFERENCE: Final = "programme-reference.md"
SCHEMA: Final = "programme.schema.json"

_INTRO: Final = """\
# Programme reference

A programme definition is a YAML document; this is every field of it. A file holds one operator's programme;
several documents in it, separated by `---`, are its revisions, each deciding from its `effective_from` on.
Fields not listed here are errors. `loyalty check DIR` checks a directory of definitions, and with
[programme.schema.json](programme.schema.json) an editor completes and checks while you write: put this line
on top of the file, with the path from there to the schema.

```yaml
# yaml-language-server: $schema=../docs/programme.schema.json
```

[A tutorial](tutorial-cafe.md) builds a programme step by step. What the definitions that come with this
project amount to is told in plain language in [rules.md](rules.md). *(Reading)* marks where the published
rules that a field stands for are silent or contradict themselves: the default is the reading chosen, the
other values are the other readings.

Written from the models in `schemas/programme*.py` by `python -m schemas.programme_docs`.
"""


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON Schema of a programme definition."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Programme definition",
        **{name: value for name, value in Programme.model_json_schema().items() if name != "title"},
    }


def schema_text() -> str:
    """The text of docs/programme.schema.json."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


def reference() -> str:
    """The text of docs/programme-reference.md."""
    whole = schema()
    sections = _sections(whole)
    titles = {name: _title(name, paths) for name, paths in sections.items()}
    parts = [_INTRO, "## Sections\n\n" + "".join(f"- {_link(titles, name)}\n" for name in sections)]
    for name, paths in sections.items():
        model = whole if name == "Programme" else whole["$defs"][name]
        parts.append(_section(name, model, paths, titles))
    return "\n".join(parts)


def _sections(whole: dict[str, Any]) -> dict[str, list[str]]:
    """The models in the order in which a reader meets them, each with the paths at which it may stand."""
    found: dict[str, list[str]] = {"Programme": [""]}

    def visit(model: dict[str, Any], path: str) -> None:
        for field, value in model["properties"].items():
            for name, mark in _references(value):
                here = f"{path}.{field}{mark}".removeprefix(".")
                if name not in found:
                    found[name] = [here]
                    visit(whole["$defs"][name], here)
                elif here not in found[name]:
                    found[name].append(here)

    visit(whole, "")
    return found


def _references(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The models a field refers to, each with what its path gets: `[]` for a list, `.NAME` for a map."""
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2], ""
    for choice in [*value.get("anyOf", ()), *value.get("oneOf", ())]:
        yield from _references(choice)
    for inner in (value.get("items"), *value.get("patternProperties", {}).values()):
        if inner is not None:
            for name, mark in _references(inner):
                yield name, ("[]" if inner is value.get("items") else ".NAME") + mark


def _title(name: str, paths: list[str]) -> str:
    if name == "Programme":
        return "The definition"
    if len(paths) > 1:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()
    model = schema()["$defs"][name]
    kind = next((p["const"] for f, p in model["properties"].items() if f in ("kind", "policy")), None)
    return f"`{paths[0]}`" + (f" of kind `{kind}`" if kind else "")


def _link(titles: dict[str, str], name: str) -> str:
    title = titles[name]
    anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    return f"[{title}](#{anchor})"


def _section(name: str, model: dict[str, Any], paths: list[str], titles: dict[str, str]) -> str:
    lines = [f"## {titles[name]}\n", f"{model['description']}\n"]
    if len(paths) > 1:
        lines.append(f"Stands at {', '.join(f'`{path}`' for path in paths)}.\n")
    lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
    required = model.get("required", ())
    for field, value in model["properties"].items():
        default = "**required**" if field in required else _default(value)
        cells = [f"`{field}`", _type(value, titles), default, _meaning(value)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines.append(f"\n```yaml\n{EXAMPLES[name]}```\n")
    return "\n".join(lines)


def _meaning(value: dict[str, Any]) -> str:
    # Where field and section say the same, pydantic leaves it to the section.
    found = value.get("description") or schema()["$defs"][value["$ref"].rpartition("/")[2]]["description"]
    return str(found)


def _default(value: dict[str, Any]) -> str:
    if "default" not in value:
        return "that section's defaults"
    match value["default"]:
        case None:
            return "null"
        case []:
            return "none"
        case "":
            return "empty"
        case dict() as section:
            return "`{" + ", ".join(f"{name}: {inner}" for name, inner in section.items()) + "}`"
        case bool() as flag:
            return f"`{str(flag).lower()}`"
        case other:
            return f"`{other}`"


def _type(value: dict[str, Any], titles: dict[str, str]) -> str:
    if "$ref" in value:
        return _link(titles, value["$ref"].rpartition("/")[2])
    if value.get("title") in ("Money", "Percent") or _is_decimal(value):
        return "decimal, quoted"
    if "const" in value:
        return (
            f"`{json.dumps(value['const'])}`" if isinstance(value["const"], bool) else f"`{value['const']}`"
        )
    if "enum" in value:
        return " | ".join(f"`{choice}`" for choice in value["enum"])
    if "anyOf" in value or "oneOf" in value:
        choices = [_type(choice, titles) for choice in [*value.get("anyOf", ()), *value.get("oneOf", ())]]
        return " | ".join(choice for choice in choices if choice != "null") or "null"
    match value.get("type"):
        case "array":
            return f"list of {_type(value['items'], titles)}".replace("whole number", "whole numbers")
        case "object":
            inner = next(iter(value.get("patternProperties", {}).values()), None)
            return f"name → {_type(inner, titles)}" if inner is not None else "any keys and values"
        case "integer":
            return f"whole number{_bounds(value)}"
        case "boolean":
            return "`true` | `false`"
        case "string":
            return _text(value)
        case other:
            return str(other)


def _is_decimal(value: dict[str, Any]) -> bool:
    return any(choice.get("title") in ("Money", "Percent") for choice in value.get("anyOf", ()))


def _bounds(value: dict[str, Any]) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    if low is None and high is None:
        return ""
    if high is None:
        return f" from {low}"
    return f" {low}–{high:_}".replace("_", " ")


def _text(value: dict[str, Any]) -> str:
    if value.get("format") == "date":
        return "date"
    return {NAME_PATTERN: "name", CURRENCY_PATTERN: "three capital letters"}.get(
        value.get("pattern", ""), "text"
    )


def main() -> None:
    """Write both files."""
    DOCS.mkdir(exist_ok=True)
    (DOCS / REFERENCE).write_text(reference(), "utf-8")
    (DOCS / SCHEMA).write_text(schema_text(), "utf-8")


if __name__ == "__main__":
    main()
