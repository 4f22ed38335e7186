"""``layers``: list the layers of a model with output shape and d."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..config import expanded, read_yaml
from ..errors import InputError, suggest
from ..inputs import example_codes, example_tracks, input_adapter
from ..layer_checks import LayerInfo, list_layers
from ..model_folders import completed
from ..models import ModelSpec, load_model, resolve_device

#: keys of a model in a workflow configuration that layers do not depend on
WORKFLOW_KEYS = frozenset({"layers", "output"})


def read_model_argument(
    model: str | None = None, configfile: str | None = None, name: str | None = None
) -> ModelSpec:
    """Return the model that a command was given.

    Args:
        model: JSON text, or ``@path`` of a YAML or JSON file.
        configfile: a workflow configuration whose ``models`` maps names to models.
        name: which of them; None if there is one.

    Raises:
        InputError: the text or file cannot be read, or there is no such model.
    """
    if model is not None:
        if model.startswith("@"):
            return _spec(model[1:], read_yaml(model[1:]))
        try:
            content = json.loads(model)
        except json.JSONDecodeError as error:
            raise InputError(
                f"--model: not JSON ({error}); give JSON text or @path/to/file.yaml"
            ) from None
        return _spec("--model", content)
    if configfile is None:
        raise InputError("no model given; give --model or --configfile")
    config = read_yaml(configfile)
    models = config.get("models")
    if not isinstance(models, Mapping) or not models:
        raise InputError(f"{configfile}: no models; expected `models:` with a name for each")
    if name is None:
        if len(models) > 1:
            raise InputError(
                f"{configfile}: holds {len(models)} models ({', '.join(map(str, models))}); choose"
                " one with --name"
            )
        name = str(next(iter(models)))
    if name not in models:
        hint = suggest(name, map(str, models)) or f"; it has {', '.join(map(str, models))}"
        raise InputError(f"{configfile}: no model {name!r}{hint}")
    return _spec(f"{configfile}: models: {name}", _entry(config, name))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", help="the model as JSON text, or @file.yaml")
    source.add_argument("--configfile", help="a workflow configuration with a models: mapping")
    parser.add_argument("--name", help="which model of --configfile (not needed for a single one)")


def run(arguments: argparse.Namespace) -> None:
    spec = read_model_argument(arguments.model, arguments.configfile, arguments.name)
    device = resolve_device(spec.device)
    if spec.window is None:
        raise InputError(
            "layers are listed with random DNA, and the model has no window of it; see the"
            " preflight table of a run, or print(model)"
        )
    tracks = example_tracks(2, len(spec.tracks), spec.window) if spec.tracks else None
    inputs = input_adapter(spec.inputs)(example_codes(2, spec.window), tracks)
    model = load_model(spec).to(device)
    layers = list_layers(model, tuple(tensor.to(device) for tensor in inputs))
    sys.stdout.write(format_layers(layers))


def format_layers(layers: Sequence[LayerInfo]) -> str:
    """Return a table of layers as text, one line each."""
    rows = [("layer", "type", "output shape", "d", "note")]
    for layer in layers:
        shape = "" if layer.shape is None else " x ".join(map(str, layer.shape)) or "scalar"
        d = "" if layer.d is None else f"{layer.d:,}"
        rows.append((layer.name, layer.type, shape, d, _note(layer)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, kind, shape, d, note in rows:
        cells = [name.ljust(widths[0]), kind.ljust(widths[1]), shape.ljust(widths[2])]
        lines.append("  ".join([*cells, d.rjust(widths[3]), note]).rstrip())
    return "\n".join(lines) + "\n"


def _note(layer: LayerInfo) -> str:
    """Say why a layer cannot be chosen as it is, if so."""
    if layer.calls == 0:
        return "never called"
    notes = []
    if layer.calls > 1:
        notes.append(f"called {layer.calls} times: {layer.name}@1 to {layer.name}@{layer.calls}")
    if layer.output == "not by example":
        notes.append("examples are not the first dimension")
    elif layer.output != "tensor":
        first = "without a tensor" if layer.shape is None else "whose first tensor is taken"
        notes.append(f"output is a {layer.output} {first}")
    return "; ".join(notes)


def _entry(config: Mapping[str, Any], name: str) -> Any:
    """Return a model of a configuration, which may lack all that is not about models yet."""
    content = expanded(config["models"][name], f"models.{name}")
    if not isinstance(content, Mapping):
        return content
    entry = completed({key: content[key] for key in content if key not in WORKFLOW_KEYS})
    if isinstance(entry.get("tracks"), list):
        known = expanded(dict(config.get("tracks") or {}), "tracks")
        for track in map(str, entry["tracks"]):
            if track not in known:
                raise InputError(
                    f"models.{name}.tracks: no track {track!r} in `tracks:`{suggest(track, known)}"
                )
        entry["tracks"] = {track: known[track] for track in entry["tracks"]}
    return entry


def _spec(source: str, content: Any) -> ModelSpec:
    try:
        return ModelSpec.from_dict(content)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
