"""Every word that the public reads stands in the texts files: modules of the public's side hold no English sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "dp_stats"
ROOMS = ("editions", "charts", "outlets", "site")

WORDS = re.compile(r"\b[A-Za-z]{2,}[,;:.]? +[A-Za-z]{2,}|^[A-Z][a-z]+( [a-z]+)+\.?$")
"""Two words with a blank between them."""

ALLOWED = {
    # names of parts of the build and of a record, which only messages to staff hold
    "editions/record_form.py": {"(whole record)"},
    "site/builder.py": {"front page and registers", ": release and charts"},
    # names of fonts
    "charts/fonts.py": {"DejaVu Sans"},
    # vocabularies of other standards, whose values are fixed
    "editions/privacy_record.py": {
        "Summary statistics",
        "Pure DP",
        "Zero-concentrated DP",
        "Many releases",
        "One-time release",
    },
    "editions/registry_record.py": {
        "Summary statistics",
        "Pure DP",
        "Zero-concentrated DP",
        "Many releases",
        "One release",
    },
    "editions/facts.py": {
        "Open Government Licence v3.0",
        "Creative Commons Attribution 4.0 International",
        "Creative Commons Zero 1.0 Universal",
        "Open Government Licence – Canada",
    },
}
"""Module → its strings with a reason: names that are the same in every language."""

CODE = re.compile(r"[<>={}\[\]]|import |SELECT|FROM |NOT LIKE|print\(|^[a-z0-9-]+ [a-z0-9-]+$")
"""Marks of HTML, CSS classes, SVG, and code that readers run."""


def sentences(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, text) of every string with words in it that is no docstring, error message, description of a field or code."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))  # docstrings, also of constants
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and _for_staff(node)):
            skipped |= {id(part) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in skipped:
            continue
        text = node.value.strip()
        if WORDS.search(text) and not CODE.search(text):
            yield node.lineno, text


def _for_staff(call: ast.Call) -> bool:
    """An error made, or a model's field described."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    return name.endswith("Error") or name == "Field"


def test_no_word_that_the_public_reads_is_in_a_module() -> None:
    found = []
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            name = path.relative_to(PACKAGE).as_posix()
            for line, text in sentences(ast.parse(path.read_text(encoding="utf-8"))):
                if text not in ALLOWED.get(name, set()):
                    found.append(f"{name}:{line}: {text}")
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        'note = "Values may differ from other sources."',
        'head = f"Published {day}, with {count} tables of people"',
        'names = {"u": "low reliability: use it with care"}',
        'title = "Every area"',
    ],
)
def test_an_english_sentence_in_a_module_is_seen(code: str) -> None:
    assert list(sentences(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        'raise PublishedError(f"{path} is missing. Publish the edition again.")',
        '"""What it does, in one line."""',
        'row = texts("private.loss", unit=unit)',
        "mark = '<g class=\"weak dot\">'",
    ],
)
def test_errors_keys_and_drawings_are_no_public_words(code: str) -> None:
    assert not list(sentences(ast.parse(code)))
