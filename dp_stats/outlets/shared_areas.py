"""The figures of many small areas in a bounded number of files, where areas are shown together (``LevelFacts.together``).

``api/themes/…/topics/<release>/geography_types/<type>/areas/<year>/<number>.json`` holds, of areas whose codes follow each
other, every table's values in the editions that end in that year. ``index.json`` says which codes begin each file, so
whoever looks for one area loads the files of that area alone. A year that is over is not written again.
"""

from __future__ import annotations

import json
import shutil
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dp_stats import files
from dp_stats.editions import formats
from dp_stats.editions.edition import Edition, LevelFacts, TableFacts, utc
from dp_stats.editions.isolated import of_each
from dp_stats.editions.moments import Moment, moments_of
from dp_stats.outlets.api import (
    AREAS,
    DAYS,
    VALUES,
    has_columns,
    json_texts,
    path_of,
    positions,
    shared_levels,
    topic_of,
)
from dp_stats.outlets.forms import SharedAreasHead, SharedDownload, SharedIndex, SharedTable
from dp_stats.outlets.history import INDEX, read_index

FORMAT = 1
BYTES = 200_000
"""About how large one file becomes in a year."""
MOST_FILES = 500
"""Files of a level and year, however many areas there are."""
_BYTES_OF_VALUE = 24
_EDITIONS = {"day": 366, "week": 53, "month": 12, "quarter": 4}
"""Editions that end in a year, by what one covers; others are the only one."""

Integers = NDArray[np.int64]


def folder_of(edition: Edition, level: str) -> str:
    """Where the files of a level are, below the public folder."""
    return f"{path_of((*topic_of(edition), level))}/{AREAS}"


def write_shared_areas(
    public: Path,
    releases: Mapping[str, Sequence[Edition]],
    *,
    base_url: str,
    isolate: bool = True,
    put: files.Put = files.replace_file,
) -> tuple[int, dict[str, str]]:
    """Write the files of every release with areas that are shown together (see ``history.write_history``).

    Files of years that nothing new was published of are left alone; those of levels that are not shown together any more are
    removed.
    """

    def write(_: str, editions: Sequence[Edition]) -> int:
        newest = editions[-1] if editions else None
        if newest is None or newest.geography is None:
            return 0
        shared = shared_levels(newest)
        written = 0
        for level in newest.geography.levels:
            if level.name in shared:
                written += _level(public, editions, level, shared[level.name], base_url, put)
            else:
                shutil.rmtree(public / folder_of(newest, level.name), ignore_errors=True)
        return written

    return of_each(releases, write, isolate=isolate)


def _level(
    public: Path,
    editions: Sequence[Edition],
    level: LevelFacts,
    tables: Sequence[TableFacts],
    base_url: str,
    put: files.Put,
) -> int:
    newest = editions[-1]
    folder = public / folder_of(newest, level.name)
    before = read_index(folder)
    starts = _starts(newest, level, tables)
    years = sorted({e.period.end.year for e in editions})
    made_of: dict[str, str] = {}
    written = 0
    for year in years:
        sources = {t.id: [e for e in _having(editions, t, newest) if e.period.end.year == year] for t in tables}
        made_of[str(year)] = _digest(sources, starts)
        names = [f"{number:03d}.json" for number in range(len(starts))]
        there = all((folder / str(year) / name).is_file() for name in names)
        if not there or before.get("made_of", {}).get(str(year)) != made_of[str(year)]:
            for name, content in zip(names, _contents(public, newest, level, tables, sources, starts), strict=True):
                written += put(folder / str(year) / name, content)
        files.keep_only(folder / str(year), names)
    files.keep_only(folder, {INDEX, *made_of})
    index = SharedIndex(
        release=newest.release.id,
        geography_type=level.name,
        updated=utc(max(e.published for e in editions)),
        licence=newest.release.licence,
        count=len(level.codes),
        editions=tuple(e.path for e in editions),
        downloads={
            t.id: SharedDownload(
                csv=f"{base_url}/{newest.release.id}/latest/{t.id}.csv", history=_history(base_url, newest, t)
            )
            for t in tables
        },
        years=tuple(years),
        first_codes=tuple(starts),
        made_of=made_of,
    )
    return written + int(put(folder / INDEX, formats.json_bytes(index.model_dump(mode="json"))))


