"""Pages of one release: the release itself, all its editions, all its areas, and its method."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from dp_stats.publish.readers_kit import TITLES, snippets
from dp_stats.publish.site import drawings, findings, linked, numbers, parts, svg
from dp_stats.publish.site.charts import Studio
from dp_stats.publish.site.frame import Card, Cell, Notice, Row, Rows, Site
from dp_stats.publish.site.numbers import Change
from dp_stats.publish.site.outline import Outline
from dp_stats.publish.site.reading import Panel, ReleaseView, Revision
from dp_stats.publish.site.tilemap import Layout


def page_of(view: ReleaseView, revision: Revision) -> str:
    """Where a revision's page is: the period's ``index.html``, or ``rN.html`` once another took its place."""
    edition = revision.edition
    current = max(
        (r.edition.revision.number for r in view.revisions if r.edition.id == edition.id and r.current),
        default=max(r.edition.revision.number for r in view.revisions if r.edition.id == edition.id),
    )
    name = "index" if edition.revision.number == current else f"r{edition.revision.number}"
    return f"{edition.id}/{name}.html"


def theme(view: ReleaseView) -> str:
    """Theme and sub-theme, above a title."""
    release = view.latest.edition.release
    return " · ".join(part for part in (release.theme, release.subtheme) if part)


def cards(site: Site, view: ReleaseView, story: Outline, revision: Revision) -> list[Card]:
    """The figures of the whole: every metric of the whole's table, up to four."""
    table = story.whole or story.regions or story.areas
    panel = view.panel(table.id, upto=revision) if table and any(t.id == table.id for t in revision.edition.tables) else None
    if panel is None:
        return []
    made = []
    if story.whole is None:
        groups = parts.ranked_groups(panel.by_area(story.metric.id), 3)
        decimals = numbers.decimals_for(g.figure for g in groups)
        return [parts.figure_card(site.texts, g.name, g.figure, decimals=decimals, unit=parts.unit_text(story.metric)) for g in groups]
    for id in panel.table.statistics[:4]:
        statistic = revision.edition.statistic(id)
        label = parts.subject(site.texts, statistic, panel.areas.names[0])
        made.append(
            parts.figure_card(
                site.texts, label, panel.figure(id), decimals=parts.decimals_of(panel, id), unit=parts.unit_text(statistic)
            )
        )
    return made


def notices(site: Site, view: ReleaseView, revision: Revision, *, prefix: str) -> list[Notice]:
    """What a reader must know before using an edition."""
    texts, edition = site.texts, revision.edition
    found = []
    if revision.status == "retracted":
        found.append(Notice(texts("edition.retracted", note=revision.note), "bad"))
    elif revision.status == "superseded":
        later = max(r.edition.revision.number for r in view.revisions if r.edition.id == edition.id and r.current) if any(
            r.edition.id == edition.id and r.current for r in view.revisions
        ) else revision.superseded_by
        found.append(
            Notice(
                texts("edition.superseded", number=edition.revision.number), "", f"{prefix}{edition.period.label}/index.html",
                texts("edition.superseded_link", number=later),
            )
        )  # fmt: skip
    else:
        if revision.status == "provisional":
            found.append(Notice(texts("edition.provisional"), "info"))
        if edition.revision.number > 1:
            found.append(Notice(texts("edition.revised", number=edition.revision.number, note=edition.revision.reason), "info"))
    return found


