"""The API the other way round: one table and metric of one period, for all areas at once.

``api/themes/…/topics/<release>/geography_types/<type>/metrics/<metric>/<table>/<period>.json``, and beside these files an
``index.json`` of the periods, the newest first. A period's file is written once for each revision of it, and removed where
its edition is retracted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dp_stats import files
from dp_stats.editions import formats
from dp_stats.editions.edition import Edition, TableFacts, utc
from dp_stats.editions.isolated import of_each
from dp_stats.outlets.api import DAYS, NOWHERE, VALUES, json_values, path_of, topic_of, with_days
from dp_stats.outlets.forms import ApiLink, SliceHead


def write_slices(
    public: Path,
    releases: Mapping[str, Sequence[Edition]],
    *,
    base_url: str,
    isolate: bool = True,
    put: files.Put = files.replace_file,
) -> tuple[int, dict[str, str]]:
    """Write the slices of every release; those that say the same already are left alone (see ``api.write_api``)."""

    def write(_: str, editions: Sequence[Edition]) -> int:
        return sum(_write(public, editions, table, base_url, put) for table in editions[-1].tables)

    return of_each(releases, write, isolate=isolate)


def _write(public: Path, editions: Sequence[Edition], table: TableFacts, base_url: str, put: files.Put) -> int:
    """The slices of a table, and their lists."""
    newest = editions[-1]
    having = [e for e in editions if any(t.id == table.id for t in e.tables)]
    if table.across is not None:
        having = having[-1:]  # whose rows reach back by themselves
    place = newest.geography
    kind = table.levels[place.name] if place else NOWHERE
    folders = {
        metric: f"{path_of((*topic_of(newest), kind))}/metrics/{metric}/{table.id}" for metric in table.statistics
    }
    written = 0
    for edition in having:
        own = edition.table(table.id)
        missing = [
            metric
            for metric in table.statistics
            if metric in own.statistics and not _is(public / folders[metric] / f"{edition.period.label}.json", edition)
        ]
        for metric, content in _slices(public, edition, own, missing, base_url):
            written += put(public / folders[metric] / f"{edition.period.label}.json", content)
    for metric, folder in folders.items():
        listed = [
            ApiLink(
                name=e.period.label, title=e.period.text, link=f"{base_url}/{folder}/{e.period.label}.json"
            ).model_dump()
            for e in reversed(having)
            if metric in e.table(table.id).statistics
        ]
        written += put(public / folder / "index.json", formats.json_bytes({"periods": listed}))
        kept = {"index", *(one["name"] for one in listed)}
        for path in (public / folder).glob("*.json"):
            if path.stem not in kept:  # of an edition that was retracted
                path.unlink()
    return written


def _first_line(edition: Edition) -> bytes:
    return f'{{"edition": {json.dumps(edition.path)},\n'.encode()


def _is(path: Path, edition: Edition) -> bool:
    """Whether a slice is that of this revision."""
    line = _first_line(edition)
    try:
        with path.open("rb") as file:
            return file.read(len(line)) == line
    except OSError:
        return False


def _slices(
    public: Path, edition: Edition, table: TableFacts, metrics: Sequence[str], base_url: str
) -> Iterator[tuple[str, bytes]]:
    """The content of a table's slices."""
    if not metrics:
        return
    area = edition.geography
    strata = [f"{s.column}_code" for s in edition.strata if len(s.level(table.levels[s.name]).codes) > 1]
    places = ["geography_code", "geography"] if area else []
    names = ["metric", *places, *strata, "date", *VALUES]
    rows = with_days(pq.read_table(public / edition.path / f"{table.id}.parquet", columns=names), edition, table)
    for metric in metrics:
        own = rows.filter(pc.equal(rows["metric"], pa.scalar(metric)))
        data = {name: f"[{','.join(json_values(own[name]))}]" for name in (*places, *strata, *DAYS, *VALUES)}
        head = SliceHead(
            edition=edition.path,
            revision=edition.revision.number,
            release=edition.release.id,
            table=table.id,
            metric=metric,
            unit=edition.statistic(metric).unit,
            period=edition.period.label,
            geography_type=table.levels[area.name] if area else NOWHERE,
            updated=utc(edition.published),
            download=f"{base_url}/{edition.path}/{table.id}.csv",
            licence=edition.release.licence,
            count=len(own),
        ).model_dump(exclude={"edition"})  # which stands on the first line
        text = json.dumps(head, ensure_ascii=False, indent=1)[1:-2].lstrip("\n")
        columns = ", ".join(f'"{name}": {values}' for name, values in data.items())
        yield metric, _first_line(edition) + f'{text},\n "data": {{{columns}}}\n}}\n'.encode()
