"""Scenarios of true counts that a plan's public facts allow: how unlike cells may be, which nobody knows before.

A margin is shown as a range over them. What is told beforehand is a guess of the mean, how many areas and groups there are,
and, where the code list has it, how many people live where. That rules out little: rows may lie anywhere, or all in a
few areas, or come many at a time. Where people are known to live everywhere, rows are not taken to lie in a few areas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dp_stats.catalogue.grid import Dimension, Grid
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.populations import numbers_of_leaves
from dp_stats.plan.adjusted import PROBABILITIES, cell_sizes
from dp_stats.plan.algebra import Key
from dp_stats.plan.ratios import NOTHING_KNOWN
from dp_stats.plan.symmetry import Floats


@dataclass(frozen=True)
class Scenario:
    """How unlike the true cells of a release are, which nobody knows before; planning is more cautious (``plan.adjusted``).

    Attributes:
        spread: how far cells lie from what their margins suggest, relative to their size. alone: the same of cells that
            lean on one margin alone, which says nothing of how large each is.
        window: how much of what is gained for single cells a sum of them over a window keeps, as an exponent.
        above: how much further from zero than a typical cell those lie that noise cannot push below it.
        size: that of a typical cell, relative to the mean. middle: the same of the middle one, of which a ratio's margin is.
        mean, quantile: errors of a mean and of a quantile of which nothing is known, as a share of the range that it may lie
            in: how far truth lies from what is published then.
        log_spread: how unlike cells are in size, none where it is left to
            the other attributes. few: the share of cells that have nearly all rows, all others half a hundredth of the mean.
        alone_in: the dimension in whose coarser groups one cell has all rows, so that it takes their error, as cells that are
            nothing take none.
        bursts: whether most cells are empty and rows come many at a time, as many as are the worst: two standard deviations
            of noise, which shrinkage takes for noise.
        whole: the share of the squared error that whole numbers take out where noise hardly ever moves one, as of two
            measurements that differ the right one is told half of the time.
    """

    spread: float
    alone: float
    window: float
    above: float
    size: float
    middle: float = 1.0
    mean: float = NOTHING_KNOWN
    quantile: float = NOTHING_KNOWN
    log_spread: float | None = None
    few: float | None = None
    alone_in: str | None = None
    bursts: bool = False
    whole: float = 0.0

    @property
    def hopeful(self) -> bool:
        """Whether it is one that is kind to errors."""
        return self.above < LIKELY.above and self.alone_in is None

    @property
    def sizes(self) -> tuple[Floats, Floats] | None:
        """Sizes of cells, relative to their mean, and how many have each; None where cells are alike."""
        if self.few is not None:
            return np.array([(1 - (1 - self.few) * HARDLY) / self.few, HARDLY]), np.array([self.few, 1 - self.few])
        return None if self.log_spread is None else (cell_sizes(self.log_spread), PROBABILITIES)

    def rows(self, variance: Floats, mean: float, size: float) -> Floats | float:
        """How many rows come at a time, of this size, where noise has that variance."""
        worst = (2 * np.sqrt(np.maximum(variance, 0.0)) - EMPTY * mean) / size
        return np.maximum(worst, AT_A_TIME) if self.bursts else 1.0


HARDLY = 0.005
"""Rows of a cell that has hardly any, relative to the mean."""

AT_A_TIME = 8.0
"""Rows that come at a time, at least, where they come many at a time."""

EMPTY = 10.0
"""Cells of a scenario of bursts for each that is not empty, at least."""

FEW_PLACES, FEW_GROUPS = 0.05, 0.5
"""Shares of the largest list of codes, and of each other one, that have nearly all rows where a few have."""

POPULATION = "population"
"""The column of code lists that says how many people live where."""

MIDDLE = 0.05
"""Rows of the middle cell where a few have nearly all, relative to the mean: those with fewer have no ratio worth showing."""

LIKELY = Scenario(spread=0.2, alone=1.0, window=0.3, above=1.0, size=1.0)
ALIKE = Scenario(spread=0.0, alone=0.3, window=0.6, above=0.5, size=1.8, middle=1.8, quantile=0.1, whole=0.5)
UNLIKE = Scenario(spread=1.0, alone=2.0, window=0.1, above=3.0, size=0.4, middle=0.4, mean=0.5, quantile=0.5)
BURSTS = Scenario(spread=0.5, alone=1.0, window=0.3, above=1.0, size=1.0, bursts=True)
"""Most cells are empty, and rows come many at a time."""
UNEQUAL = Scenario(spread=0.0, alone=0.3, window=0.6, above=0.5, size=1.0, log_spread=2.0)
"""Some areas or groups are much larger than others, as they are where people live."""
FEW = Scenario(spread=0.0, alone=0.3, window=0.6, above=0.5, size=1.0, few=FEW_PLACES, middle=MIDDLE)
"""A few areas or groups have nearly all rows, and all others hardly any."""


def scenarios_of(catalogue: Catalogue, grid: Grid, release: Release, levels: Key) -> Iterator[Scenario]:
    """The scenarios that the cells of a table may be of, the likely one first.

    Args:
        levels: of the table, one for each dimension of the grid.
    """
    yield from (LIKELY, ALIKE, UNLIKE, UNEQUAL, BURSTS)
    split = {d: len(d.level(name).codes) for d, name in zip(grid.dimensions, levels, strict=True) if d.kind == "code"}
    split = {d: size for d, size in split.items() if size > 1}
    open_to = {d: size for d, size in split.items() if not _known(catalogue, grid, release, d)}
    if open_to:
        largest = max(open_to, key=lambda d: open_to[d])
        shares = [max(FEW_PLACES if d is largest else FEW_GROUPS, 1 / size) for d, size in open_to.items()]
        few = replace(FEW, few=float(np.prod(shares)))
        yield from (few, replace(few, alone_in=largest.name, mean=0.5, quantile=0.5))


def _known(catalogue: Catalogue, grid: Grid, release: Release, dimension: Dimension) -> bool:
    """Whether public lists say how many people live in each group of a dimension: in the areas themselves, or, by columns
    ``population_CODE``, in the groups of each area; under the names that rates use, too."""
    named = {POPULATION, *(d.population for d in release.derived if d.kind == "rate")}
    codes = catalogue.code_list_of(release, dimension.name)
    if any(numbers_of_leaves(codes, dimension, name) is not None for name in named):
        return True
    groups = {code for code in dimension.leaf.codes if code != dimension.unknown}
    lists = [catalogue.code_list_of(release, d.name) for d in grid.dimensions if d.kind == "code"]
    headers = [set(one.header) for one in lists if one is not None]
    return any({f"{name}_{code}" for code in groups} <= header for header in headers for name in named)
