"""Networks of the package transformers, from a folder that ``save_pretrained`` wrote.

Nothing is downloaded, nothing is unpickled, and no code of the folder runs unless that is asked
for. Where weights are missing transformers goes on with random ones; here that is an error.

Weights are loaded as float32, whatever they were saved as, because completeness of attributions is
measured to parts of a percent. Attention is computed step by step ("eager"), in operations whose
gradients are deterministic; fused kernels choose among algorithms by hardware and shape.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .errors import InputError, some_of
from .imports import describe_error
from .model_folders import check_folder
from .strands import Wrapper

log = logging.getLogger("tpcav_core")

_POOLER = "pooler."
_LISTED = 6


class HuggingFaceModel(Wrapper):
    """A network of transformers, called with token ids and a mask, that returns one tensor.

    Layers go by their names in the wrapped model.

    Attributes:
        model: the network of transformers.
        takes_mask: whether it has an argument ``attention_mask``. One that has none gets the ids
            alone; the mean over tokens still leaves padding out.

    Raises:
        InputError: the network takes no ``input_ids``; when called: its output has no tensor, or
            another number of positions than there are tokens.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        arguments = inspect.signature(model.forward).parameters
        if "input_ids" not in arguments:
            raise InputError(
                f"{type(model).__name__}: takes {', '.join(arguments)}, expected input_ids; write"
                " a factory that returns a module of your own around it"
            )
        self.model = model
        self.takes_mask = "attention_mask" in arguments

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return (n, values).

        Args:
            input_ids: (n, m) int64.
            attention_mask: (n, m), 1 for a token and 0 for padding; None: no padding.

        Returns:
            The network's logits, else its last hidden state. What has a value for each token,
            (n, m, h), is averaged over the tokens of an example, special ones included and padding
            left out.
        """
        arguments = {"input_ids": input_ids}
        if self.takes_mask and attention_mask is not None:
            arguments["attention_mask"] = attention_mask
        values = _values(self.model(**arguments))
        if values.ndim != 3:
            return values
        if attention_mask is None:
            return values.mean(dim=1)
        if values.shape[1] != attention_mask.shape[1]:
            raise InputError(
                f"{type(self.model).__name__}: {values.shape[1]} positions in its output for"
                f" {attention_mask.shape[1]} tokens, so no mean over tokens can be taken; write a"
                " factory that returns a module of your own around it"
            )
        mask = attention_mask.to(values.dtype)
        return (values * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


def load_huggingface(
    folder: str, architecture: str | None = None, trust_remote_code: bool = False
) -> HuggingFaceModel:
    """Return the network in a folder with its weights, in evaluation mode, on the CPU.

    Args:
        folder: what ``save_pretrained`` wrote: config.json and model.safetensors.
        architecture: one of `tpcav_core.model_folders.ARCHITECTURES`; None for the one saved.
        trust_remote_code: run code of the folder.

    Raises:
        InputError: transformers is not installed; the folder cannot be used (see `check_folder`);
            weights are missing, of another shape, or the network has no place for them.
    """
    label = f"huggingface {folder!r}"
    try:
        import transformers
    except ImportError as error:
        raise InputError(
            f"{label}: needs the package transformers ({error}); pip install transformers"
        ) from error
    architecture = check_folder(folder, architecture, trust_remote_code)
    try:
        with _quiet(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            model, loading = getattr(transformers, architecture).from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=trust_remote_code,
                use_safetensors=True,
                attn_implementation="eager",
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # so that they are reported with their shapes
            )
    except Exception as error:  # the package raises errors of many types
        raise InputError(
            f"{label}: {architecture} cannot load it ({describe_error(error)}); check the folder,"
            " architecture and the version of transformers"
        ) from error
    _check_loading(model, loading, f"{label}, {type(model).__name__}")
    if getattr(model.config, "use_cache", False):
        model.config.use_cache = False  # it speeds up writing text, token by token, only
    return HuggingFaceModel(model.eval()).eval()


def _values(output: Any) -> Tensor:
    """Return the tensor of an output: logits, last hidden state, or the first of a tuple."""
    found = output
    if isinstance(output, Mapping):
        names = [name for name in ("logits", "last_hidden_state") if name in output]
        found = output[names[0]] if names else None
    elif isinstance(output, tuple) and output:
        found = output[0]
    if not isinstance(found, Tensor):
        what = f" with {', '.join(output)}" if isinstance(output, Mapping) else ""
        raise InputError(
            f"model: output is a {type(output).__name__}{what}, expected logits or"
            " last_hidden_state; write a factory that returns a module of your own around it"
        )
    return found


def _check_loading(model: Any, loading: Mapping[str, Any], label: str) -> None:
    """Refuse a network of which some weights are not those of the file."""
    missing = sorted(loading["missing_keys"])
    if missing and _is_unused_pooler(model, missing):
        log.info("%s: the folder has no weights for its pooler, which is left out", label)
        setattr(model, _POOLER.rstrip("."), None)
        missing = []
    own = type(model).__name__ in (model.config.architectures or [])
    unexpected = sorted(loading["unexpected_keys"])
    misplaced = [key for key in unexpected if own or _is_of_the_body(model, key)]
    problems = [
        some_of("random weights would stand for", missing, _LISTED),
        some_of(
            "other shapes in the file and the network have",
            [f"{key} {tuple(a)} {tuple(b)}" for key, a, b in sorted(loading["mismatched_keys"])],
            _LISTED,
        ),
        some_of("the network has no place for", misplaced, _LISTED),
    ]
    found = "; ".join(filter(None, problems))
    if found:
        saved = ", ".join(model.config.architectures or []) or "a network without a name"
        raise InputError(
            f"{label}: {found}; the folder holds {saved}, set architecture to what it is, or train"
            " and save the whole network"
        )
    if unexpected:
        log.info("%s: %s", label, some_of("left out of the file:", unexpected, _LISTED))


def _is_unused_pooler(model: Any, missing: list[str]) -> bool:
    """Say whether only a base network's pooler is missing, which its hidden states do not need.

    Masked language models are saved without one.
    """
    optional = "add_pooling_layer" in inspect.signature(type(model).__init__).parameters
    return optional and all(key.startswith(_POOLER) for key in missing)


def _is_of_the_body(model: Any, key: str) -> bool:
    """Say whether a weight belongs to the part that networks with other heads share."""
    prefix = model.base_model_prefix
    body = getattr(model, prefix, model) if prefix else model
    name = key.removeprefix(f"{prefix}.")
    return name.partition(".")[0] in dict(body.named_children())


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence reports and progress bars of transformers: what matters is checked and said here."""
    import transformers

    reports: Any = transformers.logging
    level, bars = reports.get_verbosity(), reports.is_progress_bar_enabled()
    reports.set_verbosity_error()
    reports.disable_progress_bar()
    try:
        yield
    finally:
        reports.set_verbosity(level)
        if bars:
            reports.enable_progress_bar()
