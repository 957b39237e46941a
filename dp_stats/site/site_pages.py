"""Pages about the whole site: front page, how it works, glossary, and a page for what cannot be shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from dp_stats.charts import hexagons, svg
from dp_stats.charts.maps import layout_of
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.tilemap import classes
from dp_stats.outlets import feeds
from dp_stats.outlets.api import ROOT, path_of, topic_of
from dp_stats.outlets.feeds import Planned, Scheduled
from dp_stats.site import downloads, linked, parts
from dp_stats.site.common import FIND, cards, headline, page_of, theme
from dp_stats.site.frame import MISSING, Site, trusted
from dp_stats.site.terms import PAGE as GLOSSARY
from dp_stats.site.terms import terms

NEWEST = 8
CALENDAR = "calendar.json"


def planned(site: Site, since: datetime | None = None) -> list[Planned]:
    """What is due in the twelve months after the newest publication (or ``since``)."""
    newest = [v.latest.edition for v in site.releases if v.current and not v.renamed]
    scheduled = [s for e in newest if (s := Scheduled.after(e))]
    if not scheduled:
        return []
    return feeds.calendar(scheduled, since=since or max(e.published for e in newest), texts=site.texts)


def calendar(site: Site) -> list[Planned]:
    """What is due, also of releases that are declared and have no edition yet, as the calendar for programs has them."""
    path = site.public / site.tree / CALENDAR
    known = json.loads(path.read_bytes()) if path.is_file() else ()
    shown = {view.id for view in site.releases}
    awaited = (item for one in known if (item := Planned.model_validate(one)).release not in shown)
    return sorted([*planned(site), *awaited], key=lambda item: (item.when, item.release, item.period))


def text_page(site: Site, name: str, path: str, **values: Any) -> None:
    title, lead = site.texts(f"{name}.title"), site.texts(f"{name}.lead")
    site.render(
        values.pop("template"),
        path,
        linked=linked.page(site, name=title, description=lead, path=path),
        title=title,
        lead=lead,
        trail=[(site.texts("site.home"), "index.html")],
        **values,
    )


def release_card(site: Site, view: ReleaseView) -> dict[str, Any]:
    """A release on the front page: its headline figure, its newest edition, and a small line along time."""
    texts, edition = site.texts, view.latest.edition
    story = parts.outline_of(view)
    first = next(iter(cards(site, view, story, view.latest)), None)
    panel = view.panel(story.whole.id) if story.whole else None
    status = view.latest.status
    return {
        "theme": theme(view),
        "title": edition.release.title,
        "href": f"{view.id}/index.html",
        "summary": edition.release.summary,
        "latest": texts("front.latest", period=edition.period.text),
        "updated": texts("front.updated", day=texts.day(edition.published.date())),
        "tag": status if status in ("provisional", "retracted") else "",
        "label": first.label if first else "",
        "value": first.value if first and not first.word else "",
        "interval": first.interval if first else "",
        "ends": first.ends if first else ("", ""),
        "bar": first.bar if first else "",
        "told": headline(site, view, story, view.latest),
        "spark": trusted(svg.spark(panel.series(story.metric.id))) if panel else "",
    }


def _silhouette(site: Site, view: ReleaseView) -> Markup | None:
    """The map of a release's areas as an ornament, empty where it has areas and no map; None without areas."""
    edition, story = view.latest.edition, parts.outline_of(view)
    if story.areas is None or edition.geography is None:
        return None
    local = view.panel(story.areas.id, upto=view.latest)
    tiles = layout_of(edition, story.areas, kept=site.reports / "layouts")
    if not local or not tiles:
        return trusted(" ")
    statistic = story.rate if story.rate and story.rate.id in local.table.statistics else story.metric
    groups = local.by_area(statistic.id)
    return trusted(hexagons.silhouette(tiles, groups, classes([g.figure.value for g in groups])))


