"""The page on which readers find their area: by name or former name, region, postcode, or where they are."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from dp_stats.charts.outline import Outline
from dp_stats.charts.reading import ReleaseView
from dp_stats.editions.edition import DimensionFacts
from dp_stats.editions.languages import names_elsewhere
from dp_stats.files import segment
from dp_stats.outlets.places import FILE
from dp_stats.site import linked, small_areas
from dp_stats.site.common import FIND, area_links, areas_together, areas_with_pages
from dp_stats.site.frame import Site, script

PLACES = "areas/places.json"


def find_page(site: Site, view: ReleaseView, story: Outline) -> None:
    """``<release>/find.html`` and ``<release>/areas/places.json``, of a release whose areas have pages.

    It shows the areas that are shown together, too, whose names are in files of their own (``small_areas``).
    """
    texts, release, place = site.texts, view.latest.edition.release, view.latest.edition.geography
    if place is None:
        return
    paged, together = areas_with_pages(view, story), areas_together(view, story)
    also = _also(site, view, place.name)
    postcodes = also.get("postcodes")
    former = _former(view, place, also)
    if together:
        small_areas.write_names(site, view, place, together, _names_now(place, former, together))
    listed = list(_areas(place, paged, together))
    there = {one[0] for one in listed}
    found = {
        "areas": listed,
        "former": {code: names for code, names in former.items() if _now(place, code, there)},
        "replaced": {code: new for code, new in place.replaced.items() if _now(place, code, there)},
        "postcodes": postcodes,
    }
    text = json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    site.writer.write(f"{view.id}/{PLACES}", f"{text}\n")
    title, path = texts("find.title"), f"{view.id}/{FIND}"
    lead = texts("find.lead_postcode" if postcodes else "find.lead", release=release.title)
    links = area_links(view, story)
    known = small_areas.about(site, view, story, path) if together else {}
    words = texts.get("find.words") | (small_areas.words(texts) if together else {})
    regions = [
        (name, code)
        for depth, level in enumerate(place.levels)
        for name, code in zip(level.names, level.codes, strict=True)
        if depth and paged.get(code) == depth
    ]
    site.render(
        "find.html",
        path,
        linked=linked.page(site, name=f"{title}: {release.title}", description=lead, path=path),
        title=title,
        lead=lead,
        trail=[(texts("site.home"), "../index.html"), (release.title, "index.html")],
        regions=[{"href": links[code], "name": name} for name, code in regions],
        postcodes=postcodes,
        near=place.longitude is not None and place.latitude is not None and not place.levels[0].together,
        about=script({"words": words, **known}),
        together=small_areas.files_named(known) if together else [],
        hint=texts("find.together", count=texts.number(len(together))),
    )


def _also(site: Site, view: ReleaseView, dimension: str) -> dict[str, Any]:
    """What the catalogue's lists say of the areas: other names, and where postcodes are."""
    path = site.public / view.id / FILE
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get(dimension, {}) if path.is_file() else {}
    if postcodes := found.get("postcodes"):
        found["postcodes"] = {**postcodes, "folder": "../" * site.tree.count("/") + postcodes["folder"]}
    return found


def _now(place: DimensionFacts, code: str, there: Collection[str]) -> list[str]:
    """The areas, of those that are there, that hold now what a code held, also over several changes."""
    found: list[str] = []
    seen, waiting = {code}, [code]
    while waiting:
        one = waiting.pop()
        if one in there:
            found.append(one)
            continue
        new = [other for other in place.replaced.get(one, ()) if other not in seen]
        seen.update(new)
        waiting += new
    return found


def _names_now(
    place: DimensionFacts, former: Mapping[str, Sequence[str]], together: Mapping[str, int]
) -> dict[str, list[str]]:
    """Code of an area that is shown together → the names and codes that it has besides, those of codes before it, too."""
    found: dict[str, list[str]] = {}
    for code in dict.fromkeys((*former, *place.replaced)):
        for now in _now(place, code, together):
            found.setdefault(now, []).extend([*former.get(code, ()), *([code] if code != now else [])])
    return found


def _areas(place: DimensionFacts, paged: Mapping[str, int], together: Mapping[str, int]) -> Iterator[list[Any]]:
    """Each area not shown together: code, name, level, name of what it is part of, page (its own or of what holds it), place."""
    finest = len(place.levels[0].codes)
    longitude, latitude = place.longitude or (None,) * finest, place.latitude or (None,) * finest
    for depth, level in enumerate(place.levels):
        above = place.levels[depth + 1] if level.parents and depth + 1 < len(place.levels) else None
        names = dict(zip(above.codes, above.names, strict=True)) if above else {}
        for index, (code, name) in enumerate(zip(level.codes, level.names, strict=True)):
            page = _page(place, depth, index, paged)
            if not page or code == place.unknown or paged.get(code, depth) != depth or together.get(code) == depth:
                continue
            parent = names.get(level.parents[index], "") if level.parents else ""
            where = [longitude[index], latitude[index]] if depth == 0 else [None, None]
            yield [code, name, level.title, parent if parent != name else "", f"areas/{segment(page)}.html", *where]


def _page(place: DimensionFacts, depth: int, index: int, paged: Mapping[str, int]) -> str:
    """The code of the finest area with a page that holds an area; nothing where none does."""
    for level_depth in range(depth, len(place.levels)):
        level = place.levels[level_depth]
        if level.codes[index] in paged:
            return level.codes[index]
        if not level.parents:
            break
        index = place.levels[level_depth + 1].codes.index(level.parents[index])
    return ""


def _former(view: ReleaseView, place: DimensionFacts, also: dict[str, Any]) -> dict[str, list[str]]:
    """Code → the names that its area has had or has besides, of codes that are not in force any more, too."""
    now = {code: name for level in place.levels for code, name in zip(level.codes, level.names, strict=True)}
    found: dict[str, list[str]] = {code: list(names) for code, names in also.get("names", {}).items()}
    for code, name in names_elsewhere(view.latest.edition, place.name):
        found.setdefault(code, []).append(name)
    for revision in view.history:
        dimension = next((d for d in revision.edition.dimensions if d.name == place.name), None)
        for level in dimension.levels if dimension else ():
            for code, name in zip(level.codes, level.names, strict=True):
                names = found.setdefault(code, [])
                if name not in names:
                    names.append(name)
    kept = {code: [name for name in names if name != now.get(code)] for code, names in found.items()}
    return {code: names for code, names in sorted(kept.items()) if names}
