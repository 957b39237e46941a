"""Back-series: what earlier editions of a release say on the boundaries of its newest, where that is a sum of their cells.

``<release>/back-series.csv`` has a row for every value of a merged area before it merged, from stored measurements and at
no cost, with the interval that the sum has; ``back-series.parquet`` has the same rows with types. They lie beside the
editions, whose files never change, and are made anew when
the newest edition has other boundaries; else rows are added for editions that are new.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product
from math import floor, log10
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dp_stats import files
from dp_stats.charts.merged_areas import FILE, PARQUET
from dp_stats.editions.columns import BackSeriesRow, names
from dp_stats.editions.edition import DimensionFacts, Edition, TableFacts
from dp_stats.editions.formats import arrow_type
from dp_stats.editions.moments import moments_of
from dp_stats.editions.renamed import with_former
from dp_stats.errors import DpStatsError, NotDerivableError
from dp_stats.estimate.answer import Answer, codes_of
from dp_stats.estimate.answer_each import answer_groups
from dp_stats.estimate.measured_edition import Measured
from dp_stats.ledger import Ledger
from dp_stats.outlets.index import Published
from dp_stats.requests.answers import measured_editions

COLUMNS = names(BackSeriesRow)

Row = dict[str, str]


def refresh_back_series(public: Path, ledger: Ledger) -> list[Path]:
    """Bring the back-series of every public release up to date; returns the files there are."""
    found = []
    for folder in sorted(p for p in public.glob("*") if p.is_dir()):
        place = folder / FILE
        rows: list[Row] = []
        with suppress(DpStatsError):  # what cannot be read is said where its pages are built
            editions = Published.read(public, folder.name).current
            rows = _rows(public, editions, ledger, place) if editions else []
        if rows:
            text = io.StringIO()
            writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(rows)
            files.replace_file(place, text.getvalue().encode())
            files.replace_file(folder / PARQUET, _as_parquet(rows))
            found.append(place)
        else:
            for name in (FILE, PARQUET):
                (folder / name).unlink(missing_ok=True)
    return found


def _as_parquet(rows: Sequence[Row]) -> bytes:
    """The rows as Parquet: days and numbers as such."""
    table = pa.table(
        {name: pa.array([row[name] for row in rows]).cast(arrow_type(BackSeriesRow, name)) for name in COLUMNS}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _rows(public: Path, current: Sequence[Edition], ledger: Ledger, place: Path) -> list[Row]:
    newest = current[-1]
    area = newest.geography
    if area is None or not area.replaced:
        return []
    names = {newest.release.id, *newest.release.formerly}
    earlier = [e for name in newest.release.formerly for e in Published.read(public, name).current]
    together = with_former(current, earlier, lambda edition: edition)
    shown = [e for e in together if e.geography is not None and e.geography.name == area.name]
    wanted = [e for e in shown if {*area.replaced} & {*e.dimension(area.name).levels[0].codes}]
    boundaries = files.sha256(json.dumps([area.model_dump(mode="json")], sort_keys=True).encode())[:16]
    kept = _kept(place, newest, boundaries)
    if all(e.path in kept for e in wanted):
        return [row for e in wanted for row in kept[e.path]]
    measured = {
        m.plan.edition: m
        for m in measured_editions([r for r in ledger.reservations() if r.release in names], ledger=ledger)
    }
    made: list[Row] = []
    for edition in wanted:
        if edition.path in kept:
            made += kept[edition.path]
        elif edition.id in measured and newest.id in measured:
            among = [measured[edition.id], measured[newest.id]]
            made += [{**row, "boundaries": f"{newest.id} {boundaries}"} for row in _of(edition, newest, area, among)]
    return made


def _kept(place: Path, newest: Edition, boundaries: str) -> dict[str, list[Row]]:
    """Rows of the file that is there, by the path of their edition, if they are on the same boundaries."""
    found: dict[str, list[Row]] = {}
    if place.is_file():
        with place.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["boundaries"].endswith(f" {boundaries}"):
                    found.setdefault(f"{row['edition']}/r{row['revision']}", []).append(row)
    return found


def _of(edition: Edition, newest: Edition, area: DimensionFacts, among: Sequence[Measured]) -> Iterator[Row]:
    """The rows of one earlier edition."""
    own = among[0]
    counted = {s.id for s in own.release.statistics if s.kind in ("count", "sum")}
    for table in edition.tables:
        level = next((v for v in area.levels if v.name == table.levels[area.name]), None)
        metrics = [s for s in table.statistics if s in counted]
        if level is None or not metrics:
            continue
        merged = dict(_merged(level.codes, area.name, among))
        names = dict(zip(level.codes, level.names, strict=True))
        if not merged:
            continue
        strata = [d for d in edition.strata if len(d.level(table.levels[d.name]).codes) > 1]
        cells = {area.name: list(merged.values()), **{d.name: _codes(d, table) for d in strata}}
        labels = list(product(merged, *(d.level(table.levels[d.name]).codes for d in strata)))
        for metric, moment in product(metrics, moments_of(edition, table)):
            try:
                answers = answer_groups(own, metric, cells=cells, start=moment.start, end=moment.end)
            except NotDerivableError:
                continue
            for (code, *groups), answer in zip(labels, answers, strict=True):
                yield {
                    "table": table.id,
                    "metric": metric,
                    "geography_type": level.name,
                    "geography_code": code,
                    "geography": names[code],
                    "strata": ".".join(groups),
                    "date": moment.start.isoformat(),
                    "period": moment.label,
                    "period_end": moment.end.isoformat(),
                    **_numbers(answer, whole=edition.statistic(metric).integer),
                    "edition": edition.id,
                    "revision": str(edition.revision.number),
                }


def _merged(codes: Sequence[str], dimension: str, among: Sequence[Measured]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Codes of the newest edition that are sums of others in the earlier one, and of which."""
    for code in codes:
        try:
            (own,) = codes_of(among[0], dimension, (code,), among)
        except NotDerivableError:
            continue
        if own != (code,):
            yield code, own


def _codes(stratum: DimensionFacts, table: TableFacts) -> list[tuple[str, ...]]:
    return [(code,) for code in stratum.level(table.levels[stratum.name]).codes]


def _numbers(answer: Answer, *, whole: bool) -> Row:
    """The figures as text: two digits of the standard error, one more for the unbiased value."""
    error = answer.standard_error
    places = min(max(1 - floor(log10(error)), 0), 6) if error > 0 else 1
    return {
        "value": f"{answer.value:.0f}" if whole else f"{answer.value:.{places}f}",
        "lower_95": f"{answer.lower:.{0 if whole else places}f}",
        "upper_95": f"{answer.upper:.{0 if whole else places}f}",
        "value_unbiased": f"{answer.unrounded:.{places + 1}f}",
        "standard_error": f"{error:.{places + 1}f}",
    }
