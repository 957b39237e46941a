"""The page of one release: headline, charts, map, changes, guarantee, downloads."""

from __future__ import annotations

from typing import Any

from dp_stats.charts import release_charts
from dp_stats.charts.drawing import Studio
from dp_stats.charts.merged_areas import FILE, PARQUET
from dp_stats.charts.outline import Outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.tilemap import Layout
from dp_stats.charts.wording import lower_first, unit_text
from dp_stats.editions.edition import Edition, TableFacts
from dp_stats.editions.readers_kit import snippets
from dp_stats.site import changes, downloads, linked, maps, parts, privacy_panel
from dp_stats.site.across_section import across_section
from dp_stats.site.combine_page import combine_page, own_figures
from dp_stats.site.common import FIND, area_links, cards, headline, left_out, notices, page_of, regions_table, theme
from dp_stats.site.compare_page import compare_pages
from dp_stats.site.drawings import save
from dp_stats.site.find_page import find_page
from dp_stats.site.frame import Notice, Rows, Site
from dp_stats.site.list_pages import areas_page, editions_page
from dp_stats.site.map_page import PAGE as MAP
from dp_stats.site.map_page import boundaries_of, map_page
from dp_stats.site.methods_page import methods_page
from dp_stats.texts.words import Texts

SECTIONS = (
    ("headline", "headline"),
    ("chart", "chart"),
    ("map", "map"),
    ("ranked", "compare"),
    ("regions", ""),
    ("groups", ""),
    ("change", "change"),
    ("across", ""),
    ("private", "private"),
    ("downloads", "downloads"),
    ("cite", "citation"),
    ("about", "about"),
)
"""The parts of the page in order, and the texts that name them; of some, the data give the name."""


def release_page(
    site: Site, view: ReleaseView, story: Outline, tiles: Layout | None, studio: Studio, next_due: str
) -> None:
    """``<release>/index.html`` with its charts."""
    texts, latest = site.texts, view.latest
    edition = latest.edition
    release = edition.release
    local = view.panel(story.areas.id, upto=latest) if story.areas else None
    tile = maps.tile_map(site, local, story, tiles, areas="areas/index.html") if local and tiles else None
    chart = save(site, view, "headline", release_charts.headline(studio, view, story))
    between = [save(site, view, name, drawn) for name, drawn in release_charts.regions(studio, view, story).items()]
    top = None if tile else save(site, view, "ranked", release_charts.top_areas(studio, view, story))
    groups = save(site, view, "groups", release_charts.by_group(studio, view, story))
    change = changes.changes(site, view, latest, story)
    wide = across_section(site, view, studio)
    top_cards, told = cards(site, view, story, latest), headline(site, view, story, latest)
    region_name, group_name = _by(view, story.regions, texts, areas=True), _by(view, story.groups, texts, areas=False)
    history = downloads.history(site, view)
    own = own_figures(site, view)
    bounded = boundaries_of(site, view, local)
    region_rows = regions_table(site, view, story, latest, folder="")
    shown: dict[str, Any] = {
        "chart": chart,
        "map": tile,
        "ranked": top,
        "regions": {"name": region_name, "charts": between, "table": region_rows} if between and region_rows else None,
        "groups": {"name": group_name, "chart": groups, "table": _group_rows(view, story, texts)} if groups else None,
        "across": wide,
    }
    present = {"headline": top_cards or told or local, **shown}
    names = {"regions": region_name, "groups": group_name, "across": texts("across.title")}
    listed = [(id, names.get(id) or texts(f"release.{key}")) for id, key in SECTIONS if present.get(id, True)]
    headline_panel = local or (view.panel((story.groups or story.whole or edition.headline).id, upto=latest))
    notes = notices(site, view, latest, prefix="")
    if not view.current:
        notes.insert(0, Notice(texts("release.retracted"), "bad"))
    site.render(
        "release.html",
        f"{view.id}/index.html",
        linked=linked.dataset(site, latest, f"{view.id}/index.html"),
        title=release.title,
        summary=release.summary,
        theme=theme(view),
        trail=[(texts("site.home"), "../index.html")],
        facts=[
            (texts("release.period"), edition.period.text),
            (texts("release.published"), texts.day(edition.published.date())),
            (texts("release.next"), next_due or texts("release.no_next")),
            (texts("release.publisher"), release.publisher or edition.dataset.custodians[0].name),
            *([(texts("practice.status"), release.practice.status)] if release.practice.status else []),
        ],
        notices=notes,
        sections=listed,
        cards=top_cards,
        told=told,
        left_out=left_out(site, story, edition),
        find=_find(site, view, story, local, MAP if bounded else ""),
        change=change,
        **shown,
        privacy=privacy_panel.privacy(site, edition, headline_panel, story.metric),
        files=downloads.downloads(site, latest, prefix=f"{edition.period.label}/r{edition.revision.number}/"),
        period=f"{texts('edition.files')}: {edition.period.text}",
        history=history,
        combine="combine.html" if own else "",
        compare="compare.html" if own else "",
        all_files=page_of(view, latest).removeprefix(f"{view.id}/"),
        code=_code(site, edition, story),
        citation=downloads.citation(site, latest, page_of(view, latest)),
        benefit=release.public_benefit,
        issues=release.known_issues,
        about=_about(site, view),
    )
    if own:
        combine_page(site, view)
        compare_pages(site, view, areas=local is not None)
    editions_page(site, view)
    methods_page(site, view, story, headline_panel)
    if local:
        _pages_of_areas(site, view, story, local, bounded)


