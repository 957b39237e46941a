"""What the pages of one release share: addresses, headline cards, notices, the table of regions."""

from __future__ import annotations

from urllib.parse import quote

from dp_stats.charts import findings
from dp_stats.charts.outline import Outline, area_levels, paged_areas
from dp_stats.charts.panels import Panel, areas_of
from dp_stats.charts.reading import ReleaseView, Revision
from dp_stats.charts.series import Group
from dp_stats.charts.wording import lower_first, subject, unit_text
from dp_stats.editions.edition import Edition, TableFacts
from dp_stats.editions.languages import speaks
from dp_stats.editions.provisional import provisional_said
from dp_stats.editions.reasons import SAY_THEIR_KIND
from dp_stats.editions.truncated import said_beside
from dp_stats.files import segment
from dp_stats.site import parts
from dp_stats.site.frame import Card, Notice, Rows, Site
from dp_stats.texts import numbers
from dp_stats.texts.words import Texts

FIND = "find.html"
"""The page of a release on which readers find an area; those that are shown together, it shows."""

MOST_CARDS = 4
"""How many figures stand on cards."""


def page_of(view: ReleaseView, revision: Revision) -> str:
    """Where a revision's page is: the period's ``index.html``, or ``rN.html`` once another took its place."""
    edition = revision.edition
    current = max(
        (
            r.edition.revision.number
            for r in (*view.earlier, *view.revisions)
            if r.edition.id == edition.id and r.current
        ),
        default=max(r.edition.revision.number for r in (*view.earlier, *view.revisions) if r.edition.id == edition.id),
    )
    name = "index" if edition.revision.number == current else f"r{edition.revision.number}"
    return f"{edition.id}/{name}.html"


def theme(view: ReleaseView) -> str:
    """Theme and sub-theme, above a title, as far as they are declared."""
    release = view.latest.edition.release
    return " · ".join(part for part in (release.theme, release.subtheme) if part and part != release.title)


def cards(site: Site, view: ReleaseView, story: Outline, revision: Revision) -> list[Card]:
    """The figures of the whole: every metric of the whole's table, up to four.

    Of a release without a whole those of its areas or groups, in their own order, where they are no more than that; ``headline``
    tells of many.
    """
    table = story.total or story.regions or story.areas or story.groups
    panel = (
        view.panel(table.id, upto=revision)
        if table and any(t.id == table.id for t in revision.edition.tables)
        else None
    )
    if panel is None:
        return []
    made = []
    if story.total is None:
        groups = _parts(panel, story, table)
        decimals = numbers.decimals_for(g.figure for g in groups)
        few = groups if len(groups) <= MOST_CARDS else ()
        return [
            parts.figure_card(site.texts, g.name, g.figure, decimals=decimals, unit=unit_text(story.metric))
            for g in few
        ]
    for id in panel.table.statistics[:MOST_CARDS]:
        statistic = revision.edition.statistic(id)
        label = subject(site.texts, statistic, panel.areas.names[0])
        label += f" {panel.labels[-1]}" if len(panel.dates) > 1 or panel.moments[-1].partial else ""
        made.append(
            parts.figure_card(
                site.texts,
                label,
                panel.figure(id),
                decimals=parts.decimals_of(panel, id),
                unit=unit_text(statistic),
            )
        )
    return made


def _parts(panel: Panel, story: Outline, table: TableFacts | None) -> tuple[Group, ...]:
    return panel.by_group(story.metric.id) if table is story.groups else panel.by_area(story.metric.id)


def headline(site: Site, view: ReleaseView, story: Outline, revision: Revision) -> str:
    """What a release without a whole, of which no one figure tells, says of its many areas or groups; nothing of others.

    The highest of many are not picked out: which they are cannot be told from noise, and those that are picked seem too high.
    """
    table = story.regions or story.areas or story.groups
    there = story.total is None and table is not None and any(t.id == table.id for t in revision.edition.tables)
    panel = view.panel(table.id, upto=revision) if there and table else None
    if panel is None:
        return ""
    groups = _parts(panel, story, table)
    if len(groups) <= MOST_CARDS:
        return ""
    return findings.of_groups(site.texts, groups, what=story.metric.title, when=panel.labels[-1])


