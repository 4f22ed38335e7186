"""What is wrong with a configuration as a whole: parts of it that do not fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import InputError, suggest
from .model_folders import check_entry
from .splits import split_by_chromosomes, test_size


def check_config(config: Mapping[str, Any]) -> None:
    """Raise `InputError` for the first part that does not fit another."""
    _check_models(config)
    _check_names(config)
    _check_split(config)
    _check_cavs(config)


def _check_models(config: Mapping[str, Any]) -> None:
    for name, entry in config["models"].items():
        try:
            check_entry(entry)
        except InputError as error:
            raise InputError(f"configuration, models.{name}: {error}") from None


def _check_names(config: Mapping[str, Any]) -> None:
    """Check that tracks and targets name what there is."""
    tracks = config["tracks"]
    wanted = [
        (f"concepts.{name}.track", [entry["track"]])
        for name, entry in config["concepts"].items()
        if "track" in entry
    ]
    wanted += [
        (f"models.{name}.tracks", entry["tracks"]) for name, entry in config["models"].items()
    ]
    for place, names in wanted:
        for name in names:
            if name not in tracks:
                hint = suggest(name, tracks) or f"; there are {', '.join(tracks) or 'none'}"
                raise InputError(f"configuration, {place}: no track {name!r}{hint}")
    for name, entry in config["targets"].items():
        if bool(entry["regions"]) == bool(entry["function"]):
            raise InputError(
                f"configuration, targets.{name}: expected either regions or function; give one"
            )
        if not entry["n"] and (entry["function"] or entry["regions"] == "random"):
            raise InputError(f"configuration, targets.{name}: set n, how many are wanted")
        _check_baselines(name, entry)


def _check_baselines(name: str, entry: Mapping[str, Any]) -> None:
    baselines = entry["baselines"]
    place = f"configuration, targets.{name}.baselines"
    if entry["function"] and baselines["source"] != "random":
        raise InputError(
            f"{place}.source: found {baselines['source']}, but functions yield this target; leave"
            " it out and give baseline_function"
        )
    if bool(baselines["file"]) != (baselines["source"] == "regions"):
        found = "no file" if baselines["source"] == "regions" else "a file"
        raise InputError(
            f"{place}: found {found} with source {baselines['source']}; source regions needs a"
            " file, the others take none"
        )


def _check_split(config: Mapping[str, Any]) -> None:
    split, genome = config["split"], config["genome"]
    n, share = config["examples"]["per_concept"], split["test_fraction"]
    names, tests = split["test_chromosomes"], test_size(n, share)
    if min(tests, n - tests) < 2:
        remedy = "raise it or" if tests < 2 else "lower it or raise"
        raise InputError(
            f"configuration, split.test_fraction: {share} leaves {tests} of {n} examples to"
            f" test and {n - tests} to train, 2 or more of either are needed; {remedy}"
            " examples.per_concept"
        )
    if names and genome is None:
        raise InputError(
            f"configuration, split.test_chromosomes: there is no genome that has {names[0]!r};"
            " give one, or leave this out"
        )
    chromosomes = genome and genome["chromosomes"]
    try:
        split_by_chromosomes(split["by"], names, split["block_length"], chromosomes)
    except InputError as error:
        raise InputError(f"configuration, {error}") from None


def _check_cavs(config: Mapping[str, Any]) -> None:
    cavs = config["cavs"]
    if cavs["norm"] == "l1" and cavs["classifier"] not in ("logistic", "sgd"):
        raise InputError(
            f"configuration, cavs.norm: found l1 with classifier {cavs['classifier']}, which"
            " does not have it; use classifier logistic or sgd, or norm l2"
        )
