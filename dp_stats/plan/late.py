"""Late rows: the tables in which an edition counts rows of earlier periods that no edition has counted, at no charge.

What that may cost is ``late_cost``'s rule.

There are two ways to count late rows. *The same tables* as of the edition's own rows, with the same scales: costs are
equal table by table, and late rows are simply added; but noise of every edition that adds some adds up. Or *one coarse
table*, with all that may be spent, of the number of rows: it is spread over finer cells by the pattern of what was counted
before, which adds little noise, but delays may differ within a coarse cell. Which way, and which level, follows from
expected errors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np

from dp_stats.catalogue.due import periods_before
from dp_stats.catalogue.grid import Dimension, Grid, date_dimension
from dp_stats.catalogue.load import time_levels
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period
from dp_stats.plan import sensitivity
from dp_stats.plan.algebra import Key, key_of
from dp_stats.plan.calendars import on_calendar
from dp_stats.plan.expected import Accuracy, accuracy
from dp_stats.plan.late_cost import allowance
from dp_stats.plan.mechanism import Mechanism, noise_variance
from dp_stats.plan.model import LatePeriod, Measurement
from dp_stats.plan.noise_scale import noise_scale
from dp_stats.plan.spaces import chain
from dp_stats.plan.targets import Target, mean_share, prior_totals, targets

SPREAD = 0.3
"""How far cells within one in which late rows are counted are taken to differ in their share of late rows: a standard
deviation, relative to the share."""

SMALL = 0.25
"""Late rows are counted coarsely only where that doubt is at most so large beside the noise of each published value, both as
variances: then intervals hold as often as they say whether delays differ or not."""


def late_tables(
    release: Release, grid: Grid, measurements: Sequence[Measurement], mechanism: Mechanism
) -> tuple[Measurement, ...]:
    """The tables of late rows of one period; none where the release counts none.

    Args:
        grid: the cells that stand for all editions. measurements: what is measured of each edition's own rows.
    """
    if release.late is None:
        return ()
    given = accuracy(grid, release, tuple(measurements))
    coarse = _coarse_table(release, grid, given, measurements, mechanism)
    if coarse is not None:
        return (coarse,)
    return tuple(
        m.model_copy(update={"id": f"late_{m.id}", "role": "late_statistic"})
        for m in measurements
        if m.role == "statistic"
    )


def _coarse_table(
    release: Release, grid: Grid, given: Accuracy, measurements: Sequence[Measurement], mechanism: Mechanism
) -> Measurement | None:
    """One table of late rows at the best level; None if the same tables as of current rows have smaller errors, or if no
    count of rows is measured by whose pattern it could be spread."""
    statistic = next((s.id for s in release.statistics if s.kind == "count" and s.id in given.structures), None)
    if statistic is None:
        return None
    most = allowance(measurements, mechanism)
    moved = sensitivity.rows(release.contribution.rows, leaves_per_cell=1, one_per_cell=False)
    noise = noise_scale(moved, mechanism, most)
    key = _best(release, grid, given, statistic, noise_variance(noise.scale, mechanism))
    if key is None:
        return None
    levels = {d.name: name for d, name in zip(grid.dimensions, key, strict=True)}
    return Measurement(
        id=f"late_rows@{'.'.join(key)}",
        statistic=statistic,
        role="late_rows",
        levels=levels,
        shape=grid.shape(levels),
        l1=moved.l1,
        l2_squared=moved.l2_squared,
        scale=noise.scale,
        rho=noise.rho,
        epsilon=noise.epsilon,
    )


def late_periods(
    tables: Sequence[Measurement],
    release: Release,
    *,
    canonical: Grid,
    grid: Grid,
    period: Period,
    stored: Mapping[Period, Grid],
) -> tuple[LatePeriod, ...]:
    """The earlier periods of which an edition measures late rows: stored ones, whose rows read as they did then.

    Args:
        tables: of the series, on the ``canonical`` grid. grid, period: of the edition that measures.
        stored: period → grid of each edition of the series whose measurements are kept and may still be added to.
    """
    assert release.late is not None
    found = []
    for before in periods_before(release, period, release.late.periods):
        if before not in stored:
            continue
        there = grid_of(grid, release, before)
        own = tuple(
            m.model_copy(update={"id": f"{m.id}~{before.label}"}) for m in on_calendar(tables, canonical, there)
        )
        if _same_leaves(there, stored[before]) and all(_same_cells(there, stored[before], m.levels) for m in own):
            found.append(LatePeriod(label=before.label, start=before.start, end=before.end, measurements=own))
    return tuple(found)


def grid_of(grid: Grid, release: Release, period: Period) -> Grid:
    """The cells of an edition's grid on the calendar of another period of its release."""
    declared = {spec.name: spec for spec in release.dimensions}
    return Grid(
        tuple(
            date_dimension(d.name, d.column, period, time_levels(declared[d.name]), release.calendar)
            if d.kind == "date"
            else d
            for d in grid.dimensions
        )
    )


def _same_leaves(one: Grid, other: Grid) -> bool:
    """Whether two grids tell rows apart by the same codes: else a row that was counted looks like a new one."""
    return all(
        d.name == there.name and {*d.leaf.codes} == {*there.leaf.codes}
        for d, there in zip(one.dimensions, other.dimensions, strict=False)
    )


