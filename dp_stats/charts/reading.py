"""Published editions as the site sees them: releases with their revisions, and values as arrays along time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dp_stats.charts.series import Floats, Group, Series
from dp_stats.editions.edition import Edition, LevelFacts, RevisionStatus, TableFacts, editions
from dp_stats.editions.revisions import EditionStatus, status_of
from dp_stats.editions.tidy import dates_of
from dp_stats.errors import PublishedError
from dp_stats.texts.numbers import Figure
from dp_stats.texts.words import Texts


@dataclass(frozen=True)
class Revision:
    """One published revision and what has become of it since."""

    edition: Edition
    folder: Path
    status: RevisionStatus
    superseded_by: int | None = None
    note: str = ""

    @property
    def current(self) -> bool:
        """Whether readers should use it."""
        return self.status in ("provisional", "final")


def releases(public: Path, texts: Texts) -> tuple[tuple[ReleaseView, ...], dict[str, Exception]]:
    """Every release for the public that has an edition below the public folder, by its id.

    Returns:
        The releases, and of those with an edition whose facts or status cannot be read the id and why.
    """
    views: list[ReleaseView] = []
    unreadable: dict[str, Exception] = {}
    for id in sorted({folder.parent.parent.name for folder in editions(public)}):
        try:
            revisions = _revisions(public, id)
        except (PublishedError, KeyError) as error:
            unreadable[id] = error
            continue
        if revisions:
            views.append(ReleaseView(id, revisions, texts))
    return tuple(views), unreadable


def _revisions(public: Path, release: str) -> tuple[Revision, ...]:
    found = []
    states: dict[str, EditionStatus] = {}
    for folder in editions(public, release=release):
        edition = Edition.load(folder)
        if edition.release.audience != "public":
            continue
        if edition.id not in states:
            states[edition.id] = status_of(public, edition.id)
        state = states[edition.id].revision(edition.revision.number)
        note = state.retraction.reason if state.retraction else edition.revision.reason
        found.append(Revision(edition, folder, state.status, state.superseded_by, note))
    return tuple(found)


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
        dates, labels, periods: first day of each moment; the moment as a sentence says it, and as a heading has it.
    """

    table: TableFacts
    areas: LevelFacts
    groups: LevelFacts
    dates: tuple[date, ...]
    labels: tuple[str, ...]
    periods: tuple[str, ...]
    value: Floats
    lower: Floats
    upper: Floats
    status: NDArray[np.object_]

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
            self.value[at],
            self.lower[at],
            self.upper[at],
            tuple(self.status[at]),
        )

    def figure(self, statistic: str, *, moment: int = -1, area: int = 0, group: int = 0) -> Figure:
        """One value with its interval."""
        at = (self.metric(statistic), moment, area, group)
        return Figure(float(self.value[at]), float(self.lower[at]), float(self.upper[at]), str(self.status[at]))

    def by_area(self, statistic: str, *, moment: int = -1) -> tuple[Group, ...]:
        """Every area's figure at one moment."""
        population = self.areas.population or (None,) * len(self.areas.codes)
        parents = self.areas.parents or ("",) * len(self.areas.codes)
        return tuple(
            Group(c, n, self.figure(statistic, moment=moment, area=i), p, q)
            for i, (c, n, p, q) in enumerate(zip(self.areas.codes, self.areas.names, parents, population, strict=True))
        )

    def by_group(self, statistic: str, *, moment: int = -1, area: int = 0) -> tuple[Group, ...]:
        """Every stratum's figure at one moment in one area."""
        return tuple(
            Group(c, n, self.figure(statistic, moment=moment, area=area, group=i))
            for i, (c, n) in enumerate(zip(self.groups.codes, self.groups.names, strict=True))
        )


def read_table(revision: Revision, table: TableFacts) -> TableValues:
    """The values of one table of one edition.

    Raises:
        PublishedError: the file is missing or does not hold the rows that ``edition.json`` says.
    """
    edition = revision.edition
    path = revision.folder / table.file(".parquet").path
    try:
        rows = pq.read_table(path, columns=["value", "lower_95", "upper_95", "status"])
    except (OSError, ValueError) as error:
        raise PublishedError(f"{path} cannot be read; restore the edition from a copy of the site.") from error
    shape = [len(d.level(table.levels[d.name]).codes) for d in edition.dimensions]
    if rows.num_rows != len(table.statistics) * int(np.prod(shape)):
        raise PublishedError(
            f"{path} does not hold the rows that edition.json says; restore it from a copy of the site."
        )
    order = [d.name for d in edition.dimensions]
    place = edition.geography.name if edition.geography else None
    time = edition.date.name if edition.date else None
    strata = [n for n in order if n not in (place, time)]
    axes = [order.index(n) + 1 for n in (place, time, *strata) if n is not None]

    def arranged(values: NDArray[Any]) -> NDArray[Any]:
        cube = values.reshape(len(table.statistics), *shape).transpose(0, *axes)
        areas = shape[order.index(place)] if place else 1
        dates = shape[order.index(time)] if time else 1
        return cube.reshape(len(table.statistics), areas, dates, -1)

    def floats(name: str) -> Floats:
        return arranged(np.asarray(rows[name].to_numpy(zero_copy_only=False), dtype=np.float64))

    marks = rows["status"].to_numpy(zero_copy_only=False).astype(object)
    return TableValues(floats("value"), floats("lower_95"), floats("upper_95"), arranged(marks))


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


