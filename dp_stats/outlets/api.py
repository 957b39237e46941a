"""A JSON API of plain files, its paths after the UK Health Security Agency's API.

``api/themes/<theme>/sub_themes/<sub-theme>/topics/<release>/geography_types/<type>/geographies/<code>/metrics/<metric>/<table>.json``,
and an ``index.json`` that lists what is below each step. A leaf holds the newest values of one table for one area
and metric, column by column; how far back it goes is bounded, and it says where the rest is. All areas of one period are
in ``slices``, those of areas that are shown together in ``shared_areas``.

A release that was renamed goes on with the editions under its former names, whose own leaves stay and say where they go on.
Values of merged areas before they merged stand beside the others, as ``back_series``.
"""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dp_stats import files
from dp_stats.charts.merged_areas import Key as BackKey
from dp_stats.charts.merged_areas import read_back_series
from dp_stats.editions import formats
from dp_stats.editions.edition import Edition, TableFacts, utc
from dp_stats.editions.isolated import noted
from dp_stats.editions.languages import own_words
from dp_stats.editions.moments import moments_of
from dp_stats.editions.tidy import moment_columns
from dp_stats.outlets.forms import ApiBackSeries, ApiLink, ApiRevision, LeafHead, Renamed

MOST_ROWS = 400
"""Rows of a leaf: a year of days, or as many whole editions as fit."""

ROOT = "api"
_STEPS = ("themes", "sub_themes", "topics", "geography_types", "geographies", "metrics", "tables")
TOPIC, TYPE = _STEPS.index("topics"), _STEPS.index("geography_types")
AREAS = "areas"
"""Folder of the figures of areas that are shown together (``shared_areas``), in place of one for each."""
DAYS = ("date", "period", "period_start", "period_end", "period_type")
VALUES = ("value", "lower_95", "upper_95", "status", "value_unbiased")
NOWHERE = "all"

Before = dict[tuple[str, str, str], list[dict[str, str]]]


def write_api(
    public: Path,
    releases: Mapping[str, Sequence[Edition]],
    *,
    base_url: str,
    isolate: bool = True,
    put: files.Put = files.replace_file,
) -> tuple[int, dict[str, str]]:
    """Write the tree below ``public/api``; files that have not changed are left alone.

    Args:
        releases: for each release, its current editions (the revision to use of each period) in order of time, with those
            under names that it had before.
        isolate: a release that fails is left out of the lists, and the others are written; False: its error is raised.
        put: what puts each file in place.

    Returns:
        How many files were written; and of releases that were left out the id and why.
    """
    tree: dict[str, Any] = {}
    written = 0
    left_out: dict[str, str] = {}
    goes_on_of: dict[str, Renamed | None] = {}
    renamed = {name: id for id, editions in releases.items() for name in editions[-1].release.formerly}
    for id, editions in releases.items():
        with noted(left_out, id, isolate=isolate):
            paths = []
            goes_on = _goes_on(releases[renamed[id]][-1], base_url) if id in renamed else None
            for path, titles, leaf in _release_leaves(public, editions, base_url, goes_on):
                written += put(public / path_of(path[:-1]) / f"{path[-1]}.json", leaf)
                paths.append((path, titles))
            for level in shared_levels(editions[-1]):
                path = (*topic_of(editions[-1]), level)
                shutil.rmtree(public / path_of(path) / _STEPS[len(path)], ignore_errors=True)
                paths.append((path, _titles(editions[-1])))
        if id in left_out:
            continue
        goes_on_of[id] = goes_on
        for path, titles in paths:
            node = tree
            for step, (part, title) in enumerate(zip(path, titles, strict=True)):
                moved = goes_on_of[id] if step == TOPIC else None
                about: dict[str, Any] = {} if moved is None else {"renamed": moved.model_dump()}
                if step == TYPE and len(path) == TYPE + 1:
                    about = {"areas": f"{base_url}/{path_of(path)}/{AREAS}/index.json"}
                node = node.setdefault(part, {"title": title, "below": {}, "about": about})["below"]
    return written + _write_index(public, tree, (), base_url, put), left_out


def _goes_on(newest: Edition, base_url: str) -> Renamed:
    """Where the tree of a release goes on that has another name now."""
    return Renamed(release=newest.release.id, link=f"{base_url}/{path_of(topic_of(newest))}/index.json")


def _release_leaves(
    public: Path, editions: Sequence[Edition], base_url: str, goes_on: Renamed | None
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], bytes]]:
    """Of every leaf of a release its path, the titles along it, and its content."""
    newest = editions[-1]
    topic, before = topic_of(newest), _by_leaf(read_back_series(public / newest.release.id, newest))
    together = {table.id for tables in shared_levels(newest).values() for table in tables}
    for table in newest.tables:
        if table.id in together:
            continue
        for (area_type, code, name, metric), leaf in _leaves(
            public, editions, table, base_url, goes_on, before
        ).items():
            path = (*topic, area_type, files.segment(code), metric, table.id)
            yield path, (*_titles(newest), name, newest.statistic(metric).title, table.title), leaf


