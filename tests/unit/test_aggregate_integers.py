"""The integer gate between the engine's sums and the noise: nothing but whole numbers passes, and none is changed."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from dp_stats.secure.aggregate import _integers

HUGE = 2**62 + 1
"""A double holds its neighbours only: on the way through one it would change."""


@pytest.mark.parametrize(
    "column",
    [
        pa.chunked_array([[1.0, 2.0]]),
        pa.chunked_array([[1.5]]),
        pa.chunked_array([[float("nan")]]),
        pa.chunked_array([[float("inf")]]),
        pa.chunked_array([pa.array([1.0], pa.float32())]),
        pa.chunked_array([[Decimal("1.5")]]),
        pa.chunked_array([[1, None]]),
        pa.chunked_array([["1"]]),
        pa.chunked_array([pa.array([2**63], pa.uint64())]),
    ],
    ids=[
        "whole floats",
        "floats",
        "nan",
        "infinity",
        "short floats",
        "decimals",
        "a null among integers",
        "texts",
        "beyond 64 bits",
    ],
)
def test_what_is_not_an_integer_does_not_pass(column: pa.ChunkedArray) -> None:
    with pytest.raises(TypeError):
        _integers(column)


@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.int8()])
def test_integers_of_every_size_pass_unchanged_as_64_bits(kind: pa.DataType) -> None:
    found = _integers(pa.chunked_array([pa.array([-7, 0], kind), pa.array([100], kind)]))
    assert found.dtype == np.int64
    assert found.tolist() == [-7, 0, 100]


def test_an_integer_that_no_double_holds_passes_unchanged() -> None:
    assert _integers(pa.chunked_array([[HUGE, -HUGE]])).tolist() == [HUGE, -HUGE]
