"""Every published table of an edition, from its noisy measurements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Grid, LevelNames
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Late, Release, Statistic
from dp_stats.estimate.consistent import make_consistent
from dp_stats.estimate.derived import Source, derive, source_levels
from dp_stats.estimate.fitted import fitted
from dp_stats.estimate.late import LateTables, coarse_levels, late_rows, with_late
from dp_stats.estimate.lattice import LevelIndex
from dp_stats.estimate.leastsquares import LeastSquares
from dp_stats.estimate.model import EditionEstimates, Estimate
from dp_stats.estimate.persons import Persons
from dp_stats.estimate.persons_beside_rows import between_rows
from dp_stats.estimate.quantity import Quantity
from dp_stats.estimate.shrink import shrink_targets
from dp_stats.estimate.spread import spread_of_level
from dp_stats.estimate.truncation import Correction, correction, truncation_levels
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.plan.sensitivity import everybody_counts
from dp_stats.plan.truncation import cluster_guess, truncated_share

Floats = NDArray[np.float64]


def estimate(
    plan: Plan,
    *,
    grid: Grid,
    release: Release,
    catalogue: Catalogue,
    noisy: NoisyMeasurements,
    late: Sequence[LateTables] = (),
) -> EditionEstimates:
    """The best estimates of one edition.

    Args:
        plan: what was measured. grid: the edition's public cells. release, catalogue: its declaration.
        noisy: the stored noisy measurements of that plan. late: those of the period's late rows, of later editions.

    Returns:
        Every statistic of every table of ``release``, consistent across tables.
    """
    quantities = fit_all(plan, grid=grid, release=release, noisy=noisy, late=late)
    levels = levels_needed(release, grid)
    sources = {
        name: Source(quantity.statistic, quantity, _whole_numbers(quantity, levels[name]))
        for name, quantity in quantities.items()
    }
    corrected = next((q for q in quantities.values() if q.statistic.kind == "count" and q.correction is not None), None)
    rows = next((s for s in sources.values() if s.statistic.kind == "count" and s.whole), None)
    for statistic in release.statistics:
        if statistic.kind == "persons":
            persons = Persons(
                statistic, grid, [m for m in plan.measurements if m.statistic == statistic.id], noisy.values
            )
            whole = persons.whole
            if rows is not None:
                whole = {at: between_rows(number, grid, at, rows.whole) for at, number in whole.items()}
            everybody = everybody_counts(release, plan.block_kind)
            sources[statistic.id] = Source(statistic, persons, whole, corrected, rows, everybody)
    derived = {d.id: d for d in release.derived}
    tables: dict[str, dict[str, Estimate]] = {}
    for table in release.tables:
        complete = grid.complete(table.levels)
        built: dict[str, Estimate] = {}
        for name in table.statistics:
            if name in derived:
                built[name] = derive(
                    derived[name], grid=grid, release=release, catalogue=catalogue, levels=complete, sources=sources
                )
            else:
                built[name] = _measured(sources[name], grid, complete)
        tables[table.id] = built
    corrections = [q.correction for q in quantities.values() if q.correction is not None]
    return EditionEstimates(
        plan,
        tables,
        corrections[0].public if corrections else None,
        release.contribution.why_nothing_is_truncated,
        fitted=fitted(quantities),
    )


def levels_needed(release: Release, grid: Grid) -> dict[str, list[dict[str, str]]]:
    """Additive statistic → every level at which its whole numbers are published or derived from."""
    derived = {d.id: d for d in release.derived}
    needed: dict[str, list[dict[str, str]]] = {s.id: [] for s in release.statistics if s.kind != "persons"}
    for table in release.tables:
        for name in table.statistics:
            if name in needed:
                needed[name].append(grid.complete(table.levels))
            elif name in derived:
                for source in (derived[name].of, derived[name].over):
                    if source in needed:
                        needed[source] += source_levels(derived[name], grid, table.levels)
    return needed


def fit_all(
    plan: Plan, *, grid: Grid, release: Release, noisy: NoisyMeasurements, late: Sequence[LateTables] = ()
) -> dict[str, Quantity]:
    """Least squares of every additive statistic that was measured, with late rows, corrected for the contribution bound."""
    needed = levels_needed(release, grid)
    at = truncation_levels(plan)
    fits: dict[str, tuple[Statistic, LeastSquares]] = {}
    for statistic in release.statistics:
        measured = [m for m in plan.measurements if m.statistic == statistic.id and m.role == "statistic"]
        if measured and statistic.kind != "persons":
            levels: Iterable[LevelNames] = [*needed[statistic.id], *(x for x in (at, coarse_levels(late)) if x)]
            values, draws = with_late(measured, noisy.values, late)
            fits[statistic.id] = statistic, LeastSquares(grid, measured, values, levels, draws=draws)
    correct: Correction | None = None
    count = next((fit for statistic, fit in fits.values() if statistic.kind == "count"), None)
    if at is not None and count is not None:
        cluster = cluster_guess(release.contribution, plan.truncated_rows_cap)
        correct = correction(
            plan, grid, noisy.values, count, guess=truncated_share(release.contribution), cluster=cluster
        )
    guess = (release.late or Late(periods=1)).share
    added = late_rows(grid, late, count, guess=guess) if count is not None else None
    return {name: Quantity(statistic, fit, correct, added) for name, (statistic, fit) in fits.items()}


def _whole_numbers(quantity: Quantity, levels: list[dict[str, str]]) -> dict[tuple[str, ...], Floats]:
    """Whole numbers (of steps, for a sum) at every level, adding up; in the statistic's unit."""
    lattice = quantity.fit.lattice
    unit = _step(quantity, levels)
    keys = {tuple(one.values()): lattice.key(one) for one in levels}
    if not keys:
        return {}
    measured = [lattice.key(m.levels) for m in quantity.fit.measurements]
    if quantity.lowest == 0.0:
        quantity.shrunken = shrink_targets(quantity, [*keys.values(), *measured])
    shrunken = quantity.shrunken

    def target(key: LevelIndex) -> Floats:
        names = lattice.names(key)
        if key in shrunken:
            # no further than the unbiased value's own interval: outbreaks are not drawn to quieter neighbours
            spread = spread_of_level(quantity, names)
            return np.clip(shrunken[key].value, *spread.interval(quantity.lowest)) / unit
        return quantity.value(names) / unit

    settled = make_consistent(
        quantity.grid, list(keys.values()), target, also=measured,
        signed=quantity.lowest < 0,
    )  # fmt: skip
    return {name: np.asarray(settled[key] * unit) for name, key in keys.items()}


def _step(quantity: Quantity, levels: list[dict[str, str]]) -> float:
    """What published values are multiples of: 1 for counts; for sums the resolution times a power of ten that stays
    below a tenth of the smallest table's noise, so that digits below the noise need not be published to add up."""
    unit = quantity.fit.unit
    if quantity.statistic.kind != "sum" or not levels:
        return unit
    noise = min(float(np.sqrt(np.median(quantity.fit.variance(one)))) for one in levels)
    return unit * 10.0 ** max(int(np.floor(np.log10(max(noise / (10 * unit), 1.0)))), 0)


def _measured(source: Source, grid: Grid, levels: dict[str, str]) -> Estimate:
    quantity = source.quantity
    value = source.published(grid, levels)
    spread = spread_of_level(quantity, levels)
    lower, upper = source.interval(value, spread, levels)
    return Estimate(
        source.statistic.id, levels, value, quantity.value(levels), lower, upper, spread.typical,
        quantity.bounded(levels), spread.shrunken, spread.error if spread.shrunken else None,
        source.outweighed(value, spread, levels),
    )  # fmt: skip
