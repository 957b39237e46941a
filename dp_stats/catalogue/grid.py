"""The public grid: every cell that will be published, known before any row is read.

A grid is the product of *dimensions*. A dimension has nested *levels*, finest first; its last level
has one group that holds everything. Cells come from public code lists and calendars, never from the
data, so deleting a person cannot change which cells exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.calendar import ISO, Calendar
from dp_stats.catalogue.partitions import parents
from dp_stats.catalogue.periods import PartKind, Period, parse_period

LevelNames: TypeAlias = Mapping[str, str]
"""One level of the grid: dimension name → level name."""

T = TypeVar("T", bound=np.generic)

ALL = "all"


@dataclass(frozen=True, eq=False)
class Level:
    """A partition of a dimension's leaves into groups.

    Attributes:
        name: e.g. ``region``.
        codes: one code per group, in order; shape ``(groups,)``.
        names: what a reader calls each group.
        group: index of the group of each leaf; shape ``(leaves,)``.
    """

    name: str
    codes: tuple[str, ...]
    names: tuple[str, ...]
    group: NDArray[np.intp]

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many leaves each group has; shape ``(groups,)``."""
        return np.bincount(self.group, minlength=len(self.codes)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Dimension:
    """One axis of the grid with its nested levels, finest first, ending in a level of one group.

    Attributes:
        name: e.g. ``area``; column: the canonical column the leaves' codes are found in.
        kind: ``code`` (public code list), ``date`` (calendar) or ``bin`` (numeric histogram).
        unknown: the code of the declared 'unknown' leaf, if there is one.
        edges: lower edges of the bins of a ``bin`` dimension (last bin ends at ``edges[-1]``).
    """

    name: str
    column: str
    kind: Literal["code", "date", "bin"]
    levels: tuple[Level, ...]
    unknown: str | None = None
    edges: tuple[float, ...] = ()

    def level(self, name: str) -> Level:
        """The level called ``name``."""
        for level in self.levels:
            if level.name == name:
                return level
        raise KeyError(f"dimension '{self.name}' has no level '{name}'")

    @property
    def leaf(self) -> Level:
        """The finest level."""
        return self.levels[0]

    @property
    def top(self) -> Level:
        """The level with a single group."""
        return self.levels[-1]

    def __len__(self) -> int:
        return len(self.leaf.codes)


@dataclass(frozen=True, eq=False)
class Grid:
    """The product of the dimensions, in their declared order (also the order of array axes)."""

    dimensions: tuple[Dimension, ...]

    def __getitem__(self, name: str) -> Dimension:
        for dimension in self.dimensions:
            if dimension.name == name:
                return dimension
        raise KeyError(name)

    def complete(self, levels: LevelNames) -> dict[str, str]:
        """``levels`` with every dimension it leaves out set to its top level, in grid order."""
        return {d.name: levels.get(d.name, d.top.name) for d in self.dimensions}

    def shape(self, levels: LevelNames | None = None) -> tuple[int, ...]:
        """Cells along each axis at ``levels`` (default: the leaves)."""
        if levels is None:
            return tuple(len(d) for d in self.dimensions)
        return tuple(len(d.level(levels[d.name]).codes) if d.name in levels else 1 for d in self.dimensions)

    def cells(self, levels: LevelNames | None = None) -> int:
        """How many cells there are at ``levels``."""
        return prod(self.shape(levels))

    def roll_up(self, values: NDArray[T], to: LevelNames, source: LevelNames | None = None) -> NDArray[T]:
        """Sum an array at ``source`` levels (default: the leaves) up to coarser levels ``to``.

        Shapes: ``shape(source)`` → ``shape(to)``. Exact for integers.
        """
        for axis, dimension in enumerate(self.dimensions):
            target = dimension.level(self.complete(to)[dimension.name])
            if source is None:
                group = target.group
            else:
                fine = dimension.level(self.complete(source)[dimension.name])
                group = parents(fine.group, target.group)
            values = sum_groups(values, group, len(target.codes), axis)
        return values


def sum_groups(values: NDArray[T], group: NDArray[np.intp], groups: int, axis: int) -> NDArray[T]:
    """Sum ``values`` over the members of each group along ``axis``."""
    if groups == len(group) and np.array_equal(group, np.arange(groups)):
        return values
    if groups == 1:
        return np.add.reduce(values, axis=axis, keepdims=True, dtype=values.dtype)
    sizes = np.bincount(group, minlength=groups)
    if not sizes.all():
        moved = np.moveaxis(values, axis, 0)
        out = np.zeros((groups, *moved.shape[1:]), dtype=values.dtype)
        np.add.at(out, group, moved)
        return np.moveaxis(out, 0, axis)
    if (np.diff(group) < 0).any():
        values = np.take(values, np.argsort(group, kind="stable"), axis=axis)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.add.reduceat(values, starts, axis=axis, dtype=values.dtype)


def flat_level(name: str, code: str, label: str, leaves: int) -> Level:
    """A level with one group that holds every leaf."""
    return Level(name, (code,), (label,), np.zeros(leaves, dtype=np.intp))


def date_dimension(
    name: str, column: str, period: Period, levels: tuple[PartKind, ...], calendar: Calendar = ISO
) -> Dimension:
    """The calendar of ``period`` at ``levels`` (see ``TIME_LEVELS``), finest first.

    Parts are cut at the ends of the period, and then their code is the range of their days (``Period.code``). Where a
    coarser level can cut the finest (a week that two months share), days are added as leaves, so that every level is
    an exact sum of them. The top level is the whole period and bears the name of its kind (``week`` in a weekly edition).
    """
    if any(calendar.splits(levels[0], coarse, period.kind) for coarse in levels[1:]):
        levels = ("day", *(level for level in levels if level != "day"))
    leaves = calendar.parts(period, levels[0])
    firsts = [leaf.start for leaf in leaves]
    built: list[Level] = []
    for level in levels:
        parts = leaves if level == levels[0] else calendar.parts(period, level)
        group = np.searchsorted([p.start.toordinal() for p in parts], [f.toordinal() for f in firsts], side="right") - 1
        built.append(Level(level, tuple(p.code for p in parts), tuple(p.text for p in parts), group.astype(np.intp)))
    if len(built[-1].codes) > 1 or period.kind not in levels:
        top = period.kind if period.kind not in levels else ALL
        built.append(flat_level(top, period.code, period.text, len(leaves)))
    # finest first whatever was declared: in a short period there may be fewer weeks than months
    built.sort(key=lambda level: -len(level.codes))
    return Dimension(name, column, "date", tuple(built))


def days_of_cells(grid: Grid, time: str, level: str) -> NDArray[np.float64]:
    """How many days each cell of a table by a level of time covers, in a shape that broadcasts to the table's."""
    days = [len(parse_period(code).days) for code in grid[time].level(level).codes]
    shape = [-1 if dimension.name == time else 1 for dimension in grid.dimensions]
    return np.array(days, dtype=np.float64).reshape(shape)


def bin_dimension(name: str, column: str, edges: tuple[float, ...]) -> Dimension:
    """Half-open bins ``[edges[i], edges[i+1])`` of a numeric column; values outside fall in the end bins."""
    codes = tuple(f"{lo:g}-{hi:g}" for lo, hi in pairwise(edges))
    leaf = Level(
        "bin", codes, tuple(f"{c.replace('-', ' to under ')}" for c in codes), np.arange(len(codes), dtype=np.intp)
    )
    return Dimension(name, column, "bin", (leaf, flat_level(ALL, ALL, "all", len(codes))), edges=edges)
