"""Long tables of one release: all its editions, and all its areas."""

from __future__ import annotations

from dp_stats.charts.outline import Outline
from dp_stats.charts.panels import Panel, whole_at_the_end
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.wording import lower_first
from dp_stats.site import linked, parts, small_areas
from dp_stats.site.changes import clear_changes
from dp_stats.site.common import FIND, area_links, page_of, why
from dp_stats.site.frame import Cell, Row, Rows, Site
from dp_stats.texts import numbers


def editions_page(site: Site, view: ReleaseView) -> None:
    """``<release>/editions.html``: every edition and revision."""
    texts = site.texts
    title = texts("editions.title", release=view.latest.edition.release.title)
    rows = [
        Row(
            r.edition.period.text,
            (
                Cell(str(r.edition.revision.number), n=True),
                Cell(texts(f"revision.{r.status}")),
                Cell(texts.day(r.edition.published.date()), n=True),
                Cell(why(texts, r)),
            ),
            _from_here(view, page_of(view, r)),
        )
        for r in sorted(
            (*view.earlier, *view.revisions),
            key=lambda r: (r.edition.period.start, r.edition.revision.number),
            reverse=True,
        )
    ]
    head = [
        Cell(texts("release.period")),
        Cell(texts("edition.revision"), n=True),
        Cell(texts("release.status")),
        Cell(texts("release.published"), n=True),
        Cell(texts("release.note")),
    ]
    site.render(
        "table.html",
        f"{view.id}/editions.html",
        linked=linked.page(site, name=title, description=texts("editions.lead"), path=f"{view.id}/editions.html"),
        title=title,
        lead=texts("editions.lead"),
        trail=[(texts("site.home"), "../index.html"), (view.latest.edition.release.title, "index.html")],
        filter="",
        paragraphs=(),
        tables=[Rows(texts("editions.caption", release=view.latest.edition.release.title), head, rows)],
        notes=(),
    )


def _from_here(view: ReleaseView, page: str) -> str:
    """A page's address from the release's folder; of an edition under a former name it lies beside that."""
    return page.removeprefix(f"{view.id}/") if page.startswith(f"{view.id}/") else f"../{page}"


def areas_page(site: Site, view: ReleaseView, story: Outline, panel: Panel) -> None:
    """``<release>/areas/index.html``: every area in one table that can be searched and sorted; of too many, where they are."""
    texts, latest = site.texts, view.latest
    if panel.areas.together:
        _where_areas_are(site, view, story, panel)
        return
    metric, rate = story.metric, story.rate if story.rate and story.rate.id in panel.table.statistics else None
    order = sorted(range(len(panel.areas.names)), key=lambda i: (panel.areas.names[i].casefold(), panel.areas.codes[i]))
    everything = panel.by_area(metric.id)
    groups = [everything[i] for i in order]
    said = parts.common_marks(g.figure for g in groups)
    decimals = numbers.decimals_for(g.figure for g in groups)
    every_rate = panel.by_area(rate.id) if rate else ()
    rates = [every_rate[i] for i in order] if rate else []
    rate_decimals = numbers.decimals_for(g.figure for g in rates)
    earlier = view.before(latest)
    old = view.panel(panel.table.id, upto=earlier) if earlier and story.areas else None
    compared = old is not None and metric.id in old.table.statistics and whole_at_the_end(old, panel)
    moved = clear_changes(old, panel, metric.id) if old and compared else {}
    place = latest.edition.geography
    parents = (
        dict(zip(place.levels[1].codes, place.levels[1].names, strict=True)) if place and len(place.levels) > 2 else {}
    )
    head = [Cell(texts("release.area"))]
    head += [Cell(metric.title, n=True), Cell(texts("release.interval"), n=True)]
    if rate:
        of_rate = f"{rate.title}, {lower_first(texts('release.interval'))}"
        head += [Cell(f"{rate.title} {rate.unit}", n=True), Cell(of_rate, n=True)]
    since = "change_since_week" if latest.edition.period.kind == "day" else "change_column"
    head += [Cell(texts(f"release.{since}"))] if moved else []
    head += [Cell(place.levels[1].title)] if parents and place else []
    head += [Cell(texts("release.note"))]
    links = {code: f"../{address}".replace("../areas/", "") for code, address in area_links(view, story).items()}
    rows = []
    for i, g in enumerate(groups):
        cells = [
            Cell(texts.number(g.figure.value, decimals=decimals), n=True),
            Cell(texts.between(g.figure, decimals=decimals), n=True),
        ]
        if rate:
            cells.append(Cell(texts.number(rates[i].figure.value, decimals=rate_decimals), n=True))
            cells.append(Cell(texts.between(rates[i].figure, decimals=rate_decimals), n=True))
        if moved:
            cells.append(Cell(texts(f"change.word.{moved[g.code].direction}") if g.code in moved else ""))
        cells += [Cell(parents.get(g.parent, ""))] if parents else []
        rows.append(Row(g.name, (*cells, parts.note_cell(texts, g.figure, but=said)), links.get(g.code, "")))
    title = texts("areas.title", what=metric.title)
    lead = texts("areas.lead", period=panel.periods[-1], count=texts.number(len(groups)))
    caption = texts(
        "areas.caption",
        what=metric.title,
        level=lower_first(panel.areas.title),
        period=panel.periods[-1],
    )
    site.render(
        "table.html",
        f"{view.id}/areas/index.html",
        linked=linked.page(site, name=title, description=lead, path=f"{view.id}/areas/index.html"),
        title=title,
        lead=lead,
        trail=[(texts("site.home"), "../../index.html"), (latest.edition.release.title, "../index.html")],
        filter=texts("areas.label"),
        paragraphs=(),
        tables=[Rows(caption, head, rows, parts.marks_line(texts, [g.figure for g in groups]), sortable=True)],
        notes=(),
    )


def _where_areas_are(site: Site, view: ReleaseView, story: Outline, panel: Panel) -> None:
    """``<release>/areas/index.html`` of areas that are shown together: the page that shows them, and the files with all."""
    texts, release, path = site.texts, view.latest.edition.release, f"{view.id}/areas/index.html"
    title = texts("areas.title", what=story.metric.title)
    lead = texts("find.together_every", count=texts.number(len(panel.areas.codes)))
    known = small_areas.about(site, view, story, path)
    site.render(
        "areas.html",
        path,
        linked=linked.page(site, name=title, description=lead, path=path),
        title=title,
        lead=lead,
        trail=[(texts("site.home"), "../../index.html"), (release.title, "../index.html")],
        find=f"../{FIND}",
        files=small_areas.files_named(known),
    )
