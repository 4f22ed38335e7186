"""Folders that Hugging Face's ``save_pretrained`` wrote: what is in them, read without torch.

The workflow asks this when it reads a configuration; `tpcav_core.huggingface` loads the model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import InputError, suggest

#: the Auto classes of the package transformers that a folder may be loaded with
ARCHITECTURES = (
    "AutoModel",
    "AutoModelForMaskedLM",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
)
_CONFIG = "config.json"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
#: keys of networks made in another way, and what they are where they are not given
_OTHER_WAYS: dict[str, Any] = {
    "factory": None,
    "weights": None,
    "kwargs": {},
    "weights_format": "auto",
    "weights_prefix": None,
    "allow_pickled_module": False,
    "pickled_classes": None,
}


def completed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model of the configuration with what its folder says: no weights, its tokenizer."""
    folder = entry.get("huggingface")
    if not isinstance(folder, str):
        return dict(entry)
    return {"weights": None, "inputs": f"tokenizer:{folder}", **entry}


def check_entry(entry: Mapping[str, Any]) -> None:
    """Raise `InputError` for keys of a model that exclude each other."""
    if entry.get("huggingface") is None:
        for key in ("architecture", "trust_remote_code"):
            if entry.get(key):
                raise InputError(
                    f"{key} is for a folder of Hugging Face, and there is none; give it in"
                    f" huggingface, or remove {key}"
                )
        return
    _check_known(entry.get("architecture"))
    for key, absent in _OTHER_WAYS.items():
        if entry.get(key, absent) != absent:
            raise InputError(
                f"huggingface and {key} are both given, expected one of them; the folder brings"
                f" its own network and weights, so remove {key} or huggingface"
            )


def check_folder(folder: str, architecture: str | None, trust_remote_code: bool) -> str:
    """Return the Auto class that loads a folder, after a look at its files.

    Args:
        folder: what ``save_pretrained`` wrote.
        architecture: one of `ARCHITECTURES`; None for the one that its config.json names.
        trust_remote_code: whether code in the folder may run.

    Raises:
        InputError: no such folder, no config.json or weights in it, weights as a pickle only, an
            architecture that is none of these, or code of its own that may not run.
    """
    label = f"huggingface {folder!r}"
    _check_known(architecture)
    if not Path(folder).is_dir():
        raise InputError(
            f"{label}: no such folder; paths are relative to {Path.cwd()}, and a model of the"
            " Hugging Face hub is first saved to a folder with save_pretrained"
        )
    config = _read_config(folder, label)
    found = architecture or _architecture(config, label)
    _check_code(config, trust_remote_code, label)
    _check_weights(folder, found, label)
    return found


def folder_files(folder: str) -> list[str]:
    """Return the files of a folder, hidden ones apart; of a missing one those it should have."""
    path = Path(folder)
    if not path.is_dir():
        return [str(path / name) for name in (_CONFIG, _WEIGHTS[0])]
    return sorted(
        str(file) for file in path.iterdir() if file.is_file() and not file.name.startswith(".")
    )


def _check_known(architecture: str | None) -> None:
    if architecture is not None and architecture not in ARCHITECTURES:
        raise InputError(
            f"architecture is {architecture!r}, expected one of"
            f" {', '.join(ARCHITECTURES)}{suggest(architecture, ARCHITECTURES)}"
        )


def _read_config(folder: str, label: str) -> dict[str, Any]:
    path = Path(folder) / _CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = "there is none" if isinstance(error, FileNotFoundError) else str(error)
        raise InputError(
            f"{label}: no {_CONFIG} can be read from it ({reason}); expected the files that the"
            " model's save_pretrained writes into this folder"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{label}: {_CONFIG} holds a {type(content).__name__}, expected a mapping")
    return content


def _architecture(config: Mapping[str, Any], label: str) -> str:
    """Return the Auto class for the class that was saved."""
    saved = str(next(iter(config.get("architectures") or []), ""))
    for name, reference in _code(config).items():
        if name in ARCHITECTURES and reference.rpartition(".")[2] == saved:
            return name
    for name in ARCHITECTURES[1:]:
        if saved.endswith(name.removeprefix("AutoModel")):
            return name
    if saved.endswith("Model"):
        return ARCHITECTURES[0]
    raise InputError(
        f"{label}: {_CONFIG} names the architecture {saved or None!r}, which is loaded by none of"
        f" {', '.join(ARCHITECTURES)}; set architecture to one of them, or write a factory"
    )


def _check_code(config: Mapping[str, Any], trusted: bool, label: str) -> None:
    """Refuse code that may not run, also where transformers has a network of that name itself."""
    for name, reference in _code(config).items():
        if not trusted:
            raise InputError(
                f"{label}: brings code of its own ({name} is {reference}), which runs only with"
                " trust_remote_code: true; set it if you have read that code and trust it"
            )
        elsewhere, marked, _ = reference.rpartition("--")
        if marked:
            raise InputError(
                f"{label}: its code is in the repository {elsewhere!r}, and nothing is loaded from"
                f" there; copy its .py files into the folder and remove '{elsewhere}--' from"
                f" auto_map in {_CONFIG}"
            )


def _code(config: Mapping[str, Any]) -> dict[str, str]:
    """Return what config.json says of a network's own code: Auto class to file.Class."""
    references = config.get("auto_map")
    if not isinstance(references, dict):
        return {}
    # code of a tokenizer is never run
    return {name: str(value) for name, value in references.items() if name != "AutoTokenizer"}


def _check_weights(folder: str, architecture: str, label: str) -> None:
    if any((Path(folder) / name).is_file() for name in _WEIGHTS):
        return
    pickled = next((name for name in _PICKLED if (Path(folder) / name).is_file()), None)
    if pickled is None:
        raise InputError(
            f"{label}: no {_WEIGHTS[0]} in it; expected the files that the model's save_pretrained"
            " writes into this folder"
        )
    raise InputError(
        f"{label}: {pickled} is a pickle, expected {_WEIGHTS[0]}; if you trust its authors convert"
        f' it with python -c "from transformers import {architecture} as A;'
        f' A.from_pretrained({folder!r}).save_pretrained({folder!r})"'
    )
