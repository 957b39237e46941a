"""What the page that finds areas needs to show those that have no page of their own (``LevelFacts.together``).

Their names are in files of their own, ``<release>/areas/names/<number>.json``, sorted by each word of each name and by code, so a
reader who types loads the few files in which what was typed would stand; ``index.json`` says what each begins with. Their
figures are the files of the API (``outlets.shared_areas``), which are one for all languages.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from dp_stats.charts.outline import Outline, area_levels
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.wording import unit_text
from dp_stats.editions.edition import DimensionFacts, Edition
from dp_stats.editions.moments import moments_of
from dp_stats.editions.truncated import said_beside
from dp_stats.outlets import shared_areas
from dp_stats.site.combine_page import days_written, own_figures
from dp_stats.site.common import area_links, areas_together
from dp_stats.site.frame import Site
from dp_stats.site.tongues import from_page
from dp_stats.texts import numbers
from dp_stats.texts.foreign import plain
from dp_stats.texts.words import Texts

NAMES = "areas/names"
AREAS_OF_FILE = 1_500
MOST_FILES = 250
"""Areas of a file of names, and how many files there are at most, which then grow."""
LONGEST_KEY = 60

_MARKS = re.compile("[\u0300-\u036f]")
_WORD = re.compile(r"(?<![^ -])[^ -]")


def plainly(text: str) -> str:
    """A name as it is searched for: small letters without accents; as ``find-page.js`` does it."""
    return _MARKS.sub("", unicodedata.normalize("NFD", text.lower())).replace("‘", "'").replace("’", "'")


def keys_of(names: Sequence[str]) -> set[str]:
    """What an area stands under: each of its names from each of its words on."""
    found = (plainly(name) for name in names)
    return {text[match.start() :][:LONGEST_KEY] for text in found for match in _WORD.finditer(text)}


def write_names(
    site: Site,
    view: ReleaseView,
    place: DimensionFacts,
    together: Mapping[str, int],
    former: Mapping[str, Sequence[str]],
) -> None:
    """The files of names of areas that are shown together.

    An area is code, name, place of its level among those of the dimension, code of what it is part of, people (null where
    unknown), and the names and codes that it had or has besides.
    """
    areas: list[list[Any]] = []
    keys: list[tuple[bytes, int]] = []
    for depth, level in enumerate(place.levels):
        if not level.together:
            continue
        population = level.population or (None,) * len(level.codes)
        parents = level.parents or ("",) * len(level.codes)
        for code, name, parent, people in zip(level.codes, level.names, parents, population, strict=True):
            if together.get(code) != depth or code == place.unknown:
                continue
            also = list(former.get(code, ()))
            found = keys_of([name, *also]) | {plainly(code)}
            keys += [(shared_areas.in_order(key), len(areas)) for key in found]
            areas.append([code, name, depth, parent, people, also])
    keys.sort()
    files, firsts = _files(keys)
    for number, own in enumerate(files):
        lines = ",\n".join(json.dumps(areas[i], ensure_ascii=False, separators=(",", ":")) for i in own)
        site.writer.write(f"{view.id}/{NAMES}/{number:03d}.json", f"[{lines}]\n")
    first = [key.decode("utf-16-be", "surrogatepass") for key in firsts]
    site.writer.write(f"{view.id}/{NAMES}/index.json", json.dumps({"first": first}, ensure_ascii=False) + "\n")


def _files(keys: Sequence[tuple[bytes, int]]) -> tuple[list[list[int]], list[bytes]]:
    """Which areas each file holds, and the first key of each."""
    most = max(AREAS_OF_FILE, -(-len(keys) // MOST_FILES))
    files: list[list[int]] = []
    firsts: list[bytes] = []
    own: dict[int, None] = {}
    for key, area in keys:
        if not files or len(own) >= most:
            own = {}
            files.append([])
            firsts.append(key)
        if area not in own:
            own[area] = None
            files[-1].append(area)
    return files, firsts


def about(site: Site, view: ReleaseView, story: Outline, path: str) -> dict[str, Any]:
    """What the page at ``path`` knows to show an area: where its figures are, what they are called, and how it says them."""
    texts, edition = site.texts, view.latest.edition
    place = edition.geography
    assert place is not None
    links = area_links(view, story)
    together = areas_together(view, story)
    up = from_page(site.tree, path)
    levels: dict[int, dict[str, Any]] = {}
    for depth, own in area_levels(edition, story):
        level = place.levels[depth]
        if not level.together or own.areas is None:
            continue
        above = place.levels[depth + 1] if level.parents else None
        parents = {c: [n, links.get(c, "")] for c, n in zip(above.codes, above.names, strict=True)} if above else {}
        tables = [own.areas, own.areas_fine, own.area_groups]
        levels[depth] = {
            "title": level.title,
            "folder": f"{up}{shared_areas.folder_of(edition, level.name)}",
            "tables": {t.id: _table(edition, t.id) for t in tables if t},
            "main": own.areas.id,
            "fine": own.areas_fine.id if own.areas_fine else "",
            "groups": own.area_groups.id if own.area_groups else "",
            "metric": own.metric.id,
            "rate": own.rate.id if own.rate and own.rate.id in own.areas.statistics else "",
            "parents": parents,
            "files": [f"{up}{view.id}/latest/{t.id}.csv" for t in edition.tables if t.levels[place.name] == level.name],
        }
    shown = [story.metric.id, *([story.rate.id] if story.rate else [])]
    return {
        "release": view.id,
        "title": edition.release.title,
        "locale": view.texts.get("locale"),
        "days": days_written(texts),
        "signs": numbers.signs(texts.locale),
        "count": len(together),
        "names": NAMES,
        "levels": levels,
        "statistics": {
            s.id: {"title": plain(s.title), "unit": plain(unit_text(s)), "whole": s.integer} for s in edition.statistics
        },
        "strata": {f"{s.column}_code": _names(s) for s in edition.strata},
        "status": {mark: said["name"] for mark, said in texts.get("status").items()},
        "periods": _periods(view, levels),
        "compare": place.name if own_figures(site, view) else "",
        "left_out": said_beside(edition, shown, texts),
    }


def _table(edition: Edition, id: str) -> str:
    return plain(edition.table(id).title)


def _names(stratum: DimensionFacts) -> dict[str, Any]:
    return {
        "title": plain(stratum.title),
        "names": {code: name for level in stratum.levels for code, name in zip(level.codes, level.names, strict=True)},
    }


def _periods(view: ReleaseView, levels: Mapping[int, Mapping[str, Any]]) -> dict[str, str]:
    """What the moments of the tables are called, by the label that data have."""
    tables = {table for level in levels.values() for table in level["tables"]}
    found: dict[str, str] = {}
    for revision in view.history:
        edition = revision.edition
        for own in (t for t in edition.tables if t.id in tables):
            moments = moments_of(edition, own)
            alone = len(moments) == 1 and own.across is None
            found |= {
                m.label: edition.period.text if alone else view.texts.period(m.label, kind=m.kind) for m in moments
            }
    return found


def words(texts: Texts) -> dict[str, Any]:
    """What the page says of an area, beside what it says when it finds one."""
    said: dict[str, Any] = {
        "to": texts.get("figure.to"),
        "or_more": texts.get("figure.or_more"),
        "unknown": texts.get("figure.none"),
        "interval": texts.get("figure.interval"),
        "when": texts.get("area.when"),
        "value": texts.get("release.value"),
        "note": texts.get("release.note"),
        "of": texts.get("area.part_of"),
        "code": texts.get("area.code"),
        "people": texts.get("area.people"),
        "noise": texts.get("area.noise"),
        "all": texts.get("area.table"),
        "compare": texts.get("compare.area_link"),
    }
    return {**said, **texts.get("find.area_words")}


def files_named(known: Mapping[str, Any]) -> list[dict[str, str]]:
    """The files with the figures of all areas that are shown together, for readers without scripts."""
    return [
        {"href": file, "name": file.rpartition("/")[2]} for level in known["levels"].values() for file in level["files"]
    ]
