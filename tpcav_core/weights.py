"""Reading weight files: state dict, safetensors, Lightning checkpoint, whole pickled module.

All but the last are read without running any code of the file.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from .errors import InputError, some_of, suggest

log = logging.getLogger("tpcav_core")

State = dict[str, Any]
#: under which key a checkpoint that holds more than weights keeps them
_CONTAINERS = ("state_dict", "model_state_dict")


def read_state(path: str | Path, weights_format: str = "auto") -> State:
    """Read a state dict, parameter name to tensor on the CPU, never running code of the file.

    Args:
        path: the weight file.
        weights_format: ``state_dict``, ``safetensors``, ``lightning`` or ``auto``, which goes by
            the suffix ``.safetensors`` and otherwise by content.

    Raises:
        InputError: no such file, unreadable, holds pickled objects, or holds no state dict.
    """
    path = _existing(path)
    if weights_format == "safetensors" or (
        weights_format == "auto" and path.suffix == ".safetensors"
    ):
        return _read_safetensors(path)
    content = _read_torch(path)
    if isinstance(content, Mapping):
        found = next((key for key in _CONTAINERS if isinstance(content.get(key), Mapping)), None)
        if weights_format == "lightning" and found != "state_dict":
            raise InputError(
                f"{path}: {_summary(content)}, expected a Lightning checkpoint with a 'state_dict';"
                " set weights_format: auto"
            )
        if found and weights_format != "state_dict":
            content = content[found]
    if not _is_state(content):
        raise InputError(
            f"{path}: {_summary(content)}, expected a state dict (parameter name to tensor); save"
            " one with torch.save(model.state_dict(), …)"
        )
    return dict(content)


def load_state(model: nn.Module, state: Mapping[str, Any], prefix: str | None, path: str) -> None:
    """Put a state dict into a model; every key and shape must match.

    Args:
        model: the network, changed in place.
        state: parameter name to tensor.
        prefix: what the names in ``state`` start with beyond the model's own; names without it
            are left out. None: none, or the one prefix under which all of them match.
        path: the file, for messages.

    Raises:
        InputError: keys or shapes do not match; lists the first differences.
    """
    state = _without_prefix(model, state, prefix, path)
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        own = model.state_dict()
        shapes = [
            f"{key} is {tuple(state[key].shape)} and not {tuple(own[key].shape)}"
            for key in own
            if isinstance(state.get(key), Tensor) and state[key].shape != own[key].shape
        ]
        differences = [
            some_of("shape mismatch", shapes),
            some_of("missing", [key for key in own if key not in state]),
            some_of("unexpected", [key for key in state if key not in own]),
        ]
        found = "; ".join(filter(None, differences)) or str(error).splitlines()[-1].strip()
        raise InputError(
            f"{path}: {found}; expected the weights of the"
            " network that the factory builds; check its kwargs"
        ) from None
    own = model.state_dict()
    given = {_place(own[key]) for key in state if key in own}
    # A file may keep only one name of a tensor that the network uses under two.
    missing = [key for key in missing if key not in own or _place(own[key]) not in given]
    if missing or unexpected:
        differences = [some_of("missing", missing), some_of("unexpected", unexpected)]
        raise InputError(
            f"{path}: keys do not match the network that the factory builds:"
            f" {'; '.join(filter(None, differences))}; check the factory and its kwargs, or set"
            " weights_prefix"
        )


def read_pickled_module(path: str | Path, classes: ModuleType | None = None) -> nn.Module:
    """Unpickle a whole module. This runs whatever code the file asks for.

    Args:
        path: the file.
        classes: where classes are looked up that were pickled from ``__main__``, or from a module
            that cannot be imported here.

    Raises:
        InputError: no such file, a class is not found, unpickling fails, or what comes out is no
            module.
    """
    path = _existing(path)
    log.warning("%s: a whole pickled module, loading it runs the code it contains", path)
    try:
        content = torch.load(
            path, map_location="cpu", weights_only=False, pickle_module=_pickle_with(path, classes)
        )
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: unpickling raised {_reason(error)}; load it with the code and library"
            " versions that wrote it and save a state dict instead"
        ) from error
    if not isinstance(content, nn.Module):
        raise InputError(
            f"{path}: {_summary(content)}, expected a whole pickled module; set weights_format:"
            " auto and a factory"
        )
    return content


def _pickle_with(path: Path, classes: ModuleType | None) -> ModuleType:
    """Return a stand-in for `pickle` whose Unpickler also looks in ``classes``."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module != "__main__":
                try:
                    return super().find_class(module, name)
                except (ImportError, AttributeError):
                    pass
            with contextlib.suppress(AttributeError):
                found: Any = classes
                for part in name.split("."):
                    found = getattr(found, part)
                return found
            raise InputError(_class_not_found(path, module, name, classes))

    def load(file: Any, **options: Any) -> Any:
        return Unpickler(file, **options).load()

    stand_in = ModuleType("pickle_with_classes")
    vars(stand_in).update(Unpickler=Unpickler, load=load)
    return stand_in


