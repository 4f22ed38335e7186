"""Write the reference of all configuration keys in config/README.md from the schema.

`python tools/config_reference.py` rewrites it; a test fails when the two differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
README = ROOT / "config" / "README.md"
START, END = "<!-- keys: start -->", "<!-- keys: end -->"


def rows(
    schema: dict[str, Any], prefix: str = "", definitions: dict[str, Any] | None = None
) -> Iterator[tuple[str, str, str, str]]:
    """Yield (key, type, default, description) of every key, in the order of the schema."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    required = schema.get("required", [])
    for key, part in schema.get("properties", {}).items():
        default = "required" if key in required else _default(part)
        yield f"{prefix}{key}", _type(part), default, part["description"]
        if "properties" in part:
            yield from rows(part, f"{prefix}{key}.", definitions)
        if isinstance(part.get("additionalProperties"), dict):
            yield from rows(part["additionalProperties"], f"{prefix}{key}.NAME.", definitions)
    for choice in schema.get("allOf", []):
        source = choice["if"]["properties"]["source"]["const"]
        name = choice["then"]["$ref"].rpartition("/")[2]
        others = {k: v for k, v in definitions[name]["properties"].items() if k != "source"}
        of_source = f"{prefix[:-1]} ({source})."
        yield from rows({**definitions[name], "properties": others}, of_source, definitions)


def _type(part: dict[str, Any]) -> str:
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if "oneOf" in part:
        return " or ".join(
            f"`{choice['const']}`" if "const" in choice else choice["type"]
            for choice in part["oneOf"]
        )
    kind = part["type"]
    if kind == "array" and "type" in part.get("items", {}):
        return f"list of {part['items']['type']}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _default(part: dict[str, Any]) -> str:
    if "default" not in part or part["default"] == {}:
        return ""
    return f"`{json.dumps(part['default'])}`"


def table() -> str:
    """Return the reference as a Markdown table."""
    lines = ["| key | type | default | what it is |", "|---|---|---|---|"]
    for key, kind, default, text in rows(yaml.safe_load(SCHEMA.read_text())):
        lines.append(f"| `{key}` | {kind} | {default} | {text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def updated(text: str) -> str:
    """Return the text of config/README.md with the table between its marks replaced."""
    before, rest = text.split(START)
    after = rest.split(END)[1]
    return f"{before}{START}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(updated(README.read_text()))
