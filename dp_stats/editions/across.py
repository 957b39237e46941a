"""Tables across editions as facts: what they show, what their statistics are, and in words why values are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from dp_stats.catalogue.across import COMPARING, AcrossStatistic
from dp_stats.catalogue.across_windows import source_of
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Derived, Release, Statistic
from dp_stats.catalogue.periods import parse_period
from dp_stats.editions.across_facts import AcrossFacts, MissingFacts
from dp_stats.editions.dimensions import title_of
from dp_stats.editions.edition import Edition, NoteFacts, StatisticFacts, TableFacts
from dp_stats.estimate.model import EditionEstimates
from dp_stats.texts.words import Texts

MOST_SAID = 3
"""Most periods that are named one by one."""


def across_tables(
    release: Release, grid: Grid, estimates: EditionEstimates, *, open_from: date | None
) -> Iterator[TableFacts]:
    """The tables that reach over the borders of editions; late records may still be added to periods from ``open_from`` on."""
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
            across=AcrossFacts(
                kind=table.period, periods=tuple(row.code for row in made.rows), missing=missing, open_from=open_from
            ),
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


def missing_said(edition: Edition, table: TableFacts, texts: Texts) -> list[str]:
    """Why values of a table are missing, in sentences: one for each reason with the periods it is the reason for, or one for
    all of them where they are many."""
    if table.across is None:
        return []
    periods: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for one in table.across.missing:
        said = texts.period(one.period, kind=table.across.kind)
        periods.setdefault((one.statistic, one.reason, one.editions), []).append(said)
    about: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (statistic, reason, editions), rows in periods.items():
        about.setdefault((reason, editions, tuple(rows)), []).append(edition.statistic(statistic).title)
    alike: dict[tuple[str, tuple[str, ...]], list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for (reason, editions, listed), titles in about.items():
        alike.setdefault((reason, tuple(titles)), []).append((editions, listed))
    return [
        texts(
            f"across.missing.{reason}",
            what=texts.listed(titles),
            periods=_listed(listed, texts),
            editions=_listed([texts.period(label) for label in editions], texts),
        )
        for (reason, titles), found in alike.items()
        for editions, listed in (found if len(found) <= MOST_SAID else [_together(found)])
    ]


def _together(found: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All editions that are the reason, in order of time, and all periods."""
    editions = {label for labels, _ in found for label in labels}
    in_order = sorted(editions, key=lambda label: parse_period(label).start)
    return tuple(in_order), tuple(row for _, rows in found for row in rows)


def _listed(said: Sequence[str], texts: Texts) -> str:
    """A few periods, or how many they are, with the first and the last."""
    if len(said) <= MOST_SAID:
        return texts.listed(said)
    return texts("across.span", count=texts.number(len(said)), first=said[0], last=said[-1])