def _class_not_found(path: Path, module: str, name: str, classes: ModuleType | None) -> str:
    what = f"{path}: holds an object of class {name!r} of {module}, "
    if classes is None:
        return f"{what}which is not found here; set pickled_classes to a .py file that defines it"
    options = [option for option in vars(classes) if not option.startswith("_")]
    return f"{what}which {classes.__file__} does not define{suggest(name, options)}"


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {what}, expected the model's weights; check `weights`")
    return path


def _read_safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except SafetensorError as error:
        raise InputError(
            f"{path}: not a readable safetensors file ({_reason(error)}); check `weights` and"
            " weights_format"
        ) from None


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch.load raises almost anything on a file that is not its own, KeyError included.
        names = _pickled_names(path, str(error))
        if names:
            raise InputError(
                f"{path}: {some_of('holds pickled objects', names)}, expected tensors only; save"
                " the weights alone with torch.save(model.state_dict(), …), or, for a whole"
                " module whose authors you trust, set weights_format: pickled_module and"
                " allow_pickled_module: true (this runs code of the file)"
            ) from None
        if "TorchScript" in str(error):
            raise InputError(
                f"{path}: holds a TorchScript program, expected tensors only; save the weights"
                " alone with torch.save(model.state_dict(), …)"
            ) from None
        raise InputError(
            f"{path}: not a readable torch file ({_reason(error)}); check `weights` and"
            " weights_format"
        ) from None


def _pickled_names(path: Path, message: str) -> list[str]:
    """Return the classes and functions that a torch file refers to beyond tensors."""
    find: Callable[[str], list[str]] = torch.serialization.get_unsafe_globals_in_checkpoint
    with contextlib.suppress(Exception):
        names = find(str(path))
        # The authors' own classes say more about the file than those of torch.
        return sorted(names, key=lambda name: (name.startswith("torch."), name))
    # Files older than the zip format can only be asked through the error itself.
    return re.findall(r"Unsupported global: GLOBAL (\S+)", message)


def _is_state(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and any(isinstance(value, Tensor) for value in content.values())
        and all(
            isinstance(key, str) and (isinstance(value, Tensor) or key.endswith("_extra_state"))
            for key, value in content.items()
        )
    )


def _without_prefix(
    model: nn.Module, state: Mapping[str, Any], prefix: str | None, path: str
) -> State:
    own = set(model.state_dict())
    if prefix is None:
        prefix = _common_prefix(own, list(state))
        if prefix:
            log.info("%s: all keys start with %r, which is left out", path, prefix)
    kept = {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
    if not kept:
        raise InputError(
            f"{path}: no key starts with weights_prefix {prefix!r}; {some_of('keys', list(state))}"
        )
    if len(kept) < len(state):
        log.info("%s: left out %d keys without %r", path, len(state) - len(kept), prefix)
    return kept


def _common_prefix(own: set[str], names: list[str]) -> str:
    """Return the shortest prefix that all names share and under which all match, or ""."""
    if not names or own.issuperset(names):
        return ""
    first = names[0]
    endings = (name for name in own if first.endswith(f".{name}"))
    for prefix in sorted((first.removesuffix(name) for name in endings), key=len):
        if all(name.startswith(prefix) and name[len(prefix) :] in own for name in names):
            return prefix
    return ""


def _place(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape)


def _summary(content: Any) -> str:
    if isinstance(content, Mapping):
        keys = some_of("keys", [repr(key) for key in content])
        return f"holds a mapping with {keys or 'no keys'}"
    return f"holds a {type(content).__name__}"


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
