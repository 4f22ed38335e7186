"""Reading and checking a configuration: a problem is one line with its place, cause and remedy."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from .errors import InputError, suggest
from .model_folders import completed

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def read_yaml(path: str) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        InputError: if it cannot be read or holds none.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a YAML file ({reason}); correct it there") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: found {type(content).__name__}, expected a mapping")
    return content


def checked(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with defaults filled in and environment variables replaced.

    Args:
        config: as read from YAML.
        schema: JSON Schema of it, draft 2020-12.

    Raises:
        InputError: for the first problem, by place: unknown keys with the nearest known one.
    """
    result: dict[str, Any] = expanded(dict(config))
    errors = sorted(
        Draft202012Validator(schema).iter_errors(result),
        key=lambda error: [str(part) for part in error.absolute_path],
    )
    if errors:
        raise InputError(_explain(errors[0]))
    if "models" in result:
        result["models"] = {name: completed(entry) for name, entry in result["models"].items()}
    _fill(result, schema, schema)
    return result


def _explain(error: ValidationError) -> str:
    if error.validator == "oneOf" and isinstance(error.instance, Mapping):
        # of the alternatives, what is wrong with the one that is a mapping
        inner = [one for one in error.context or () if one.validator != "type" or one.path]
        error = min(inner, key=lambda one: one.validator != "additionalProperties", default=error)
    place = ".".join(str(part) for part in error.absolute_path)
    where = f"configuration, {place}" if place else "configuration"
    about = error.schema.get("description") if isinstance(error.schema, Mapping) else None
    hint = f" ({about})" if about and error.validator != "additionalProperties" else ""
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in known)
        near = suggest(str(unknown), known) or f"; known keys: {', '.join(known)}"
        return f"{where}: unknown key {unknown!r}{near}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        about = error.schema.get("properties", {}).get(missing, {}).get("description")
        return f"{where}: the key {missing!r} is missing" + (f" ({about})" if about else "")
    return f"{where}: {error.message}{hint}"


def _fill(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> None:
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            if "default" in part:
                value.setdefault(key, copy.deepcopy(part["default"]))
            if key in value:
                _fill(value[key], part, root)
        others = schema.get("additionalProperties")
        if isinstance(others, Mapping):
            for item in value.values():
                _fill(item, others, root)
        for choice in schema.get("allOf", []):
            if Draft202012Validator(choice["if"]).is_valid(value):
                _fill(value, root["$defs"][choice["then"]["$ref"].rpartition("/")[2]], root)
    elif isinstance(value, list):
        for item in value:
            for part in schema.get("items", {}).get("oneOf", []):
                _fill(item, part, root)


def expanded(value: Any, place: str = "") -> Any:
    """Return what was read from YAML with environment variables replaced, and names as text.

    Args:
        value: a configuration or a part of it, not changed.
        place: of the part in the configuration.

    Raises:
        InputError: an environment variable is not set.
    """
    if isinstance(value, dict):
        # YAML reads a name like 1 as a number; names are text everywhere else
        return {
            str(key): expanded(item, f"{place}.{key}".strip(".")) for key, item in value.items()
        }
    if isinstance(value, list):
        return [expanded(item, f"{place}.{index}") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise InputError(
                f"configuration, {place}: the environment variable {name} of {value!r} is not set;"
                f" export {name}=…"
            )
        return os.environ[name]

    return _VARIABLE.sub(replace, value)