def left_out(site: Site, story: Outline, edition: Edition) -> str:
    """What stands beside the numbers of a page with figures of the whole, where truncated rows are missing from them."""
    table = story.total or story.regions or story.areas or story.groups
    shown = (
        *(table.statistics[:MOST_CARDS] if table else ()),
        story.metric.id,
        *([story.rate.id] if story.rate else []),
    )
    return said_beside(edition, shown, site.texts)


def why(texts: Texts, revision: Revision) -> str:
    """Of which kind a revision is, and its reason; of a retracted one why it was; nothing of a first."""
    facts = revision.edition.revision
    if revision.status == "retracted" or facts.kind in SAY_THEIR_KIND or not revision.note:
        return revision.note
    return texts("edition.why", kind=texts(f"corrections.kinds.{facts.kind}"), note=revision.note)


def notices(site: Site, view: ReleaseView, revision: Revision, *, prefix: str) -> list[Notice]:
    """What a reader must know before using an edition."""
    texts, edition = site.texts, revision.edition
    found = [] if speaks(edition, texts.language) else [Notice(texts("edition.other_language"), "info")]
    if revision.status == "retracted":
        found.append(Notice(texts("edition.retracted", note=revision.note), "bad"))
    elif revision.status == "superseded":
        later = (
            max(r.edition.revision.number for r in view.revisions if r.edition.id == edition.id and r.current)
            if any(r.edition.id == edition.id and r.current for r in view.revisions)
            else revision.superseded_by
        )
        found.append(
            Notice(
                texts("edition.superseded", number=edition.revision.number),
                "",
                f"{prefix}{edition.period.label}/index.html",
                texts("edition.superseded_link", number=later),
            )
        )
    else:
        if revision.status == "provisional":
            found.append(Notice(provisional_said(edition) or texts("edition.provisional"), "info"))
        if edition.revision.number > 1:
            found.append(
                Notice(texts("edition.revised", number=edition.revision.number, note=why(texts, revision)), "info")
            )
    return found


def areas_with_pages(view: ReleaseView, story: Outline) -> dict[str, int]:
    """Code of every area that has a page → its level: of those that the latest edition has, what is current has figures of.

    None has where everything was retracted: its figures are no longer shown, and its editions keep their own pages.
    """
    return _shown(view, story, together=False)


def areas_together(view: ReleaseView, story: Outline) -> dict[str, int]:
    """Code of every area that one page shows together with others (``LevelFacts.together``) → its level."""
    return _shown(view, story, together=True)


def area_links(view: ReleaseView, story: Outline) -> dict[str, str]:
    """Code of every area that is shown → its page, or its place on the page of all, as an address from the release's folder."""
    paged = {code: f"areas/{segment(code)}.html" for code in areas_with_pages(view, story)}
    return paged | {code: f"{FIND}#area={quote(code)}" for code in areas_together(view, story)}


def _shown(view: ReleaseView, story: Outline, *, together: bool) -> dict[str, int]:
    paged = paged_areas(view.latest.edition, story)
    tables = {depth: own.areas.id for depth, own in area_levels(view.latest.edition, story) if own.areas}
    having = {depth: edition for depth, table in tables.items() if (edition := view.last_with(table))}
    return {
        code: depth
        for depth, edition in having.items()
        if shown_together(view, depth) == together
        for code in areas_of(edition, edition.table(tables[depth])).codes
        if paged.get(code) == depth
    }


def shown_together(view: ReleaseView, depth: int) -> bool:
    """Whether the areas of a level, of those of the latest edition, are shown together."""
    place = view.latest.edition.geography
    return place is not None and place.levels[depth].together


def regions_table(site: Site, view: ReleaseView, story: Outline, revision: Revision, *, folder: str) -> Rows | None:
    """The regions with the whole below them; ``folder`` leads to the release's folder."""
    table = story.regions
    if table is None or all(t.id != table.id for t in revision.edition.tables):
        return None
    panel = view.panel(table.id, upto=revision)
    if panel is None:
        return None
    groups = list(panel.by_area(story.metric.id))
    if story.total and (whole := view.panel(story.total.id, upto=revision)) and len(whole.dates) == len(panel.dates):
        groups += whole.by_area(story.metric.id)
    texts = site.texts
    links = area_links(view, story)
    return parts.groups_table(
        texts,
        groups,
        caption=texts(
            "release.table_region",
            what=story.metric.title,
            level=lower_first(panel.areas.title),
            period=panel.periods[-1],
        ),
        first=panel.areas.title or texts("release.area"),
        links={c: f"{folder}{links[c]}" for c in panel.areas.codes if c in links},
    )
