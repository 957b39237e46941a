"""DAG files are wiring: they import our DAG makers and nothing else of ours."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ALLOWED = "dp_stats.airflow"


def imported(file: Path) -> set[str]:
    """Modules that a file imports anywhere, with the names it takes from our packages."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                f"{node.module}.{alias.name}" if node.module == "dp_stats" else node.module for alias in node.names
            }
    return found


@pytest.mark.parametrize("file", sorted((ROOT / "dags").glob("*.py")), ids=lambda file: file.stem)
def test_a_dag_imports_only_what_wires_it(file: Path) -> None:
    assert imported(file) == {ALLOWED}


def test_the_wall_sees_an_import_inside_a_function(tmp_path: Path) -> None:
    (tmp_path / "dag.py").write_text("def task():\n    from dp_stats.secure.pull import pull\n")
    assert imported(tmp_path / "dag.py") == {"dp_stats.secure.pull"}
