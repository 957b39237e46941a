"""Revisions as a reader meets them in a real browser: provisional, revised, final, renamed, estimated and measured again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import dp_stats.estimate
from dp_stats import pipeline
from dp_stats.estimate import estimator
from tests.chromium import CHROMIUM, TAGS
from tests.conftest import make_clinic
from tests.integration.test_late_revisions import WEEKS, deliver, edit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

NEXT = estimator.VERSION + 1
FIRST, SECOND, LAST = (f"visits/{week}" for week in WEEKS[:3])


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks with late records; then the first is renamed, estimated again and measured again."""
    root = tmp_path_factory.mktemp("revised")
    (root / "home").mkdir()
    catalogue = make_clinic(root / "catalogue")
    bound = {"rows": 1, "why_nothing_is_truncated": "Each patient comes once."}
    edit(catalogue, late={"periods": 2, "share": 0.2}, privacy_loss={"epsilon": 1.2}, contribution=bound)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DP_STATS_HOME", str(root / "home"))
        patch.setenv("DP_STATS_CATALOGUE", str(catalogue))
        for n, edition in enumerate((FIRST, SECOND, LAST)):
            deliver(catalogue, date(2024, 1, 11) + timedelta(weeks=n))
            pipeline.run_edition(edition)
        codes = catalogue / "codes" / "clinics.csv"
        codes.write_text(codes.read_text().replace("North", "Northern"))
        pipeline.revise(FIRST, kind="format", reason="A name was misspelt.")
        original = dp_stats.estimate.estimate

        def two_more(*args: Any, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            tables = {t: {s: replace(e, value=e.value + 2) for s, e in of.items()} for t, of in found.tables.items()}
            return replace(found, tables=tables)

        patch.setattr(dp_stats.estimate, "estimate", two_more)
        patch.setattr(estimator, "VERSION", NEXT)
        pipeline.revise(FIRST, kind="method", reason="A better estimator.")
        pipeline.revise(FIRST, kind="correction", reason="A clinic sent its visits twice.")
    return root / "home" / "public"


@pytest.fixture(scope="module")
def page(browser: Any) -> Any:
    """A page of a browser."""
    return browser.new_page()


def notices(page: Any) -> str:
    """What a reader is told above the figures."""
    return " ".join(page.locator(".notice").all_inner_texts())


def test_provisional_revised_and_final_figures_look_so(page: Any, public: Path) -> None:
    page.goto(f"file://{public / LAST}/index.html")
    assert "expected to rise as late reports come" in notices(page)
    assert "final with the edition of 29 January to 4 February 2024" in notices(page)
    page.goto(f"file://{public / SECOND}/index.html")
    assert "expected to rise" in notices(page)
    assert "This is revision 2. Records that arrived late were added" in notices(page)
    page.goto(f"file://{public / FIRST}/r3.html")
    assert "superseded" in notices(page)
    assert "expected to rise" not in notices(page)
    page.goto(f"file://{public}/visits/editions.html")
    lines = page.locator("tbody tr").all_inner_texts()
    assert sum("Provisional" in line for line in lines) == 2


def test_each_kind_is_told_with_its_reason_and_earlier_revisions_stay(page: Any, public: Path) -> None:
    told = {
        3: "Records that arrived late were added",
        4: "Names, texts or layout: A name was misspelt.",
        5: f"New method of estimating: A better estimator. Values are now estimated by version {NEXT} of the method",
        6: "Measured again: A clinic sent its visits twice.",
    }
    page.goto(f"file://{public / FIRST}/index.html")
    assert told[6] in notices(page)
    lines = page.locator("section[aria-labelledby=revisions] tbody tr").all_inner_texts()
    assert len(lines) == 6
    assert all(said in lines[number - 1] for number, said in told.items())
    page.get_by_role("link", name="Revision 5").click()
    assert page.url.endswith("/r5.html")
    assert f"Version {NEXT}" in page.locator("main").inner_text()
    page.goto(f"file://{public}/corrections.html")
    log = page.locator("tbody tr").all_inner_texts()
    assert all(any(said in line or said.partition(":")[0] in line for line in log) for said in told.values())
    assert sum("used again" in line for line in log) == 1


@pytest.mark.parametrize("place", ["index.html", "r5.html", "r1.html"])
def test_a_revised_edition_is_accessible(page: Any, public: Path, place: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.goto(f"file://{public / FIRST}/{place}")
    found = Axe().run(page, options={"runOnly": TAGS, "preload": False}).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found] == []
