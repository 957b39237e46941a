"""Facts are fields: no module learns anything by taking a sentence, a message or a drawing apart."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "dp_stats"

PROSE = frozenset(
    {
        "summary",
        "description",
        "unit_description",
        "bound_description",
        "neighbouring",
        "composition",
        "justification",
        "sentence",
        "said",
        "alt",
        "warning",
        "warnings",
        "note",
        "notes",
        "reason",
        "reasons",
        "message",
        "messages",
        "error",
        "exc",
        "exception",
        "meaning",
        "svg",
        "html",
        "caption",
        "lead",
    }
)
"""Names that hold sentences, messages or drawings."""

APART = frozenset(
    {
        "split",
        "rsplit",
        "partition",
        "rpartition",
        "startswith",
        "endswith",
        "removeprefix",
        "removesuffix",
        "find",
        "rfind",
    }
)
"""Methods of text that take it apart or look into it."""

SEARCHES = frozenset({"search", "match", "fullmatch", "findall", "finditer", "split"})
"""Functions of ``re`` that look into a text (those that rewrite one learn nothing)."""

ALLOWED = {
    ("cli/common.py", "wrapped"): "an error's class is named, its sentence left whole",
    ("charts/export.py", "to_svg"): "empty groups are taken out of a drawing until none is left",
}
"""(module, function) → why it must."""


def prose(node: ast.AST) -> bool:
    """Whether an expression is a sentence: a name for one, a text of the texts file, or an error as a text."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and part.attr in PROSE:
            return True
        if isinstance(part, ast.Name) and part.id in PROSE:
            return True
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name | ast.Attribute):
            name = part.func.id if isinstance(part.func, ast.Name) else part.func.attr
            if name == "texts":
                return True
    return False


def between_words(node: ast.AST) -> bool:
    """Whether a constant is something that stands in sentences: words, or a mark followed by a blank."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    return (node.value != node.value.strip() and node.value.strip() != "") or " " in node.value.strip()


def parsed(tree: ast.AST, function: str = "") -> Iterator[tuple[str, int]]:
    """(function, line) of everything that reads a fact out of prose."""
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, ast.FunctionDef) else function
        if _parses(node):
            yield inside, node.lineno  # type: ignore[attr-defined]
        yield from parsed(node, inside)


def _parses(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        constant = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        as_text = isinstance(node.comparators[0], ast.Call | ast.Name | ast.Attribute)
        return (constant or isinstance(node.left, ast.Name)) and as_text and _is_text(node.comparators[0])
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    method, receiver = node.func.attr, node.func.value
    if isinstance(receiver, ast.Name) and receiver.id == "re":
        return method in SEARCHES and any(prose(argument) for argument in node.args[1:])
    if method in APART:
        return prose(receiver) or any(between_words(argument) for argument in node.args)
    return False


def _is_text(node: ast.AST) -> bool:
    """An error made a text, or a name in the singular that holds a sentence."""
    if isinstance(node, ast.Call):
        made = isinstance(node.func, ast.Name) and node.func.id in ("str", "repr")
        return made or (
            isinstance(node.func, ast.Attribute) and node.func.attr in ("lower", "casefold") and prose(node)
        )
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in PROSE and not name.endswith("s")


def test_no_module_parses_prose() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), function, line)
        for path in sorted(PACKAGE.rglob("*.py"))
        for function, line in parsed(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert (
        sorted(f"{path}:{line} in {function}" for path, function, line in found if (path, function) not in ALLOWED)
        == []
    )
    assert {(path, function) for path, function, _ in found} >= ALLOWED.keys(), "an exception that nothing needs"


@pytest.mark.parametrize(
    "code",
    [
        'if "There is no ledger" in str(error): return None',
        'bound = g.unit_description.split(". ")[-1]',
        'ids, colon, rest = line.partition(": ")',
        'found = re.search(r"width=(.*)", svg)',
        'first = release.texts.summary.split("\\n")[0]',
        'if "is not measured" in warning: pass',
        'if message.startswith("Rows"): pass',
        "if any(sign in message for sign in signs): pass",
        'unit = texts("private.loss").rpartition("per")',
    ],
)
def test_taking_prose_apart_is_seen(code: str) -> None:
    assert list(parsed(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        'name, slash, label = edition.partition("/")',
        'if path.endswith(".csv"): pass',
        'svg = re.sub(r"\\s+", " ", svg)',
        "if code in codes: pass",
        'listed = ", ".join(names)',
    ],
)
def test_names_codes_and_paths_are_no_prose(code: str) -> None:
    assert not list(parsed(ast.parse(code)))
