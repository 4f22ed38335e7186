from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tpcav_core import vectors


def matrix(n=7, d=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@pytest.mark.parametrize(("n", "d"), [(0, 4), (1, 1), (7, 5), (3, 1000)])
def test_column_and_back_is_the_identity(n, d):
    values = matrix(n, d)
    column = vectors.to_column(values)
    assert len(column) == n
    np.testing.assert_array_equal(vectors.to_matrix(column), values)


def test_columns_of_other_memory_layouts_are_the_same():
    values = matrix(6, 4)
    for layout in (np.asfortranarray(values), values.astype(np.float64), np.repeat(values, 2, 1)):
        view = layout[:, ::2] if layout.shape[1] == 8 else layout
        np.testing.assert_array_equal(vectors.to_matrix(vectors.to_column(view)), values)


def test_one_value_reads_anywhere_as_little_endian_float32():
    values = matrix()
    column = vectors.to_column(values)
    np.testing.assert_array_equal(np.frombuffer(column[3].as_py(), "<f4"), values[3])


def test_slices_chunks_and_selections_keep_their_rows():
    values = matrix(9, 3)
    column = vectors.to_column(values)
    np.testing.assert_array_equal(vectors.to_matrix(column.slice(2, 4)), values[2:6])
    chunked = pa.chunked_array([column.slice(5), column.slice(0, 5)])
    np.testing.assert_array_equal(vectors.to_matrix(chunked), np.r_[values[5:], values[:5]])
    picked = column.take(pa.array([8, 0, 0]))
    np.testing.assert_array_equal(vectors.to_matrix(picked), values[[8, 0, 0]])


GROUPS = {
    vectors.Group("c", "2"): matrix(4, 3, 1),
    vectors.Group("c", "4"): matrix(6, 3, 2),
    vectors.Group("e", "2"): matrix(5, 3, 3),
    vectors.Group("c", "4", "0"): matrix(2, 3, 4),
}


def written(path, rows=None):
    """Write three sets of concepts and one of the second's own control, of 4, 6, 5 and 2 rows."""
    writer = None
    for (concept, variant, control), values in GROUPS.items():
        table = pa.table(
            {
                "concept": [concept] * len(values),
                "variant": [variant] * len(values),
                "control": pa.array([control] * len(values), pa.string()),
                "activation": vectors.to_column(values),
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema, **vectors.WRITE_OPTIONS)
        writer.write_table(table, row_group_size=rows)
    writer.close()
    return path


@pytest.fixture
def file(tmp_path):
    with pq.ParquetFile(written(tmp_path / "activations.parquet")) as opened:
        yield opened, GROUPS


def test_row_groups_are_found_by_concept_and_variant(file):
    opened, groups = file
    assert vectors.group_names(opened) == list(groups)
    assert vectors.group_names(opened)[3].control == "0"
    found = vectors.groups(opened)
    assert found["c", "4", None] == [1]
    assert found["c", "4", "0"] == [3]


@pytest.mark.parametrize("rows", [1, 3, 4, 100])
def test_streamed_rows_are_the_rows_in_order(file, rows):
    opened, groups = file
    batches = list(vectors.batches(opened, [0, 2], rows))
    assert max(map(len, batches)) <= rows
    expected = np.concatenate([groups["c", "2", None], groups["e", "2", None]])
    np.testing.assert_array_equal(np.concatenate(batches), expected)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 100])
def test_a_variant_of_several_row_groups_is_found_whole_and_in_order(tmp_path, rows):
    with pq.ParquetFile(written(tmp_path / "activations.parquet", rows)) as opened:
        found = vectors.groups(opened)
        assert list(found) == list(GROUPS)
        assert [index for chosen in found.values() for index in chosen] == list(
            range(opened.num_row_groups)
        )
        for name, chosen in found.items():
            assert len(chosen) == -(-len(GROUPS[name]) // rows)
            assert {vectors.group_names(opened)[index] for index in chosen} == {name}
            for size in (1, 2, 100):
                batches = list(vectors.batches(opened, chosen, size))
                assert max(map(len, batches)) <= size
                np.testing.assert_array_equal(np.concatenate(batches), GROUPS[name])


@pytest.mark.parametrize("d", [1, 8, 1000, vectors.GROUP_BYTES // 4, vectors.GROUP_BYTES])
def test_a_row_group_has_as_many_vectors_as_fit_but_at_least_one(d):
    rows = vectors.rows_at_a_time(d)
    assert rows >= 1
    assert rows == 1 or rows * 4 * d <= vectors.GROUP_BYTES
    assert (rows + 1) * 4 * d > vectors.GROUP_BYTES


@pytest.mark.parametrize(
    "values", [[1, -2, 3], [0.5, float("nan"), -1e300], ["a", "", "β-globin, 5'"], ["only"]]
)
def test_a_plain_column_is_what_pyarrow_makes_of_it(values):
    found, expected = vectors.plain_column(values), pa.array(values)
    assert found.type == expected.type
    found.validate(full=True)
    np.testing.assert_array_equal(found.to_pylist(), expected.to_pylist())
    if found.type != pa.string():
        column = pa.chunked_array([found, found[1:]])
        np.testing.assert_array_equal(vectors.numbers(column), [*values, *values[1:]])
