"""Code lists that change while a series goes on: its tables on the lists of the day, and the grids that are declared.

Sensitivities of counts and sums do not depend on which cells there are, and those of persons are charged for as many cells
as rows. Only with one row per leaf cell do they depend on how many leaves a cell has; so a new series is charged for the
largest of the lists that are declared, and a later edition is held against what was charged (``make.continues``).
"""

from __future__ import annotations

from collections.abc import Sequence

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.due import period_at
from dp_stats.catalogue.grid import ALL, Dimension, Grid
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period
from dp_stats.catalogue.validity import ONE_DAY, changes, epochs, in_force, with_breaks
from dp_stats.plan.calendars import canonical_period
from dp_stats.plan.model import Measurement


def on_lists(measurements: Sequence[Measurement], canonical: Grid) -> tuple[Measurement, ...]:
    """The tables of a series on a canonical grid whose code lists may have changed since it began.

    Where the groups of the coarsest level have merged into one, that level is the whole, and there is no other.
    """
    if len({len(canonical.dimensions), *(len(m.levels) for m in measurements)}) > 1:
        return tuple(measurements)
    placed = []
    for m in measurements:
        levels = {name: _name(canonical, name, level) for name, level in m.levels.items()}
        placed.append(m.model_copy(update={"levels": levels}) if levels != m.levels else m)
    return tuple(placed)


def _name(canonical: Grid, dimension: str, level: str) -> str:
    found: Dimension | None = next((d for d in canonical.dimensions if d.name == dimension), None)
    whole = found is not None and found.kind == "code" and level == ALL
    return found.top.name if found is not None and whole and ALL not in {x.name for x in found.levels} else level


def changed_grids(catalogue: Catalogue, release: Release, canonical: Grid) -> tuple[Grid, ...]:
    """The grids of a release under every other way that its code lists are declared to be, on the canonical calendar."""
    days = [period_at(release, day).end for day in epochs(catalogue.lists_of(release), release.start, release.end)]
    if release.period == "range" or len(days) < 2:
        return ()
    found = (catalogue.on(day).grid(release, canonical_period(release)) for day in days)
    return tuple(grid for grid in found if not _alike(grid, canonical))


def lists_sealed(declared: Catalogue, release: Release, period: Period) -> dict[str, CodeList]:
    """The code lists as they are in a period, with what does not compare with the period before, if there is one.

    Before the first period of a release that was renamed there are those of its former name.
    """
    codes = dict(declared.on(period.end).codes)
    before = period.start > release.start or release.formerly
    columns = declared.dataset_of(release).columns
    for spec in release.dimensions:
        column = columns[spec.column]
        if before and column.codes and changes(declared.codes[column.codes]):
            then, now = in_force(declared.codes[column.codes], period.start - ONE_DAY), codes[column.codes]
            codes[column.codes] = with_breaks(now, then, [*spec.levels[1:], ALL], unknown=column.unknown)
    return codes


def _alike(one: Grid, other: Grid) -> bool:
    def cells(grid: Grid) -> list[object]:
        return [[(v.name, v.codes, v.group.tolist()) for v in d.levels] for d in grid.dimensions]

    return cells(one) == cells(other)
