"""The page on which readers add up areas, groups and days of their own; what it shows is worked out in their browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dp_stats.charts.reading import ReleaseView
from dp_stats.editions.measurements import COMBINE
from dp_stats.outlets.history import FOLDER, read_index
from dp_stats.site import linked
from dp_stats.site.frame import Site, script

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
        about=script(about(view, texts.get("combine.words"))),
    )


def about(view: ReleaseView, words: Mapping[str, Any]) -> dict[str, Any]:
    """What the scripts of pages of readers' own figures know of a release, and the words they say."""
    edition = view.latest.edition
    publisher = edition.release.publisher or edition.dataset.custodians[0].name
    title, locale = edition.release.title, view.texts.get("locale")
    return {"release": view.id, "title": title, "publisher": publisher, "locale": locale, "words": words}