def not_shown_page(site: Site, release: str, title: str) -> None:
    """The page of a release that cannot be shown now: what it is called, and that its files are where they were."""
    texts = site.texts
    site.writer.fail(release)
    site.writer.due(f"{release}/not-shown", "never kept")
    site.render(
        "text.html",
        f"{release}/index.html",
        title=title,
        lead=texts("missing.release"),
        trail=[(texts("site.home"), "../index.html")],
        body="",
        link={"href": "../index.html", "text": texts("missing.home")},
    )


def moved_pages(site: Site, view: ReleaseView, pages: Sequence[str]) -> None:
    """Let pages of a renamed release lead to the same pages under its name now, or to its first one where there is none."""
    texts, title = site.texts, view.latest.edition.release.title
    there = set(site.writer.files_of(view.renamed))
    for page in pages:
        own = page.removeprefix(f"{view.id}/")
        kept = own if f"{view.renamed}/{own}" in there else "index.html"
        href = f"{'../' * page.count('/')}{view.renamed}/{kept}"
        site.render(
            "moved.html",
            page,
            title=title,
            lead=texts("moved.lead"),
            trail=[(texts("site.home"), "../" * page.count("/") + "index.html")],
            link={"href": href, "text": texts("moved.link")},
        )


def front_page(site: Site) -> None:
    """``index.html``: headline figures of every release, and what is newest."""
    texts = site.texts
    made = []
    find = None
    ornament = None
    for view in (view for view in site.releases if not view.renamed):
        made.append(release_card(site, view))
        if find is None and (ornament := _silhouette(site, view)):
            find = {"action": f"{view.id}/{FIND}"}
    newest = sorted(
        ((r.edition.published, r.edition.path, v, r) for v in site.releases for r in v.revisions if r.current),
        reverse=True,
        key=lambda x: x[:2],
    )[:NEWEST]
    data = [(texts("front.feed"), "feed.atom"), (texts("front.catalogue"), "catalog.jsonld")]
    site.render(
        "index.html",
        "index.html",
        linked=linked.catalogue(site, name=texts("site.name"), description=texts("front.lead")),
        cards=made,
        find=find,
        ornament=ornament or trusted(""),
        newest=[
            {"href": page_of(v, r), "title": r.edition.title, "published": texts.day(r.edition.published.date())}
            for _, _, v, r in newest
        ],
        feeds=[(name, address) for name, address in data if (site.public / address).is_file()],
    )


def data_page(site: Site) -> None:
    """``data.html``: the whole series of every release, and how programs get at them."""
    releases = []
    for view in (view for view in site.releases if not view.renamed):
        files = downloads.history(site, view, prefix=f"{view.id}/")
        if files is None:
            continue
        topic = path_of(topic_of(view.latest.edition))
        links = [
            (f"{topic}/index.json", site.texts("data.api")),
            (f"{view.id}/feed.atom", site.texts("data.feed")),
            (f"{view.id}/editions.html", site.texts("data.editions")),
        ]
        there = [(href, text) for href, text in links if href.endswith(".html") or (site.public / href).is_file()]
        releases.append({"id": view.id, "title": view.latest.edition.release.title, "files": files, "links": there})
    told = (site.public / ROOT / "index.json").is_file()
    body = trusted(site.texts.page("data")) if told else ""
    text_page(site, "data", "data.html", template="data.html", releases=releases, body=body)


def plain_pages(site: Site) -> None:
    """Pages of text: how it works, the glossary, and the page that is shown where there is none."""
    body = trusted(site.texts.page("methodology"))
    text_page(site, "methodology", "methodology.html", template="text.html", body=body, link=None)
    known = [{"id": id, "term": said["term"], "text": said["text"]} for id, said in terms(site.texts).items()]
    text_page(site, "glossary", GLOSSARY, template="glossary.html", terms=known)
    if site.tree:
        return  # one page is shown where there is none
    base = site.base_url.partition("://")[2].partition("/")[2]
    root = f"/{base}/" if base else "/"
    site.render(
        "text.html",
        MISSING,
        root=root,
        title=site.texts("missing.title"),
        lead=site.texts("missing.lead"),
        trail=[],
        body="",
        link={"href": f"{root}index.html", "text": site.texts("missing.home")},
    )
