"""What a catalogue folder declares, and the checks of one declaration against the others (see ``folder`` for reading it)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dp_stats.catalogue import yaml
from dp_stats.catalogue.across_windows import check_levels_across
from dp_stats.catalogue.calendar import TIME_LEVELS
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.due import due_day, period_at, periods_of
from dp_stats.catalogue.grid import Dimension, Grid, bin_dimension, date_dimension
from dp_stats.catalogue.linked.flow import reads_the_period
from dp_stats.catalogue.models import Agreement, Dataset, Derived, DimensionSpec, Organisation, Release, Statistic
from dp_stats.catalogue.periods import PartKind, Period, parse_period
from dp_stats.catalogue.validity import changes, epochs, in_force
from dp_stats.errors import CatalogueError

M = TypeVar("M", bound=BaseModel)


class DependsOnBroken(CatalogueError):
    """A declaration may be sound, but ``file``, which it depends on, is broken."""

    def __init__(self, message: str, *, file: str = "") -> None:
        super().__init__(message)
        self.file = file


@dataclass(frozen=True)
class Catalogue:
    """Everything sound that is declared in one folder: ``datasets/*.yaml``, ``agreements/*.yaml``, ``organisations/*.yaml``,
    ``releases/*.yaml``, ``codes/*.csv``.

    ``broken`` names each file that is wrong, or depends on one that is (``releases/visits.yaml``), and says why;
    ``behind`` names for the latter the broken file that it depends on.
    """

    folder: Path
    datasets: Mapping[str, Dataset]
    releases: Mapping[str, Release]
    codes: Mapping[str, CodeList]
    broken: Mapping[str, str] = field(default_factory=dict)
    behind: Mapping[str, str] = field(default_factory=dict)
    agreements: Mapping[str, Agreement] = field(default_factory=dict)
    organisations: Mapping[str, Organisation] = field(default_factory=dict)
    _grids: dict[tuple[str, Period], Grid] = field(default_factory=dict, repr=False, compare=False)

    def release(self, name: str) -> Release:
        """The release called ``name``.

        Raises:
            CatalogueError: there is none (the message lists those there are), or what declares it is broken.
        """
        if name not in self.releases:
            if file := self.broken_file("releases", name):
                raise CatalogueError(self.why_broken(file))
            known = ", ".join(sorted(self.releases)) or "none"
            raise CatalogueError(f"There is no release '{name}' in {self.folder}. It declares: {known}.")
        return self.releases[name]

    def broken_file(self, kind: str, name: str) -> str:
        """The broken file ``name`` in the folder ``kind``; nothing if it is sound or there is none."""
        files = (f"{kind}/{name}{ending}" for ending in (".yaml", ".yml", ".csv"))
        return next((file for file in files if file in self.broken), "")

    def why_broken(self, file: str) -> str:
        """What is wrong with a broken file, and with each that it depends on."""
        cause = self.behind.get(file)
        return self.broken[file] + (f"\n{self.why_broken(cause)}" if cause else "")

    def dataset_of(self, release: Release) -> Dataset:
        """The dataset a release is made from."""
        return self.datasets[release.dataset]

    def agreement_of(self, dataset: Dataset) -> Agreement | None:
        """The data-sharing agreement under which a dataset is used; None where it names none."""
        return self.agreements[dataset.agreement] if dataset.agreement is not None else None

    def recipients_of(self, release: Release) -> tuple[Organisation, ...]:
        """The organisations that a release is made for, as far as they are declared."""
        return tuple(self.organisations[name] for name in release.organisations if name in self.organisations)

    def holders_of(self, dataset: Dataset) -> dict[str, Dataset]:
        """The other datasets whose budgets pay for what is measured of one, by id."""
        return {name: self.datasets[name] for name in dataset.holders if name in self.datasets}

    def declared_of(self, dataset: Dataset) -> list[Release]:
        """The releases of a dataset that the folder declares; what was asked for is none of them."""
        return [r for r in self.releases.values() if r.dataset == dataset.id and not r.adhoc]

    def with_release(self, release: Release) -> Catalogue:
        """This catalogue with one more release, checked as if it stood in the folder (for ad hoc requests)."""
        check_release(release, self, where=f"release '{release.id}'")
        return replace(self, releases={**self.releases, release.id: release}, _grids={})

    def period(self, release: Release, label: str) -> Period:
        """Read a period's label as one of this release; it is cut at the release's first and last day.

        Raises:
            CatalogueError: it is not a period of this release's kind and calendar, or lies outside its dates.
        """
        period = parse_period(label)
        own = release.period == "range" or release.calendar.period_of(period.start, release.period) == period
        if period.kind != release.period or not own:
            first = period_at(release, release.start)
            raise CatalogueError(
                f"{release.id} has editions per {release.period}; write a period such as {first.label}, not {label}."
            )
        if period.end < release.start or (release.end and period.start > release.end):
            until = f"to {release.end}" if release.end else "on"
            raise CatalogueError(f"{release.id} publishes from {release.start} {until}; {label} lies outside.")
        return period.within(release.start, release.end)

    def periods(self, release: Release, *, until: date) -> Iterator[Period]:
        """Every period of the release that has ended and settled on the day ``until``, in order of time."""
        for period in periods_of(release):
            if not is_due(release, period, until):
                return
            yield period

    def on(self, day: date) -> Catalogue:
        """This catalogue with its code lists as they are on a day; itself where none changes.

        Raises:
            CatalogueError: a list has no code in force.
        """
        if not any(changes(listed) for listed in self.codes.values()):
            return self
        codes = {name: in_force(listed, day) for name, listed in self.codes.items()}
        if empty := [listed.path.name for listed in codes.values() if not listed.rows]:
            raise CatalogueError(f"{empty[0]}: no code is in force on {day}. Check 'valid_from' and 'valid_to'.")
        return replace(self, codes=codes, _grids={})

    def grid(self, release: Release, period: Period) -> Grid:
        """The public grid of one edition, with the codes that are in force on its last day."""
        key = (release.id, period)
        if key not in self._grids:
            self._grids[key] = build_grid(release, self.dataset_of(release), self.on(period.end).codes, period)
        return self._grids[key]

    def lists_of(self, release: Release) -> list[CodeList]:
        """The code lists by which the rows of a release are read."""
        return [self.codes[name] for name in self.dataset_of(release).code_lists]

    def code_list_of(self, release: Release, dimension: str) -> CodeList | None:
        """The code list behind a dimension of a release, or None for dates and bins."""
        spec = next(d for d in release.dimensions if d.name == dimension)
        codes = self.dataset_of(release).columns[spec.column].codes
        return self.codes[codes] if codes else None


def is_due(release: Release, period: Period, today: date) -> bool:
    """Whether the period has ended and its late reports have settled on ``today``."""
    return today >= due_day(period, settle_days=release.settle_days)


def build_grid(release: Release, dataset: Dataset, codes: Mapping[str, CodeList], period: Period) -> Grid:
    """The grid of a release for one period.

    Raises:
        CatalogueError: a dimension's column, code list or level does not exist.
    """
    dimensions: list[Dimension] = []
    for spec in release.dimensions:
        column = dataset.columns.get(spec.column)
        if column is None:
            known = ", ".join(dataset.columns)
            raise CatalogueError(
                f"dimension '{spec.name}': dataset '{dataset.id}' has no column '{spec.column}'. It has {known}."
            )
        if column.type == "date":
            levels = time_levels(spec)
            dimensions.append(date_dimension(spec.name, spec.column, period, levels, release.calendar))
        elif column.type in ("code", "band"):
            assert column.codes is not None
            dimensions.append(
                codes[column.codes].dimension(spec.name, spec.column, spec.levels or ("code",), unknown=column.unknown)
            )
        elif column.type == "number":
            if len(spec.edges) < 2 or list(spec.edges) != sorted(set(spec.edges)):
                raise CatalogueError(f"dimension '{spec.name}': a number needs 'edges', at least two, rising.")
            dimensions.append(bin_dimension(spec.name, spec.column, spec.edges))
        else:
            raise CatalogueError(
                f"dimension '{spec.name}': a {column.type} column cannot be a dimension; it would publish identifiers."
            )
    return Grid(tuple(dimensions))


def time_levels(spec: DimensionSpec) -> tuple[PartKind, ...]:
    """The levels of the calendar that a dimension of dates declares; days where it says none.

    Raises:
        CatalogueError: a level is none of the calendar's.
    """
    known: dict[str, PartKind] = {level: level for level in TIME_LEVELS}
    for level in spec.levels:
        if level not in known:
            raise CatalogueError(
                f"dimension '{spec.name}': '{level}' is no level of a date; use {', '.join(TIME_LEVELS)}."
            )
    return tuple(known[level] for level in spec.levels) or ("day",)


def read_model(path: Path, model: type[M]) -> M:
    """Read one YAML file into a model.

    Raises:
        CatalogueError: the file is not YAML, or a field is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: cannot be read. Save it as UTF-8 text.") from error
    return cast(M, _read(text, model, str(path)))


@lru_cache(maxsize=4096)
def _read(text: str, model: type[BaseModel], where: str) -> BaseModel:
    """Every step of a run reads the catalogue; a declaration that says what it said is parsed once."""
    try:
        content = yaml.parse(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        at = f", line {line + 1}" if line is not None else ""
        raise CatalogueError(f"{where}{at}: not valid YAML ({getattr(error, 'problem', 'syntax')}).") from error
    if not isinstance(content, dict):
        raise CatalogueError(f"{where}: is empty or not a mapping. Write 'field: value' lines.")
    return validate(content, model, where=where)


def cause_of(fault: ErrorDetails) -> str:
    """What a validator of ours said, or else pydantic."""
    return str(fault["ctx"]["error"]) if fault["type"] == "value_error" else fault["msg"]


def validate(content: dict[str, Any], model: type[M], *, where: str) -> M:
    """Check ``content`` against a model and say every fault at once."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False):
            place = ".".join(str(part) for part in fault["loc"]) or "(whole file)"
            message = cause_of(fault)
            if fault["type"] == "extra_forbidden":
                message = "is no field here; check its spelling and indentation"
            faults.append(f"  {place}: {message}")
        raise CatalogueError(f"{where}:\n" + "\n".join(faults)) from error


def check_release(release: Release, catalogue: Catalogue, *, where: str) -> None:
    """Check what a release says against its dataset and the code lists.

    Raises:
        CatalogueError: naming ``where``, the field and what to write instead.
    """
    if release.dataset not in catalogue.datasets:
        if file := catalogue.broken_file("datasets", release.dataset):
            raise DependsOnBroken(
                f"{where}: dataset: the declaration of '{release.dataset}' is broken. Mend it first.", file=file
            )
        known = ", ".join(sorted(catalogue.datasets)) or "none"
        raise CatalogueError(f"{where}: dataset: there is no dataset '{release.dataset}'. There are: {known}.")
    dataset = catalogue.datasets[release.dataset]
    agreement = catalogue.agreement_of(dataset)
    if agreement is None and release.agreed_purpose is not None:
        raise CatalogueError(f"{where}: agreed_purpose: '{dataset.id}' is under no agreement. Leave it out.")
    for name in release.organisations:
        if name not in catalogue.organisations:
            file = f"organisations/{name}.yaml"
            if catalogue.broken_file("organisations", name):
                raise DependsOnBroken(f"{where}: organisations: {file} is broken. Mend it first.", file=file)
            known = ", ".join(sorted(catalogue.organisations)) or "none"
            raise CatalogueError(f"{where}: organisations: there is no {file}. There are: {known}.")
    for statistic in release.statistics:
        if statistic.kind == "sum":
            column = dataset.columns.get(statistic.column or "")
            if column is None or column.type != "number":
                raise CatalogueError(
                    f"{where}: statistics.{statistic.id}.column: needs a column of type number of '{dataset.id}'."
                )
    if dataset.unlinked is not None and not _tells(release, dataset.unlinked):
        raise CatalogueError(
            f"{where}: statistics: publish the sum of '{dataset.unlinked}' (lower 0, upper 1) in a table, by area if there is "
            f"one: rows of '{dataset.id}' that did not link are in no figure, and readers must know how many there are."
        )
    if release.late is not None and reads_the_period(dataset.steps):
        raise CatalogueError(
            f"{where}: late: steps of '{dataset.id}' ask for period_start or period_end, so that a late row would be made "
            "otherwise in the edition that counts it than in its own. Leave out 'late' and set 'settle_days', or write others."
        )
    if release.late is not None and dataset.engine == "source":
        raise CatalogueError(
            f"{where}: late: late rows are not counted in place yet (dataset '{dataset.id}' has engine: source). Leave out 'late' "
            "and set 'settle_days', or use engine: duckdb or spark."
        )
    if release.period == "range" and release.end is None:
        raise CatalogueError(f"{where}: end: a release with period 'range' needs the last day.")
    try:
        for day in epochs(catalogue.lists_of(release), release.start, release.end):
            period = period_at(release, day)
            grid = build_grid(release, dataset, catalogue.on(period.end).codes, period)
    except CatalogueError as error:
        raise CatalogueError(f"{where}: {error}") from error
    statistics = {s.id: s for s in release.statistics}
    for derived in release.derived:
        for name, needed in (("of", derived.of), ("over", derived.over)):
            if needed is not None and needed not in statistics:
                raise CatalogueError(
                    f"{where}: derived.{derived.id}.{name}: there is no measured statistic '{needed}'."
                )
        if derived.kind == "daily":
            _check_daily(derived, statistics[derived.of], grid, where)
        if derived.kind == "mean" and derived.over is None:
            raise CatalogueError(f"{where}: derived.{derived.id}: a mean needs 'over', the count it is divided by.")
        if derived.kind in ("share", "quantile") and derived.across not in {d.name for d in grid.dimensions}:
            raise CatalogueError(f"{where}: derived.{derived.id}.across: needs the name of a dimension.")
    check_levels_across(release, grid, where)
    for table in release.tables:
        for name, level in table.levels.items():
            known_levels = [lv.name for lv in grid[name].levels]
            if level not in known_levels:
                raise CatalogueError(
                    f"{where}: tables.{table.id}.levels.{name}: there is no level '{level}'. It has {', '.join(known_levels)}."
                )
    if agreement is not None and (against := list(agreement.why_not_for(release, dataset))):
        raise CatalogueError(
            f"{where}: the agreement '{agreement.id}' (version {agreement.version}) does not allow it:\n  "
            + "\n  ".join(against)
        )


def _check_daily(derived: Derived, of: Statistic, grid: Grid, where: str) -> None:
    """A figure per day is of a count or sum of dated rows.

    Raises:
        CatalogueError: it is not.
    """
    if of.kind == "persons":
        raise CatalogueError(
            f"{where}: derived.{derived.id}.of: distinct persons of several days do not add up; take a count or a sum."
        )
    if all(dimension.kind != "date" for dimension in grid.dimensions):
        raise CatalogueError(f"{where}: derived.{derived.id}: a figure per day needs a dimension of dates.")


def _tells(release: Release, column: str) -> bool:
    """Whether a release publishes how many rows a column is 1 in."""
    shown = {name for table in release.tables for name in table.statistics}
    shown |= {derived.of for derived in release.derived if derived.id in shown}
    return any(s.column == column and s.lower == 0 and s.upper == 1 and s.id in shown for s in release.statistics)