def moments_of(edition: Edition, table: TableFacts) -> tuple[tuple[date, ...], tuple[str, ...]]:
    """First day and label of each moment of a table."""
    time = edition.date
    if time is None:
        return (edition.period.start,), (edition.period.label,)
    return dates_of(edition, time, time.level(table.levels[time.name]))


@dataclass(frozen=True, eq=False)
class ReleaseView:
    """A release with all its revisions, and the panels that its pages are drawn from."""

    id: str
    revisions: tuple[Revision, ...]
    texts: Texts
    _panels: dict[str, Panel | None] = field(default_factory=dict, repr=False)
    _values: dict[tuple[str, str], TableValues] = field(default_factory=dict, repr=False)

    @cached_property
    def current(self) -> tuple[Revision, ...]:
        """The revision to use of each period, in order of time."""
        best: dict[str, Revision] = {}
        for revision in self.revisions:
            if revision.current:
                held = best.get(revision.edition.period.label)
                if held is None or held.edition.revision.number < revision.edition.revision.number:
                    best[revision.edition.period.label] = revision
        return tuple(sorted(best.values(), key=lambda r: (r.edition.period.start, r.edition.period.end)))

    @property
    def latest(self) -> Revision:
        """The newest period's revision; of a release of which everything was retracted, the last one."""
        return self.current[-1] if self.current else self.revisions[-1]

    def values(self, revision: Revision, table: TableFacts) -> TableValues:
        """A table's values, read once."""
        key = (revision.edition.path, table.id)
        if key not in self._values:
            self._values[key] = read_table(revision, table)
        return self._values[key]

    def panel(self, table_id: str, *, upto: Revision | None = None) -> Panel | None:
        """A table along all current editions that have it; ``upto`` gives one edition alone."""
        key = table_id if upto is None else f"{table_id}@{upto.edition.path}"
        if key not in self._panels:
            self._panels[key] = self._build(table_id, (upto,) if upto else self.current)
        return self._panels[key]

    def _build(self, table_id: str, revisions: Sequence[Revision]) -> Panel | None:
        having = [r for r in revisions if any(t.id == table_id for t in r.edition.tables)]
        if not having:
            return None
        last = having[-1].edition
        table = last.table(table_id)
        areas, groups = areas_of(last, table), groups_of(last, table)
        dates: list[date] = []
        labels: list[str] = []
        periods: list[str] = []
        parts: dict[str, list[NDArray[Any]]] = {"value": [], "lower": [], "upper": [], "status": []}
        for revision in having:
            edition = revision.edition
            own = edition.table(table_id)
            values = self.values(revision, own)
            days, names = moments_of(edition, own)
            dates += days
            labels += [self.texts.when(name) for name in names]
            periods += [self.texts.period(name) for name in names] if len(names) > 1 else [edition.period.text]
            index = np.ix_(
                _places(table.statistics, own.statistics),
                _places(areas.codes, areas_of(edition, own).codes),
                np.arange(len(days)),
                _places(groups.codes, groups_of(edition, own).codes),
            )
            missing = np.zeros(tuple(len(i.ravel()) for i in index), dtype=bool)
            for axis in index:
                missing |= axis < 0
            for name in ("value", "lower", "upper"):
                parts[name].append(np.where(missing, np.nan, getattr(values, name)[index]).swapaxes(1, 2))
            parts["status"].append(np.where(missing, "x", values.status[index]).swapaxes(1, 2))
        whole = {name: np.concatenate(part, axis=1) for name, part in parts.items()}
        return Panel(
            table,
            areas,
            groups,
            tuple(dates),
            tuple(labels),
            tuple(periods),
            whole["value"],
            whole["lower"],
            whole["upper"],
            whole["status"],
        )


def _places(wanted: Sequence[str], have: Sequence[str]) -> NDArray[np.intp]:
    """Where each wanted code stands in another list; -1 where it does not."""
    if tuple(wanted) == tuple(have):
        return np.arange(len(wanted))
    at = {code: i for i, code in enumerate(have)}
    return np.array([at.get(code, -1) for code in wanted], dtype=np.intp)
