"""One word for one thing, the field's own: what the contribution bound leaves out is truncated, and names say what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ("dp_stats/**/*.py", "deploy/**/*.py", "benchmarks/**/*.py", "tests/**/*.py")
WRITTEN = (*PYTHON, "dags/**/*.*", "reports/**/*.*", "docs/**/*.md", "*.md")
PEOPLE = r"(?:rows?|people|persons?|contributions?)"
OWN_WORDS = re.compile(
    rf"\bcrowd(?:s|ed|ing)?\b|\bcut {PEOPLE}\b|\b{PEOPLE} (?:that )?(?:(?:is|are|was|were) )?cut\b(?! (?:off|short))",
    re.IGNORECASE,
)
"""Words of our own for truncated."""
OWN = r"(?:truths?|wards?|(?:\w*_)?worlds?|crowd(?:s|ed|ing)?|cut)"
OWN_NAMES = re.compile(
    rf"^\s*(?:(?:async )?def|class) _*{OWN}\b|^\s*(?:self\.)?_*(?:(?:\w*_)?worlds?|crowd\w*)\b\s*[:=]", re.M | re.I
)
"""Names that do not say what they stand for: of functions and classes, and some of values."""
OWN_STEMS = re.compile(rf"^(?:\w*_)?{OWN}(?:_|$)")
"""Names of files that do not."""


def found(pattern: re.Pattern[str], *places: str) -> Iterator[str]:
    """Where files have what a pattern stands for."""
    for path in sorted({path for place in places for path in ROOT.glob(place) if path.is_file()}):
        if path.suffix in (".py", ".md", ".yaml", ".html", ".json", ".txt") and path != Path(__file__):
            for match in pattern.finditer(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(ROOT)}: {match.group().strip()}"


def test_what_the_bound_leaves_out_is_called_truncated_everywhere() -> None:
    assert list(found(OWN_WORDS, *WRITTEN)) == []
    assert len(list(found(re.compile("truncated"), *WRITTEN))) > 100


def test_names_say_what_they_are() -> None:
    assert list(found(OWN_NAMES, *PYTHON)) == []
    stems = {path.stem for place in PYTHON for path in ROOT.glob(place)}
    assert {"grid", "builders", "accuracy"} <= stems
    assert [stem for stem in sorted(stems) if OWN_STEMS.search(stem)] == []


@pytest.mark.parametrize(
    "said",
    ["Crowded cells", "no rows were cut", "cut rows are missing", "A person cut by the bound", "rows that are cut"],
)
def test_another_word_is_seen(said: str) -> None:
    assert OWN_WORDS.search(said)


@pytest.mark.parametrize("said", ["its end was cut off", "weeks are cut at the year", "rows cut off", "truncated rows"])
def test_what_else_is_cut_is_no_contribution(said: str) -> None:
    assert not OWN_WORDS.search(said)


@pytest.mark.parametrize(
    "said",
    [
        "def truth(edition):", "def published_world(root):", "class Ward:", "class Worlds:", "class _Truth:",
        "    def _truth(self):", "async def _cut(rows):", "def crowd(server):", "WORLDS: dict",
        "    crowded = {1}", "    self.worlds = None",
    ],
)  # fmt: skip
def test_a_name_of_our_own_is_seen(said: str) -> None:
    assert OWN_NAMES.search(said)


@pytest.mark.parametrize(
    "said", ["def test_a_power_cut():", "class Execute:", "def forward():", "def _true_variance():"]
)
def test_a_name_that_says_what_it_is_passes(said: str) -> None:
    assert not OWN_NAMES.search(said)


@pytest.mark.parametrize("stem", ["worlds", "measured_world", "_truth", "ward_rows"])
def test_a_file_of_our_own_name_is_seen(stem: str) -> None:
    assert OWN_STEMS.search(stem)
