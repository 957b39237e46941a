"""The page of budgets: what has been spent on whose data, by whom as far as that is public, and what is left."""

from __future__ import annotations

from typing import Any

from dp_stats.outlets import budgets
from dp_stats.outlets.budgets import BlockSpend, DatasetSpend
from dp_stats.site import downloads
from dp_stats.site.frame import Cell, Row, Rows, Site
from dp_stats.site.privacy_panel import right_guesses
from dp_stats.site.site_pages import text_page
from dp_stats.texts.words import Texts

MOST_METERS = 4


def budget_page(site: Site) -> None:
    """``budget.html``: what has been spent on whose data and what is left, as the public log adds it up."""
    texts = site.texts
    text_page(
        site,
        "budget",
        "budget.html",
        template="records.html",
        records=[_record(site, spend) for spend in site.budgets.values()],
        none=texts("budget.none"),
        data=(budgets.FILE_NAME,),
        notes=[
            (texts("budget.what"), texts("budget.what_text")),
            (texts("budget.guesses"), texts("budget.guesses_text")),
            *_check(site),
        ],
    )


def _record(site: Site, spend: DatasetSpend) -> dict[str, Any]:
    texts, edition = site.texts, spend.newest
    unit = texts(f"block.{spend.per}")
    newest_first = [spend.blocks[name] for name in sorted(spend.blocks, reverse=True)]
    latest = [view.latest.edition for view in site.releases]
    using = [e for e in latest if spend.dataset in (e.dataset.id, *(draw.dataset for draw in e.draws))]
    titles = (e.release.title for e in using)
    keys = ("cap", "spent", "share", "left", "charges", "hidden", "guesses")
    head = [Cell(unit[:1].upper() + unit[1:]), *(Cell(texts(f"budget.{k}"), n=True) for k in keys)]
    delta = texts.delta(newest_first[0].delta)
    caption = texts("budget.caption", dataset=spend.title, block=unit, delta=delta)
    held = texts(
        "budget.dataset_of",
        unit=texts.people(edition.guarantee.unit),
        custodians=", ".join(spend.custodians),
    )
    return {
        "id": spend.dataset,
        "title": spend.title,
        "paragraphs": [
            f"{held}.",
            texts("budget.releases", releases=", ".join(titles)) + ".",
            texts("budget.as_of", day=texts.day(spend.as_of.date())),
            *([texts("budget.lost")] if spend.lost else []),
            *(said for block in newest_first for said in not_public(texts, block)),
        ],
        "meters": [_meter(texts, block) for block in newest_first[:MOST_METERS]],
        "table": Rows(caption, head, [_row(texts, block) for block in newest_first]),
        "facts": [],
    }


def _row(texts: Texts, block: BlockSpend) -> Row:
    spent, cap = budgets.amounts(texts, block)
    times = right_guesses(block.epsilon_spent, float(block.delta))
    unknown = texts("budget.unknown")
    return Row(
        block.block,
        tuple(
            Cell(said, n=True)
            for said in (
                cap,
                spent,
                texts.percent(block.share),
                texts.percent(1 - block.share),
                unknown if block.charges is None else texts.number(block.charges),
                unknown if block.charges is None else texts.number(block.not_public),
                texts("budget.any_guesses" if times is None else "budget.most_guesses", times=times),
            )
        ),
    )


def _meter(texts: Texts, block: BlockSpend) -> dict[str, str]:
    gone, left = texts.percent(block.share), texts.percent(1 - block.share)
    words = texts("budget.meter", spent=gone, left=left)
    return {"label": block.block, "words": words, "share": f"{min(block.share * 100, 100):.1f}"}


def not_public(texts: Texts, block: BlockSpend) -> list[str]:
    """How many charges of a block are for uses that are not public, with their share of its budget; nothing if there is none."""
    if not block.not_public:
        return []
    share = texts.percent(float(block.rho_not_public / block.cap), decimals=1)
    return [texts.plural("budget.uncounted", block.not_public, block=block.block, share=share)]


def _check(site: Site) -> list[tuple[str, str]]:
    """How to check the spend, where the site has a public log."""
    if all(revision.edition.log is None for view in site.releases for revision in view.revisions):
        return []
    return [(site.texts("budget.check"), site.texts("budget.check_text", command=downloads.check_command(site)))]
