"""Pages of records that span releases: corrections, data uses, budgets, and what is due."""

from __future__ import annotations

from dp_stats.charts.reading import ReleaseView
from dp_stats.editions import claims
from dp_stats.editions.edition import Edition
from dp_stats.editions.revisions import corrections, newest_first
from dp_stats.outlets import budgets
from dp_stats.outlets.feeds import Planned
from dp_stats.site import budget_page
from dp_stats.site.common import page_of
from dp_stats.site.frame import Cell, Row, Rows, Site
from dp_stats.site.site_pages import text_page
from dp_stats.texts.words import Texts

MOST_DUE = 12


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
        data=("corrections.json", "feed.atom"),
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
        spent = _spent(site, view)
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
                    *_agreed(e, texts),
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
                    (texts("register.spent"), spent or texts("register.unknown"), "budget.html"),
                    *([(texts("register.draws"), claims.draws(e, texts), "")] if e.draws else []),
                ],
            }
        )
    text_page(
        site,
        "register",
        "register.html",
        template="records.html",
        records=records,
        none="",
        notes=[],
        data=("register.csv", "register.json"),
    )


def _agreed(edition: Edition, texts: Texts) -> list[tuple[str, str, str]]:
    """For what and under which agreement; nothing where there is none."""
    if edition.dataset.agreement is None:
        return []
    return [
        (texts("register.purpose"), claims.purpose(edition.release, edition.dataset, texts), ""),
        (texts("register.agreement"), claims.agreement(edition.dataset, texts), ""),
    ]


def _spent(site: Site, view: ReleaseView) -> str:
    """What has been spent of each block that a release touches, by all uses of its dataset."""
    texts, spend = site.texts, site.budgets.get(view.latest.edition.dataset.id)
    if spend is None:
        return ""
    day = texts.day(spend.as_of.date())
    touched = {block for r in view.revisions for block in r.edition.guarantee.blocks}
    said = []
    for block in (spend.blocks[name] for name in sorted(touched & spend.blocks.keys())):
        spent, cap = budgets.amounts(texts, block)
        delta = texts.delta(block.delta)
        said.append(texts("register.spent_text", spent=spent, cap=cap, block=block.block, delta=delta, day=day))
        said += budget_page.not_public(texts, block)
    return " ".join(said)


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
        data=("calendar.ics", "calendar.json"),
        filter="",
        tables=tables,
        paragraphs=() if rows else (texts("calendar.none"),),
        notes=[*notes, texts("calendar.time")] if rows else (),
    )
