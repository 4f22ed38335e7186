from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tpcav_core.errors import InputError
from tpcav_core.inputs import input_adapter, sequences
from tpcav_core.tokenizers import encode, load_tokenizer, token_limit

pytest.importorskip("transformers")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
CODES = np.array([[0, 1, 2, 3, 4], [4, 3, 3, 0, 1]], dtype=np.uint8)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Callable[..., str]:
    """Save a tokenizer of words that a pattern splits sequences into; return its folder."""

    def save(
        pattern: str = ".", words: str = "A C G T", without: tuple[str, ...] = (), **options: Any
    ) -> str:
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
        from transformers import PreTrainedTokenizerFast

        vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words.split()])}
        made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        made.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
        kept = {key: value for key, value in names.items() if key not in without}
        folder = tmp_path / f"tokenizer{len(list(tmp_path.iterdir()))}"
        PreTrainedTokenizerFast(tokenizer_object=made, **kept, **options).save_pretrained(folder)
        return str(folder)

    return save


def triplets() -> str:
    words = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    return " ".join([*words, *"ACGT"])


def test_one_token_per_base_by_hand(tokenizer: Callable[..., str]) -> None:
    ids, mask = input_adapter(f"tokenizer:{tokenizer()}")(CODES)
    # A C G T are 4 5 6 7, N is unknown (1), between [CLS] and [SEP]
    assert ids.tolist() == [[2, 4, 5, 6, 7, 1, 3], [2, 1, 7, 7, 4, 5, 3]]
    assert mask.tolist() == [[1] * 7] * 2
    assert (ids.dtype, mask.dtype) == (torch.int64, torch.int64)


def test_longer_tokens_are_padded_to_the_window(tokenizer: Callable[..., str]) -> None:
    folder = tokenizer("[ACGT]{3}|.", triplets())
    codes = np.array([[0, 0, 0, 3, 3, 3, 1], [0, 4, 0, 0, 0, 4, 0]], dtype=np.uint8)
    ids, mask = input_adapter(f"tokenizer:{folder}")(codes)
    base = {letter: 4 + 64 + number for number, letter in enumerate("ACGT")}
    assert ids[0].tolist() == [2, 4, 67, base["C"], 3, 0, 0, 0, 0]
    assert ids[1].tolist() == [2, base["A"], 1, 4, 1, base["A"], 3, 0, 0]
    assert mask.sum(1).tolist() == [5, 7]
    assert torch.equal(mask, (ids != 0).long())


def test_rows_do_not_depend_on_the_batch(tokenizer: Callable[..., str]) -> None:
    adapter = input_adapter(f"tokenizer:{tokenizer('[ACGT]{3}|.', triplets())}")
    codes = np.random.default_rng(3).integers(0, 5, (9, 40), dtype=np.uint8)
    codes[4] = 0
    whole = adapter(codes)
    assert whole[0].shape == (9, 42)
    for size in (1, 4):
        parts = [adapter(codes[first : first + size]) for first in range(0, 9, size)]
        for tensor, pieces in zip(whole, zip(*parts, strict=True), strict=True):
            assert torch.equal(tensor, torch.cat(pieces))


def test_the_largest_length_of_the_model_bounds_the_padding(tokenizer: Callable[..., str]) -> None:
    folder = tokenizer("[ACGT]{3}|.", triplets(), model_max_length=8)
    assert token_limit(load_tokenizer(folder), 18) == 8
    assert token_limit(load_tokenizer(folder), 3) == 5
    adapter = input_adapter(f"tokenizer:{folder}")
    codes = np.zeros((3, 18), dtype=np.uint8)
    assert adapter(codes)[0].shape == (3, 8)
    codes[1, 2] = 4
    with pytest.raises(InputError, match=r"sequence 1 has 10 tokens, at most 8 fit") as caught:
        adapter(codes)
    assert "\n" not in str(caught.value)


def test_a_function_of_the_user_may_pad_to_a_length_of_its_own(
    tokenizer: Callable[..., str],
) -> None:
    loaded = load_tokenizer(tokenizer("[ACGT]{3}|.", triplets()))
    ids, mask = encode(loaded, ["ACGACG", "TTTTTT"], 5)
    assert ids.shape == (2, 5)
    assert mask.sum(1).tolist() == [4, 4]


