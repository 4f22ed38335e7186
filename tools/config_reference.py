"""Write the reference of all configuration keys in config/README.md from the schema.

`python tools/config_reference.py` rewrites it; a test fails when the two differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
README = ROOT / "config" / "README.md"
START, END = "<!-- keys: start -->", "<!-- keys: end -->"

Part = dict[str, Any]


class Row(NamedTuple):
    """One key as the reference shows it."""

    key: str
    kind: str
    default: str
    text: str


class Section(NamedTuple):
    """A heading with what stands below it; level 3 for a key of the top, 4 for a source."""

    level: int
    title: str
    text: str
    rows: list[Row]


def sections(schema: Part) -> Iterator[Section]:
    """Yield the sections of the reference, in the order of the schema."""
    single = []
    for key, part in schema["properties"].items():
        if "properties" not in part and not isinstance(part.get("additionalProperties"), dict):
            single.append(_row(key, part, schema))
    yield Section(3, "Single keys", "", single)
    for key, part in schema["properties"].items():
        if key in {row.key for row in single}:
            continue
        text = part["description"]
        if key in schema.get("required", []):
            text = f"Required. {text}"
        yield Section(3, f"`{key}`", text, list(_rows(part, f"{key}.")))
        yield from _sources(part, key, schema["$defs"])


def _rows(part: Part, prefix: str) -> Iterator[Row]:
    """Yield every key below a part of the schema, but for those that depend on a source."""
    for key, below in part.get("properties", {}).items():
        yield _row(prefix + key, below, part)
        yield from _rows(below, f"{prefix}{key}.")
    named = part.get("additionalProperties")
    if isinstance(named, dict):
        yield from _rows(named, f"{prefix}NAME.")
    items = part.get("items", {})
    for choice in items.get("oneOf", []) if isinstance(items, dict) else []:
        # an entry of a list that may be a mapping
        yield from _rows(choice, f"{prefix.rstrip('.')}[].")


def _sources(part: Part, path: str, definitions: Part) -> Iterator[Section]:
    """Yield a section for each source of the sets below a part; what two share is said once."""
    for key, below in part.get("properties", {}).items():
        yield from _sources(below, f"{path}.{key}", definitions)
    named = part.get("additionalProperties")
    if not isinstance(named, dict):
        return
    shown: dict[str, Part] = {}
    for choice in named.get("allOf", []):
        source = choice["if"]["properties"]["source"]["const"]
        definition = definitions[choice["then"]["$ref"].rpartition("/")[2]]
        own = {key: value for key, value in definition["properties"].items() if key != "source"}
        text = ""
        for name, keys in shown.items():
            if keys and keys.items() <= own.items():
                text = f"All keys of `{name}`, and these."
                own = {key: value for key, value in own.items() if key not in keys}
        shown[source] = own
        rows = list(_rows({**definition, "properties": own}, ""))
        text = text if rows else "No other keys."
        yield Section(4, f"`{path}.NAME` with `source: {source}`", text, rows)


def _row(key: str, part: Part, parent: Part) -> Row:
    required = key.rpartition(".")[2] in parent.get("required", [])
    return Row(key, _type(part), "required" if required else _default(part), part["description"])


def _type(part: Part) -> str:
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if "oneOf" in part:
        return " or ".join(
            f"`{choice['const']}`" if "const" in choice else _type(choice)
            for choice in part["oneOf"]
        )
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    return " or ".join(_kind(kind, part) for kind in kinds)


def _kind(kind: str, part: Part) -> str:
    if kind in ("integer", "number"):
        return kind + _range(part)
    items = part.get("items", {})
    if kind == "array" and ("type" in items or "enum" in items):
        return f"list of {_type(items)}"
    return {"array": "list", "object": "mapping", "boolean": "true or false"}.get(kind, kind)


def _range(part: Part) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {part[name]}" for name, sign in words.items() if name in part]
    return " " + ", ".join(limits) if limits else ""


def _default(part: Part) -> str:
    if "default" not in part or part["default"] == {}:
        return ""
    return f"`{json.dumps(part['default'])}`"


def reference() -> str:
    """Return the reference as Markdown."""
    parts = []
    for section in sections(yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))):
        lines = [f"{'#' * section.level} {section.title}"]
        lines += ["", section.text] if section.text else []
        if section.rows:
            lines += ["", "| key | type | default | what it is |", "|---|---|---|---|"]
        for row in section.rows:
            text = row.text.replace("|", "\\|")
            lines.append(f"| `{row.key}` | {row.kind} | {row.default} | {text} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def updated(text: str) -> str:
    """Return the text of config/README.md with the reference between its marks replaced."""
    before, rest = text.split(START)
    after = rest.split(END)[1]
    return f"{before}{START}\n\n{reference()}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
