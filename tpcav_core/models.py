"""Models: what a configuration says about one, its factory, and loading it with its weights."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor, nn

from .devices import free_device, full_float32
from .errors import InputError, suggest
from .imports import describe_error, import_file, load_object
from .model_folders import check_entry, completed
from .randomised import randomise_weights
from .strands import StrandAverage, check_reversible
from .weights import load_state, read_pickled_module, read_state

log = logging.getLogger("tpcav_core")

PRECISIONS = ("float32", "bfloat16", "float16")
WEIGHTS_FORMATS = ("auto", "state_dict", "safetensors", "lightning", "pickled_module")


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model of the configuration. Paths are relative to the working directory.

    Attributes:
        window: length of the sequences the model takes, bases; None for one that takes no DNA.
        weights: file of weights; None for an untrained network (say so explicitly).
        factory: ``path/to/file.py:function`` or ``package.module:function`` (or a class) that
            returns the `torch.nn.Module`; None for a whole pickled module or a folder.
        huggingface: instead of a factory, a folder that ``save_pretrained`` of a network of
            transformers wrote, see `tpcav_core.huggingface`.
        architecture: one of `tpcav_core.model_folders.ARCHITECTURES`; None for the one saved.
        trust_remote_code: opt-in to code of the folder.
        kwargs: what the factory is called with.
        weights_format: one of `WEIGHTS_FORMATS`; ``auto`` tells all but the last apart.
        weights_prefix: what the names in the file start with beyond the network's own, for
            example ``model.``; None finds it.
        allow_pickled_module: opt-in to ``pickled_module``, which runs code of the file.
        pickled_classes: a .py file that defines the classes the pickled module was made of.
        inputs: name of the adapter that makes the model's inputs, ``one_hot`` (n, 4, window) or
            one of the others of `tpcav_core.inputs.input_adapter`; of a folder, `from_dict` takes
            its tokenizer where none is named.
        output: what of the model's output is explained, see `readouts`.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        batch_size: examples per forward pass.
        reverse_complement: average the output over both strands, see `tpcav_core.strands`.
        precision: of the forward pass: ``float32``, or ``bfloat16`` or ``float16`` where PyTorch's
            autocast deems it safe. Results are float32 in any case.
        randomise: seed of a permutation of its weights, see `tpcav_core.randomised`; None: none.
        tracks: signal the model takes: by name, ``file`` (bigWig) and ``missing``, see `tracks`.
    """

    window: int | None
    weights: str | None
    factory: str | None = None
    huggingface: str | None = None
    architecture: str | None = None
    trust_remote_code: bool = False
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    weights_format: str = "auto"
    weights_prefix: str | None = None
    allow_pickled_module: bool = False
    pickled_classes: str | None = None
    inputs: str = "one_hot"
    output: int | str = 0
    device: str = "auto"
    batch_size: int = 64
    tracks: Mapping[str, Any] = field(default_factory=dict)
    reverse_complement: bool = False
    precision: str = "float32"
    randomise: int | None = None

    def __post_init__(self) -> None:
        self._check_values()
        if self.reverse_complement:
            check_reversible(self.inputs)
        try:
            check_entry(vars(self))
        except InputError as error:
            raise InputError(f"model: {error}") from None
        if self.weights_format == "pickled_module":
            self._check_pickled()
        elif self.factory is None and self.huggingface is None:
            raise InputError(
                "model: no factory; give one as path/to/file.py:function or"
                " package.module:function, or a folder in huggingface"
            )
        elif self.pickled_classes is not None:
            raise InputError(
                "model: pickled_classes is only for weights_format: pickled_module; remove it or"
                " set that format"
            )

    def _check_values(self) -> None:
        files = ("factory", "weights", "pickled_classes", "huggingface")
        texts = (*files, "weights_prefix", "architecture")
        expected: list[tuple[tuple[str, ...], str, Any]] = [
            (("batch_size",), "a whole number above 0", _is_count(1)),
            (("window",), "a whole number above 0", lambda x: x is None or _is_count(1)(x)),
            (
                ("output",),
                "a column from 0 or a name",
                lambda x: _is_count(0)(x) or isinstance(x, str),
            ),
            (
                ("randomise",),
                "a whole number, 0 or more, or null",
                lambda x: x is None or _is_count(0)(x),
            ),
            (
                ("kwargs", "tracks"),
                "a mapping of names to values",
                lambda x: isinstance(x, Mapping),
            ),
            (
                ("allow_pickled_module", "reverse_complement", "trust_remote_code"),
                "true or false",
                lambda x: isinstance(x, bool),
            ),
            (("inputs", "device"), "text", lambda x: isinstance(x, str)),
            (texts, "text or null", lambda x: x is None or isinstance(x, str)),
            (("precision",), f"one of {', '.join(PRECISIONS)}", PRECISIONS.__contains__),
            (
                ("weights_format",),
                f"one of {', '.join(WEIGHTS_FORMATS)}",
                WEIGHTS_FORMATS.__contains__,
            ),
        ]
        for names, what, accepts in expected:
            for name in names:
                value = getattr(self, name)
                if not accepts(value):
                    raise InputError(f"model: {name} is {value!r}, expected {what}")

    def _check_pickled(self) -> None:
        if not self.allow_pickled_module:
            raise InputError(
                f"{self.weights}: weights_format pickled_module runs whatever code the file holds;"
                " if you trust its authors set allow_pickled_module: true, else get a state dict"
            )
        if self.weights is None:
            raise InputError("model: weights_format pickled_module needs a file in weights")
        if self.factory is not None or self.kwargs:
            raise InputError(
                "model: a pickled module brings its own architecture, so factory and kwargs are not"
                " used; remove them (pickled_classes names the file that defines its classes)"
            )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> ModelSpec:
        """Return the model that a mapping (from YAML or JSON) describes.

        Raises:
            InputError: unknown or missing keys, unusable values.
        """
        if not isinstance(content, Mapping):
            raise InputError(
                f"model: found {content!r}, expected a mapping with factory, weights …"
            )
        content = completed(content)
        known = {item.name: item for item in fields(cls)}
        for key in content:
            if key not in known:
                hint = suggest(str(key), known) or f"; the keys are {', '.join(known)}"
                raise InputError(f"model: unknown key {key!r}{hint}")
        for name, item in known.items():
            required = item.default is MISSING and item.default_factory is MISSING
            if required and name not in content:
                hint = " (null for an untrained network)" if name == "weights" else ""
                raise InputError(f"model: key {name!r} is missing; add it{hint}")
        return cls(**content)


