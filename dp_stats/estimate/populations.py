"""Public populations of the cells of a table, for rates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid, sum_groups
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Release

Floats = NDArray[np.float64]


def population_of(grid: Grid, release: Release, catalogue: Catalogue, levels: Mapping[str, str], column: str) -> Floats:
    """People in each cell of a table, in a shape that broadcasts to ``grid.shape(levels)``.

    The column is looked for in the code lists of the release's dimensions. Where a table is also split by
    another public list (age bands), populations come from one column per code, ``COLUMN_CODE``, of the same
    list. Where there are none, the population of a cell is not known: NaN. An empty field counts as nobody.
    """
    for axis, home in enumerate(grid.dimensions):
        codes = catalogue.code_list_of(release, home.name)
        if codes is None or column not in codes.header:
            continue
        split = [d for d in grid.dimensions if d is not home and d.kind != "date" and levels[d.name] != d.top.name]
        shape = [1] * len(grid.dimensions)
        if not split:
            whole = _at_level(_padded(codes.numbers(column), home), home, levels[home.name], 0)
            shape[axis] = len(whole)
            return whole.reshape(shape)
        if len(split) > 1:
            break
        (other,) = split
        names = [f"{column}_{code}" for code in other.leaf.codes]
        if not all(n in codes.header or c == other.unknown for n, c in zip(names, other.leaf.codes, strict=True)):
            break
        parts = [_padded(codes.numbers(n), home) if n in codes.header else np.zeros(len(home)) for n in names]
        table = _at_level(_at_level(np.stack(parts, axis=1), home, levels[home.name], 0), other, levels[other.name], 1)
        place = [d.name for d in grid.dimensions].index(other.name)
        shape[axis], shape[place] = table.shape
        return (table if axis < place else table.T).reshape(shape)
    return np.full([1] * len(grid.dimensions), np.nan)


def _padded(numbers: tuple[float, ...], dimension: Dimension) -> Floats:
    """One number per leaf; nobody lives in 'unknown'."""
    values = np.zeros(len(dimension))
    values[: len(numbers)] = np.nan_to_num(np.array(numbers, dtype=np.float64))
    return values


def _at_level(values: Floats, dimension: Dimension, level: str, axis: int) -> Floats:
    groups = dimension.level(level)
    return sum_groups(values, groups.group, len(groups.codes), axis)
