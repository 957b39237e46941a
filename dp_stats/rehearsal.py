"""The dress rehearsal of an edition: everything that can fail on shape, names or layout, tried before anything is charged.

A noise-free dummy of the public grid goes the whole way that the measurements will go: estimates, tidy tables, metadata,
privacy record, workbook, pictures, the suite of what is published, lists, and pages. Nothing in it comes from rows.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dp_stats import files
from dp_stats.catalogue import Catalogue, Period, Release
from dp_stats.catalogue.periods import next_period
from dp_stats.errors import CatalogueError, DpStatsError
from dp_stats.plan import make_sealed
from dp_stats.plan.model import LatePeriod, Measurement, Plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.settings import Settings

if TYPE_CHECKING:
    from dp_stats.editions.edition import RevisionFacts

Integers = NDArray[np.int64]

WEAK = 3
"""Values of the second dummy lie between nothing and this many noise scales, so that some are weak and some missing."""


FEW = 3
"""Where all is nothing, pages of areas and rows of the spreadsheet differ by names alone: so many of a kind are made; with
values, all are."""


@dataclass(frozen=True)
class Rehearsed:
    """One edition as it is declared: what is rehearsed; ``check`` is what every published table must pass."""

    settings: Settings
    catalogue: Catalogue
    release: Release
    period: Period
    plan: Plan
    check: Callable[[Any], object]

    @property
    def key(self) -> str:
        """What decides whether a rehearsal counts for another edition: declarations, lists, shape, code and looks."""
        from dp_stats.site.builder import sources

        dataset = self.catalogue.dataset_of(self.release)
        grid = self.catalogue.grid(self.release, self.period)
        shape = [[d.name, [[level.name, len(level.codes)] for level in d.levels]] for d in grid.dimensions]
        content = json.dumps(
            [
                self.release.model_dump(mode="json"),
                dataset.model_dump(mode="json"),
                [self.catalogue.codes[name].rows for name in dataset.code_lists],
                shape,
            ],
            sort_keys=True,
        )
        return files.sha256(b"\0".join([content.encode(), *sources(self.settings.reports)]))


_rehearsed: set[str] = set()
"""Keys of what this process has rehearsed: a review of a catalogue and the reservation after it pay once."""


def rehearse_once(edition: Rehearsed) -> None:
    """Rehearse, unless an edition of equal declarations and shape was rehearsed before.

    Raises:
        CatalogueError: it could not be published as declared.
    """
    key = edition.key
    kept = edition.settings.rehearsed / f"{key}.txt"
    if kept.is_file() and kept.read_text(encoding="utf-8") == edition.release.id:
        return
    if key not in _rehearsed:
        rehearse(edition)
        _rehearsed.add(key)
    if edition.settings.home.is_dir():
        files.replace_file(kept, edition.release.id.encode())


def rehearse(edition: Rehearsed) -> None:
    """Try out everything that an edition will go through, on dummies: all nothing, then large, weak and missing values.

    Raises:
        CatalogueError: naming the release, the step, and the table and statistic where they can be told.
    """
    try:
        _try_out(edition)
    except _FailedError as failed:
        part = _smallest(edition)
        where = f"release '{edition.release.id}'" + (f", {part}" if part else "")
        cause = failed.cause
        what = str(cause) if isinstance(cause, DpStatsError) else f"{type(cause).__name__}: {cause}"
        remedy = (
            "Nothing was charged."
            if isinstance(cause, DpStatsError)
            else "Nothing was charged. Declare it another way, and report this: dp_stats should have said so in words."
        )
        raise CatalogueError(
            f"{where}: could not be published as declared ({failed.step}). {what}\n{remedy}"
        ) from cause


class _FailedError(Exception):
    """A step of a rehearsal that failed."""

    def __init__(self, step: str, cause: Exception) -> None:
        super().__init__(step)
        self.step, self.cause = step, cause


@contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever it is, it would have happened after the charge
        raise _FailedError(name, error) from error


def _try_out(edition: Rehearsed) -> None:
    from dp_stats.charts.edition_chart import illustrator
    from dp_stats.editions import publish_edition
    from dp_stats.editions.describe import describe
    from dp_stats.estimate import estimate
    from dp_stats.estimate.across import across
    from dp_stats.estimate.late import LateTables
    from dp_stats.estimate.measured_edition import Measured
    from dp_stats.estimate.open_measurements import document
    from dp_stats.outlets.index import refresh_index
    from dp_stats.site import Rough, build
    from dp_stats.texts.words import Texts

    settings, release, catalogue = edition.settings, edition.release, edition.catalogue.on(edition.period.end)
    texts, further = Texts.of(settings), Texts.further(settings)
    grid = catalogue.grid(release, edition.period)
    with _step("late rows"):
        late = _late(edition)
    with tempfile.TemporaryDirectory(prefix="dp-stats-rehearsal-") as name:
        public = Path(name)
        for revision, dummy in enumerate((nothing, mixed), start=1):
            plan = edition.plan.model_copy(update={"late": late if revision > 1 else ()})
            noisy = NoisyMeasurements(plan.hash, {m.id: dummy(m) for m in plan.tables})
            most = None if dummy is mixed else FEW
            added = [LateTables(one.measurements, {m.id: dummy(m) for m in one.measurements}) for one in plan.late]
            with _step("estimates"):
                estimates = estimate(plan, grid=grid, release=release, catalogue=catalogue, noisy=noisy, late=added)
                own = Measured(plan, edition.period, grid, release, noisy, catalogue, tuple(added))
                estimates = replace(estimates, across=across(own, []), document=document(own, estimates.fitted))
            with _step("facts"):
                described = describe(
                    release,
                    dataset=catalogue.dataset_of(release),
                    catalogue=catalogue,
                    period=edition.period,
                    grid=grid,
                    estimates=estimates,
                    texts=texts,
                    languages=further,
                    revision=_revision(edition, revision),
                    reason="rehearsal" if revision > 1 else "",
                    published=datetime(2000, 1, revision, tzinfo=UTC),
                )
            with _step("files and charts of the edition"):
                publish_edition(
                    described,
                    estimates,
                    public,
                    texts=texts,
                    further=further,
                    check=edition.check,
                    illustrate=illustrator(settings.reports, texts, further, rough=True),
                    book_rows=most,
                )
            if release.audience == "public":
                with _step("lists, feeds and API"):
                    refresh_index(
                        public,
                        base_url=settings.base_url,
                        texts=texts,
                        further=further,
                        releases=[release],
                        isolate=False,
                        put=files.could_replace,
                    )
                with _step("pages"):
                    build(
                        public,
                        reports=settings.reports,
                        base_url=settings.base_url,
                        language=settings.language,
                        further=settings.further_languages,
                        isolate=False,
                        rough=Rough(areas=most),
                    )


def _late(edition: Rehearsed) -> tuple[LatePeriod, ...]:
    """How a later edition would measure the late rows of this one; nothing where the release counts none."""
    if edition.release.late is None:
        return ()
    release = edition.release.model_copy(update={"end": None})
    first = make_sealed(edition.catalogue, release, edition.period)
    assert first.series is not None
    later = make_sealed(
        edition.catalogue,
        release,
        next_period(edition.period),
        known=[first.series],
        stored={first.series.hash: [first]},
    )
    return later.plan.late


def _revision(edition: Rehearsed, number: int) -> int | RevisionFacts:
    from dp_stats.editions.edition import RevisionFacts

    if number == 1 or edition.release.late is None:
        return number
    later = f"{edition.release.id}/{next_period(edition.period).label}"
    return RevisionFacts(
        number=number, kind="late", status="provisional", reason="rehearsal", supersedes=number - 1, adds=(later,)
    )


def nothing(measurement: Measurement) -> Integers:
    """A dummy without a single row."""
    return np.zeros(measurement.shape, np.int64)


def mixed(measurement: Measurement) -> Integers:
    """A dummy in which large values, weak ones and such that noise has brought below zero take turns."""
    size = int(np.prod(measurement.shape, dtype=np.int64))
    scale = max(1, round(measurement.scale))
    turns = np.array([1000 * scale, WEAK * scale, -WEAK * scale, 0, 50 * scale, scale], np.int64)
    return np.resize(turns, size).reshape(measurement.shape)


def _smallest(edition: Rehearsed) -> str:
    """The first table and statistic that fail alone; nothing if each succeeds by itself."""
    for table in edition.release.tables:
        for statistic in table.statistics:
            alone = table.model_copy(update={"statistics": (statistic,)})
            if _fails(edition, edition.release.model_copy(update={"tables": (alone,), "across": ()})):
                return f"table '{table.id}', statistic '{statistic}'"
    for wide in edition.release.across:
        if _fails(edition, edition.release.model_copy(update={"across": (wide,)})):
            return f"table '{wide.id}'"
    return ""


def _fails(edition: Rehearsed, part: Release) -> bool:
    try:
        _try_out(replace(edition, release=part))
    except _FailedError:
        return True
    return False