def release_page(site: Site, view: ReleaseView, story: Outline, tiles: Layout | None, studio: Studio, next_due: str) -> None:
    """``<release>/index.html`` with its charts."""
    texts, latest = site.texts, view.latest
    edition = latest.edition
    release = edition.release
    local = view.panel(story.areas.id, upto=latest) if story.areas else None
    tile = parts.tile_map(site, edition, local, story, tiles, areas="areas/index.html") if local and tiles else None
    chart = drawings.headline(site, view, story, studio)
    between = drawings.regions(site, view, story, studio)
    top = None if tile else drawings.top_areas(site, view, story, studio)
    groups = drawings.by_group(site, view, story, studio)
    change = parts.changes(site, view, latest, story, areas="areas/")
    has_areas = story.areas is not None
    sections = [("headline", "headline"), ("chart", "chart"), ("map", "map"), ("ranked", "compare"), ("regions", "regions")]
    present = {"headline": True, "chart": chart, "map": tile, "ranked": top, "regions": between}
    listed = [(id, texts(f"release.{key}")) for id, key in sections if present[id]]
    group_name = ""
    group_rows: Rows | None = None
    if story.groups and (panel := view.panel(story.groups.id, upto=latest)):
        group_name = texts("release.by_group", group=parts.lower_first(panel.groups.title))
        listed.append(("groups", group_name))
        group_rows = parts.groups_table(
            texts, panel.by_group(story.metric.id), caption=f"{story.metric.title} {parts.lower_first(group_name)}, {parts.label_of(edition)}",
            first=panel.groups.title, unit=parts.unit_text(story.metric),
        )  # fmt: skip
    listed += [(id, texts(f"release.{key}")) for id, key in (("change", "change"), ("private", "private"), ("downloads", "downloads"), ("cite", "citation"), ("about", "about"))]
    region_rows = _regions(site, view, story, latest, links="areas/")
    headline_panel = local or (view.panel((story.groups or story.whole or edition.headline).id, upto=latest))
    number = numbers.number(len(view.current))
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
        cards=cards(site, view, story, latest),
        find={"action": "areas/index.html", "all": texts("release.all_areas", count=numbers.number(len(local.areas.codes)))} if local else None,
        chart=chart,
        map=tile,
        ranked=top,
        regions={"charts": between, "table": region_rows} if between and region_rows else None,
        groups={"name": group_name, "chart": groups, "table": group_rows} if groups else None,
        change=change,
        privacy=parts.privacy(site, edition, headline_panel, story.metric),
        files=parts.downloads(site, latest, prefix=f"{edition.period.label}/r{edition.revision.number}/"),
        period=f"{texts('edition.files')}: {edition.period.text}",
        all_files=page_of(view, latest).removeprefix(f"{view.id}/"),
        code=[{"name": TITLES[k], "code": c} for k, c in snippets(edition, story.areas or edition.headline, address=f"{site.base_url}/{edition.path}/" if site.base_url else "").items()],
        citation=parts.citation(site, edition, page_of(view, latest)),
        benefit=release.public_benefit,
        issues=release.known_issues,
        about=[
            (texts("release.editions"), texts("release.fewer", count=number), "editions.html"),
            (texts("release.licence"), release.licence_title, release.licence_url),
            *([(texts("release.contact"), release.contact, f"mailto:{release.contact}" if "@" in release.contact else "")] if release.contact else []),
            (texts("register.dataset"), edition.dataset.title, "../register.html"),
            (texts("private.title"), texts("release.methods"), "methods.html"),
        ],
    )
    editions_page(site, view)
    methods_page(site, view, story, headline_panel)
    if has_areas and local:
        areas_page(site, view, story, local)


def _regions(site: Site, view: ReleaseView, story: Outline, revision: Revision, *, links: str) -> Rows | None:
    """The regions with the whole below them."""
    table = story.regions
    if table is None or all(t.id != table.id for t in revision.edition.tables):
        return None
    panel = view.panel(table.id, upto=revision)
    if panel is None:
        return None
    groups = list(panel.by_area(story.metric.id))
    if story.whole and (whole := view.panel(story.whole.id, upto=revision)) and len(whole.dates) == len(panel.dates):
        groups += whole.by_area(story.metric.id)
    texts = site.texts
    leaf = story.areas is not None and table.id == story.areas.id
    return parts.groups_table(
        texts, groups,
        caption=texts("release.table_region", what=story.metric.title, level=parts.lower_first(panel.areas.title), period=parts.label_of(revision.edition)),
        first=panel.areas.title or texts("release.area"),
        links={c: f"{links}{c}.html" for c in panel.areas.codes} if leaf and links else None,
    )  # fmt: skip


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
                Cell(r.note),
            ),
            page_of(view, r).removeprefix(f"{view.id}/"),
        )
        for r in sorted(view.revisions, key=lambda r: (r.edition.period.start, r.edition.revision.number), reverse=True)
    ]
    head = [
        Cell(texts("release.period")), Cell(texts("edition.revision"), n=True), Cell(texts("release.status")),
        Cell(texts("release.published"), n=True), Cell(texts("release.note")),
    ]  # fmt: skip
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


