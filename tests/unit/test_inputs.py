from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tpcav_core.errors import InputError
from tpcav_core.inputs import (
    example_codes,
    input_adapter,
    one_hot,
    one_hot_channels_last,
    sequences,
)

CODES = np.array([[0, 1, 2, 3, 4], [4, 3, 3, 0, 1]], dtype=np.uint8)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def custom(path: Path, body: str) -> str:
    text = f"import numpy as np, torch\n\ndef encode(sequences, tracks=None):\n    {body}\n"
    return f"{write(path / 'encode.py', text)}:encode"


def test_one_hot_by_hand() -> None:
    expected = [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]
    found = one_hot(CODES)
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    assert found[0].tolist() == expected
    assert found[1, :, 0].tolist() == [0, 0, 0, 0]


def test_channels_last_is_the_transposed_one_hot() -> None:
    codes = np.random.default_rng(1).integers(0, 5, (7, 33), dtype=np.uint8)
    last = one_hot_channels_last(codes)
    assert last.shape == (7, 33, 4)
    assert last.is_contiguous()
    assert torch.equal(last.transpose(1, 2), one_hot(codes))


def test_each_known_base_is_one_and_unknown_is_zero() -> None:
    codes = np.random.default_rng(2).integers(0, 5, (6, 50), dtype=np.uint8)
    hot = one_hot(codes)
    assert np.array_equal(hot.sum(1).numpy(), codes < 4)
    known = codes < 4
    assert np.array_equal(hot.argmax(1).numpy()[known], codes[known])


def test_read_only_codes_are_taken() -> None:
    codes = CODES.copy()
    codes.flags.writeable = False
    assert torch.equal(one_hot(codes), one_hot(CODES))
    assert torch.equal(one_hot_channels_last(codes), one_hot_channels_last(CODES))


def test_sequences_spell_the_codes() -> None:
    assert sequences(CODES) == ["ACGTN", "NTTAC"]
    assert sequences(CODES[:, ::-1]) == ["NTGCA", "CATTN"]
    assert sequences(CODES[:0]) == []


def test_example_codes_are_the_same_every_time() -> None:
    first = example_codes(3, 40)
    assert first.dtype == np.uint8
    assert first.max() < 4
    assert np.array_equal(first, example_codes(3, 40))
    assert not np.array_equal(first, example_codes(3, 40, seed=1))


@pytest.mark.parametrize("name", ["one_hot", "one_hot_channels_last"])
def test_built_in_adapters_give_one_tensor_and_take_no_tracks(name: str) -> None:
    adapter = input_adapter(name)
    (tensor,) = adapter(CODES)
    assert len(tensor) == 2
    with pytest.raises(InputError, match="takes no tracks"):
        adapter(CODES, np.zeros((2, 1, 5), dtype=np.float32))


def test_custom_adapter_gets_strings_and_tracks(tmp_path: Path) -> None:
    body = (
        "return (torch.tensor([[s.count('T')] for s in sequences]),"
        " torch.zeros(len(sequences)) if tracks is None else torch.from_numpy(tracks))"
    )
    adapter = input_adapter(custom(tmp_path, body))
    counts, zeros = adapter(CODES)
    assert counts.tolist() == [[1], [2]]
    assert zeros.tolist() == [0, 0]
    tracks = np.ones((2, 1, 5), dtype=np.float32)
    assert adapter(CODES, tracks)[1].shape == (2, 1, 5)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return torch.zeros(2, 3)", "returned a Tensor, expected a tuple of tensors with 2 rows"),
        ("return [torch.zeros(2, 3)]", "returned a list"),
        ("return ()", "returned an empty tuple"),
        ("return (torch.zeros(2), np.zeros(2))", "element 1 is a ndarray"),
        ("return (torch.zeros(3, 2),)", r"element 0 has shape (3, 2), expected"),
        ("return (torch.tensor(1.0),)", r"element 0 has shape ()"),
        ("raise ValueError('no T')", "raised ValueError: no T (line 4 of"),
    ],
)
def test_custom_adapter_that_returns_the_wrong_thing(
    tmp_path: Path, body: str, message: str
) -> None:
    adapter = input_adapter(custom(tmp_path, body))
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        adapter(CODES)
    assert "\n" not in str(caught.value)


