"""Pages of records that span releases: corrections, data uses, budgets, and what is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from dp_stats.editions import claims
from dp_stats.editions.edition import Edition
from dp_stats.editions.languages import said_in
from dp_stats.editions.revisions import corrections, newest_first
from dp_stats.outlets import budgets
from dp_stats.outlets.budgets import DatasetSpend
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
    logs = (corrections(site.public, release=view.id, said=partial(said_in, texts=texts)) for view in site.releases)
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
    """``register.html``: one record per release, after the HDR UK Data Use Register; those that are not public after the others."""
    texts = site.texts
    records = []
    for view in site.releases:
        found = [r.edition for r in view.revisions]
        outputs = texts(
            "register.since",
            count=texts.plural("count.editions", len(view.current)),
            day=texts.day(min(e.published for e in found).date()),
        )
        records.append(_use(texts, view.latest.edition, found, (outputs, f"{view.id}/index.html"), site.budgets))
    spends = budgets.with_restricted(site.budgets, site.public, site.uses)
    for use in site.uses:
        outputs = texts(
            "register.checksums", checksums="; ".join(f"{path} {sums}" for path, sums in use.checksums.items())
        )
        records.append(_use(texts, use.editions[-1], use.editions, (outputs, ""), spends))
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


def _use(
    texts: Texts,
    latest: Edition,
    found: Sequence[Edition],
    outputs: tuple[str, str],
    spends: Mapping[str, DatasetSpend],
) -> dict[str, Any]:
    """The record of a release, from all its editions; ``outputs``: what is said of them, and where they are."""
    release, dataset = latest.release, latest.dataset
    spent = _spent(texts, found, spends)
    access = texts("register.access_text") if release.audience == "public" else claims.access(release, texts)
    return {
        "id": release.id,
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
            *_agreed(latest, texts),
            (texts("register.access"), access, ""),
            (texts("register.requested"), claims.asked_for(release, texts), ""),
            (texts("register.approvals"), claims.approvals(found, texts), ""),
            (texts("register.outputs"), *outputs),
            (texts("register.spent"), spent or texts("register.unknown"), "budget.html"),
            *([(texts("register.draws"), _draws(texts, latest, spends), "budget.html")] if latest.draws else []),
        ],
    }


def _draws(texts: Texts, latest: Edition, spends: Mapping[str, DatasetSpend]) -> str:
    """What other datasets paid, and what has been spent of them in all."""
    return f"{claims.draws(latest, texts)} {budgets.said_of_holders(texts, latest, spends)}".strip()


def _agreed(edition: Edition, texts: Texts) -> list[tuple[str, str, str]]:
    """For what and under which agreement; nothing of what there is none of."""
    dataset, release = edition.dataset, edition.release
    said = []
    if dataset.agreement is not None or release.audience != "public":
        said.append((texts("register.purpose"), claims.purpose(release, dataset, texts), ""))
    if dataset.agreement is not None:
        said.append((texts("register.agreement"), claims.agreement(dataset, texts), ""))
    return said


def _spent(texts: Texts, found: Sequence[Edition], spends: Mapping[str, DatasetSpend]) -> str:
    """What has been spent of each block that editions touch, by all uses of their dataset, and of those that paid as well."""
    spend = spends.get(found[-1].dataset.id)
    if spend is None:
        return ""
    day = texts.day(spend.as_of.date())
    touched = {block for edition in found for block in edition.guarantee.blocks}
    said = []
    for block in (spend.blocks[name] for name in sorted(touched & spend.blocks.keys())):
        spent, cap = budgets.amounts(texts, block)
        delta = texts.delta(block.delta)
        said.append(texts("register.spent_text", spent=spent, cap=cap, block=block.block, delta=delta, day=day))
        said += budget_page.not_public(texts, block)
    latest = found[-1]
    if any(b.block not in spend.blocks or b.spent > spend.blocks[b.block].spent for b in latest.budget):
        own = texts.significant(latest.guarantee.epsilon, digits=4), texts.delta(latest.guarantee.delta)
        said.append(texts("register.spent_later", epsilon=own[0], delta=own[1]))
    return " ".join(said)


def _moment(item: Planned, texts: Texts) -> str:
    """When it is expected, on the agency's clocks; their zone is named where it is not UTC."""
    when = texts.moment(item.local)
    return when if item.timezone == "UTC" else texts("calendar.local", when=when, zone=item.timezone.replace("_", " "))


def calendar_page(site: Site, due: list[Planned]) -> None:
    """``calendar.html``: what is expected, the next twelve editions of each release; one without an edition has no page yet."""
    texts, shown = site.texts, {view.id for view in site.releases}
    counts: dict[str, int] = {}
    rows = []
    for item in due:
        counts[item.release] = counts.get(item.release, 0) + 1
        if counts[item.release] <= MOST_DUE:
            facts = (Cell(item.period_text), Cell(_moment(item, texts)))
            rows.append(Row(item.title, facts, f"{item.release}/index.html" if item.release in shown else ""))
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
