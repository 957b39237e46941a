"""A module holds one idea: past 400 lines it holds two."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MOST = 400


def long_modules(folder: Path) -> list[str]:
    """The modules below a folder that are longer than ``MOST`` lines."""
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in folder.rglob("*.py")}
    return sorted(file.relative_to(folder).as_posix() for file, lines in lengths.items() if lines > MOST)


def test_no_module_holds_two_ideas() -> None:
    for folder in ("dp_stats", "deploy", "dags"):
        assert long_modules(ROOT / folder) == []


def test_a_long_module_is_seen_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "long.py").write_text("x = 1\n" * (MOST + 1))
    (tmp_path / "short.py").write_text("x = 1\n" * MOST)
    assert long_modules(tmp_path) == ["room/long.py"]
