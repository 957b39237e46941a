"""Pages of records that span releases: corrections, data uses, budgets, and what is due."""

from __future__ import annotations

from dp_stats.charts.reading import ReleaseView
from dp_stats.editions import claims
from dp_stats.editions.edition import BudgetFacts, Edition
from dp_stats.editions.revisions import corrections, newest_first
from dp_stats.outlets.feeds import Planned
from dp_stats.site import downloads, privacy_panel
from dp_stats.site.common import page_of
from dp_stats.site.frame import Cell, Row, Rows, Site
from dp_stats.site.site_pages import text_page
from dp_stats.texts.words import Texts

MOST_DUE = 12
MOST_METERS = 4


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
    text_page(
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
                    (texts("register.benefit"), claims.benefit(release, texts), ""),
                    (texts("register.dataset"), f"{dataset.title}. {dataset.description}", ""),
                    (texts("register.custodians"), ", ".join(c.name for c in dataset.custodians), ""),
                    (texts("register.legal"), claims.legal_basis(dataset, texts), ""),
                    (texts("register.optouts"), claims.opt_outs(dataset, texts), ""),
                    (texts("register.linked"), claims.linked(dataset, texts), ""),
                    (texts("register.access"), texts("register.access_text"), ""),
                    (texts("register.requested"), claims.asked_for(release, texts), ""),
                    (texts("register.approvals"), claims.approvals([r.edition for r in view.revisions], texts), ""),
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
    text_page(site, "register", "register.html", template="records.html", records=records, none="", notes=[])


def _check(site: Site) -> list[tuple[str, str]]:
    """How to check the spend, where the site has a public log."""
    if all(revision.edition.log is None for view in site.releases for revision in view.revisions):
        return []
    return [(site.texts("budget.check"), site.texts("budget.check_text", command=downloads.check_command(site)))]


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
    text_page(
        site,
        "budget",
        "budget.html",
        template="records.html",
        records=records,
        none=texts("budget.none"),
        notes=[(texts("budget.what"), texts("budget.what_text")), *_check(site)],
    )


def _moment(item: Planned, texts: Texts) -> str:
    """When it is expected, on the agency's clocks; their zone is named where it is not UTC."""
    when = texts.moment(item.local)
    return when if item.timezone == "UTC" else texts("calendar.local", when=when, zone=item.timezone.replace("_", " "))


def calendar_page(site: Site, due: list[Planned]) -> None:
    """``calendar.html``: what is expected, the next twelve editions of each release."""
    texts = site.texts
    counts: dict[str, int] = {}
    rows = []
    for item in due:
        counts[item.release] = counts.get(item.release, 0) + 1
        if counts[item.release] <= MOST_DUE:
            facts = (Cell(item.period_text), Cell(_moment(item, texts)))
            rows.append(Row(item.title, facts, f"{item.release}/index.html"))
    head = [Cell(texts("calendar.release")), Cell(texts("calendar.covers")), Cell(texts("calendar.expected"))]
    last = {item.release: item for item in due}
    notes = [
        f"{last[id].title}: {texts('calendar.more', count=count, day=texts.day(last[id].local.date()))}"
        for id, count in counts.items()
        if count > MOST_DUE
    ]
    tables = [Rows(texts("calendar.caption"), head, rows)] if rows else []
    text_page(
        site,
        "calendar",
        "calendar.html",
        template="table.html",
        filter="",
        tables=tables,
        paragraphs=() if rows else (texts("calendar.none"),),
        notes=[*notes, texts("calendar.time")] if rows else (),
    )