def areas_page(site: Site, view: ReleaseView, story: Outline, panel: Panel) -> None:
    """``<release>/areas/index.html``: every area in one table that can be searched and sorted."""
    texts, latest = site.texts, view.latest
    metric, rate = story.metric, story.rate if story.rate and story.rate.id in panel.table.statistics else None
    order = sorted(range(len(panel.areas.names)), key=lambda i: (panel.areas.names[i].casefold(), panel.areas.codes[i]))
    everything = panel.by_area(metric.id)
    groups = [everything[i] for i in order]
    said = parts.common_marks(g.figure for g in groups)
    decimals = numbers.decimals_for(g.figure for g in groups)
    every_rate = panel.by_area(rate.id) if rate else ()
    rates = [every_rate[i] for i in order] if rate else []
    rate_decimals = numbers.decimals_for(g.figure for g in rates)
    index = next((i for i, r in enumerate(view.current) if r is latest), 0)
    old = view.panel(panel.table.id, upto=view.current[index - 1]) if index and story.areas else None
    before = {g.code: g.figure for g in old.by_area(metric.id)} if old and metric.id in old.table.statistics else {}
    place = latest.edition.geography
    parents = dict(zip(place.levels[1].codes, place.levels[1].names, strict=True)) if place and len(place.levels) > 2 else {}
    head = [Cell(texts("release.area"))]
    head += [Cell(place.levels[1].title)] if parents and place else []
    head += [Cell(metric.title, n=True), Cell(texts("release.interval"), n=True)]
    head += [Cell(f"{rate.title} {rate.unit}", n=True)] if rate else []
    head += [Cell(texts("release.change_column"))] if before else []
    head += [Cell(texts("release.note"))]
    rows = []
    for i, g in enumerate(groups):
        cells = [Cell(parents.get(g.parent, ""))] if parents else []
        cells += [Cell(numbers.number(g.figure.value, decimals=decimals), n=True), Cell(texts.between(g.figure, decimals=decimals), n=True)]
        cells += [Cell(numbers.number(rates[i].figure.value, decimals=rate_decimals), n=True)] if rate else []
        if before:
            known = g.code in before and before[g.code].known and g.figure.known
            cells.append(Cell(texts(f"change.word.{Change(before[g.code], g.figure).direction}") if known else ""))
        rows.append(Row(g.name, (*cells, parts.note_cell(texts, g.figure, but=said)), f"{g.code}.html"))
    title = texts("areas.title", what=metric.title)
    lead = texts("areas.lead", period=parts.label_of(latest.edition), count=numbers.number(len(groups)))
    caption = texts("areas.caption", what=metric.title, level=parts.lower_first(panel.areas.title), period=parts.label_of(latest.edition))
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


def methods_page(site: Site, view: ReleaseView, story: Outline, panel: Panel | None) -> None:
    """``<release>/methods.html``: the guarantee, what was measured, expected accuracy, and the method in words."""
    texts, latest = site.texts, view.latest
    edition = latest.edition
    g = edition.guarantee
    mechanism = texts("private.laplace" if g.mechanism == "discrete_laplace" else "private.gaussian")
    guarantee: list[tuple[str, Any]] = [
        (texts("private.unit"), g.unit_description),
        (texts("private.neighbouring"), g.neighbouring),
        (texts("private.rho"), f"{parts.loss_text(edition)}; {texts('budget.rho', rho=f'{float(g.rho):.4g}')}"),
        (texts("private.mechanism"), mechanism[:1].upper() + mechanism[1:]),
        (texts("private.bound"), g.why_nothing_is_cut or g.unit_description.split(". ")[-1]),
        (texts("private.composition"), g.composition),
        (texts("private.not_protected"), list(g.not_protected)),
        (texts("private.processing"), list(g.post_processing)),
        (texts("private.why"), g.justification),
        (texts("private.protections"), list(g.protections.values())),
        (texts("private.libraries"), ", ".join(f"{k} {v}" for k, v in g.libraries.items())),
    ]
    total = sum((m.rho for m in g.measured), start=g.rho * 0) or 1
    measured = Rows(
        texts("private.measured_caption"),
        [Cell(texts("private.table")), *(Cell(texts(f"private.{k}"), n=True) for k in ("cells", "scale", "deviation", "cost"))],
        [
            Row(
                m.id.replace(".", ".\u200b").replace("@", "@\u200b"),
                (
                    Cell(numbers.number(m.cells), n=True),
                    Cell(f"{m.scale:.4g}", n=True),
                    Cell(f"{m.standard_deviation:.4g}", n=True),
                    Cell(f"{float(m.rho / total) * 100:.0f}{numbers.NBSP}%", n=True),
                ),
            )
            for m in g.measured
        ],
    )
    expected = Rows(
        texts("private.expected_caption"),
        [Cell(texts("private.table")), Cell(texts("private.cells"), n=True), Cell(texts("private.typical"), n=True), Cell(texts("private.worst"), n=True)],
        [
            Row(
                _published_name(view, e.table, e.statistic),
                (Cell(numbers.number(e.cells), n=True), Cell(f"±{e.margin_95:.3g}", n=True), Cell(f"±{e.worst:.3g}", n=True)),
            )
            for e in edition.quality.expected
        ],
    )
    sections = [("words", "words"), ("guarantee", "guarantee"), ("measured", "measured")]
    sections += [("expected", "expected")] if edition.quality.expected else []
    listed = [(id, texts(f"private.{key}")) for id, key in sections]
    listed.append(("method", texts("methodology.title")))
    issues = list(edition.release.known_issues) + list(edition.quality.notes)
    if issues:
        listed.append(("issues", texts("release.known")))
    title = texts("private.title")
    lead = texts("private.lead", release=edition.release.title)
    site.render(
        "methods.html",
        f"{view.id}/methods.html",
        linked=linked.page(site, name=f"{title}: {edition.release.title}", description=lead, path=f"{view.id}/methods.html"),
        title=title,
        release=edition.release.title,
        lead=lead,
        trail=[(texts("site.home"), "../index.html"), (edition.release.title, "index.html")],
        sections=listed,
        privacy=parts.privacy(site, edition, panel, story.metric),
        guarantee=guarantee,
        record=f"{edition.period.label}/r{edition.revision.number}/privacy.json",
        measured=measured,
        expected=expected if edition.quality.expected else None,
        body=Markup(texts.page("method")),
        issues=issues,
    )


