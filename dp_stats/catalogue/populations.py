"""Public populations of the cells of a table: as the code lists give them, and as guessed where they do not.

What is published (rates, people beside an area) rests on ``population_of`` and ``of_groups``, which know or say
that they do not know. Plans and cards, which must say something before anything is measured, rest on
``likely_population`` and ``shares_of_leaves``, which guess: alike in every group that the lists do not tell apart.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import Dimension, Grid, Level, LevelNames, sum_groups
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Release

Floats = NDArray[np.float64]


def numbers_of_leaves(codes: CodeList | None, dimension: Dimension, column: str) -> Floats | None:
    """A column of a code list, one number per leaf; NaN where a field is empty and for 'unknown'.

    None if the dimension has no code list or the list has no such column.
    """
    if codes is None or column not in codes.header:
        return None
    numbers = codes.numbers(column)
    return np.array([*numbers, *[np.nan] * (len(dimension) - len(numbers))], dtype=np.float64)


def of_groups(leaves: Floats, level: Level) -> Floats:
    """Sums of the known numbers in each group of a level; NaN in a group of which none is known."""
    known = sum_groups((~np.isnan(leaves)).astype(np.int64), level.group, len(level.codes), 0)
    return np.where(known > 0, _sums(np.nan_to_num(leaves), level, 0), np.nan)


def population_of(grid: Grid, release: Release, catalogue: Catalogue, levels: LevelNames, column: str) -> Floats:
    """People in each cell of a table, in a shape that broadcasts to ``grid.shape(levels)``.

    The column is looked for in the code lists of the release's dimensions. Where a table is also split by
    another public list (age bands), populations come from one column per code, ``COLUMN_CODE``, of the same
    list. Where there are none, the population of a cell is not known: NaN. An empty field counts as nobody.
    """
    home, codes = _home(grid, release, catalogue, column)
    split = [d for d in grid.dimensions if d is not home and d.kind != "date" and levels[d.name] != d.top.name]
    not_known = np.full([1] * len(grid.dimensions), np.nan)
    if home is None or len(split) > 1:
        return not_known
    level = home.level(levels[home.name])
    if not split:
        return _along(grid, home, _sums(_people(codes, home, column), level, 0))
    (other,) = split
    parts = []
    for code in other.leaf.codes:
        numbers = numbers_of_leaves(codes, home, f"{column}_{code}")
        if numbers is None and code != other.unknown:
            return not_known
        parts.append(np.zeros(len(home)) if numbers is None else np.nan_to_num(numbers))
    table = _sums(_sums(np.stack(parts, axis=1), level, 0), other.level(levels[other.name]), 1)
    axis, place = (next(i for i, d in enumerate(grid.dimensions) if d is one) for one in (home, other))
    shape = [1] * len(grid.dimensions)
    shape[axis], shape[place] = table.shape
    return (table if axis < place else table.T).reshape(shape)


def likely_population(
    grid: Grid, release: Release, catalogue: Catalogue, levels: LevelNames, column: str
) -> Floats | None:
    """``population_of``; where it is not known, those of the whole, alike in each group of every split.

    None if no code list of the release has the column at all.
    """
    home, codes = _home(grid, release, catalogue, column)
    if home is None:
        return None
    known = population_of(grid, release, catalogue, levels, column)
    if not np.isnan(known).any():
        return known
    groups = prod(len(d.level(levels[d.name]).codes) for d in grid.dimensions if d is not home and d.kind != "date")
    return _along(grid, home, _sums(_people(codes, home, column), home.level(levels[home.name]), 0) / groups)


def shares_of_leaves(codes: CodeList | None, dimension: Dimension) -> Floats:
    """A guess of how a total is spread over the leaves: by ``population`` where the list has it, else evenly."""
    numbers = numbers_of_leaves(codes, dimension, "population")
    people = np.zeros(len(dimension)) if numbers is None else np.nan_to_num(numbers)
    return people / people.sum() if people.sum() > 0 else np.full(len(dimension), 1 / len(dimension))


def _home(
    grid: Grid, release: Release, catalogue: Catalogue, column: str
) -> tuple[Dimension, CodeList] | tuple[None, None]:
    """The first dimension whose code list has the column, and the list."""
    for dimension in grid.dimensions:
        codes = catalogue.code_list_of(release, dimension.name)
        if codes is not None and column in codes.header:
            return dimension, codes
    return None, None


def _people(codes: CodeList | None, home: Dimension, column: str) -> Floats:
    """One number per leaf; an empty field counts as nobody, and nobody lives in 'unknown'."""
    numbers = numbers_of_leaves(codes, home, column)
    assert numbers is not None
    return np.nan_to_num(numbers)


def _sums(values: Floats, level: Level, axis: int) -> Floats:
    return sum_groups(values, level.group, len(level.codes), axis)


def _along(grid: Grid, dimension: Dimension, values: Floats) -> Floats:
    """Values of one dimension's groups, in a shape that broadcasts to a table."""
    return values.reshape([len(values) if d is dimension else 1 for d in grid.dimensions])
