"""The page of a release with a true map, where an agency supplies the boundaries of its areas."""

from __future__ import annotations

import json
from typing import Any

from dp_stats.charts.outline import Outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.reading import ReleaseView
from dp_stats.outlets.places import FILE
from dp_stats.site import linked, maps
from dp_stats.site.frame import Site

PAGE = "map.html"


def boundaries_of(site: Site, view: ReleaseView, panel: Panel | None) -> dict[str, Any] | None:
    """What is told of the boundaries of a panel's areas, with their drawings in ``drawn``; None where there are none, or where
    the areas are so many that they are shown together."""
    place, path = view.latest.edition.geography, site.public / view.id / FILE
    if panel is None or panel.areas.together or place is None or not path.is_file():
        return None
    told = json.loads(path.read_bytes()).get(place.name, {}).get("map")
    drawn = site.public / told["file"] if told else None
    if drawn is None or not drawn.is_file():
        return None
    found = json.loads(drawn.read_bytes())
    return {**told, "drawn": found} if set(panel.areas.codes) & set(found["shapes"]) else None


def map_page(site: Site, view: ReleaseView, story: Outline, panel: Panel, told: dict[str, Any]) -> None:
    """``<release>/map.html``."""
    texts, release = site.texts, view.latest.edition.release
    drawn = maps.true_map(site, panel, story, told["drawn"], areas="areas/index.html")
    missing = [
        name
        for code, name in zip(panel.areas.codes, panel.areas.names, strict=True)
        if code not in told["drawn"]["shapes"]
    ]
    title, path = texts("map.title"), f"{view.id}/{PAGE}"
    lead = texts("map.lead", what=drawn["title"], period=panel.periods[-1])
    site.render(
        "map.html",
        path,
        linked=linked.page(site, name=f"{title}: {release.title}", description=lead, path=path),
        title=title,
        release=release.title,
        lead=lead,
        trail=[(texts("site.home"), "../index.html"), (release.title, "index.html")],
        map=drawn,
        missing=texts("map.missing", areas=texts.listed(missing)) if missing else "",
        source={"title": told["title"], "href": told["source"] if told["source"].startswith("http") else ""},
    )
