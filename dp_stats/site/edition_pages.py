"""The page of one edition: its own map, tables, changes, and all its files."""

from __future__ import annotations

from dp_stats.charts import findings, svg
from dp_stats.charts.outline import Outline
from dp_stats.charts.reading import ReleaseView, Revision
from dp_stats.charts.tilemap import Layout
from dp_stats.charts.wording import bars_words, lower_first
from dp_stats.editions.edition import Edition
from dp_stats.site import changes, downloads, linked, maps
from dp_stats.site.boundaries import boundary_changes
from dp_stats.site.common import cards, headline, left_out, notices, page_of, regions_table, why
from dp_stats.site.frame import Cell, Row, Rows, Site, trusted
from dp_stats.texts.words import Texts


def edition_page(site: Site, view: ReleaseView, story: Outline, tiles: Layout | None, revision: Revision) -> None:
    """The page of one revision, with its own map, tables, changes and all its files."""
    texts, edition = site.texts, revision.edition
    path = page_of(view, revision)
    tables = {t.id for t in edition.tables}
    local = view.panel(story.areas.id, upto=revision) if story.areas and story.areas.id in tables else None
    index = next((i for i, r in enumerate(view.current) if r is revision), None)
    steps = []
    if index is not None and index > 0:
        steps.append(
            (f"← {view.current[index - 1].edition.period.text}", f"../../{page_of(view, view.current[index - 1])}")
        )
    if index is not None and index + 1 < len(view.current):
        steps.append(
            (f"{view.current[index + 1].edition.period.text} →", f"../../{page_of(view, view.current[index + 1])}")
        )
    groups = None
    if story.groups and story.groups.id in tables and (panel := view.panel(story.groups.id, upto=revision)):
        shown = panel.by_group(story.metric.id)[:40]
        title = f"{story.metric.title} {lower_first(texts('release.by_group', group=lower_first(panel.groups.title)))}"
        finding = findings.of_groups(texts, shown, what=title, when=panel.labels[-1])
        groups = {
            "title": title,
            "sub": texts("release.dots_sub", period=panel.periods[-1], bars=bars_words(texts, shown)),
            "svg": trusted(svg.dots("groups", shown, texts, title=title, description=finding, zero=story.zero)),
            "finding": finding,
            "data": f"r{edition.revision.number}/{edition.table(story.groups.id).file('.csv').path}",
        }
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
            *_method(texts, edition),
        ],
        notices=notices(site, view, revision, prefix="../"),
        boundaries=boundary_changes(texts, view, edition),
        cards=cards(site, view, story, revision),
        told=headline(site, view, story, revision),
        left_out=left_out(site, story, edition),
        map=maps.tile_map(site, local, story, tiles, areas="../areas/index.html") if local and tiles else None,
        regions=regions_table(site, view, story, revision, folder="../"),
        groups=groups,
        change=changes.changes(site, view, revision, story, folder="../")
        if index is not None
        else changes.Changes((), (texts("edition.not_current"),), ()),
        files=downloads.files_of(site, revision, prefix=f"r{edition.revision.number}/"),
        citation=downloads.citation(site, revision, path),
        check=downloads.check_command(site) if edition.log is not None else "",
        revisions=_revisions(texts, view, edition),
        steps=steps,
    )


def _revisions(texts: Texts, view: ReleaseView, edition: Edition) -> Rows | None:
    """Every revision of an edition with its kind and reason, if there are several."""
    same = [r for r in view.revisions if r.edition.id == edition.id]
    if len(same) < 2:
        return None
    return Rows(
        texts("edition.revisions"),
        [
            Cell(texts("edition.revision")),
            Cell(texts("release.status")),
            Cell(texts("release.published"), n=True),
            Cell(texts("release.note")),
        ],
        [
            Row(
                f"{texts('edition.revision')} {r.edition.revision.number}",
                (
                    Cell(texts(f"revision.{r.status}")),
                    Cell(texts.day(r.edition.published.date()), n=True),
                    Cell(why(texts, r)),
                ),
                page_of(view, r).rpartition("/")[2],
            )
            for r in same
        ],
    )


def _method(texts: Texts, edition: Edition) -> list[tuple[str, str]]:
    """By which version of the method it was estimated, where that is not the first."""
    number = edition.provenance.estimator
    return [(texts("edition.estimator"), texts("edition.version", number=number))] if number > 1 else []