def shared_levels(edition: Edition) -> dict[str, list[TableFacts]]:
    """Level of areas that are shown together → its tables."""
    place = edition.geography
    if place is None:
        return {}
    found = {
        level.name: [t for t in edition.tables if t.levels[place.name] == level.name]
        for level in place.levels
        if level.together
    }
    return {level: tables for level, tables in found.items() if tables}


def topic_of(edition: Edition) -> tuple[str, str, str]:
    """Theme, sub-theme and topic of a release: the first values of its paths, which are the same in every language."""
    theme, subtheme, title = (own_words(edition, name) for name in ("theme", "subtheme", "title"))
    return slug(theme or title), slug(subtheme or theme or title), edition.release.id


def slug(text: str) -> str:
    """A name as one segment of a path: small ASCII letters, digits and hyphens; official codes keep their letters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return (
        re.sub(r"[^A-Za-z0-9_.+-]+", "-", plain if re.fullmatch(r"[A-Z0-9]+", plain) else plain.lower()).strip("-.")
        or "x"
    )


def path_of(parts: tuple[str, ...]) -> str:
    """The folder of a node: names of steps and values in turn."""
    return "/".join([ROOT, *(f"{step}/{part}" for step, part in zip(_STEPS, parts, strict=False))])


def _titles(edition: Edition) -> tuple[str, str, str, str]:
    """What the path of a type of areas says to people, step by step; the type has no title."""
    release = edition.release
    return release.theme, release.subtheme or release.theme, release.title, ""


def _leaves(
    public: Path,
    editions: Sequence[Edition],
    table: TableFacts,
    base_url: str,
    goes_on: Renamed | None,
    before: Before,
) -> dict[tuple[str, str, str, str], bytes]:
    """(type of area, code, name, metric) → content of the leaf of one table."""
    newest = editions[-1]
    area = newest.geography
    series = max(1, table.rows // _count(newest, table))
    most = max(1, MOST_ROWS // series) if table.across is None else 1  # whose rows reach back by themselves
    kept = [e for e in editions if has_columns(e, table, newest)][-most:]
    strata = [f"{s.column}_code" for s in newest.strata if len(s.level(table.levels[s.name]).codes) > 1]
    names = ["metric", *(["geography_code"] if area else []), *strata, "date", *VALUES]
    parts = [with_days(pq.read_table(public / e.path / f"{table.id}.parquet", columns=names), e, table) for e in kept]
    rows = pa.concat_tables([p for p in parts if p.schema.equals(parts[-1].schema)])

    known = _areas(kept, table)
    codes, labels = tuple(known), tuple(known.values())
    area_type = table.levels[area.name] if area else NOWHERE
    rows = rows.filter(pc.is_in(rows["metric"], pa.array(table.statistics, pa.string())))
    metric_index = positions(rows["metric"], table.statistics)
    area_index = positions(rows["geography_code"], codes) if area else np.zeros(len(rows), dtype=np.int64)
    key = metric_index * len(codes) + area_index
    order = np.argsort(key, kind="stable")
    ends = np.searchsorted(key[order], np.arange(len(codes) * len(table.statistics) + 1))
    sorted_rows = rows.take(pa.array(order))
    texts = {name: json_values(sorted_rows[name]) for name in (*strata, *DAYS, *VALUES)}

    head: dict[str, Any] = {
        "release": newest.release.id,
        "table": table.id,
        "updated": utc(newest.published),
        "editions": [e.path for e in kept],
        "complete": len(kept) == len(editions) or table.across is not None,
        "download": f"{base_url}/{newest.path}/{table.id}.csv",
        "history": f"{base_url}/{newest.release.id}/history/{table.id}.csv",
        "licence": newest.release.licence,
        "revisions": _revised(kept),
        "renamed": goes_on,
    }
    leaves: dict[tuple[str, str, str, str], bytes] = {}
    for m, metric in enumerate(table.statistics):
        statistic = newest.statistic(metric)
        for a, (code, label) in enumerate(zip(codes, labels, strict=True)):
            start, end = ends[m * len(codes) + a], ends[m * len(codes) + a + 1]
            if start == end:
                continue
            about = LeafHead(
                metric=metric,
                unit=statistic.unit,
                geography_type=area_type,
                geography_code=code,
                geography=label,
                **head,
                count=int(end - start),
                back_series=_back_series(before.get((table.id, metric, code), ())),
            ).model_dump(mode="json")
            data = ", ".join(f'"{name}": [{",".join(values[start:end])}]' for name, values in texts.items())
            text = json.dumps(about, ensure_ascii=False, indent=1)[:-2] + f',\n "data": {{{data}}}\n}}\n'
            leaves[(area_type, code, label, metric)] = text.encode()
    return leaves


def has_columns(edition: Edition, table: TableFacts, newest: Edition) -> bool:
    """Whether an edition has a table with the same columns of areas and groups."""
    there = next((t for t in edition.tables if t.id == table.id), None)
    if there is None or (edition.geography is None) != (newest.geography is None):
        return False
    columns = [
        [s.column for s in e.strata if len(s.level(t.levels[s.name]).codes) > 1]
        for e, t in ((edition, there), (newest, table))
    ]
    return columns[0] == columns[1]


def _by_leaf(rows: Mapping[BackKey, dict[str, str]]) -> Before:
    """The rows of a back-series by the leaf that they belong to: table, metric and area."""
    found: Before = {}
    for (table, metric, code, _, _), row in rows.items():
        found.setdefault((table, metric, code), []).append(row)
    return found


def _back_series(rows: Sequence[Mapping[str, str]]) -> ApiBackSeries | None:
    """What earlier editions say on the newest one's boundaries, column by column; None where there is none."""
    columns = {name: [row[name] for row in rows] for name in ApiBackSeries.model_fields}
    return ApiBackSeries.model_validate(columns) if rows else None


