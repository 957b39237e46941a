"""One word for one thing, the field's own: what the contribution bound leaves out is truncated, and names say what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = ("dp_stats/**/*.py", "deploy/**/*.py", "dags/**/*.*", "reports/**/*.*", "docs/**/*.md", "*.md")
PEOPLE = r"(?:rows?|people|persons?|contributions?)"
OWN_WORDS = re.compile(
    rf"\bcrowd(?:s|ed|ing)?\b|\bcut {PEOPLE}\b|\b{PEOPLE} (?:that )?(?:(?:is|are|was|were) )?cut\b(?! (?:off|short))",
    re.IGNORECASE,
)
"""Words of our own for truncated."""
OWN_NAMES = re.compile(r"^\s*(?:def|class) (?:truths?|wards?|\w*worlds?)\b", re.MULTILINE | re.IGNORECASE)
"""Helpers of tests whose names do not say what they give."""


def found(pattern: re.Pattern[str], *places: str) -> Iterator[str]:
    """Where files have what a pattern stands for."""
    for path in sorted({path for place in places for path in ROOT.glob(place) if path.is_file()}):
        if path.suffix in (".py", ".md", ".yaml", ".html", ".json", ".txt"):
            for match in pattern.finditer(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(ROOT)}: {match.group().strip()}"


def test_what_the_bound_leaves_out_is_called_truncated_everywhere() -> None:
    assert list(found(OWN_WORDS, *WRITTEN)) == []
    assert len(list(found(re.compile("truncated"), *WRITTEN))) > 100


def test_names_of_helpers_say_what_they_are() -> None:
    assert list(found(OWN_NAMES, "tests/**/*.py", "benchmarks/**/*.py")) == []
    assert [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"(?:^|_)(?:worlds?|truths?|wards?)(?:_|$)", path.stem)
    ] == []


@pytest.mark.parametrize(
    "said",
    ["Crowded cells", "no rows were cut", "cut rows are missing", "A person cut by the bound", "rows that are cut"],
)
def test_another_word_is_seen(said: str) -> None:
    assert OWN_WORDS.search(said)


@pytest.mark.parametrize("said", ["its end was cut off", "weeks are cut at the year", "rows cut off", "truncated rows"])
def test_what_else_is_cut_is_no_contribution(said: str) -> None:
    assert not OWN_WORDS.search(said)


@pytest.mark.parametrize("said", ["def truth(edition):", "def published_world(root):", "class Ward:", "class Worlds:"])
def test_a_name_of_our_own_is_seen(said: str) -> None:
    assert OWN_NAMES.search(said)
