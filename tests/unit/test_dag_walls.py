"""DAGs are wiring: they import the pipeline, asking, operating, the catalogue, settings and our plugin, nothing else of ours."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ALLOWED = {"pipeline", "catalogue", "adhoc", "operate", "settings"}


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
    for module in imported(file):
        root, _, rest = module.partition(".")
        assert root in {"dp_stats", "dp_stats_airflow", "airflow"} or root in {
            "__future__",
            "collections",
            "datetime",
            "os",
            "typing",
        }, module
        if root == "dp_stats":
            assert rest.partition(".")[0] in ALLOWED, module


def test_the_wall_sees_an_import_inside_a_function(tmp_path: Path) -> None:
    (tmp_path / "dag.py").write_text("def task():\n    from dp_stats.secure.pull import pull\n")
    assert imported(tmp_path / "dag.py") == {"dp_stats.secure.pull"}
