"""Twins: a copy of each model with permuted weights, through the same steps, as a sanity check.

A twin is one more model of the configuration, so that every rule makes its results in the same
way. Its name has a dot, which names in a configuration cannot have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TWIN = ".randomised"


def with_twins(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with a twin of each model if it asks for sanity checks."""
    models = dict(config["models"])
    if config["sanity_checks"]:
        for name, entry in config["models"].items():
            models[name + _TWIN] = {**entry, "randomise": config["seed"]}
    return {**config, "models": models}


def twin_of(model: str) -> str | None:
    """Return the model that a model is the twin of; None if it is no twin."""
    return model.removesuffix(_TWIN) if model.endswith(_TWIN) else None
