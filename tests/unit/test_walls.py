"""The import contracts hold, and break on every arrow that they forbid."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIGURATION = read_configuration(str(ROOT / "pyproject.toml"))
KINDS = {"layers": LayersContract, "forbidden": ForbiddenContract, "protected": ProtectedContract}
DECLARED = {options["name"]: options for options in CONFIGURATION["contracts_options"]}
ARROWS, ROWS, OPENDP, NOISE, SIMULATED = DECLARED
LAYERS = [[room.strip() for room in line.split("|")] for line in DECLARED[ARROWS]["layers"]]
ROOMS = [room for line in LAYERS for room in line]
UPWARDS = [(low, high) for highs, lows in combinations(LAYERS, 2) for low in lows for high in highs]
SIDEWAYS = [pair for line in LAYERS for pair in ((a, b) for a in line for b in line if a != b)]
READS_ROWS = {"cli", "airflow", "demo", "operations", "pipeline", "secure", "quality"}
"""Rooms that may reach rows: the secure room, those that call its steps, the checks and the simulator."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("dp_stats", include_external_packages=True, cache_dir=None)


def kept(name: str, graph: grimp.ImportGraph, *arrows: tuple[str, str]) -> bool:
    """Whether a contract is kept by the package with these imports added."""
    from copy import deepcopy

    changed = deepcopy(graph)
    for importer, imported in arrows:
        for module in (importer, imported):
            if module not in changed.modules:
                changed.add_module(module, is_squashed=not module.startswith("dp_stats"))
        changed.add_import(importer=importer, imported=imported)
    options = DECLARED[name]
    contract: Any = KINDS[options["type"]](name, CONFIGURATION["session_options"], options)
    return bool(contract.check(changed, verbose=False).kept)


def rogue(graph: grimp.ImportGraph, room: str) -> str:
    """A module of a room that is not there yet; for a room of one module, that module."""
    name = f"dp_stats.{room}"
    return f"{name}.rogue" if graph.find_children(name) else name


@pytest.mark.parametrize("name", DECLARED)
def test_the_package_keeps_each_contract(name: str, graph: grimp.ImportGraph) -> None:
    assert kept(name, graph)


@pytest.mark.parametrize(("low", "high"), UPWARDS + SIDEWAYS, ids=lambda room: room)
def test_an_arrow_up_or_sideways_breaks_the_contract(low: str, high: str, graph: grimp.ImportGraph) -> None:
    assert not kept(ARROWS, graph, (rogue(graph, low), f"dp_stats.{high}"))


@pytest.mark.parametrize("reader", ["dp_stats.secure.rows", "ibis", "duckdb", "pyspark"])
@pytest.mark.parametrize("room", sorted(set(ROOMS) - READS_ROWS))
def test_a_room_on_the_public_side_cannot_reach_rows(room: str, reader: str, graph: grimp.ImportGraph) -> None:
    assert not kept(ROWS, graph, (rogue(graph, room), reader))


@pytest.mark.parametrize("room", sorted(READS_ROWS - {"secure"}))
def test_nor_through_another_room(room: str, graph: grimp.ImportGraph) -> None:
    through = f"dp_stats.{room}.rogue"
    assert not kept(ROWS, graph, ("dp_stats.estimate.rogue", through), (through, "dp_stats.secure.rows"))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_no_other_module_reaches_opendp(room: str, graph: grimp.ImportGraph) -> None:
    assert not kept(OPENDP, graph, (rogue(graph, room), "opendp"))


@pytest.mark.parametrize("importer", ["dp_stats.secure.bound", "dp_stats.pipeline", "dp_stats.cli.main"])
def test_noise_is_drawn_by_nobody_else(importer: str, graph: grimp.ImportGraph) -> None:
    assert not kept(NOISE, graph, (importer, "dp_stats.secure.noise"))


