"""Tables across editions as facts: what they show, what their statistics are, and in words why values are missing."""

from __future__ import annotations

from collections.abc import Iterator

from dp_stats.catalogue.across import COMPARING, AcrossStatistic
from dp_stats.catalogue.across_windows import source_of
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Derived, Release, Statistic
from dp_stats.editions.across_facts import AcrossFacts, MissingFacts
from dp_stats.editions.dimensions import title_of
from dp_stats.editions.edition import NoteFacts, StatisticFacts, TableFacts
from dp_stats.estimate.model import EditionEstimates
from dp_stats.texts.words import Texts


def across_tables(release: Release, grid: Grid, estimates: EditionEstimates) -> Iterator[TableFacts]:
    """The tables that reach over the borders of editions."""
    for table in release.across:
        made = estimates.across.get(table.id)
        if made is None:
            continue
        missing = tuple(
            MissingFacts(statistic=m.statistic, period=m.period, reason=m.reason, editions=m.editions)
            for m in made.missing
        )
        yield TableFacts(
            id=table.id,
            title=table.title,
            levels=grid.complete(table.levels),
            statistics=tuple(one.id for one in table.statistics),
            across=AcrossFacts(kind=table.period, periods=tuple(row.code for row in made.rows), missing=missing),
        )


def across_statistics(release: Release, texts: Texts) -> Iterator[StatisticFacts]:
    """Their statistics, each once."""
    told: set[str] = set()
    for table in release.across:
        for one in table.statistics:
            if one.id not in told:
                told.add(one.id)
                yield _statistic(one, table.period, release, texts)


def _statistic(one: AcrossStatistic, kind: str, release: Release, texts: Texts) -> StatisticFacts:
    measured = next(s for s in release.statistics if s.id == source_of(release, one))
    of: Derived | Statistic = next((d for d in release.derived if d.id == one.of), measured)
    what = {
        "of": of.title or title_of(of.id),
        "window": texts.plural(f"across.window.{kind}", one.periods),
        "before": texts("across.year")
        if one.against == "year"
        else texts.plural(f"across.lag.{kind}", one.lag or one.periods),
        "since": texts.day(one.since or release.start),
    }
    text = texts(f"across.{one.kind}.text", **what)
    if one.kind in COMPARING and one.kind != "difference":
        text += " " + texts("across.clear")
    return StatisticFacts(
        id=one.id,
        title=one.title or title_of(one.id),
        unit=one.unit or texts(f"across.{one.kind}.unit", unit=of.unit),
        kind=f"across-{one.kind}",
        derived=True,
        description=text,
        integer=one.kind in ("total", "difference", "cumulative") and measured.kind == "count" and of is measured,
    )


def across_notes(release: Release, editions: int, texts: Texts) -> Iterator[NoteFacts]:
    """What a reader must know of tables that are made from so many editions."""
    if release.across:
        said = texts("across.note", editions=texts.plural("count.editions", editions))
        yield NoteFacts(kind="across", text=said)


def missing_said(table: TableFacts, texts: Texts) -> list[str]:
    """Why values of a table are missing, in sentences: one for each reason with the periods it is the reason for."""
    if table.across is None:
        return []
    found: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    for one in table.across.missing:
        found.setdefault((one.reason, one.editions), {})[one.period] = None
    kind = table.across.kind
    return [
        texts(
            f"across.missing.{reason}",
            periods=texts.listed(texts.period(period, kind=kind) for period in periods),
            editions=texts.listed(texts.period(label) for label in editions),
        )
        for (reason, editions), periods in found.items()
    ]
