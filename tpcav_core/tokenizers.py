"""Hugging Face tokenizers as input adapters: sequences to token ids and attention mask.

Every batch is padded to one number of tokens m that depends on the window and the tokenizer alone:
one token per base and the tokenizer's own special tokens, or ``model_max_length`` where that is
less. So a row does not depend on the rows beside it, and a layer has the same d in every batch.
Nothing is ever truncated: a sequence of more than m tokens is an error.

A tokenizer of long tokens (BPE, k-mers that do not overlap) leaves most of the m tokens padding,
which the model pays for. Where the largest number of tokens is known, a function of the user's own
returns `encode` with it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .errors import InputError
from .imports import describe_error
from .inputs import Codes, Inputs, sequences

_KEYS = ("input_ids", "attention_mask")


def tokenizer_adapter(name: str) -> Callable[[Codes], Inputs]:
    """Return the adapter of ``inputs: tokenizer:name``.

    Args:
        name: as in `load_tokenizer`.

    Returns:
        Function of codes (n, L) uint8 that returns token ids (n, m) and attention mask (n, m),
        both int64, see `encode`; an ambiguous base is given to the tokenizer as ``N``.

    Raises:
        InputError: as `load_tokenizer`; when called, as `encode`.
    """
    tokenizer = load_tokenizer(name)

    def adapter(codes: Codes) -> Inputs:
        return encode(tokenizer, sequences(codes), token_limit(tokenizer, codes.shape[1]), name)

    return adapter


def load_tokenizer(name: str) -> Any:
    """Return a Hugging Face tokenizer; code that comes with it is never run.

    Args:
        name: a folder that ``save_pretrained`` wrote, which needs no network, or a name on the
            Hugging Face hub. A folder does not change between runs; what a name stands for may.

    Raises:
        InputError: the package transformers is not installed, no tokenizer in the folder, or no
            such name.
    """
    label = _label(name)
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise InputError(
            f"{label}: needs the package transformers ({error}); pip install transformers"
        ) from error
    folder = Path(name).is_dir()
    if not name or not (folder or _may_be_on_the_hub(name)):
        raise InputError(
            f"{label}: no such folder; paths are relative to {Path.cwd()}, and names on the"
            " Hugging Face hub read owner/name"
        )
    remedy = (
        "expected the files that the tokenizer's save_pretrained writes into this folder"
        if folder
        else "check the name and the network, or save the tokenizer to a folder and give its path"
    )
    try:
        return AutoTokenizer.from_pretrained(name, trust_remote_code=False, local_files_only=folder)
    except Exception as error:  # the package raises errors of many types
        raise InputError(
            f"{label}: no tokenizer can be loaded from it ({describe_error(error)}); {remedy}"
        ) from error


def token_limit(tokenizer: Any, window: int) -> int:
    """Return m, the number of tokens that sequences of ``window`` bases are padded to."""
    most = window + int(tokenizer.num_special_tokens_to_add())
    return min(most, int(tokenizer.model_max_length))


def encode(tokenizer: Any, texts: list[str], length: int, name: str = "") -> Inputs:
    """Return token ids and attention mask of n sequences, each (n, length) int64.

    Args:
        tokenizer: a Hugging Face tokenizer.
        texts: n sequences of A, C, G, T and N, at least one.
        length: number of tokens that each is padded to, special tokens included.
        name: what messages call the tokenizer.

    Raises:
        InputError: a sequence has more tokens than ``length``, or fewer and the tokenizer has no
            padding token; every token of a sequence is unknown; the tokenizer fails.
    """
    label = _label(name)
    padded = tokenizer.pad_token_id is not None
    try:
        found = tokenizer(
            texts,
            padding="max_length" if padded else False,
            max_length=length,
            truncation=False,
            return_attention_mask=True,
        )
        # special_tokens_mask is not to be had of every tokenizer, or is wrong
        uninformative = {*tokenizer.all_special_ids, *tokenizer("")["input_ids"]}
    except Exception as error:  # the package raises errors of many types
        raise InputError(f"{label}: raised {describe_error(error)}") from error
    for key in _KEYS:
        if key not in found or len(found[key]) != len(texts):
            raise InputError(
                f"{label}: gives no {key} for each of {len(texts)} sequences, expected a tokenizer"
                " of text; set inputs to path/to/file.py:function"
            )
    _check_lengths(found["input_ids"], length, padded, label)
    ids, mask = (torch.tensor(found[key], dtype=torch.int64) for key in _KEYS)
    _check_known(texts, torch.isin(ids, torch.tensor(list(uninformative), dtype=ids.dtype)), label)
    return ids, mask


def _check_lengths(ids: list[list[int]], length: int, padded: bool, label: str) -> None:
    lengths = [len(row) for row in ids]
    if max(lengths, default=length) > length:
        row = next(index for index, found in enumerate(lengths) if found > length)
        raise InputError(
            f"{label}: sequence {row} has {lengths[row]} tokens, at most {length} fit, and nothing"
            " is truncated; use a shorter window or a model that takes more tokens"
        )
    if not padded and min(lengths, default=length) < length:
        raise InputError(
            f"{label}: sequences are padded to {length} tokens, but it has no padding token; set"
            " pad_token in its tokenizer_config.json"
        )


def _check_known(texts: list[str], uninformative: torch.Tensor, label: str) -> None:
    """Refuse a tokenizer of another alphabet: it would give one input whatever the sequence."""
    unread = uninformative.all(dim=1).tolist()
    for row, text in enumerate(texts):
        if unread[row] and text.strip("N"):
            raise InputError(
                f"{label}: sequence {row} gives unknown or special tokens only, expected a"
                " tokenizer of upper-case ACGTN without spaces; for another form of text set"
                " inputs to path/to/file.py:function"
            )


def _may_be_on_the_hub(name: str) -> bool:
    return name.count("/") <= 1 and not name.startswith(("/", ".", "~"))


def _label(name: str) -> str:
    return f"inputs 'tokenizer:{name}'"
