"""The page of one release: headline, charts, map, changes, guarantee, downloads."""

from __future__ import annotations

from dp_stats.charts import release_charts
from dp_stats.charts.drawing import Studio
from dp_stats.charts.outline import Outline
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.tilemap import Layout
from dp_stats.charts.wording import lower_first, unit_text
from dp_stats.editions.readers_kit import snippets
from dp_stats.site import changes, downloads, guarantee, linked, maps, parts
from dp_stats.site.common import cards, notices, page_of, regions_table, theme
from dp_stats.site.drawings import save
from dp_stats.site.frame import Notice, Rows, Site
from dp_stats.site.list_pages import areas_page, editions_page
from dp_stats.site.methods_page import methods_page
from dp_stats.texts import numbers


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
    change = changes.changes(site, view, latest, story, areas="areas/")
    has_areas = story.areas is not None
    sections = [
        ("headline", "headline"),
        ("chart", "chart"),
        ("map", "map"),
        ("ranked", "compare"),
    ]
    top_cards = cards(site, view, story, latest)
    present = {"headline": bool(top_cards or local), "chart": chart, "map": tile, "ranked": top}
    listed = [(id, texts(f"release.{key}")) for id, key in sections if present[id]]
    region_name = ""
    if between and story.regions and (panel := view.panel(story.regions.id, upto=latest)):
        region_name = texts("release.by_group", group=lower_first(panel.areas.title))
        listed.append(("regions", region_name))
    group_name = ""
    group_rows: Rows | None = None
    if story.groups and (panel := view.panel(story.groups.id, upto=latest)):
        group_name = texts("release.by_group", group=lower_first(panel.groups.title))
        listed.append(("groups", group_name))
        group_rows = parts.groups_table(
            texts,
            panel.by_group(story.metric.id),
            caption=f"{story.metric.title} {lower_first(group_name)}, {panel.periods[-1]}",
            first=panel.groups.title,
            unit=unit_text(story.metric),
        )
    listed += [
        (id, texts(f"release.{key}"))
        for id, key in (
            ("change", "change"),
            ("private", "private"),
            ("downloads", "downloads"),
            ("cite", "citation"),
            ("about", "about"),
        )
    ]
    region_rows = regions_table(site, view, story, latest, links="areas/")
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
        ],
        notices=notes,
        sections=listed,
        cards=top_cards,
        find={
            "action": "areas/index.html",
            "all": texts("release.all_areas", count=numbers.number(len(local.areas.codes))),
        }
        if local
        else None,
        chart=chart,
        map=tile,
        ranked=top,
        regions={"name": region_name, "charts": between, "table": region_rows} if between and region_rows else None,
        groups={"name": group_name, "chart": groups, "table": group_rows} if groups else None,
        change=change,
        privacy=guarantee.privacy(site, edition, headline_panel, story.metric),
        files=downloads.downloads(site, latest, prefix=f"{edition.period.label}/r{edition.revision.number}/"),
        period=f"{texts('edition.files')}: {edition.period.text}",
        all_files=page_of(view, latest).removeprefix(f"{view.id}/"),
        code=[
            {"name": texts(f"kit.{k}"), "code": c}
            for k, c in snippets(
                edition,
                story.areas or edition.headline,
                address=f"{site.base_url}/{edition.path}/" if site.base_url else "",
            ).items()
        ],
        citation=downloads.citation(site, edition, page_of(view, latest)),
        benefit=release.public_benefit,
        issues=release.known_issues,
        about=[
            (texts("release.editions"), texts.plural("count.editions", len(view.current)), "editions.html"),
            (texts("release.licence"), release.licence_title, release.licence_url),
            *(
                [
                    (
                        texts("release.contact"),
                        release.contact,
                        f"mailto:{release.contact}" if "@" in release.contact else "",
                    )
                ]
                if release.contact
                else []
            ),
            (texts("register.dataset"), edition.dataset.title, "../register.html"),
            (texts("private.title"), texts("release.methods"), "methods.html"),
        ],
    )
    editions_page(site, view)
    methods_page(site, view, story, headline_panel)
    if has_areas and local:
        areas_page(site, view, story, local)
