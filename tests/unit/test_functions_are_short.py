"""A function fits on a screen: at most 80 lines, so that each says one thing."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MOST = 80
FOLDERS = ("dp_stats", "deploy", "dags", "tests", "benchmarks", "docs", "expectations", "reports")


def long_functions(file: Path) -> list[str]:
    """The functions of a file, decorators included, that are longer than ``MOST`` lines."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if (node.end_lineno or first) - first + 1 > MOST:
                found.append(node.name)
    return found


def test_no_function_is_longer_than_a_screen() -> None:
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 700
    assert {path.name for path in ROOT.glob("*/") if any(path.rglob("*.py")) and path.name[0] != "."} <= {
        *FOLDERS,
        "build",
    }
    found = {f"{file.relative_to(ROOT).as_posix()}: {name}" for file in files for name in long_functions(file)}
    assert not found


def test_a_long_function_is_seen_wherever_it_stands(tmp_path: Path) -> None:
    body = "\n".join(["        x = 1"] * MOST)
    (tmp_path / "long.py").write_text(f"class A:\n    @staticmethod\n    def f():\n{body}\n")
    assert long_functions(tmp_path / "long.py") == ["f"]
    (tmp_path / "short.py").write_text("def f():\n" + "\n".join(["    x = 1"] * (MOST - 1)) + "\n")
    assert long_functions(tmp_path / "short.py") == []