def _history(base_url: str, edition: Edition, table: TableFacts) -> str:
    return f"{base_url}/{edition.release.id}/history/{table.id}.csv"


def in_order(code: str) -> bytes:
    """What codes are sorted by: the order in which JavaScript compares texts."""
    return code.encode("utf-16-be", "surrogatepass")


def _starts(newest: Edition, level: LevelFacts, tables: Sequence[TableFacts]) -> list[str]:
    """The first code of each file. It depends on the areas and on the shape of tables, so it stays when editions are added."""
    place = newest.geography
    assert place is not None
    values = sum(len(t.statistics) * len(moments_of(newest, t)) * _groups(newest, t) for t in tables)
    size = 150 + _BYTES_OF_VALUE * values * _EDITIONS.get(newest.period.kind, 1)
    codes = sorted(level.codes, key=in_order)
    each = max(1, BYTES // size, -(-len(codes) // MOST_FILES))
    return codes[::each]


def _groups(edition: Edition, table: TableFacts) -> int:
    found = 1
    for stratum in edition.strata:
        found *= len(stratum.level(table.levels[stratum.name]).codes)
    return found


def _having(editions: Sequence[Edition], table: TableFacts, newest: Edition) -> list[Edition]:
    """The editions whose values a table is made of."""
    if table.across is not None:
        return [newest]  # whose rows reach back by themselves
    return [e for e in editions if has_columns(e, table, newest)]


def _digest(sources: Mapping[str, Sequence[Edition]], starts: Sequence[str]) -> str:
    made_of = [[id, [[e.path, e.table(id).file(".parquet").sha256] for e in own]] for id, own in sources.items()]
    return files.sha256(json.dumps([FORMAT, made_of, list(starts)]).encode())


@dataclass(frozen=True, eq=False)
class _Values:
    """A table's values by area, as JSON text: ``texts[column][area × metrics + metric]`` holds moments × groups."""

    table: TableFacts
    strata: Mapping[str, Sequence[str]]
    moments: Mapping[str, Sequence[str]]
    codes: Mapping[str, int]
    texts: Mapping[str, Sequence[str]]

    @property
    def told(self) -> SharedTable:
        """How they are arranged."""
        strata = {column: tuple(codes) for column, codes in self.strata.items()}
        moments = {name: tuple(told) for name, told in self.moments.items()}
        return SharedTable(metrics=self.table.statistics, strata=strata, moments=moments)

    def of(self, code: str) -> str:
        """The values of one area by metric, as JSON; nothing where it has none."""
        area = self.codes.get(code)
        if area is None:
            return ""
        parts = []
        for m, metric in enumerate(self.table.statistics):
            at = area * len(self.table.statistics) + m
            columns = ",".join(f'"{name}":[{texts[at]}]' for name, texts in self.texts.items())
            parts.append(f"{json.dumps(metric)}:{{{columns}}}")
        return f"{json.dumps(self.table.id)}:{{{','.join(parts)}}}"


def _contents(
    public: Path,
    newest: Edition,
    level: LevelFacts,
    tables: Sequence[TableFacts],
    sources: Mapping[str, Sequence[Edition]],
    starts: Sequence[str],
) -> Iterator[bytes]:
    """The content of each file of a year."""
    having = [(table, sources[table.id]) for table in tables if sources[table.id]]
    values = [_values(public, newest, table, own) for table, own in having]
    names: dict[str, str] = {}
    for table, own in having:
        for edition in reversed(own):
            area = edition.geography
            found = area.level(edition.table(table.id).levels[area.name]) if area else level
            names = dict(zip(found.codes, found.names, strict=True)) | names
    names |= {c: n for c, n in zip(level.codes, level.names, strict=True) if c in names}
    shards: list[list[str]] = [[] for _ in starts]
    keys = [in_order(code) for code in starts]
    for code in sorted(names, key=in_order):
        shards[max(0, bisect_right(keys, in_order(code)) - 1)].append(code)
    head = SharedAreasHead(
        release=newest.release.id,
        geography_type=level.name,
        licence=newest.release.licence,
        editions=tuple(sorted({e.path for _, own in having for e in own})),
        tables={v.table.id: v.told for v in values},
    )
    text = json.dumps(head.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))[:-1]
    for codes in shards:
        areas = []
        for code in codes:
            own_values = [one for v in values if (one := v.of(code))]
            told = f'"name":{json.dumps(names[code], ensure_ascii=False)}'
            areas.append(f"{json.dumps(code, ensure_ascii=False)}:{{{','.join((told, *own_values))}}}")
        yield (text + ',"areas":{\n' + ",\n".join(areas) + "\n}}\n").encode()


