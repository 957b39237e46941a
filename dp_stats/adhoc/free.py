"""What follows from editions that are published already, at no cost to anybody's privacy."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from statistics import median

from dp_stats.adhoc.requests import period_of_request
from dp_stats.catalogue import Catalogue, Grid, Period, Release, parse_period
from dp_stats.catalogue.load import read_model
from dp_stats.errors import CatalogueError, NotDerivableError
from dp_stats.estimate.answer import Answer, Measured, answer
from dp_stats.ledger import Ledger
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.settings import Settings

SAMPLE = 24
"""Cells that are looked at to say how accurate a free answer would be."""
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class FreeAnswer:
    """Figures that published editions of one release imply.

    Attributes:
        title: of that release. editions: those the figures are computed from.
        cells: how many figures. margin: half-width of a typical 95 % interval.
    """

    release: str
    title: str
    editions: tuple[str, ...]
    cells: int
    margin: float


@dataclass(frozen=True, eq=False)
class _Source:
    """The published editions of one release that lie in the days asked for."""

    release: Release
    statistic: str
    names: dict[str, str]
    editions: tuple[Measured, ...]


def free_answer(asked: Release, catalogue: Catalogue, settings: Settings, ledger: Ledger) -> FreeAnswer | None:
    """The most accurate free answer to a request, judged on a sample of its cells; None if there is none."""
    best: FreeAnswer | None = None
    cells = list(_cells(asked, catalogue))
    for source in _sources(asked, catalogue, settings, ledger):
        try:
            sample = [_answer(asked, source, cell) for cell in cells[:: max(1, len(cells) // SAMPLE)]]
        except NotDerivableError:
            continue
        margin = NORMAL_95 * median(a.standard_error for a in sample)
        editions = tuple(dict.fromkeys(e for a in sample for e in a.editions))
        if best is None or margin < best.margin:
            best = FreeAnswer(source.release.id, source.release.title, editions, len(cells), margin)
    return best


def free_table(chosen: FreeAnswer, asked: Release, catalogue: Catalogue, settings: Settings, ledger: Ledger) -> str:
    """All figures of a free answer as CSV text: a code and a name per breakdown, value, interval, unrounded value.

    Raises:
        NotDerivableError: some cell does not follow from what is published.
    """
    source = next(s for s in _sources(asked, catalogue, settings, ledger) if s.release.id == chosen.release)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    breakdowns = list(asked.tables[0].levels)
    heads = [head for name in breakdowns for head in (f"{name}_code", name)]
    writer.writerow([*heads, "period", "value", "lower_95", "upper_95", "value_unrounded"])
    for cell in _cells(asked, catalogue):
        found = _answer(asked, source, cell)
        labels = [text for name in breakdowns for text in cell[name]]
        numbers = (found.value, found.lower, found.upper, found.unrounded)
        writer.writerow([*labels, period_of_request(asked), *(f"{number + 0.0:.10g}" for number in numbers)])
    return text.getvalue()


def _cells(asked: Release, catalogue: Catalogue) -> Iterator[dict[str, tuple[str, str]]]:
    """Every cell asked for: dimension → (code, name)."""
    grid: Grid = catalogue.with_release(asked).grid(asked, parse_period(period_of_request(asked)))
    names = list(asked.tables[0].levels)
    levels = [grid[name].level(asked.tables[0].levels[name]) for name in names]
    for groups in product(*(zip(level.codes, level.names, strict=True) for level in levels)):
        yield dict(zip(names, groups, strict=True))


def _answer(asked: Release, source: _Source, cell: dict[str, tuple[str, str]]) -> Answer:
    """One figure; a cell of the calendar narrows the days, any other names codes."""
    period = parse_period(period_of_request(asked))
    start, end = period.start, period.end
    where: dict[str, tuple[str, ...]] = {}
    columns = {d.name: d.column for d in asked.dimensions}
    for name, (code, _) in cell.items():
        if columns[name] not in source.names:
            raise NotDerivableError(
                f"Not derivable: '{source.release.id}' has no '{name}'. A new release would have to measure it."
            )
        theirs = source.names[columns[name]]
        if _is_calendar(code, period):
            part = parse_period(code)
            start, end = max(start, part.start), min(end, part.end)
        else:
            where[theirs] = (code,)
    return answer(source.editions, source.statistic, where=where, start=start, end=end)


def _is_calendar(code: str, period: Period) -> bool:
    try:
        part = parse_period(code)
    except CatalogueError:
        return False
    return part.start <= period.end and part.end >= period.start


def _sources(asked: Release, catalogue: Catalogue, settings: Settings, ledger: Ledger) -> Iterator[_Source]:
    earlier = [read_model(p, Release) for p in sorted(settings.requests.glob("*.yaml")) if p.stem != asked.id]
    wanted = asked.statistics[0]
    for release in (*catalogue.releases.values(), *earlier):
        if release.dataset != asked.dataset or release.audience != "public":
            continue
        same = [s.id for s in release.statistics if (s.kind, s.column) == (wanted.kind, wanted.column)]
        if same and (editions := tuple(_published(release, asked, catalogue, settings, ledger))):
            yield _Source(release, same[0], {d.column: d.name for d in release.dimensions}, editions)


def _published(
    release: Release, asked: Release, catalogue: Catalogue, settings: Settings, ledger: Ledger
) -> Iterator[Measured]:
    """The published editions of a release within the days asked for, each at its last revision."""
    wanted = parse_period(period_of_request(asked))
    known = catalogue.with_release(release)
    for folder in sorted((settings.public_dir / release.id).glob("*/")):
        try:
            period = parse_period(folder.name)
        except CatalogueError:  # 'latest' and other names that are no period
            continue
        if period.end < wanted.start or period.start > wanted.end:
            continue
        edition = f"{release.id}/{folder.name}"
        for revision in sorted((int(r.name[1:]) for r in folder.glob("r[0-9]*")), reverse=True):
            stored = ledger.measurements(edition, revision)
            plan_file = settings.work / edition / f"r{revision}" / "plan.json"
            if stored is None or not plan_file.exists() or ledger.publication(edition, revision) is None:
                continue
            plan = Plan.model_validate_json(plan_file.read_bytes())
            noisy = NoisyMeasurements.from_bytes(stored.stored, plan=plan)
            yield Measured(plan, known.grid(release, period), release, noisy)
            break
