"""What has been published already and answers a question, at no cost to anybody's privacy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dp_stats.catalogue import Catalogue, Period, Release, parse_period
from dp_stats.ledger import Ledger
from dp_stats.requests import period_of_request
from dp_stats.settings import Settings


@dataclass(frozen=True)
class FreeAnswer:
    """One published table that answers a request, or one part of its period.

    Attributes:
        path: folder of the edition's revision, relative to where editions are kept.
        margin: typical half-width of its 95 % intervals (None: not stated).
    """

    edition: str
    revision: int
    period: str
    table: str
    title: str
    path: str
    margin: float | None

    @property
    def file(self) -> str:
        """The table as CSV, relative to the edition's folder."""
        return f"{self.table}.csv"


def free_answers(asked: Release, catalogue: Catalogue, settings: Settings, ledger: Ledger) -> tuple[FreeAnswer, ...]:
    """Published tables that hold the same statistic at the same levels, for the same period or parts that make it up.

    Several editions are offered only where together they cover every day of the period once. The best
    answer stands first.
    """
    wanted = parse_period(period_of_request(asked))
    found: list[tuple[FreeAnswer, ...]] = []
    for release in (*catalogue.releases.values(), *_earlier_requests(asked, settings)):
        if release.dataset != asked.dataset or release.id == asked.id or release.audience != "public":
            continue
        table = _table(asked, release)
        if table is None:
            continue
        parts = [
            part
            for period in _periods(release, catalogue, wanted)
            if (part := _published(release, period, table, settings, ledger)) is not None
        ]
        if sum(len(parse_period(part.period).days) for part in parts) == len(wanted.days):
            found.append(tuple(parts))
    found.sort(key=lambda parts: (len(parts), parts[0].margin or float("inf")))
    return found[0] if found else ()


def _earlier_requests(asked: Release, settings: Settings) -> list[Release]:
    from dp_stats.catalogue.load import read_model

    paths = sorted(settings.requests.glob("*.yaml"))
    return [read_model(path, Release) for path in paths if path.stem != asked.id]


def _table(asked: Release, release: Release) -> str | None:
    """The table of ``release`` that answers ``asked``: the same columns at the same levels, the same statistic."""
    statistic = asked.statistics[0]
    wanted = _levels(asked, asked.tables[0].levels)
    same = {s.id for s in release.statistics if (s.kind, s.column) == (statistic.kind, statistic.column)}
    for table in release.tables:
        if same & set(table.statistics) and _levels(release, table.levels) == wanted:
            return table.id
    return None


def _levels(release: Release, levels: dict[str, str]) -> dict[str, str]:
    """Column → level; a dimension at its whole (``all``, or the release's own period) does not count."""
    columns = {d.name: d.column for d in release.dimensions}
    return {columns[name]: level for name, level in levels.items() if level not in ("all", release.period)}


def _periods(release: Release, catalogue: Catalogue, wanted: Period) -> list[Period]:
    """The periods of ``release`` that lie within ``wanted``."""
    if release.adhoc:
        period = parse_period(period_of_request(release))
        return [period] if wanted.start <= period.start and period.end <= wanted.end else []
    from datetime import timedelta

    settled = wanted.end + timedelta(days=release.settle_days + 1)
    return [p for p in catalogue.periods(release, until=settled) if wanted.start <= p.start and p.end <= wanted.end]


def _published(release: Release, period: Period, table: str, settings: Settings, ledger: Ledger) -> FreeAnswer | None:
    """The last published revision of one edition, if its table is there."""
    from dp_stats.publish.edition import Edition

    edition = f"{release.id}/{period.label}"
    folders = sorted((settings.public_dir / edition).glob("r*"), key=_number)
    for folder in reversed(folders):
        if not (folder / f"{table}.csv").exists() or ledger.publication(edition, _number(folder)) is None:
            continue
        facts = Edition.load(folder)
        margins = [e.margin_95 for e in facts.quality.expected if e.table == table]
        path = f"{edition}/{folder.name}"
        title = next(t.title for t in release.tables if t.id == table)
        return FreeAnswer(edition, _number(folder), period.label, table, title, path, margins[0] if margins else None)
    return None


def _number(folder: Path) -> int:
    return int(folder.name.removeprefix("r")) if folder.name[1:].isdigit() else 0
