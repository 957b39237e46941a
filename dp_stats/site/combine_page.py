"""The page on which readers add up areas, groups and days of their own; what it shows is worked out in their browser."""

from __future__ import annotations

from dp_stats.charts.reading import ReleaseView
from dp_stats.site import linked
from dp_stats.site.frame import Site, script

PAGE = "combine.html"


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
        about=script(
            {
                "release": view.id,
                "title": release.title,
                "publisher": release.publisher or view.latest.edition.dataset.custodians[0].name,
                "words": texts.get("combine.words"),
            }
        ),
    )
