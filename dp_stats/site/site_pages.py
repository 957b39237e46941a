"""Pages about the whole site: front page, how it works, corrections, data uses, budget, calendar, accessibility."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from markupsafe import Markup

from dp_stats.charts import svg
from dp_stats.charts.maps import layout_of
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.tilemap import classes
from dp_stats.editions.edition import BudgetFacts, Edition
from dp_stats.editions.revisions import corrections, newest_first
from dp_stats.outlets import feeds
from dp_stats.outlets.feeds import Planned, Scheduled
from dp_stats.site import linked, parts, privacy_panel
from dp_stats.site.common import cards, page_of, theme
from dp_stats.site.frame import Cell, Row, Rows, Site, trusted

NEWEST = 8
MOST_DUE = 12
MOST_METERS = 4


def planned(site: Site, since: datetime | None = None) -> list[Planned]:
    """What is due in the twelve months after the newest publication (or ``since``)."""
    newest = [v.latest.edition for v in site.releases if v.current]
    scheduled = [s for e in newest if (s := Scheduled.after(e))]
    if not scheduled:
        return []
    return feeds.calendar(scheduled, since=since or max(e.published for e in newest), texts=site.texts)


def _text_page(site: Site, name: str, path: str, **values: Any) -> None:
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
    return trusted(svg.silhouette(tiles, groups, classes([g.figure.value for g in groups])))


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


def front_page(site: Site) -> None:
    """``index.html``: headline figures of every release, and what is newest."""
    texts = site.texts
    made = []
    find = None
    ornament = None
    for view in site.releases:
        made.append(release_card(site, view))
        if find is None and (ornament := _silhouette(site, view)):
            find = {"action": f"{view.id}/areas/index.html"}
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
        data=[(name, address) for name, address in data if (site.public / address).is_file()],
    )


def plain_pages(site: Site) -> None:
    """Pages of text: how it works, accessibility, and the page that is shown where there is none."""
    for name in ("methodology", "accessibility"):
        _text_page(site, name, f"{name}.html", template="text.html", body=trusted(site.texts.page(name)), link=None)
    base = site.base_url.partition("://")[2].partition("/")[2]
    root = f"/{base}/" if base else "/"
    site.render(
        "text.html",
        "404.html",
        root=root,
        title=site.texts("missing.title"),
        lead=site.texts("missing.lead"),
        trail=[],
        body="",
        link={"href": f"{root}index.html", "text": site.texts("missing.home")},
    )


def corrections_page(site: Site) -> None:
    """``corrections.html``: every revision and retraction, newest first."""
    texts = site.texts
    pages = {(r.edition.id, r.edition.revision.number): page_of(v, r) for v in site.releases for r in v.revisions}
    logs = (corrections(site.public, release=view.id) for view in site.releases)
    log = newest_first(c for log in logs for c in log if (c.edition, c.revision) in pages)
    rows = [
        Row(
            c.title,
            (
                Cell(c.reason),
                Cell(texts(f"corrections.kinds.{c.kind}")),
                Cell(texts.day(c.when.date()), n=True),
                Cell("" if c.cells_affected is None else texts.number(c.cells_affected), n=True),
                Cell(texts("corrections.costs" if c.costs_budget else "corrections.free")),
            ),
            pages[(c.edition, c.revision)],
        )
        for c in log
    ]
    head = [
        Cell(texts("corrections.what")),
        Cell(texts("corrections.reason")),
        Cell(texts("corrections.kind")),
        Cell(texts("corrections.when"), n=True),
        Cell(texts("corrections.affected"), n=True),
        Cell(texts("corrections.budget")),
    ]
    tables = [Rows(texts("corrections.caption"), head, rows)] if rows else []
    _text_page(
        site,
        "corrections",
        "corrections.html",
        template="table.html",
        filter="",
        tables=tables,
        paragraphs=() if rows else (texts("corrections.none"),),
        notes=(),
    )


def register_page(site: Site) -> None:
    """``register.html``: one record per release, after the HDR UK Data Use Register."""
    texts = site.texts
    records = []
    for view in site.releases:
        e = view.latest.edition
        release, dataset = e.release, e.dataset
        approvals = list(
            dict.fromkeys(texts("register.approval", approver=a.approver, decision=a.decision) for a in e.approvals)
        )
        spent = [
            texts("register.spent_text", spent=spent, cap=cap, block=b.block)
            for b in e.budget
            for cap, spent, _ in [privacy_panel.epsilon_words(texts, b)]
        ]
        first = min(r.edition.published for r in view.revisions)
        records.append(
            {
                "id": view.id,
                "title": release.title,
                "paragraphs": [],
                "meters": [],
                "table": None,
                "facts": [
                    (texts("register.organisation"), release.publisher or dataset.custodians[0].name, ""),
                    (texts("register.summary"), release.summary, ""),
                    (
                        texts("register.benefit"),
                        release.public_benefit or release.purpose or texts("register.unknown"),
                        "",
                    ),
                    (texts("register.dataset"), f"{dataset.title}. {dataset.description}", ""),
                    (texts("register.custodians"), ", ".join(c.name for c in dataset.custodians), ""),
                    (texts("register.legal"), dataset.legal_basis or texts("register.unknown"), ""),
                    (
                        texts("register.optouts"),
                        texts("register.optouts_yes" if dataset.opt_outs_applied else "register.optouts_no"),
                        "",
                    ),
                    (texts("register.linked"), ", ".join(dataset.linked) or texts("register.unlinked"), ""),
                    (texts("register.access"), texts("register.access_text"), ""),
                    (texts("register.requested"), release.requested_by or texts("register.scheduled"), ""),
                    (texts("register.approvals"), "; ".join(approvals) or texts("register.approvals_none"), ""),
                    (
                        texts("register.outputs"),
                        texts(
                            "register.since",
                            count=texts.plural("count.editions", len(view.current)),
                            day=texts.day(first.date()),
                        ),
                        f"{view.id}/index.html",
                    ),
                    (texts("register.spent"), "; ".join(spent) or texts("register.unknown"), "budget.html"),
                ],
            }
        )
    _text_page(site, "register", "register.html", template="records.html", records=records, none="", notes=[])


def budget_page(site: Site) -> None:
    """``budget.html``: what has been spent on whose data and what is left, as recorded with the newest editions."""
    texts = site.texts
    known: dict[str, dict[str, tuple[Edition, BudgetFacts]]] = {}
    users: dict[str, dict[str, ReleaseView]] = {}
    for view in site.releases:
        for revision in view.revisions:
            e = revision.edition
            users.setdefault(e.dataset.id, {})[view.id] = view
            for block in e.budget:
                held = known.setdefault(e.dataset.id, {}).get(block.block)
                if held is None or held[0].published < e.published:
                    known[e.dataset.id][block.block] = (e, block)
    records = []
    for id, blocks in sorted(known.items()):
        edition = max((e for e, _ in blocks.values()), key=lambda e: e.published)
        unit = texts(f"block.{edition.guarantee.per}")
        rows: list[Row] = []
        meters: list[dict[str, str]] = []
        for name in sorted(blocks, reverse=True):
            cap, spent, share = privacy_panel.epsilon_words(texts, blocks[name][1])
            gone, left = (texts.percent(part / 100) for part in (share, 100 - share))
            rows.append(Row(name, (Cell(cap, n=True), Cell(spent, n=True), Cell(gone, n=True), Cell(left, n=True))))
            if len(meters) < MOST_METERS:
                words = texts("budget.meter", spent=gone, left=left)
                meters.append({"label": name, "words": words, "share": f"{min(share, 100):.1f}"})
        head = [
            Cell(unit[:1].upper() + unit[1:]),
            *(Cell(texts(f"budget.{k}"), n=True) for k in ("cap", "spent", "share", "left")),
        ]
        titles = ", ".join(v.latest.edition.release.title for v in users[id].values())
        records.append(
            {
                "id": id,
                "title": edition.dataset.title,
                "paragraphs": [
                    texts(
                        "budget.dataset_of",
                        unit=texts.people(edition.guarantee.unit),
                        custodians=", ".join(c.name for c in edition.dataset.custodians),
                    )
                    + ".",
                    texts("budget.releases", releases=titles) + ".",
                    texts("budget.as_of", day=texts.day(edition.published.date())),
                ],
                "meters": meters,
                "table": Rows(texts("budget.caption", dataset=edition.dataset.title, block=unit), head, rows),
                "facts": [],
            }
        )
    _text_page(
        site,
        "budget",
        "budget.html",
        template="records.html",
        records=records,
        none=texts("budget.none"),
        notes=[(texts("budget.what"), texts("budget.what_text"))],
    )


def calendar_page(site: Site, due: list[Planned]) -> None:
    """``calendar.html``: what is expected, the next twelve editions of each release."""
    texts = site.texts
    counts: dict[str, int] = {}
    rows = []
    for item in due:
        counts[item.release] = counts.get(item.release, 0) + 1
        if counts[item.release] <= MOST_DUE:
            facts = (Cell(item.period_text), Cell(texts.moment(item.when)))
            rows.append(Row(item.title, facts, f"{item.release}/index.html"))
    head = [Cell(texts("calendar.release")), Cell(texts("calendar.covers")), Cell(texts("calendar.expected"))]
    last = {item.release: item for item in due}
    notes = [
        f"{last[id].title}: {texts('calendar.more', count=count, day=texts.day(last[id].when.date()))}"
        for id, count in counts.items()
        if count > MOST_DUE
    ]
    tables = [Rows(texts("calendar.caption"), head, rows)] if rows else []
    _text_page(
        site,
        "calendar",
        "calendar.html",
        template="table.html",
        filter="",
        tables=tables,
        paragraphs=() if rows else (texts("calendar.none"),),
        notes=[*notes, texts("calendar.time")] if rows else (),
    )