def _values(public: Path, newest: Edition, table: TableFacts, editions: Sequence[Edition]) -> _Values:
    """Read a table of several editions and arrange it by area, metric, moment and group; what one lacks is null."""
    strata, split = _strata(newest, table, editions)
    codes: dict[str, int] = {}
    for edition in reversed(editions):
        area = edition.geography
        assert area is not None
        for code in area.level(edition.table(table.id).levels[area.name]).codes:
            codes.setdefault(code, len(codes))
    names = ["metric", "geography_code", *split, "date", *VALUES]
    known: list[Moment] = []
    parts: list[pa.Table] = []
    moments: list[Integers] = []
    told: list[str] = []
    for edition in editions:
        rows = pq.read_table(public / edition.path / f"{table.id}.parquet", columns=names)
        rows = rows.filter(pc.is_in(rows["metric"], pa.array(table.statistics, pa.string())))
        own = moments_of(edition, edition.table(table.id))
        first_days = np.array([m.start for m in own], dtype="datetime64[D]")
        moments.append(np.searchsorted(first_days, rows["date"].to_numpy()) + len(known))
        known += own
        told += [edition.path] * len(own)
        parts.append(rows)
    rows = pa.concat_tables(parts, promote_options="permissive")  # numbers are whole where they are whole in all
    groups = int(np.prod([len(c) for c in strata.values()], dtype=np.int64))
    at = positions(rows["geography_code"], tuple(codes)) * len(table.statistics)
    at = (at + positions(rows["metric"], table.statistics)) * len(known) + np.concatenate(moments)
    for column in split:
        at = at * len(strata[column]) + positions(rows[column], strata[column])
    cells, inner = len(codes) * len(table.statistics), len(known) * groups
    row_of = np.full(cells * inner, -1, dtype=np.int64)
    row_of[at] = np.arange(len(rows))
    index = pa.array(row_of, mask=row_of < 0)
    ends = pa.array(np.arange(cells + 1) * inner, pa.int32())
    texts = {}
    for name in VALUES:
        arranged = pc.fill_null(json_texts(rows[name]).combine_chunks().take(index), "null")
        joined = pc.binary_join(pa.ListArray.from_arrays(ends, arranged), ",")
        texts[name] = joined.to_pylist()
    return _Values(table, strata, {**_days(known), "edition": told}, codes, texts)


def _strata(
    newest: Edition, table: TableFacts, editions: Sequence[Edition]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Column → codes of each stratum in any of the editions, the newest one's first; and the columns that have several."""
    strata: dict[str, tuple[str, ...]] = {}
    split = []
    for stratum in newest.strata:
        column, codes = f"{stratum.column}_code", stratum.level(table.levels[stratum.name]).codes
        if len(codes) > 1:
            split.append(column)
            for edition in reversed(editions):
                own = edition.dimension(stratum.name).level(edition.table(table.id).levels[stratum.name])
                codes = tuple(dict.fromkeys((*codes, *own.codes)))
        strata[column] = codes
    return strata, split


def _days(moments: Sequence[Moment]) -> dict[str, list[str]]:
    """The days that moments cover, as the columns of published tables have them."""
    from dp_stats.editions.tidy import moment_columns

    columns = moment_columns(moments, np.arange(len(moments)))
    firsts = [m.start.isoformat() for m in moments]
    return {name: firsts if name == "date" else [str(value) for value in columns[name].to_pylist()] for name in DAYS}
