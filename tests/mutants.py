"""Mutation testing of the trust core: which small changes of the code would no test notice?

`python tests/mutants.py MODULE …` (all of the table without an argument) changes one thing at a time in a module and
runs the tests of that module only. Work and results lie in `.mutants/`, outside git: whoever starts it again goes on
where it stopped. A mutant that was killed is tried again when its function changes, a survivor always. `--report`
prints what is known so far, `--survivors` the difference that each survivor makes.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation import file_mutation as mutmut
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
WORK = ROOT / ".mutants"

from tests.mutant_forks import Verdict, try_all  # noqa: E402


def _unit(*names: str) -> list[str]:
    return [f"tests/unit/test_ledger_{name}.py" for name in names]


LEDGER = _unit("approvals", "budget", "measurements", "reserving", "chain")
ON_POSTGRES = (
    "tests/property/test_bound_engines.py::test_every_engine_keeps_the_bound_over_the_editions_of_a_series[postgres]"
)
"""One test alone: a test that another of its file follows would leave its server running when it fails."""

PAID_BEFORE = (
    "tests/unit/test_ledger_reserving.py::test_blocks_that_a_former_name_has_paid_for_are_charged_again_only_with_a_yes"
)
WHERE = "tests/unit/test_ledger_growth.py::test_a_revision_lies_where_the_audience_of_what_was_measured_says"

MODULES: dict[str, list[str]] = {
    "secure/noise": ["tests/statistical/test_noise.py"],
    "secure/bound": ["tests/property/test_bound.py", ON_POSTGRES],
    "secure/aggregate": ["tests/unit/test_aggregate_integers.py", "tests/property/test_aggregate.py"],
    "ledger/verifying": _unit("verifying", "cards", "audiences", "tampering", "witnesses", "migrating"),
    "ledger/rebuilding": [*_unit("verifying", "tampering", "projection"), "tests/property/test_ledger_rebuilding.py"],
    "ledger/chain": LEDGER,
    "ledger/budget": _unit("budget", "reports", "reserving"),
    "ledger/agreeing": [*_unit("agreeing"), "tests/property/test_agreements.py"],
    "ledger/audiences": _unit("audiences"),
    "ledger/drawing": _unit("drawing"),
    "ledger/approving": _unit("approvals", "cards"),
    "secure/register": ["tests/property/test_register_entries.py", "tests/property/test_late.py"],
    "secure/entries": ["tests/unit/test_late_marks.py", "tests/property/test_register_entries.py", ON_POSTGRES],
    "secure/copies": ["tests/unit/test_register_copies.py"],
    "secure/sums": ["tests/unit/test_register_copies.py"],
    "secure/late": ["tests/unit/test_late_marks.py", "tests/property/test_late_answers.py"],
    "ledger/amounts": _unit("amounts", "budget"),
    "plan/sensitivity": ["tests/property/test_plan_sensitivity.py", "tests/unit/test_plan_late.py"],
    "plan/late_cost": ["tests/unit/test_plan_late.py"],
    "ledger/projection": _unit(
        "projection", "drawing", "agreeing", "audiences", "measurements", "publishing", "charging"
    ),
    "ledger/describing": _unit("publishing", "in_use", "late"),
    "ledger/late": _unit("late"),
    "ledger/opening": _unit("opening"),
    "ledger/disclosing": _unit("disclosing", "late"),
    "ledger/reserving": _unit("charging", "reserving", "cards", "drawing", "agreeing", "approvals", "late"),
    "ledger/reservations": _unit("charging", "reserving", "agreeing", "late"),
    "ledger/cards": _unit("cards"),
    "ledger/permitting": _unit("permitting", "cards", "approvals"),
    "ledger/measuring": _unit("measurements", "approvals"),
    "ledger/witnesses": _unit("witnesses", "late"),
    "ledger/sealing": [*_unit("sealing", "in_use"), WHERE],
    "ledger/database": [*_unit("database", "failures", "opening"), "tests/integration/test_ledger_postgres.py"],
    "ledger/ledger": [
        *LEDGER,
        *_unit(
            "opening", "publishing", "witnesses", "charging", "failures", "disclosing", "sealing", "drawing", "late"
        ),
    ],
    "ledger/reporting": _unit("drawing", "reports", "disclosing"),
    "ledger/records": _unit("records", "reports", "chain"),
    "ledger/texts": _unit("charging"),
    "ledger/failures": _unit("failures"),
    "ledger/reading": [
        *_unit(
            "reports", "verifying", "publishing", "disclosing", "witnesses", "late", "charging", "permitting", "cards"
        ),
        *_unit("agreeing", "approvals", "audiences", "in_use", "budget", "drawing"),
        PAID_BEFORE,
    ],
    "plan/sealed": ["tests/unit/test_sealed_plan.py", "tests/unit/test_plan_late.py"],
    "plan/accounting": ["tests/unit/test_accounting.py"],
    "requests/approval": ["tests/unit/test_request_approval.py"],
    "plan/noise_scale": ["tests/unit/test_accounting.py"],
    "plan/mechanism": ["tests/unit/test_accounting.py"],
    "ledger/handing": _unit("audiences"),
    "secure/secret": ["tests/unit/test_snapshots.py", "tests/unit/test_pull_staging.py"],
    "secure/snapshots": ["tests/unit/test_snapshots.py"],
    "secure/sealed": ["tests/unit/test_snapshots.py"],
    "secure/staging": ["tests/unit/test_pull_staging.py"],
    "secure/identifiers": ["tests/property/test_identifiers.py"],
    "secure/calendar": ["tests/property/test_calendars.py"],
}
"""The trust core, with tests that are fast and should notice everything."""

DECORATORS = ("lru_cache", "cache", "property", "cached_property", "contextmanager")
"""A function with one of these is mutated, too: its copies are made without it."""

WORDS = re.compile(r"""^\s+f?(["'])[^"']*\1$""")
"""A line that is nothing but words of a message."""


@dataclass(frozen=True)
class Mutated:
    """A module's mutated copy: its file and text, its mutants, and a hash of each function they are in."""

    file: Path
    text: str
    mutants: tuple[str, ...]
    hashes: dict[str, str]


class _Visitor(mutmut.MutationVisitor):
    """mutmut's, but for functions with known decorators, and without the words of what is raised."""

    def __init__(self, lines: set[int]) -> None:
        super().__init__(mutation_operators, IgnoredCode(set(), set(), lines))
        self._words: set[int] = set()

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Raise):
            self._words |= {id(child) for child in mutmut._walk(node) if isinstance(child, cst.SimpleString)}
        if id(node) in self._words:
            return True
        if isinstance(node, cst.FunctionDef) and node.decorators:
            calls = [d.decorator.func if isinstance(d.decorator, cst.Call) else d.decorator for d in node.decorators]
            if all(isinstance(call, cst.Name) and call.value in DECORATORS for call in calls):
                return False
        return bool(super()._skip_node_and_children(node))


def mutate(module: str) -> Mutated:
    """Write the module with all its mutants side by side."""
    source = (ROOT / "dp_stats" / f"{module}.py").read_text()
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = _Visitor({n for n, line in enumerate(source.splitlines(), start=1) if WORDS.match(line)})
    made = mutmut.combine_mutations_to_source(wrapper.visit(visitor), visitor.mutations)
    copies = rf"^ *@(?:{'|'.join(DECORATORS)})\b.*\n(?= *def x\S*__mutmut_(?:orig|\d+)\()"
    file = WORK / module.replace("/", ".") / f"{Path(module).name}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = re.sub(copies, "", made.code, flags=re.MULTILINE)
    file.write_text(text)
    return Mutated(file, text, tuple(made.mutant_names), mutmut.compute_function_hashes(source))


def function_of(mutant: str) -> str:
    """The function a mutant is in."""
    return mutant.rpartition("__mutmut_")[0]


def results_of(module: str) -> dict[str, dict[str, str]]:
    """Mutant → outcome, the test that noticed it, and the hash of its function."""
    file = WORK / module.replace("/", ".") / "results.json"
    found: dict[str, dict[str, str]] = json.loads(file.read_text()) if file.is_file() else {}
    return found


def run(module: str, *, only: str = "", seconds: float = math.inf, tests: Sequence[str] = ()) -> bool:
    """Try every mutant of a module that has not been killed yet; true if all were tried."""
    print(f"== {module}", flush=True)
    made = mutate(module)
    known = {
        mutant: result
        for mutant, result in results_of(module).items()
        if mutant in made.mutants and result["hash"] == made.hashes[function_of(mutant)]
    }

    def note(mutant: str, verdict: Verdict) -> None:
        known[mutant] = {**asdict(verdict), "hash": made.hashes[function_of(mutant)]}
        (made.file.parent / "results.json").write_text(json.dumps(known, indent=1))

    wanted = [m for m in made.mutants if known.get(m, {}).get("outcome") not in ("killed", "late", "types")]
    wanted = [m for m in wanted if re.search(only, m)]
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    name = f"dp_stats.{module.replace('/', '.')}"
    tests = tests or MODULES[module]
    if wanted and not try_all(name, made.file, wanted, tests, noted=note, warm=_warmed(module), seconds=seconds):
        return False
    unnoticed = [m for m in made.mutants if known.get(m, {}).get("outcome") in ("survived", "untested")]
    for mutant in refused_by_types(module, made, unnoticed) if unnoticed else ():
        note(mutant, Verdict("types", "mypy"))
    return True


def _warmed(module: str) -> Callable[[], None]:
    """What is done once before the first fork, so that no mutant pays for it."""

    def warm() -> None:
        if module.startswith("ledger/"):
            import ledger_examples

            from tests.unit.test_ledger_tampering import everything_once
            from tests.unit.test_ledger_verifying import thirty_entries

            for fill in (everything_once, thirty_entries):
                ledger_examples._filled(fill)
            if module not in ("ledger/verifying", "ledger/witnesses"):  # filled by what is to be tried
                ledger_examples._filled.cache_clear()
            if module == "ledger/chain":  # it writes the first entry of an empty ledger, too
                ledger_examples._template.cache_clear()

    return warm


def functions(made: Mutated) -> dict[str, tuple[int, int, str]]:
    """First line, last line and text of each copy of a function, by name."""
    lines = made.text.splitlines()
    return {
        node.name: (node.lineno, node.end_lineno or 0, "\n".join(lines[node.lineno - 1 : node.end_lineno]))
        for node in ast.walk(ast.parse(made.text))
        if isinstance(node, ast.FunctionDef)
    }


def refused_by_types(module: str, made: Mutated, mutants: list[str]) -> set[str]:
    """The mutants in which mypy finds an error that it does not find in the function as it is."""
    file = f"dp_stats/{module}.py"
    made.file.write_text(made.text)  # the module may have been edited, and its survivors asked for, meanwhile
    command = [sys.executable, "-m", "mypy", "--shadow-file", file, str(made.file), "--no-error-summary", file]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    errors = [
        (int(line), text) for line, text in re.findall(rf"^{re.escape(file)}:(\d+): error: (.*)$", found, re.MULTILINE)
    ]
    spans = functions(made)

    def within(name: str) -> Counter[str]:
        first, last, _ = spans[name]
        return Counter(
            text.replace(name, "") for line, text in errors if first <= line <= last and "unused" not in text
        )

    return {m for m in mutants if within(m) - within(f"{function_of(m)}__mutmut_orig")}


def report() -> bool:
    """One line per module; true if no mutant is left untried."""
    outcomes = ("killed", "types", "late", "stuck", "survived", "untested")
    print("| module | mutants |", " | ".join(outcomes), "| not tried |\n| --- |" + " --- |" * (len(outcomes) + 2))
    left = 0
    for module in MODULES:
        made, results = mutate(module), results_of(module)
        kinds = Counter(
            result["outcome"]
            for mutant, result in results.items()
            if mutant in made.mutants and result["hash"] == made.hashes[function_of(mutant)]
        )
        figures = [kinds[outcome] for outcome in outcomes]
        left += len(made.mutants) - sum(figures)
        cells: list[Any] = [module, len(made.mutants), *figures, len(made.mutants) - sum(figures)]
        print("|", " | ".join(str(cell) for cell in cells), "|")
    return left == 0


def survivors(module: str) -> None:
    """What each mutant changes that no test noticed, and what was running when one was late."""
    made = mutate(module)
    texts = functions(made)
    for mutant, result in results_of(module).items():
        if mutant in made.mutants and result["outcome"] not in ("killed", "types"):
            function = function_of(mutant)
            before, after = (
                texts[f"{function}__mutmut_orig"][2],
                texts[mutant][2].replace(mutant, f"{function}__mutmut_orig"),
            )
            changed = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
            lines = [line for line in changed if line[:2] not in ("--", "++", "@@")]
            print(f"{mutant}  {result['outcome']}  {result['test']}", *lines, sep="\n    ", flush=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="as in plan/sensitivity; all without any", metavar="MODULE")
    parser.add_argument("--report", action="store_true", help="only print what is known so far")
    parser.add_argument("--survivors", action="store_true", help="only print what the survivors change")
    parser.add_argument("--only", default="", help="only mutants whose name has a match of this pattern")
    parser.add_argument("--seconds", type=float, default=math.inf, help="processor time of tests on one mutant at most")
    parser.add_argument("--tests", nargs="*", default=[], help="other tests than those of the table")
    given = parser.parse_args()
    for module in given.modules:
        if module not in MODULES:
            parser.error(f"{module} is not in the table MODULES of tests/mutants.py")
    files = {test.partition("::")[0] for tests in MODULES.values() for test in tests}
    if missing := sorted(file for file in files if not (ROOT / file).is_file()):
        parser.error(f"the table MODULES of tests/mutants.py names {', '.join(missing)}, which is not there")
    if given.report:
        sys.exit(not report())
    for module in given.modules or MODULES:
        if given.survivors:
            survivors(module)
        elif len(given.modules) == 1:
            sys.exit(not run(module, only=given.only, seconds=given.seconds, tests=given.tests))
        else:  # each in a process of its own: the mutated module is imported once
            subprocess.run([sys.executable, __file__, module], cwd=ROOT, check=False)
    if not given.survivors:
        report()


if __name__ == "__main__":
    main()