def _pages_of_areas(
    site: Site, view: ReleaseView, story: Outline, local: Panel, bounded: dict[str, Any] | None
) -> None:
    """The table of all areas, the page that finds one, and the true map where there are boundaries."""
    areas_page(site, view, story, local)
    find_page(site, view, story)
    if bounded:
        map_page(site, view, story, local, bounded)


def _by(view: ReleaseView, table: TableFacts | None, texts: Texts, *, areas: bool) -> str:
    """What a table is broken down by, as a heading; nothing without such a table."""
    panel = view.panel(table.id, upto=view.latest) if table else None
    if panel is None:
        return ""
    return texts("release.by_group", group=lower_first((panel.areas if areas else panel.groups).title))


def _group_rows(view: ReleaseView, story: Outline, texts: Texts) -> Rows | None:
    """The strata of the whole as a table."""
    panel = view.panel(story.groups.id, upto=view.latest) if story.groups else None
    if panel is None:
        return None
    by = lower_first(_by(view, story.groups, texts, areas=False))
    return parts.groups_table(
        texts,
        panel.by_group(story.metric.id),
        caption=f"{story.metric.title} {by}, {panel.periods[-1]}",
        first=panel.groups.title,
        unit=unit_text(story.metric),
    )


def _find(site: Site, view: ReleaseView, story: Outline, local: Panel | None, map: str) -> dict[str, Any] | None:
    """The search for an area, the page of the nation (the one area that holds all), and that of the true map where there is one."""
    if local is None:
        return None
    count = site.texts.number(len(local.areas.codes))
    place, links = view.latest.edition.geography, area_links(view, story)
    whole = place.levels[-1] if place and len(place.levels[-1].codes) == 1 else None
    nation = {"href": links[whole.codes[0]], "name": whole.names[0]} if whole and whole.codes[0] in links else None
    return {
        "action": FIND,
        "every": "areas/index.html",
        "all": site.texts("release.all_areas", count=count),
        "nation": nation,
        "map": map,
    }


def _code(site: Site, edition: Edition, story: Outline) -> list[dict[str, str]]:
    """How to read the files, in each language."""
    address = f"{site.base_url}/{edition.path}/" if site.base_url else ""
    found = snippets(edition, story.areas or edition.headline, address=address)
    return [{"name": site.texts(f"kit.{k}"), "code": c} for k, c in found.items()]


def _about(site: Site, view: ReleaseView) -> list[tuple[str, str, str]]:
    """Editions, licence, contact, dataset and method, as (label, text, link)."""
    texts, edition = site.texts, view.latest.edition
    release = edition.release
    link = f"mailto:{release.contact}" if "@" in release.contact else ""
    return [
        (texts("release.editions"), texts.plural("count.editions", len(view.current)), "editions.html"),
        *(
            [
                (texts("release.back_series"), texts("release.back_series_text"), FILE),
                (texts("release.back_series"), texts("release.back_series_parquet"), PARQUET),
            ]
            if (site.public / view.id / FILE).is_file()
            else []
        ),
        (texts("release.licence"), release.licence_title, release.licence_url),
        *([(texts("release.contact"), release.contact, link)] if release.contact else []),
        (texts("register.dataset"), edition.dataset.title, "../register.html"),
        (texts("private.title"), texts("release.methods"), "methods.html"),
    ]
