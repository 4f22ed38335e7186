from __future__ import annotations

import argparse

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tpcav_core import activations, files, grams, vectors
from tpcav_core.basis import Scaling, fit_scaling
from tpcav_core.basis_files import write_scaling
from tpcav_core.commands import gram
from tpcav_core.errors import InputError


def rows(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def streamed(matrix, size):
    return (matrix[first : first + size] for first in range(0, len(matrix), size))


@pytest.mark.parametrize("d", [1, 100, grams.BLOCK, grams.BLOCK + 1, 3 * grams.BLOCK + 5])
def test_inner_products_are_those_of_the_whole(d):
    left, right = rows(6, d, 1), rows(9, d, 2)
    product = grams.inner_products(left, right)
    assert product.dtype == np.float64
    expected = left.astype(float) @ right.astype(float).T
    np.testing.assert_allclose(product, expected, atol=1e-5 * d**0.5)


def test_a_gram_matrix_is_symmetric_with_squared_lengths():
    z = rows(7, 500)
    gram = grams.inner_products(z, z)
    np.testing.assert_allclose(gram, gram.T, rtol=1e-6)
    np.testing.assert_allclose(np.diag(gram), (z.astype(float) ** 2).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("size", [1, 4, 11, 50])
def test_streamed_products_equal_dense_ones(size):
    z, others = rows(5, 300, 1), rows(11, 300, 2)
    cross = grams.cross_gram(z, streamed(others, size))
    np.testing.assert_allclose(cross, z.astype(float) @ others.astype(float).T, atol=1e-4)


@pytest.mark.parametrize("size", [1, 4, 11, 50])
def test_streamed_combinations_equal_dense_ones(size):
    z = rows(11, 300)
    weights = np.random.default_rng(3).normal(size=(11, 4))
    combined = grams.combine(weights, streamed(z, size))
    assert combined.shape == (4, 300)
    assert combined.dtype == np.float64
    # the rounding of 11 float32 products and their sum, which can cancel
    error = np.abs(combined - weights.T @ z.astype(float))
    assert (error <= 1e-6 * (np.abs(weights).T @ np.abs(z))).all()


def test_batches_are_added_in_float64():
    z = np.array([[1e8], [1.0], [-1e8]], np.float32)
    np.testing.assert_array_equal(grams.combine(np.ones((3, 1)), streamed(z, 1)), [[1.0]])


@pytest.mark.parametrize("n", [10, 12])
def test_weights_for_another_number_of_rows_are_refused(n):
    with pytest.raises(ValueError, match=r"weights|mismatch|dimension"):
        grams.combine(np.ones((n, 2)), streamed(rows(11, 4), 5))


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="2 weights for 0 rows"):
        grams.combine(np.ones((2, 1)), iter(()))


# --- standardised rows and Gram matrices of files ----------------------------------------------

D = 6
#: rows of each replicate of a control
SIZES = {"0": 7, "1": 12, "2": 4}


def activation_rows(d=D):
    """Activations of each replicate; the last feature does not vary."""
    parts = {name: rows(n, d, seed) + 3 for seed, (name, n) in enumerate(SIZES.items())}
    for values in parts.values():
        values[:, -1] = 2.0
    return parts


def write_activations(path, parts, group_rows):
    """Write the activations of a control, at most ``group_rows`` rows in a row group."""
    writer = None
    for name, values in parts.items():
        folds = np.zeros(len(values), np.int16)
        gc = np.full(len(values), 0.4)
        table = activations.to_table(vectors.Group("random", name), folds, gc, values)
        schema = files.described_schema(table.schema, "activations", {})
        writer = writer or pq.ParquetWriter(path, schema, **vectors.WRITE_OPTIONS)
        writer.write_table(pa.table(table.columns, schema=schema), row_group_size=group_rows)
    writer.close()
    return path


def scaling_of(parts):
    return fit_scaling(np.concatenate(list(parts.values())))


@pytest.mark.parametrize("group_rows", [1, 3, 100])
@pytest.mark.parametrize("read_rows", [1, 4, 100])
@pytest.mark.parametrize("batch_rows", [0, 1, 2, 5, 100])
def test_standardised_rows_are_those_of_the_whole(
    tmp_path, monkeypatch, group_rows, read_rows, batch_rows
):
    parts = activation_rows()
    scaling = scaling_of(parts)
    path = write_activations(tmp_path / "a.parquet", parts, group_rows)
    monkeypatch.setattr(vectors, "GROUP_BYTES", 4 * D * read_rows)
    # no batch is smaller than a row
    monkeypatch.setattr(gram, "BATCH_BYTES", 4 * D * batch_rows + 3)
    with files.open_parquet(path, "activations") as file:
        groups = vectors.groups(file)
        for names in (["0", "1", "2"], ["1"], ["2", "0"]):
            chosen = [index for name in names for index in groups[vectors.Group("random", name)]]
            expected = scaling.apply(np.concatenate([parts[name] for name in names]))
            assert gram.number_of_rows(file, chosen) == len(expected)
            np.testing.assert_array_equal(gram.standardised(file, chosen, scaling), expected)
            batches = [batch.copy() for batch in gram.standardised_rows(file, chosen, scaling)]
            assert max(map(len, batches)) <= max(1, batch_rows)
            np.testing.assert_array_equal(np.concatenate(batches), expected)
            assert {batch.dtype for batch in batches} == {np.dtype(np.float32)}


def test_a_batch_of_rows_is_valid_until_the_next(tmp_path, monkeypatch):
    parts = activation_rows()
    path = write_activations(tmp_path / "a.parquet", parts, 3)
    monkeypatch.setattr(gram, "BATCH_BYTES", 4 * D * 5)
    with files.open_parquet(path, "activations") as file:
        chosen = list(range(file.num_row_groups))
        stream = gram.standardised_rows(file, chosen, scaling_of(parts))
        first = next(stream)
        kept = first.copy()
        # all use the same memory, which is why no more than one is held
        assert all(np.shares_memory(first, batch) for batch in stream)
        assert not np.array_equal(first, kept)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standardising_into_a_given_array_gives_the_same(dtype):
    values = rows(5, D).astype(dtype)
    scaling = Scaling(rows(1, D, 1)[0], np.abs(rows(1, D, 2)[0]) + 1)
    before, held = values.copy(), np.full((9, D), 7, np.float32)
    found = scaling.apply(values, out=held[2:7])
    assert np.shares_memory(found, held)
    np.testing.assert_array_equal(held[2:7], scaling.apply(values))
    np.testing.assert_array_equal(values, before)
    assert (held[[0, 1, 7, 8]] == 7).all()


@pytest.fixture
def gram_file(tmp_path):
    """What the step makes of replicates of several lengths, with several row groups each."""

    def made(group_rows=3):
        parts = activation_rows()
        scaling = scaling_of(parts)
        write_scaling(scaling, tmp_path / "scaling.parquet", {})
        path = write_activations(tmp_path / "a.parquet", parts, group_rows)
        options = {"activations": path, "scaling": tmp_path / "scaling.parquet", "threads": 1}
        gram.run(argparse.Namespace(**options, output=tmp_path / "gram.parquet"))
        return tmp_path / "gram.parquet", {name: scaling.apply(z) for name, z in parts.items()}

    return made


@pytest.mark.parametrize("group_rows", [1, 3, 100])
def test_the_gram_matrix_of_each_replicate_is_read_alone(gram_file, group_rows):
    path, replicates = gram_file(group_rows)
    assert pq.ParquetFile(path).num_row_groups == len(replicates)
    for name, z in replicates.items():
        found = gram.read_gram(path, name)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, grams.inner_products(z, z))


def test_a_replicate_that_is_not_there_is_an_error(gram_file):
    path, _ = gram_file()
    with pytest.raises(InputError) as caught:
        gram.read_gram(path, "3")
    assert str(caught.value) == f"{path}: no replicate '3'; delete it and run the workflow again"