def _published_name(view: ReleaseView, table: str, statistic: str) -> str:
    edition = view.latest.edition
    try:
        return f"{edition.table(table).title}: {edition.statistic(statistic).title}"
    except KeyError:
        return f"{table}: {statistic}"


def edition_page(site: Site, view: ReleaseView, story: Outline, tiles: Layout | None, revision: Revision) -> None:
    """The page of one revision, with its own map, tables, changes and all its files."""
    texts, edition = site.texts, revision.edition
    path = page_of(view, revision)
    tables = {t.id for t in edition.tables}
    local = view.panel(story.areas.id, upto=revision) if story.areas and story.areas.id in tables else None
    index = next((i for i, r in enumerate(view.current) if r is revision), None)
    steps = []
    if index is not None and index > 0:
        steps.append((f"← {view.current[index - 1].edition.period.text}", f"../../{page_of(view, view.current[index - 1])}"))
    if index is not None and index + 1 < len(view.current):
        steps.append((f"{view.current[index + 1].edition.period.text} →", f"../../{page_of(view, view.current[index + 1])}"))
    groups = None
    if story.groups and story.groups.id in tables and (panel := view.panel(story.groups.id, upto=revision)):
        shown = panel.by_group(story.metric.id)[:40]
        title = f"{story.metric.title} {parts.lower_first(texts('release.by_group', group=parts.lower_first(panel.groups.title)))}"
        finding = findings.of_groups(texts, shown, what=title, when=panel.labels[-1])
        groups = {
            "title": title,
            "sub": texts("release.dots_sub", period=parts.label_of(edition), bars=texts("chart.bars")),
            "svg": Markup(svg.dots("groups", shown, title=title, description=finding, zero=story.zero)),
            "finding": finding,
        }
    same = [r for r in view.revisions if r.edition.id == edition.id]
    revisions = Rows(
        texts("edition.revisions"),
        [Cell(texts("edition.revision")), Cell(texts("release.status")), Cell(texts("release.published"), n=True), Cell(texts("release.note"))],
        [
            Row(
                f"{texts('edition.revision')} {r.edition.revision.number}",
                (Cell(texts(f"revision.{r.status}")), Cell(texts.day(r.edition.published.date()), n=True), Cell(r.note)),
                page_of(view, r).rpartition("/")[2],
            )
            for r in same
        ],
    )
    site.render(
        "edition.html",
        path,
        linked=linked.dataset(site, revision, path),
        title=edition.title,
        summary=edition.release.summary,
        trail=[
            (texts("site.home"), "../../index.html"),
            (edition.release.title, "../index.html"),
            (texts("release.editions"), "../editions.html"),
        ],
        facts=[
            (texts("release.published"), texts.day(edition.published.date())),
            (texts("edition.revision"), str(edition.revision.number)),
            (texts("release.status"), texts(f"revision.{revision.status}")),
        ],
        notices=notices(site, view, revision, prefix="../"),
        cards=cards(site, view, story, revision),
        map=parts.tile_map(site, edition, local, story, tiles, areas="../areas/index.html") if local and tiles else None,
        regions=_regions(site, view, story, revision, links="../areas/"),
        groups=groups,
        change=parts.changes(site, view, revision, story, areas="../areas/") if index is not None else parts.Changes((), (texts("edition.not_current"),), ()),
        files=parts.files_of(site, revision, prefix=f"r{edition.revision.number}/"),
        citation=parts.citation(site, edition, path),
        revisions=revisions if len(same) > 1 else None,
        steps=steps,
    )