@pytest.mark.parametrize("room", ["airflow", "operations", "pipeline"])
def test_nothing_that_publishes_can_simulate(room: str, graph: grimp.ImportGraph) -> None:
    assert not kept(SIMULATED, graph, (rogue(graph, room), "dp_stats.demo.line_list"))


# What stands in files: the same, seen by the command that `make check` runs.


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with its contracts."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "dp_stats", folder / "dp_stats", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def add(package: Path) -> Iterator[Any]:
    """Put a module into the copy, for one test, and say which contracts break."""
    added: list[Path] = []

    def run(path: str, text: str) -> set[str]:
        added.append(package / "dp_stats" / path)
        added[-1].write_text(text, encoding="utf-8")
        command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
        done = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=120, check=False)
        broken = {name for name in DECLARED if re.search(rf"^{re.escape(name)} BROKEN", done.stdout, re.MULTILINE)}
        assert done.returncode == bool(broken), done.stdout + done.stderr
        return broken

    yield run
    for path in added:
        path.unlink()


@pytest.mark.parametrize(
    ("path", "text", "broken"),
    [
        ("estimate/rogue.py", "x = 1\n", set()),
        ("rogue.py", "x = 1\n", {ARROWS}),
        ("estimate/rogue.py", "from dp_stats.site.builder import build\n", {ARROWS}),
        ("estimate/rogue.py", "def f():\n    from dp_stats.secure import rows\n", {ROWS}),
        (
            "ledger/rogue.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import dp_stats.secure.rows\n",
            {ARROWS, ROWS},
        ),
        ("charts/rogue.py", "def f():\n    def g():\n        import duckdb\n", {ROWS}),
        ("outlets/rogue.py", "def f():\n    from dp_stats.editions.edition import Edition\n", set()),
        ("outlets/rogue.py", "def f():\n    from dp_stats.quality import check_snapshot\n", {ROWS}),
        ("secure/rogue.py", "def f():\n    import opendp.prelude as dp\n", {OPENDP}),
        ("secure/rogue.py", "def f():\n    from dp_stats.secure.noise import add_noise\n", {NOISE}),
    ],
    ids=["harmless", "unnamed", "upwards", "lazy", "for types", "nested", "downwards", "round", "opendp", "noise"],
)
def test_a_module_breaks_what_it_should_and_nothing_else(add: Any, path: str, text: str, broken: set[str]) -> None:
    assert add(path, text) == broken


# What contracts cannot see.


def test_no_module_imports_by_a_name_made_at_run_time() -> None:
    """Such imports are invisible to the contracts; the two there are, are also declared in a way they can see."""
    allowed = {
        "requests/__init__.py": 1,  # its names are declared for types, too
        "airflow/preload.py": 1,  # warms the scheduler up; nothing of it is used
    }
    found: dict[str, int] = {}
    for file in sorted((ROOT / "dp_stats").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
                "import_module",
                "__import__",
                "exec",
                "eval",
            ):
                name = file.relative_to(ROOT / "dp_stats").as_posix()
                found[name] = found.get(name, 0) + 1
    assert found == allowed


def test_modules_do_not_go_round_in_circles(graph: grimp.ImportGraph) -> None:
    assert circles(graph) == []


def test_a_circle_is_seen(graph: grimp.ImportGraph) -> None:
    from copy import deepcopy

    changed = deepcopy(graph)
    changed.add_import(importer="dp_stats.plan.mechanism", imported="dp_stats.plan.model")
    assert circles(changed) == [["dp_stats.plan.mechanism", "dp_stats.plan.model"]]


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Groups of modules that each import each other, at once or through others."""
    imports = {
        module: {name for name in graph.find_modules_directly_imported_by(module) if name.startswith("dp_stats")}
        for module in graph.modules
        if module.startswith("dp_stats")
    }
    reach = {module: _reachable(module, imports) for module in imports}
    groups = {frozenset(o for o in reach[m] if m in reach[o]) for m in imports if m in reach[m]}
    return sorted(sorted(group) for group in groups)


def _reachable(start: str, imports: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(imports[start])
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += imports[module]
    return seen
