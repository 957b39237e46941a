"""Numbers and days have one home for each way they are written: ``written`` for staff, ``texts`` for the public."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "dp_stats"
HOMES = ("written.py", "texts/numbers.py", "texts/dates.py", "demo/")

FOR_PEOPLE = re.compile(r",|[.\d]*[ge%]$|^\.\d+f$|%-?[dBbHM]")
"""Formats that a person reads: separators, significant digits, percentages, decimals, names of months."""

ALLOWED = {
    "airflow/burndown.py": "coordinates of a drawing",
    "charts/svg.py": "coordinates of a drawing",
    "charts/hexagons.py": "coordinates of a drawing",
    "charts/export.py": "coordinates of a drawing",
    "editions/marking/written.py": "coordinates of a drawing",
    "site/budget_page.py": "the width of a bar",
    "catalogue/periods.py": "names of months in what staff call a period",
    "catalogue/grid.py": "codes of bands",
    "editions/privacy_record.py": "a loss as programs read it",
    "estimate/fitted.py": "digits that every processor computes alike",
    "requests/free_answers.py": "cells of a file",
    "back_series.py": "cells of a file",
}
"""Module → what it writes that no person reads, or nobody else writes."""


def formats(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, format) of every number or day that is made a text for people."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
            spec = "".join(part.value for part in node.format_spec.values if isinstance(part, ast.Constant))
            if FOR_PEOPLE.search(spec):
                yield node.lineno, spec


def test_no_other_module_writes_numbers_or_days_for_people() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): list(formats(ast.parse(path.read_text(encoding="utf-8"))))
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    writing = {module for module, written in found.items() if written and not module.startswith(HOMES)}
    assert {module: found[module] for module in writing - ALLOWED.keys()} == {}
    assert writing >= ALLOWED.keys(), "an exception that nothing needs"


@pytest.mark.parametrize("spec", [":.3g", ":,", ":.1%", ":g", ":.0e", ":%d %B %Y", ":,.0f", ":.5f"])
def test_a_number_written_elsewhere_is_seen(spec: str) -> None:
    assert list(formats(ast.parse('text = f"{value' + spec + '}"')))


@pytest.mark.parametrize("spec", ["", ":02d", ":>8", ":%Y-%m", ":02X"])
def test_codes_and_labels_are_not_meant(spec: str) -> None:
    assert not list(formats(ast.parse('text = f"{value' + spec + '}"')))
