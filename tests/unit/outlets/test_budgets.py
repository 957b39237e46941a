"""One live budget figure: every page, register and record shows what the ledger adds up to, uses that are not public included."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from english import TEXTS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from told_sites import ToldSite

from dp_stats.charts.reading import releases
from dp_stats.editions.edition import Edition, editions
from dp_stats.outlets.budgets import amounts, budget_json, budgets
from dp_stats.outlets.data_use import data_use, register_csv
from dp_stats.plan.accounting import epsilon_at
from dp_stats.site import budget_page, record_pages
from dp_stats.site.frame import Site, environment
from dp_stats.site.privacy_panel import odds_of_all_text
from dp_stats.site.writer import Writer

REPORTS = Path(__file__).resolve().parents[3] / "reports"
DATASET = "cases"


@pytest.fixture
def told(sample: Any, tmp_path: Path) -> ToldSite:
    return ToldSite(tmp_path, sample.edition())


def shown(told: ToldSite) -> dict[str, Any]:
    return budgets(told.public, map(Edition.load, editions(told.public)))


USES = st.lists(st.tuples(st.sampled_from(["weekly", "other", "third"]), st.booleans()), min_size=1, max_size=5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uses=USES)
def test_what_is_shown_is_the_ledgers_after_every_public_edition(
    uses: list[tuple[str, bool]], sample: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = ToldSite(tmp_path_factory.mktemp("told"), sample.edition())
    for week, (release, public) in enumerate(uses, start=10):
        told.spend(f"2021-W{week}", release=release, public=public, rho=Fraction(1, 200 + week))
        if not public:
            continue
        for budget in told.ledger.blocks(DATASET):
            block = shown(told)[DATASET].blocks[budget.block]
            assert (block.spent, block.cap, block.remaining) == (budget.spent, budget.cap, budget.remaining)
            assert block.epsilon_spent == epsilon_at(budget.spent, budget.delta)
            private = [r for r, p in uses[: week - 9] if not p]
            assert (block.charges, block.not_public) == (week - 9, len(private))
            assert (block.rho_not_public > 0) == bool(private)


def said_everywhere(told: ToldSite) -> dict[str, str]:
    """The words of every page, register and record that tells what was spent."""
    views, _ = releases(told.public, TEXTS)
    pages: dict[str, str] = {}
    writer = Writer(
        told.public, incremental=False, put=lambda path, data: bool(pages.setdefault(path.name, data.decode()))
    )
    site = Site(told.public, REPORTS, TEXTS, environment(REPORTS), writer, views, "")
    writer.due("pages", "")
    record_pages.register_page(site)
    budget_page.budget_page(site)
    words = {name: re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text))) for name, text in pages.items()}
    words |= {
        f"methods of {v.id}": odds_of_all_text(TEXTS, v.latest.edition, site.budgets[DATASET]) for v in site.releases
    }
    spends = shown(told)
    uses = [
        data_use([r.edition for r in v.revisions], spend=spends[DATASET], base_url="", texts=TEXTS)
        for v in site.releases
    ]
    return words | {"register.csv": register_csv(uses, TEXTS).decode(), "budget.json": budget_json(spends).decode()}


def test_every_page_register_and_record_shows_the_same_figure_and_not_that_of_an_older_edition(told: ToldSite) -> None:
    told.spend("2021-W10", release="weekly", rho=Fraction(1, 100))
    told.spend("2021-W11", release="secret", public=False, rho=Fraction(1, 50))
    told.spend("2021-W12", release="other", rho=Fraction(1, 200))
    block = shown(told)[DATASET].blocks["2021"]
    spent, cap = amounts(TEXTS, block)
    assert block.spent == Fraction(7, 200)
    said = said_everywhere(told)
    uses = list(csv.DictReader(io.StringIO(said["register.csv"], newline="")))
    assert {u["epsilon_spent"] for u in uses} == {f"2021: {spent}"}
    assert {u["rho_spent"] for u in uses} == {"2021: 7/200"}
    assert {u["charges_not_public"] for u in uses} == {"2021: 1"}
    (record,) = json.loads(said["budget.json"])
    assert (record["rho_spent"], record["charges"], record["charges_not_public"]) == ("7/200", 3, 1)
    assert said["register.html"].count(f"ε = {spent} of {cap} spent, at δ = 0.000001") == 2
    assert f"2021 {cap} {spent}" in said["budget.html"]
    assert said["budget.html"].count("1 charge for 2021 (10.0 % of its budget) is for a use that is not public") == 1
    for release in ("weekly", "other"):
        assert f"ε = {spent} at δ = 0.000001" in said[f"methods of {release}"]
    older = next(e for e in map(Edition.load, editions(told.public)) if e.release.id == "weekly").budget[0].spent
    assert older == Fraction(1, 100)
    assert TEXTS.significant(epsilon_at(older, block.delta), digits=4) not in (spent, cap)
    assert "secret" not in " ".join(said.values()), "what a use was for that is not public is not told"


def test_a_block_of_which_no_log_tells_shows_what_its_newest_edition_says(sample: Any, tmp_path: Path) -> None:
    edition = sample.edition()
    spend = budgets(tmp_path, [edition])[edition.dataset.id]
    assert {name: b.spent for name, b in spend.blocks.items()} == {b.block: b.spent for b in edition.budget}
    assert all(b.charges is None and b.not_public == 0 for b in spend.blocks.values())