def _revised(kept: Sequence[Edition]) -> tuple[ApiRevision, ...]:
    """Which of the editions are revisions, of which kind and why."""
    return tuple(
        ApiRevision(edition=e.path, kind=e.revision.kind, reason=e.revision.reason)
        for e in kept
        if e.revision.kind != "first"
    )


def with_days(rows: pa.Table, edition: Edition, table: TableFacts) -> pa.Table:
    """Rows with the days that their values cover, also of an edition published before tables had columns of them."""
    moments = moments_of(edition, edition.table(table.id))
    first_days = np.array([m.start for m in moments], dtype="datetime64[D]")
    columns = moment_columns(moments, np.searchsorted(first_days, rows["date"].to_numpy()))
    return pa.table({**{name: rows[name] for name in rows.column_names}, **{name: columns[name] for name in DAYS}})


def _areas(kept: Sequence[Edition], table: TableFacts) -> dict[str, str]:
    """Code → name of every area that some edition's table has, those of the newest first; each edition knows its own."""
    found: dict[str, str] = {}
    for edition in reversed(kept):
        area = edition.geography
        if area is None:
            found.setdefault(NOWHERE, edition.dataset.region)
            continue
        level = area.level(edition.table(table.id).levels[area.name])
        for code, name in zip(level.codes, level.names, strict=True):
            found.setdefault(code, name)
    return found


def _count(edition: Edition, table: TableFacts) -> int:
    """How many (area, metric) pairs a table has."""
    area = edition.geography
    return len(table.statistics) * (len(area.level(table.levels[area.name]).codes) if area else 1)


def positions(column: pa.ChunkedArray, values: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Where each value stands; every one must."""
    found = pc.index_in(column, pa.array(values, pa.string()))
    return np.asarray(found.to_numpy(), dtype=np.int64)


def json_values(column: pa.ChunkedArray) -> list[str]:
    """Each value as JSON text."""
    found: list[str] = json_texts(column).to_pylist()
    return found


def json_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each value as JSON text, in an array."""
    if pa.types.is_string(column.type):
        encoded = column.combine_chunks().dictionary_encode()
        quoted = pa.array([json.dumps(v, ensure_ascii=False) for v in encoded.dictionary.to_pylist()], pa.string())
        texts = pa.chunked_array([quoted.take(encoded.indices)])
    elif pa.types.is_date(column.type):
        texts = pc.binary_join_element_wise('"', pc.cast(column, pa.string()), '"', "")
    else:
        texts = pc.cast(column, pa.string())
    return pc.fill_null(texts, "null")


def _write_index(
    public: Path,
    tree: dict[str, Any],
    path: tuple[str, ...],
    base_url: str,
    put: files.Put,
    about: Mapping[str, Any] | None = None,
) -> int:
    """``index.json`` of a node and of all below it; ``about`` is told of the node itself."""
    step = _STEPS[len(path)]
    folder = path_of(path)
    last = len(path) == len(_STEPS) - 1
    listed = [
        ApiLink(
            name=name,
            title=node["title"],
            link=f"{base_url}/{folder}/{name}.json" if last else f"{base_url}/{folder}/{step}/{name}/index.json",
        ).model_dump()
        for name, node in sorted(tree.items())
    ]
    written = int(put(public / folder / "index.json", formats.json_bytes({step: listed, **(about or {})})))
    if not last:
        for name, node in tree.items():
            written += _write_index(public, node["below"], (*path, name), base_url, put, node["about"])
    return written
