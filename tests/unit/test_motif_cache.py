"""Motifs kept by content: the same motifs, whatever became of the files of the cache."""

from __future__ import annotations

import numpy as np
import pytest

from tpcav_core import motif_cache
from tpcav_core.motif_cache import kept
from tpcav_core.motifs import Motif


def motifs(number=motif_cache.FEWEST, seed=0):
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 9, (number, 2))
    return [
        Motif(f"é:{index}/x", tuple(rng.dirichlet(np.ones(4), width) for width in of_motif))
        for index, of_motif in enumerate(widths[:, : 1 + seed % 2])
    ]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "motifs.txt"
    path.write_text("content")
    return path


def unread():
    pytest.fail("read again")


@pytest.mark.parametrize("seed", [0, 1])
def test_what_comes_from_the_cache_is_what_was_read(tmp_path, file, seed):
    first = kept("auto", [file], lambda: motifs(seed=seed), tmp_path / "deep" / "cache")
    again = kept("auto", [file], unread, tmp_path / "deep" / "cache")
    assert again == first == motifs(seed=seed)


def test_other_content_and_other_options_are_read(tmp_path, file):
    cache = tmp_path / "cache"
    kept("auto", [file], motifs, cache)
    other = motifs(seed=2)
    assert kept("meme", [file], lambda: other, cache) == other
    file.write_text("other")
    assert kept("auto", [file], lambda: other, cache) == other
    # the same content under another name is known
    renamed = file.rename(tmp_path / "renamed.txt")
    assert kept("auto", [renamed], unread, cache) == other


def test_few_motifs_leave_no_file(tmp_path, file):
    few = motifs(motif_cache.FEWEST - 1)
    assert kept("auto", [file], lambda: few, tmp_path / "cache") == few
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"hello", "cut"])
def test_a_damaged_cache_is_written_again(tmp_path, file, damage):
    cache = tmp_path / "cache"
    first = kept("auto", [file], motifs, cache)
    (stored,) = cache.iterdir()
    content = stored.read_bytes()
    stored.write_bytes(content[: len(content) // 2] if damage == "cut" else damage)
    assert kept("auto", [file], motifs, cache) == first
    assert kept("auto", [file], unread, cache) == first


def test_a_cache_that_cannot_be_used_is_passed_over(tmp_path, file):
    assert kept("auto", [file], motifs, file) == motifs()
    assert kept("auto", [tmp_path / "none"], motifs, tmp_path / "cache") == motifs()
    assert kept("auto", [file], motifs, None) == motifs()
