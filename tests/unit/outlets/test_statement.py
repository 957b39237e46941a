"""The accessibility statement has the form of the law, with what its publisher declares, and says what is not declared."""

from __future__ import annotations

import html
import re
from datetime import date
from pathlib import Path

import pytest

from dp_stats.catalogue import Catalogue, read_catalogue
from dp_stats.catalogue.accessibility import read_accessibility
from dp_stats.errors import CatalogueError
from dp_stats.operations.review import unsaid_accessibility
from dp_stats.outlets.statement import refresh_statement
from dp_stats.site import build

SAID = """
organisation: The agency
contact: a11y@agency.example
answer_days: 15
prepared: 2026-11-02
reviewed: 2026-11-23
tested: 2026-10-19
tested_by: A testing company
how_tested: One page of each kind.
problems: [Names in Welsh are not marked.]
plans: They will be marked.
languages: {cy: {organisation: Yr asiantaeth, plans: Cânt eu marcio.}}
"""
FORM = [
    "How accessible this site is",
    "Feedback and contact information",
    "Enforcement procedure",
    "Technical information about this site's accessibility",
    "Compliance status",
    "Non-accessible content",
    "Non-compliance with the accessibility regulations",
    "Disproportionate burden",
    "Content that is not within the scope of the accessibility regulations",
    "What we are doing to improve accessibility",
    "Preparation of this accessibility statement",
]
"""The headings of the United Kingdom's model statement, in its order."""


def catalogue(folder: Path, text: str | None = SAID) -> Catalogue:
    folder.mkdir(exist_ok=True)
    if text is not None:
        (folder / "accessibility.yaml").write_text(text, encoding="utf-8")
    return read_catalogue(folder)


def words(page: Path) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))))


def test_what_is_declared_stands_in_the_statement_in_the_form_of_the_law(tmp_path: Path) -> None:
    public = tmp_path / "public"
    build(public)
    page = public / "accessibility.html"
    assert "has not said who runs it" in words(page)
    assert "committed" not in words(page)
    assert refresh_statement(public, catalogue(tmp_path / "catalogue")) == {}
    build(public, further=["cy"])
    headings = [html.unescape(found) for found in re.findall(r"<h[23]>(.*?)</h[23]>", page.read_text(encoding="utf-8"))]
    assert [one for one in headings if one in FORM] == FORM
    said = words(page)
    for one in (
        "This site is run by The agency.",
        "Contact: a11y@agency.example. You get an answer within 15 days.",
        "Names in Welsh are not marked.",
        "They will be marked.",
        "prepared on 2 November 2026. It was last reviewed on 23 November 2026.",
        "last tested on 19 October 2026. The test was carried out by A testing company . One page of each kind.".replace(
            " .", "."
        ),
        "The agency is committed",
    ):
        assert one in said
    assert "has not said" not in said
    welsh = (public / "cy" / "accessibility.html").read_text(encoding="utf-8")
    assert "Yr asiantaeth" in welsh
    assert "Cânt eu marcio." in welsh
    assert '<span lang="en">Names in Welsh are not marked.</span>' in welsh
    (tmp_path / "catalogue" / "accessibility.yaml").unlink()
    refresh_statement(public, read_catalogue(tmp_path / "catalogue"))
    build(public)
    assert "has not said who runs it" in words(page)


def test_a_broken_declaration_is_named_and_the_statement_stays(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    refresh_statement(public, catalogue(tmp_path / "catalogue"))
    wrong = catalogue(tmp_path / "catalogue", SAID.replace("2026-11-23", "2026-01-01"))
    assert "reviewed" in refresh_statement(public, wrong)["accessibility"]
    assert "2026-11-23" in (public / "accessibility.json").read_text()
    with pytest.raises(CatalogueError, match="tested"):
        read_accessibility(catalogue(tmp_path / "catalogue", SAID.replace("tested: 2026-10-19\n", "")).folder)


def test_check_asks_for_a_statement_and_for_its_yearly_review(tmp_path: Path) -> None:
    shipped = read_catalogue(Path(__file__).parents[3] / "dags" / "catalogue")
    (missing,) = unsaid_accessibility(shipped, date(2026, 12, 1))
    assert "organisation, contact, answer_days, prepared" in missing
    declared = catalogue(tmp_path / "catalogue")
    assert unsaid_accessibility(declared, date(2027, 11, 23)) == []
    assert "last reviewed on 2026-11-23" in unsaid_accessibility(declared, date(2027, 11, 25))[0]
