"""The values of published tables as arrays: of one edition, and along time over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dp_stats.charts.clear import among_each_other
from dp_stats.charts.series import Floats, Group, Series
from dp_stats.editions.edition import Edition, LevelFacts, TableFacts
from dp_stats.editions.moments import Moment, shape_of
from dp_stats.errors import PublishedError
from dp_stats.texts.numbers import Change, Figure


@dataclass(frozen=True)
class TableValues:
    """One table of one edition; arrays have shape ``(metrics, areas, dates, groups)``."""

    value: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Panel:
    """One table along all current editions; arrays have shape ``(metrics, moments, areas, groups)``.

    Attributes:
        table: the table of the latest edition. areas, groups: what the last two axes are.
        origin: of each moment, which edition it is from; empty where values of several editions are computed together.
        unlisted: codes of cells for what no public list knows.
        moments: the days of each; labels, periods: a moment as a sentence says it, and as a heading has it.
    """

    table: TableFacts
    areas: LevelFacts
    groups: LevelFacts
    moments: tuple[Moment, ...]
    labels: tuple[str, ...]
    periods: tuple[str, ...]
    value: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.object_]
    origin: tuple[int, ...] = ()
    unlisted: frozenset[str] = frozenset()

    @cached_property
    def dates(self) -> tuple[date, ...]:
        """First day of each moment."""
        return tuple(m.start for m in self.moments)

    @cached_property
    def whole(self) -> NDArray[np.bool_]:
        """Whether each moment is a whole period of its kind."""
        return np.array([not m.partial for m in self.moments])

    def metric(self, statistic: str) -> int:
        """Where a metric stands on the first axis."""
        return self.table.statistics.index(statistic)

    @cached_property
    def area_index(self) -> dict[str, int]:
        """Code of area → where it stands."""
        return {code: i for i, code in enumerate(self.areas.codes)}

    def series(self, statistic: str, area: int = 0, group: int = 0, *, name: str | None = None) -> Series:
        """One metric of one area and group along time."""
        at = (self.metric(statistic), slice(None), area, group)
        return Series(
            name or self.areas.names[area],
            self.areas.codes[area],
            self.dates,
            self.labels,
            self.whole,
            self.value[at],
            self.lower[at],
            self.upper[at],
            tuple(self.status[at]),
            self.origin,
            self.moments[-1].kind == "day" and self.table.across is None,
        )

    def latest_changes(self, statistic: str) -> dict[str, Change]:
        """By code, how each area's last figure differs from the one before, told where that is clear among all areas."""
        many = (self.series(statistic, i) for i in range(len(self.areas.codes)))
        return among_each_other({one.code: change for one in many if (change := one.latest_change) is not None})

    def figure(self, statistic: str, *, moment: int = -1, area: int = 0, group: int = 0) -> Figure:
        """One value with its interval."""
        at = (self.metric(statistic), moment, area, group)
        return Figure(float(self.value[at]), float(self.lower[at]), float(self.upper[at]), str(self.status[at]))

    def by_area(self, statistic: str, *, moment: int = -1) -> tuple[Group, ...]:
        """Every area's figure at one moment."""
        codes, names = self.areas.codes, self.areas.names
        population = self.areas.population or (None,) * len(codes)
        parents = self.areas.parents or ("",) * len(codes)
        figures = self._figures((self.metric(statistic), moment, slice(None), 0))
        return tuple(
            Group(c, n, figure, p, q, c not in self.unlisted)
            for c, n, figure, p, q in zip(codes, names, figures, parents, population, strict=True)
        )

    def by_group(self, statistic: str, *, moment: int = -1, area: int = 0) -> tuple[Group, ...]:
        """Every stratum's figure at one moment in one area."""
        figures = self._figures((self.metric(statistic), moment, area, slice(None)))
        return tuple(
            Group(c, n, figure, listed=c not in self.unlisted)
            for c, n, figure in zip(self.groups.codes, self.groups.names, figures, strict=True)
        )

    def _figures(self, at: tuple[int | slice, ...]) -> Iterator[Figure]:
        """The values of a line through the panel with their intervals: read at once, which takes a tenth of the time."""
        return map(
            Figure, self.value[at].tolist(), self.lower[at].tolist(), self.upper[at].tolist(), self.status[at].tolist()
        )


def whole_at_the_end(*panels: Panel) -> bool:
    """Whether the last moments of panels are whole periods, so that their figures may be compared."""
    return not any(panel.moments[-1].partial for panel in panels)


def read_table(folder: Path, edition: Edition, table: TableFacts) -> TableValues:
    """The values of one table of the edition in ``folder``.

    Raises:
        PublishedError: the file is missing or does not hold the rows that ``edition.json`` says.
    """
    path = folder / table.file(".parquet").path
    try:
        rows = pq.read_table(path, columns=["value", "lower_95", "upper_95", "status"])
    except (OSError, ValueError) as error:
        raise PublishedError(f"{path} cannot be read; restore the edition from a copy of the site.") from error
    shape = shape_of(edition, table)
    if rows.num_rows != len(table.statistics) * int(np.prod(shape)):
        raise PublishedError(
            f"{path} does not hold the rows that edition.json says; restore it from a copy of the site."
        )
    order = [d.name for d in edition.dimensions]
    place = edition.geography.name if edition.geography else None
    time = edition.date.name if edition.date else None
    strata = [n for n in order if n not in (place, time)]
    if len(shape) > len(order):  # a table across editions, of a release without dates
        time = ""
        order.append(time)
    axes = [order.index(n) + 1 for n in (place, time, *strata) if n is not None]

    def arranged(values: NDArray[Any]) -> NDArray[Any]:
        cube = values.reshape(len(table.statistics), *shape).transpose(0, *axes)
        areas = shape[order.index(place)] if place else 1
        dates = shape[order.index(time)] if time is not None else 1
        return cube.reshape(len(table.statistics), areas, dates, -1)

    def floats(name: str) -> Floats:
        return arranged(np.asarray(rows[name].to_numpy(zero_copy_only=False), dtype=np.float64))

    marks = rows["status"].to_numpy(zero_copy_only=False).astype(object)
    value, lower, upper = (floats(name) for name in ("value", "lower_95", "upper_95"))
    bounded = np.isnan(value) | ~np.isnan(upper)  # a value without an upper limit is one that nothing bounds
    return TableValues(value, lower, np.where(bounded, upper, np.inf), arranged(marks))


ONE = LevelFacts(name="all", title="", codes=("all",), names=("",))


def areas_of(edition: Edition, table: TableFacts) -> LevelFacts:
    """The areas of a table; one nameless group where the release has no areas."""
    place = edition.geography
    return place.level(table.levels[place.name]) if place else ONE


def groups_of(edition: Edition, table: TableFacts) -> LevelFacts:
    """The strata of a table, several strata combined into one list of groups."""
    found = ONE
    for stratum in edition.strata:
        level = stratum.level(table.levels[stratum.name])
        if len(level.codes) == 1:
            continue
        if found is ONE:
            found = level.model_copy(update={"title": stratum.title})
            continue
        found = LevelFacts(
            name=f"{found.name}-{level.name}",
            title=f"{found.title}, {stratum.title.lower()}",
            codes=tuple(f"{a}.{b}" for a in found.codes for b in level.codes),
            names=tuple(f"{a}, {b}" for a in found.names for b in level.names),
        )
    return found
