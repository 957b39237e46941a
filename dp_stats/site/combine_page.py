"""The page on which readers add up areas, groups and days of their own; what it shows is worked out in their browser."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from dp_stats.charts.reading import ReleaseView
from dp_stats.editions.measurements import COMBINE
from dp_stats.outlets.history import FOLDER, read_index
from dp_stats.site import linked
from dp_stats.site.frame import Site, script
from dp_stats.site.tongues import from_page
from dp_stats.texts import numbers
from dp_stats.texts.foreign import plain
from dp_stats.texts.words import Texts

PAGE = "combine.html"


def own_figures(site: Site, view: ReleaseView) -> bool:
    """Whether readers can work out figures of their own: the newest edition has its measurements, and a file lists all."""
    return bool(read_index(site.public / view.id / FOLDER)) and (view.latest.folder / COMBINE).is_file()


def combine_page(site: Site, view: ReleaseView) -> None:
    """``<release>/combine.html``."""
    texts, release = site.texts, view.latest.edition.release
    title, lead = texts("combine.title"), texts("combine.lead", release=release.title)
    path = f"{view.id}/{PAGE}"
    site.render(
        "combine.html",
        path,
        linked=linked.page(site, name=f"{title}: {release.title}", description=lead, path=path),
        title=title,
        lead=lead,
        trail=[(texts("site.home"), "../index.html"), (release.title, "index.html")],
        how=texts.many("combine.how_text"),
        about=script(about(site, view, texts.get("combine.words"), path)),
    )


def about(site: Site, view: ReleaseView, words: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What the scripts of pages of readers' own figures know of a release, and the words they say.

    Args:
        path: the page, from which data are found.
    """
    edition = view.latest.edition
    publisher = edition.release.publisher or edition.dataset.custodians[0].name
    title, locale = edition.release.title, view.texts.get("locale")
    known = {"release": view.id, "root": from_page(site.tree, path), "title": title, "publisher": publisher}
    written = {"locale": locale, "days": days_written(view.texts), "signs": numbers.signs(view.texts.locale)}
    return {**known, **written, "words": words, "labels": _labels(view) if site.tree else {}}


def days_written(texts: Texts) -> dict[str, Any]:
    """How days are written in the page's language, month by month, as browsers do not know every language; and spans of days."""
    kinds: dict[str, dict[str, bool]] = {"long": {}, "short": {"short": True}, "no_year": {"year": False}}
    days = [date(3333, month, 22) for month in range(1, 13)]
    written = {
        kind: [texts.day(day, **how).replace("3333", "{year}").replace("22", "{day}") for day in days]
        for kind, how in kinds.items()
    }
    return {**written, "spans": {kind: texts.get(f"period.same_{kind}") for kind in ("month", "year", "nothing")}}


def _labels(view: ReleaseView) -> dict[str, Any]:
    """What periods, statistics, dimensions, levels and groups are called in the page's language; files hold the first one's."""
    edition = view.latest.edition
    return {
        "periods": {r.edition.path: r.edition.period.text for r in view.history},
        "statistics": {s.id: {"title": plain(s.title), "unit": plain(s.unit)} for s in edition.statistics},
        "dimensions": {
            d.name: {
                "title": plain(d.title),
                "levels": {
                    lv.name: {"title": plain(lv.title), "names": dict(zip(lv.codes, lv.names, strict=True))}
                    for lv in d.levels
                },
            }
            for d in edition.dimensions
            if d.kind != "date"
        },
    }