def test_without_a_padding_token_only_full_rows_are_taken(tokenizer: Callable[..., str]) -> None:
    full = input_adapter(f"tokenizer:{tokenizer(without=('pad_token',))}")
    assert full(CODES)[0].shape == (2, 7)
    short = tokenizer("[ACGT]{3}|.", triplets(), without=("pad_token",))
    with pytest.raises(InputError, match="no padding token; set pad_token"):
        input_adapter(f"tokenizer:{short}")(CODES)


@pytest.mark.parametrize(("pattern", "words"), [("X", "A C G T"), (".", "a c g t")])
def test_a_tokenizer_of_another_alphabet_is_refused(
    tokenizer: Callable[..., str], pattern: str, words: str
) -> None:
    adapter = input_adapter(f"tokenizer:{tokenizer(pattern, words)}")
    with pytest.raises(InputError, match="sequence 0 gives unknown or special tokens only"):
        adapter(CODES)


def test_a_sequence_of_n_alone_is_taken(tokenizer: Callable[..., str]) -> None:
    ids, _ = input_adapter(f"tokenizer:{tokenizer()}")(np.full((1, 3), 4, dtype=np.uint8))
    assert ids.tolist() == [[2, 1, 1, 1, 3]]


def test_a_tokenizer_that_is_not_of_the_tokenizers_library(tmp_path: Path) -> None:
    from transformers import EsmTokenizer

    words = ["<cls>", "<pad>", "<eos>", "<unk>", "<mask>", *triplets().split(), "N"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    EsmTokenizer(str(tmp_path / "vocab.txt"), eos_token=None).save_pretrained(tmp_path / "esm")
    adapter = input_adapter(f"tokenizer:{tmp_path / 'esm'}")
    codes = np.array([[0, 0, 1, 4, 3, 3, 3, 3]], dtype=np.uint8)
    ids, mask = adapter(codes)
    found = [words[number] for number in ids[0].tolist()]
    assert found == ["<cls>", "AAC", "N", "TTT", "T", *["<pad>"] * 4]
    assert mask.tolist() == [[1] * 5 + [0] * 4]


def test_tokenizers_take_no_tracks(tokenizer: Callable[..., str]) -> None:
    name = f"tokenizer:{tokenizer()}"
    with pytest.raises(InputError, match="takes no tracks"):
        input_adapter(name)(CODES, np.zeros((2, 1, 5), dtype=np.float32))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "no such folder"),
        ("./none", "no such folder; paths are relative to"),
        ("a/b/none", "no such folder"),
        ("nobody/nothing", "no tokenizer can be loaded from it (OSError: "),
        ("EMPTY", "expected the files that the tokenizer's save_pretrained writes"),
        ("BROKEN", "no tokenizer can be loaded from it"),
        ("CODE", "no tokenizer can be loaded from it"),
    ],
)
def test_names_that_are_no_tokenizer(
    tmp_path: Path, tokenizer: Callable[..., str], name: str, message: str
) -> None:
    if name == "EMPTY":
        (tmp_path / "empty").mkdir()
        name = str(tmp_path / "empty")
    elif name == "BROKEN":
        name = tokenizer()
        (Path(name) / "tokenizer.json").write_text("{")
    elif name == "CODE":
        folder = tmp_path / "code"
        folder.mkdir()
        (folder / "own.py").write_text("raise SystemExit('code of a tokenizer was run')\n")
        (folder / "tokenizer_config.json").write_text(
            '{"auto_map": {"AutoTokenizer": ["own.Own", null]}, "tokenizer_class": "Own"}'
        )
        name = str(folder)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        input_adapter(f"tokenizer:{name}")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"inputs 'tokenizer:{name}': ")


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match="pip install transformers"):
        input_adapter("tokenizer:owner/name")


class Fake:
    """What `encode` uses of a tokenizer."""

    pad_token_id = 0
    all_special_ids = (0,)

    def __init__(self, result: Any) -> None:
        self.result = result

    def __call__(self, texts: list[str], **options: Any) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result if texts else {"input_ids": []}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"input_values": [[1]]}, "gives no input_ids for each of 2 sequences"),
        ({"input_ids": [[1, 1]]}, "gives no input_ids for each of 2 sequences"),
        ({"input_ids": [[1], [1]]}, "gives no attention_mask for each of 2"),
        (ValueError("not\ntext"), "raised ValueError: not"),
    ],
)
def test_ids_that_are_not_produced(result: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        encode(Fake(result), sequences(CODES), 2, "fake")
    assert "\n" not in str(caught.value)