def load_model(spec: ModelSpec) -> nn.Module:
    """Return the model with its weights: on the CPU, in evaluation mode, parameters frozen.

    Parameters have ``requires_grad`` False: attributions need gradients with respect to
    activations only, and this saves their memory. Random initial weights (``weights: null``) are
    the same in every process, so that separate jobs see one network. From here on, products on a
    GPU are in full float32, whatever the model's own code sets.

    Raises:
        InputError: the factory, folder or weights cannot be used; says what to do.
    """
    if spec.weights_format == "pickled_module":
        classes = None
        if spec.pickled_classes is not None:
            classes = import_file(spec.pickled_classes, f"pickled_classes {spec.pickled_classes!r}")
        model = read_pickled_module(str(spec.weights), classes)
    elif spec.huggingface is not None:
        # transformers is optional, and takes seconds to import
        from .huggingface import load_huggingface

        model = load_huggingface(spec.huggingface, spec.architecture, spec.trust_remote_code)
    else:
        model = _build(str(spec.factory), spec.kwargs)
        if spec.weights is None:
            log.warning("%s: no weights given, the network is untrained", spec.factory)
        else:
            state = read_state(spec.weights, spec.weights_format)
            load_state(model, state, spec.weights_prefix, spec.weights)
    if spec.randomise is not None:
        randomise_weights(model, spec.randomise)
    if spec.precision != "float32":
        _lower_precision(model, getattr(torch, spec.precision))
    if spec.reverse_complement:
        model = StrandAverage(model, spec.inputs)
    full_float32()
    return model.cpu().eval().requires_grad_(False)


def _lower_precision(model: nn.Module, dtype: torch.dtype) -> None:
    """Let a model's passes run in autocast."""
    forward = model.forward

    def run(*inputs: Tensor, **named: Any) -> Any:
        with torch.autocast(inputs[0].device.type, dtype):
            return forward(*inputs, **named)

    model.forward = run


def resolve_device(device: str) -> torch.device:
    """Return the device for ``auto`` (CUDA when available, else CPU), ``cpu``, ``cuda[:N]``.

    Of several CUDA devices, ``auto`` and ``cuda`` take one that no other job of this machine holds.

    Raises:
        InputError: not one of these, or a CUDA device that is not there.
    """
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", device)
    if not match:
        raise InputError(f"device {device!r}: expected auto, cpu, cuda or cuda:N")
    count = torch.cuda.device_count() if device != "cpu" and torch.cuda.is_available() else 0
    if device in ("auto", "cuda") and count > 1:
        names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
        return torch.device("cuda", free_device(names))
    if device == "auto":
        return torch.device("cuda" if count else "cpu")
    if device != "cpu" and int(match[1] or 0) >= count:
        raise InputError(
            f"device {device!r}: PyTorch sees {count} CUDA devices here; set device: auto or cpu,"
            " or install a CUDA build of torch and its driver"
        )
    return torch.device(device)


def _build(factory: str, kwargs: Mapping[str, Any]) -> nn.Module:
    function = load_object(factory, "factory")
    label = f"factory {factory!r}"
    if not callable(function):
        raise InputError(f"{label}: is a {type(function).__name__}, expected a function or class")
    try:
        parameters = inspect.signature(function)
        parameters.bind(**kwargs)
    except TypeError as error:
        wrong = next((name for name in kwargs if name not in parameters.parameters), None)
        hint = suggest(wrong, parameters.parameters) if wrong is not None else ""
        raise InputError(
            f"{label}: kwargs do not fit: {error}{hint}; it takes {parameters}"
        ) from None
    except ValueError:
        pass  # some callables written in C have no signature; the call itself will tell
    try:
        # Only the generator of the CPU is seeded, and restored after.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            model = function(**kwargs)
    except Exception as error:
        raise InputError(f"{label}: raised {describe_error(error)}") from error
    if not isinstance(model, nn.Module):
        raise InputError(
            f"{label}: returned a {type(model).__name__}, expected a torch.nn.Module; return the"
            " network itself"
        )
    return model


def _is_count(lowest: int) -> Any:
    return lambda value: type(value) is int and value >= lowest