def test_names_that_are_no_adapter(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'one_hot'"):
        input_adapter("onehot")
    with pytest.raises(InputError, match="no such file"):
        input_adapter(f"{tmp_path}/none.py:encode")
    file = write(tmp_path / "a.py", "encode = 3\n")
    with pytest.raises(InputError, match="is a int, expected a function"):
        input_adapter(f"{file}:encode")


TRACKED = ["one_hot_and_tracks", "one_hot_stacked_tracks"]
TRACKS = np.arange(30, dtype=np.float32).reshape(2, 3, 5)


def test_sequence_and_tracks_are_two_inputs() -> None:
    hot, signal = input_adapter("one_hot_and_tracks")(CODES, TRACKS)
    assert torch.equal(hot, one_hot(CODES))
    assert np.array_equal(signal, TRACKS)
    assert signal.dtype == torch.float32


def test_stacked_tracks_follow_the_bases() -> None:
    (stacked,) = input_adapter("one_hot_stacked_tracks")(CODES, TRACKS)
    assert stacked.shape == (2, 7, 5)
    assert torch.equal(stacked[:, :4], one_hot(CODES))
    assert np.array_equal(stacked[:, 4:], TRACKS)


@pytest.mark.parametrize("name", TRACKED)
def test_tracks_are_copied_and_may_be_read_only_or_of_another_type(name: str) -> None:
    tracks = TRACKS.astype(np.float64)[:, ::-1]
    tracks.flags.writeable = False
    found = input_adapter(name)(CODES, tracks)[-1]
    assert found.dtype == torch.float32
    found.zero_()
    assert tracks[0, 0, 0] == 10


@pytest.mark.parametrize("name", TRACKED)
def test_adapters_that_need_tracks(name: str) -> None:
    adapter = input_adapter(name)
    with pytest.raises(InputError, match=f"'{name}': needs tracks and got none; list them in `tr"):
        adapter(CODES)
    for tracks in (TRACKS[:1], TRACKS[:, :, :4], TRACKS[:, 0]):
        message = f"tracks have shape {tracks.shape}, expected (2, tracks, 5) for 2 sequences"
        with pytest.raises(InputError, match=re.escape(message)):
            adapter(CODES, tracks)


@pytest.mark.parametrize("name", ["one_hot", "one_hot_channels_last", *TRACKED, "custom"])
def test_a_row_does_not_depend_on_the_rows_beside_it(name: str, tmp_path: Path) -> None:
    if name == "custom":
        name = custom(tmp_path, "return (torch.tensor([[ord(c) for c in s] for s in sequences]),)")
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 5, (7, 11), dtype=np.uint8)
    tracks = rng.random((7, 2, 11), dtype=np.float32) if name in TRACKED else None
    adapter = input_adapter(name)
    whole = adapter(codes, tracks)
    for rows in (slice(0, 1), slice(2, 6)):
        part = adapter(codes[rows], None if tracks is None else tracks[rows])
        for one, other in zip(part, whole, strict=True):
            assert torch.equal(one, other[rows])


def test_custom_adapter_that_drops_a_row_of_tracks(tmp_path: Path) -> None:
    body = "return (torch.zeros(len(sequences), 3), torch.from_numpy(tracks[:-1]))"
    adapter = input_adapter(custom(tmp_path, body))
    message = "element 1 has shape (1, 3, 5), expected a tuple of tensors with 2 rows"
    with pytest.raises(InputError, match=re.escape(message)):
        adapter(CODES, TRACKS)
