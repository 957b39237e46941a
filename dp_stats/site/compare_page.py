"""The page on which readers compare areas or groups, and the small one that other sites embed; a browser works both out."""

from __future__ import annotations

from dp_stats.charts.reading import ReleaseView
from dp_stats.site import linked
from dp_stats.site.combine_page import about
from dp_stats.site.frame import EMBED, Site, script

PAGE = "compare.html"
OF_SUMS = {"everything", "more", "chart", "download", "from_one", "from_many", "done", "cite"}
"""Words of the page of sums that this one does not say."""


def compare_pages(site: Site, view: ReleaseView, *, areas: bool) -> None:
    """``<release>/compare.html`` and ``<release>/embed.html``; ``areas``: whether there is a table of all areas to lead to."""
    texts, release = site.texts, view.latest.edition.release
    title, lead = texts("compare.title"), texts("compare.lead", release=release.title)
    shared = {name: word for name, word in texts.get("combine.words").items() if name not in OF_SUMS}
    path = f"{view.id}/{PAGE}"
    known = about(site, view, {**shared, **texts.get("compare.words")}, path)
    words = script(known)
    table = ("areas/index.html", texts("compare.areas")) if areas else ("index.html", release.title)
    site.render(
        "compare.html",
        path,
        linked=linked.page(site, name=f"{title}: {release.title}", description=lead, path=path),
        title=title,
        lead=lead,
        trail=[(texts("site.home"), "../index.html"), (release.title, "index.html")],
        how=texts.many("compare.how_text"),
        without={"href": table[0], "text": table[1]},
        about=words,
    )
    site.render(
        "embed.html",
        f"{view.id}/{EMBED}",
        title=f"{title}: {release.title}",
        source=texts("chart.source", publisher=known["publisher"]),
        about=words,
    )
