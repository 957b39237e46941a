"""Mutation testing of the trust core: which small changes of the code would no test notice?

`python tests/mutants.py MODULE …` (all of the table without an argument) changes one thing at a time in a module and
runs the tests of that module only. Work and results lie in `.mutants/MODULE`, outside git: whoever starts it again
goes on where it stopped, and only functions that changed since are tried again. `--report` prints what is known so
far, `--survivors` the difference that each survivor makes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".mutants"
BESIDE = ("tests", "deploy", "expectations", "reports")
"""Folders that tests read beside the package."""

LEDGER = [
    f"tests/unit/test_ledger_{part}.py" for part in ("approvals", "budget", "measurements", "reserving", "tampering")
]
MODULES: dict[str, list[str]] = {
    "plan/sensitivity": ["tests/property/test_plan_sensitivity.py"],
    "plan/accounting": ["tests/unit/test_accounting.py"],
    "secure/noise": ["tests/statistical/test_noise.py"],
    "ledger/amounts": ["tests/unit/test_ledger_amounts.py", "tests/unit/test_ledger_budget.py"],
    "ledger/budget": ["tests/unit/test_ledger_budget.py", "tests/unit/test_ledger_reports.py"],
    "ledger/approving": ["tests/unit/test_ledger_approvals.py"],
    "ledger/verifying": ["tests/unit/test_ledger_verifying.py", "tests/unit/test_ledger_tampering.py"],
    "ledger/chain": ["tests/unit/test_ledger_chain.py", *LEDGER],
    "secure/register": ["tests/property/test_register.py"],
    "secure/bound": ["tests/property/test_neighbours.py", "tests/property/test_register.py"],
    "secure/aggregate": ["tests/unit/test_aggregate_integers.py", "tests/property/test_neighbours.py"],
    "ledger/reserving": LEDGER,
    "ledger/measuring": LEDGER,
}
"""The trust core, in order of priority, with tests that are fast and should notice everything."""

SURVIVED, UNTESTED, TIMED_OUT = {0}, {5, 33}, {-24, 24, 36, 152, 255}
"""Exit codes: all tests passed; no test reaches the function; the tests ran for ever, or too long on a busy machine."""


def prepare(module: str) -> Path:
    """Lay out a project of its own for one module, with links to the real code and tests."""
    place = WORK / module.replace("/", ".")
    place.mkdir(parents=True, exist_ok=True)
    for name in ("dp_stats", *BESIDE):
        link = place / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)
        if name in BESIDE:  # what is copied is never refreshed by mutmut itself
            shutil.rmtree(place / "mutants" / name, ignore_errors=True)
    tests = [test for test in MODULES[module] if (ROOT / test).is_file()]
    options = {
        "source_paths": ["dp_stats"],
        "only_mutate": [f"dp_stats/{module}.py"],
        "also_copy": list(BESIDE),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"],
        "pytest_add_cli_args_test_selection": tests,
        "do_not_mutate_patterns": [
            r'^\s+f?"[^"]*"$',
            r"^\s+f?'[^']*'$",
        ],  # lines that are nothing but words of a message
        "track_dependencies": False,
        "use_git_change_detection": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    declared = (ROOT / "pyproject.toml").read_text()
    (place / "pyproject.toml").write_text("\n".join([declared, "[tool.mutmut]", *lines, ""]))
    return place


def run(module: str) -> None:
    """Try every mutant of a module that has no result yet."""
    place = prepare(module)
    print(f"== {module}", flush=True)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "mutmut", "run", "--max-children", "2"], cwd=place, env=environment, check=False
    )


def results(module: str) -> dict[str, int | None]:
    """Mutant → pytest's exit code, None where it was not tried yet."""
    meta = WORK / module.replace("/", ".") / "mutants" / "dp_stats" / f"{module}.py.meta"
    if not meta.is_file():
        return {}
    found: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
    return found


def report() -> None:
    """One line per module: mutants, killed, timed out, survivors, not reached by a test, not tried yet."""
    print("| module | mutants | killed | timed out | survivors | no test | not tried |\n| --- |" + " --- |" * 6)
    for module in MODULES:
        codes = results(module)
        kind = Counter(
            "left"
            if c is None
            else "survived"
            if c in SURVIVED
            else "untested"
            if c in UNTESTED
            else "late"
            if c in TIMED_OUT
            else "killed"
            for c in codes.values()
        )
        figures = [kind[name] for name in ("killed", "late", "survived", "untested", "left")]
        print("|", " | ".join(str(cell) for cell in (module, len(codes), *figures)), "|")


def survivors(module: str) -> None:
    """What each mutant changes that no test noticed."""
    for name, code in results(module).items():
        if code in SURVIVED | UNTESTED:
            shown = subprocess.run(
                [sys.executable, "-m", "mutmut", "show", name],
                cwd=WORK / module.replace("/", "."),
                capture_output=True,
                text=True,
                check=False,
            )
            changed = [
                line for line in shown.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("---", "+++")
            ]
            print(name, *changed, sep="\n  ", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="as in plan/sensitivity; all without any", metavar="MODULE")
    parser.add_argument("--report", action="store_true", help="only print what is known so far")
    parser.add_argument("--survivors", action="store_true", help="only print what the survivors change")
    given = parser.parse_args()
    for module in given.modules:
        if module not in MODULES:
            parser.error(f"{module} is not in the table MODULES of tests/mutants.py")
    for module in given.modules or MODULES:
        if given.survivors:
            survivors(module)
        elif not given.report:
            run(module)
    report()


if __name__ == "__main__":
    main()
