"""The list of rules names tests that exist; noise has one home; what the docs list is what is declared."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "docs" / "explanation" / "rules-and-tests.md"
NOISE, ACCOUNTING = "secure/noise.py", "plan/accounting.py"
INVENTED = (
    "demo/line_list.py",
    "demo/dummy.py",
    "demo/hospital.py",
    "demo/practices.py",
)  # people and rows that are made up


@cache
def functions(file: Path) -> frozenset[str]:
    """Names of the functions that a test file defines at its top, or in a class there."""
    tree = ast.parse(file.read_text())
    inside = [node for each in tree.body if isinstance(each, ast.ClassDef) for node in each.body]
    return frozenset(node.name for node in (*tree.body, *inside) if isinstance(node, ast.FunctionDef))


def missing(text: str) -> list[str]:
    """Tests that a text names and that do not exist."""
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    return [f"{f}::{t}" for f, t in named if not (ROOT / f).is_file() or (t and t not in functions(ROOT / f))]


def test_every_test_that_is_named_exists() -> None:
    assert missing(RULES.read_text()) == []
    assert missing("`tests/unit/test_rules.py::test_that_nobody_wrote`, `tests/unit/test_nothing.py`") != []


def test_every_rule_has_a_test_and_says_how_it_was_broken() -> None:
    rows = [line.strip("|").split("|") for line in RULES.read_text().splitlines() if re.match(r"\| \d", line)]
    numbers = [row[0].split(".")[0].strip() for row in rows]
    assert [int(number) for number in numbers if number.isdigit()] == list(range(1, 36))
    assert len(set(numbers)) == len(numbers)
    for rule, held, broken in rows:
        assert "::test_" in held, rule
        assert broken.strip(), rule


def test_other_documents_name_tests_that_exist() -> None:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        assert missing(path.read_text()) == [], path.name


def randomness(source: str, where: str) -> list[str]:
    """What a module does that only one other module may: construct OpenDP's noise, call its maps, draw in any other way."""
    found = []
    for node in ast.walk(ast.parse(source)):
        imported = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            imported = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        found += [name for name in imported if name.split(".")[0] == "random" or name.startswith("numpy.random")]
        if where not in (NOISE, ACCOUNTING):
            found += [name for name in imported if name.split(".")[0] == "opendp"]
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            found += [text] if re.match(r"(np|numpy)\.random\b", text) else []
            found += [text] if where != NOISE and re.search(r"\bthen_(laplace|gaussian|geometric)", text) else []
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("enable_features"):
            found += [f"enable_features({ast.unparse(a)})" for a in node.args if ast.unparse(a) != "'contrib'"]
    return found


def test_noise_is_made_in_one_place_and_nothing_else_is_random() -> None:
    package = ROOT / "dp_stats"
    for path in sorted(package.rglob("*.py")):
        where = str(path.relative_to(package))
        if where not in INVENTED:
            assert randomness(path.read_text(), where) == [], where


def test_a_module_that_makes_noise_of_its_own_is_caught() -> None:
    for line in (
        "import opendp.prelude as dp",
        "import random",
        "from numpy.random import default_rng",
        "x = np.random.laplace(0, 1)",
        "space >> dp.m.then_laplace(1.0)",
        "dp.enable_features('contrib', 'honest-but-curious')",
    ):
        assert randomness(line, "publish/tidy.py") != [], line


def gates(suite: Path) -> list[str]:
    """The expectations of a suite that stop a run, each with what it is about."""
    found = []
    for expectation in json.loads(suite.read_text())["expectations"]:
        if expectation.get("severity", "critical") == "critical":
            found.append(f"| `{suite.name}` | `{expectation['type']}` | {about(expectation)} |")
    return found


def about(expectation: dict[str, Any]) -> str:
    """The columns that an expectation looks at, in the order in which it names them."""
    kwargs, kind = expectation["kwargs"], expectation["type"]
    named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    several = kwargs.get("column_list", [])
    named += [several["$PARAMETER"]] if isinstance(several, dict) else several
    if named:
        return ", ".join(f"`{name}`" for name in named)
    return {"expect_table_columns_to_match_set": "`columns`", "expect_table_row_count_to_be_between": "all rows"}[kind]


def test_every_gate_of_the_shipped_suites_is_listed_in_the_docs() -> None:
    listed = [
        line.strip()
        for line in (ROOT / "docs" / "explanation" / "guarantee.md").read_text().splitlines()
        if re.match(r"\| `[^`]+\.json` \| `expect_", line)
    ]
    suites = sorted((ROOT / "expectations").glob("*.json"))
    assert listed == [line for suite in suites for line in gates(suite)]


def test_the_limits_are_said() -> None:
    limits = (ROOT / "docs" / "explanation" / "guarantee.md").read_text().split("## Limits, said plainly")[1]
    for word in (
        "Timing",
        "Quality gates",
        "Linkage",
        "Opt-outs after publication",
        "Groups",
        "Staff",
        "Requests",
        "Scheduled runs that fail",
    ):
        assert f"**{word}" in limits, word


def test_every_limit_of_a_delivery_is_listed_in_the_docs() -> None:
    from dp_stats.catalogue.models import Intake

    listed = (ROOT / "docs" / "explanation" / "guarantee.md").read_text()
    limits = set(Intake.model_fields) - {"closed_weekdays", "closed_days"}
    assert {name for name in limits if f"`intake.{name}`" not in listed} == set()