def _same_cells(one: Grid, other: Grid, levels: Mapping[str, str]) -> bool:
    """Whether two grids have the same dimensions, and at these levels the same codes with the same leaves."""
    if [d.name for d in one.dimensions] != [d.name for d in other.dimensions]:
        return False
    for dimension in one.dimensions:
        name = levels[dimension.name]
        there = other[dimension.name]
        if name not in {level.name for level in there.levels} or dimension.level(name).codes != there.level(name).codes:
            return False
        if _group_of_leaf(dimension, name) != _group_of_leaf(there, name):
            return False
    return True


def _group_of_leaf(dimension: Dimension, name: str) -> dict[str, int]:
    return dict(zip(dimension.leaf.codes, dimension.level(name).group.tolist(), strict=True))


def _best(release: Release, grid: Grid, given: Accuracy, statistic: str, noise: float) -> Key | None:
    """The coarse level with the smallest expected error of everything published; None if that of adding up tables is
    smaller, or no size is guessed.

    Rows of the last days are late most often, so days are told apart as finely as they are known; then nothing else is.
    Where a period has one day or its days are not known, the cells of one other dimension may be.
    """
    levels = [tuple(level.name for level in d.levels) if d.kind == "date" else chain(d, ()) for d in grid.dimensions]
    known = [key for key in product(*levels) if np.isfinite(_variance(grid, given, statistic, key)).all()]
    dated = [i for i, d in enumerate(grid.dimensions) if d.kind == "date"]
    days = max((_told(grid, key, dated) for key in known), default=1)
    options = [key for key in known if _told(grid, key, dated) == days and _one_axis(grid, key)] or [key_of(grid, {})]
    published = [t for t in targets(grid, release) if t.statistic == statistic and t.prior_mean is not None]
    total = prior_totals(grid, release).get(statistic)
    assert release.late is not None
    if not published or not total:
        return None
    late, draws = release.late.share * total, release.late.periods
    before = [float(np.mean(given.variance(t))) for t in published]

    def error(added: Iterable[float]) -> float:
        return sum(t.weight * math.log(own + extra) for t, own, extra in zip(published, before, added, strict=True))

    def of_coarse(key: Key) -> float:
        return error(_added(grid, t, key, late, noise * draws) for t in published)

    def is_known(key: Key) -> bool:
        return all(_doubt(grid, t, key, late) <= SMALL * own for t, own in zip(published, before, strict=True))

    best = min(
        filter(is_known, options), key=lambda key: (round(of_coarse(key), 9), _cells(grid, key), key), default=None
    )
    return best if best is not None and of_coarse(best) < error(own * draws for own in before) else None


def _added(grid: Grid, target: Target, key: Key, late: float, noise: float) -> float:
    """Variance that late rows add to a value of mean size.

    ``noise`` is that of one cell of all late tables together; cells are drawn to each other where it is large.
    """
    cells, (touched, share) = _cells(grid, key), _shares(grid, target, key)
    inside = (SPREAD * late / cells) ** 2
    drawn = inside * noise / (inside + noise) if cells > 1 else noise
    if share >= 1:
        return noise * touched
    own = drawn * touched * share**2 + noise / cells * (touched * share) ** 2
    return own + _doubt(grid, target, key, late) + late * mean_share(grid, target.queries)


def _doubt(grid: Grid, target: Target, key: Key, late: float) -> float:
    """Variance of what a value that splits coarse cells may differ from them in its share of late rows."""
    whole = _shares(grid, target, key)[1] >= 1
    return 0.0 if whole else (SPREAD * late * mean_share(grid, target.queries)) ** 2


def _shares(grid: Grid, target: Target, key: Key) -> tuple[float, float]:
    """How many coarse cells a value of mean size takes from, and what share of each: 1 where it takes them whole.

    Asked of each dimension by itself: a week of one of seven areas is no whole day, though it is as large.
    """
    sizes = [
        round(_told(grid, key, [axis]) * mean_share(grid, {d.name: target.queries[d.name]}), 9)
        for axis, d in enumerate(grid.dimensions)
    ]
    return math.prod(max(size, 1.0) for size in sizes), math.prod(min(size, 1.0) for size in sizes)


def _told(grid: Grid, key: Key, axes: Sequence[int]) -> int:
    """Cells that a level tells apart along some axes."""
    return math.prod(len(grid.dimensions[i].level(key[i]).codes) for i in axes)


def _one_axis(grid: Grid, key: Key) -> bool:
    return sum(len(d.level(name).codes) > 1 for d, name in zip(grid.dimensions, key, strict=True)) <= 1


def _cells(grid: Grid, key: Key) -> int:
    return grid.cells({d.name: name for d, name in zip(grid.dimensions, key, strict=True)})


def _variance(grid: Grid, given: Accuracy, statistic: str, key: Key) -> np.ndarray:
    queries = {d.name: name for d, name in zip(grid.dimensions, key, strict=True)}
    return given.variance(Target("", statistic, key, queries, None, 1.0, None))
