from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tpcav_core.errors import InputError
from tpcav_core.user_inputs import check_call, user_inputs

EXAMPLES = """
import torch


def _all(n, seed, width):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 4, width, generator=generator), torch.arange(n)


def parts(n, seed, sizes, width=5):
    values, numbers = _all(n, seed, width)
    at = 0
    for size in sizes:
        yield values[at:at + size], numbers[at:at + size]
        at += size


def at_once(n, seed, width=5):
    return _all(n, seed, width)


def endless(n, seed):
    while True:
        yield (torch.zeros(3, 2),)


def fails_at_once(n, seed):
    raise KeyError("lost\\nand more")


def fails_later(n, seed):
    yield (torch.zeros(2, 1),)
    raise ValueError("too late")


def a_tensor(n, seed):
    return torch.zeros(n, 3)


def a_list(n, seed):
    yield [torch.zeros(n, 3)]


def an_array(n, seed):
    yield (torch.zeros(n, 3).numpy(),)


def nothing(n, seed):
    return None


def empty(n, seed):
    yield ()


def other_rows(n, seed):
    yield torch.zeros(n, 3), torch.zeros(n + 1, 3)


def scalars(n, seed):
    yield (torch.tensor(1.0),)


def other_shapes(n, seed):
    yield (torch.zeros(4, 3),)
    yield (torch.zeros(n - 4, 2),)


def other_number(n, seed):
    yield (torch.zeros(4, 3),)
    yield torch.zeros(n - 4, 3), torch.zeros(n - 4, 3)


no_function = 7
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    path = tmp_path_factory.mktemp("examples") / "examples.py"
    path.write_text(EXAMPLES)
    return path


def call(module, name, n=23, seed=4, **kwargs):
    content = {"function": f"{module}:{name}", "n": n, "seed": seed, "kwargs": kwargs}
    return json.dumps(content)


def joined(batches):
    return [torch.cat(tensors) for tensors in zip(*batches, strict=True)]


@pytest.mark.parametrize("batch_size", [1, 4, 7, 23, 100])
@pytest.mark.parametrize(
    "sizes", [[23], [1] * 23, [10, 0, 13], [4, 4, 4, 11], [0, 20, 3, 0]], ids=str
)
def test_batches_depend_neither_on_parts_nor_on_one_another(module, batch_size, sizes):
    (expected,) = user_inputs(call(module, "at_once"), 1000)
    batches = list(user_inputs(call(module, "parts", sizes=sizes), batch_size))
    lengths = [len(batch[0]) for batch in batches]
    assert lengths[:-1] == [batch_size] * (len(lengths) - 1)
    assert sum(lengths) == 23
    for found, wanted in zip(joined(batches), expected, strict=True):
        assert found.dtype == wanted.dtype
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("rows", [1, 5, 12, 23])
@pytest.mark.parametrize("batch_size", [1, 5, 8, 64])
def test_some_rows_are_the_first(module, rows, batch_size):
    (expected,) = user_inputs(call(module, "at_once"), 1000)
    found = joined(user_inputs(call(module, "parts", sizes=[9, 9, 5]), batch_size, rows))
    assert all(torch.equal(a, b[:rows]) for a, b in zip(found, expected, strict=True))


def test_a_generator_without_end_is_not_run_on(module):
    batches = list(user_inputs(call(module, "endless", n=8), 5))
    assert [len(batch[0]) for batch in batches] == [5, 3]


def test_batches_come_as_soon_as_there_are_rows(module):
    batches = user_inputs(call(module, "fails_later"), 2)
    assert len(next(batches)[0]) == 2
    with pytest.raises(InputError, match="too late"):
        next(batches)


def test_seed_and_arguments_reach_the_function(module):
    (one,) = user_inputs(call(module, "at_once", seed=1), 64)
    (two,) = user_inputs(call(module, "at_once", seed=2), 64)
    (wide,) = user_inputs(call(module, "at_once", width=6), 64)
    assert not torch.equal(one[0], two[0])
    assert wide[0].shape == (23, 4, 6)


def test_a_check_returns_the_shapes_of_an_example(module):
    assert check_call(call(module, "at_once")) == ((4, 5), ())
    assert check_call(call(module, "parts", n=600, sizes=[200] * 3)) == ((4, 5), ())


def test_values_of_batches_are_not_changed_by_later_ones(module):
    batches = list(user_inputs(call(module, "parts", sizes=[11, 12]), 4))
    np.testing.assert_array_equal(joined(batches)[1], np.arange(23))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fails_at_once", r"raised KeyError: 'lost\\nand more' \(line \d+ of .*examples\.py\)"),
        ("fails_later", r"raised ValueError: too late \(line \d+ of .*examples\.py\)"),
        ("a_tensor", "yielded Tensor, expected a tuple of tensors; yield"),
        ("a_list", "yielded list, expected a tuple of tensors"),
        ("an_array", r"yielded \['ndarray'\], expected a tuple of tensors"),
        ("nothing", "raised TypeError: 'NoneType' object is not iterable"),
        ("empty", r"yielded \[\], expected a tuple of tensors"),
        ("other_rows", r"shapes \(23, 3\), \(24, 3\); expected as many rows"),
        ("scalars", r"shapes \(\); expected as many rows"),
        ("other_shapes", r"examples of different shapes, .*\(2,\)"),
        ("other_number", "examples of different shapes"),
        ("no_function", "is a int, expected a function"),
        ("at_onc", "does not define 'at_onc'; did you mean 'at_once'"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_what_a_function_does_wrong_is_said_in_one_line(module, name, message, batch_size):
    with pytest.raises(InputError, match=message) as caught:
        list(user_inputs(call(module, name), batch_size))
    text = str(caught.value)
    assert text.startswith(f"function '{module}:{name}'")
    assert "\n" not in text


@pytest.mark.parametrize(("rows", "batch_size"), [(None, 4), (None, 64), (22, 5)])
def test_too_few_rows_are_an_error_with_both_numbers(module, rows, batch_size):
    with pytest.raises(InputError, match=r"yielded 15 rows, expected 23; .*examples\.per_concept"):
        list(user_inputs(call(module, "parts", sizes=[10, 5]), batch_size, rows))


def test_arguments_the_function_does_not_take_are_an_error(module):
    with pytest.raises(InputError, match=r"raised TypeError: .*unexpected keyword argument 'gc'"):
        list(user_inputs(call(module, "at_once", gc=0.5), 4))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.py: no such file"):
        list(user_inputs(call(tmp_path / "absent.py", "f"), 4))
