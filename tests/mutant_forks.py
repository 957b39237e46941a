"""Runs the tests of one module against each of its mutants, in processes forked from one that has imported everything.

A mutant costs a fork and the tests up to the first that fails: those that failed for mutants of the same function
go first, then the fast ones. A test that takes twenty times its usual processor time and three seconds more
is late: only processor time counts, so a busy machine makes nothing late.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase
from hypothesis import settings as hypothesis
from mutmut.mutation import trampoline

FACTOR, SECONDS = 20, 3
"""A test is late after ``FACTOR`` times its usual processor time and ``SECONDS`` more."""

STUCK = 600
"""Seconds after which a process that uses no processor time is stuck (a lock that nobody gives back)."""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: killed, late, stuck, survived or untested; ``test`` noticed it, or was running."""

    outcome: str
    test: str = ""


class MutatedModule:
    """Imports one module from its mutated copy."""

    def __init__(self, name: str, file: Path) -> None:
        self.name, self.file = name, file

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, self.file) if name == self.name else None


@dataclass
class Forks:
    """A pytest plugin in place of the loop over tests: it tries mutants and tells ``noted`` each verdict."""

    module: str
    mutants: Sequence[str]
    noted: Callable[[str, Verdict], None]
    scratch: Path
    warm: Callable[[], None]
    seconds: float
    ok: bool = False
    _usual: dict[str, float] = field(default_factory=dict)
    _reached: dict[str, set[str]] = field(default_factory=dict)
    _kills: Counter[tuple[str, str]] = field(default_factory=Counter)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.warm()
        gc.collect()
        gc.freeze()  # else each child walks, and so copies, all that was imported
        started = time.monotonic()
        self._baseline(session.items)
        print(f"{len(session.items)} tests pass in {time.monotonic() - started:.0f} s", flush=True)
        for number, mutant in enumerate(self.mutants, start=1):
            function = mutant.rpartition("__mutmut_")[0]
            items = [item for item in session.items if function in self._reached[item.nodeid]]
            items = self._promising(function, items)
            used = accumulate(self._usual[item.nodeid] for item in items)
            fast = [item for item, total in zip(items, used, strict=True) if total <= self.seconds]
            verdict = self._try(mutant, fast or items[:1]) if items else Verdict("untested")
            self._kills[function, verdict.test] += 1
            self.noted(mutant, verdict)
            if verdict.outcome != "killed" or number % 50 == 0:
                seconds = time.monotonic() - started
                print(f"{seconds:.0f} s  {number}/{len(self.mutants)}  {mutant}  {verdict.outcome}", flush=True)
        self.ok = True
        return True

    def _promising(self, function: str, items: Sequence[pytest.Item]) -> list[pytest.Item]:
        """Tests that noticed other mutants of the function, then one case of each test, then the other cases."""
        seen: Counter[str] = Counter()
        case: dict[str, int] = {}
        for item in sorted(items, key=lambda item: self._usual[item.nodeid]):
            test = item.nodeid.partition("[")[0]
            case[item.nodeid] = seen[test]
            seen[test] += 1
        return sorted(
            items,
            key=lambda item: (-self._kills[function, item.nodeid], case[item.nodeid], self._usual[item.nodeid]),
        )

    def _baseline(self, items: Sequence[pytest.Item]) -> None:
        """All tests without a mutant: they must pass; note their processor time and the functions they reach."""

        def work(note: Callable[[str], None]) -> None:
            trampoline.set_mutant_under_test("stats")
            for item, following in zip(items, [*items[1:], None], strict=True):
                reached: set[str] = set()
                _forget(self.module)
                trampoline.record_trampoline_hit = lambda name, caller, reached=reached: reached.add(name)  # type: ignore[assignment,misc]
                before = time.process_time()
                failed = _fails(item, following)
                used = time.process_time() - before
                names = ",".join(sorted(name.rpartition(".")[2] for name in reached))
                note(f"{item.nodeid}\t{used}\t{names}\t{failed}\n")

        code, noted = self._forked(work)
        for line in noted.splitlines():
            test, used, names, failed = line.split("\t")
            if failed == "True":
                raise pytest.UsageError(f"{test} fails without any mutant")
            self._usual[test], self._reached[test] = float(used), set(names.split(","))
        if code or len(self._usual) != len(items):
            raise pytest.UsageError(f"the tests do not run to their end without any mutant (exit {code})")

    def _try(self, mutant: str, items: Sequence[pytest.Item]) -> Verdict:
        def work(note: Callable[[str], None]) -> None:
            trampoline.set_mutant_under_test(f"{self.module}.{mutant}")
            _forget(self.module)
            for item, following in zip(items, [*items[1:], None], strict=True):
                note(f"{item.nodeid}\n")
                signal.setitimer(signal.ITIMER_PROF, FACTOR * self._usual[item.nodeid] + SECONDS)
                if _fails(item, following):
                    os._exit(1)

        code, noted = self._forked(work)
        test = noted.splitlines()[-1] if noted else ""
        if code == 0:
            return Verdict("survived")
        return Verdict({-signal.SIGPROF: "late", -signal.SIGKILL: "stuck"}.get(code, "killed"), test)

    def _forked(self, work: Callable[[Callable[[str], None]], None]) -> tuple[int, str]:
        """Exit code of a child that does the work, and what it noted."""
        notes = self.scratch.with_suffix(".notes")
        notes.write_text("")
        child = os.fork()
        if not child:
            os.setsid()
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nothing, stream)
            with notes.open("a", buffering=1) as file:
                try:
                    work(lambda text: (file.write(text), None)[1])
                except BaseException:
                    os._exit(2)
                os._exit(0)
        last, idle = 0.0, time.monotonic()
        code = None
        while code is None:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                break
            time.sleep(0.01)
            used = _processor_time(child)
            if used != last:
                last, idle = used, time.monotonic()
            elif time.monotonic() - idle > STUCK:
                os.killpg(child, signal.SIGKILL)
        for left in self.scratch.glob("*"):
            shutil.rmtree(left, ignore_errors=True)
        return code, notes.read_text()


def _forget(module: str) -> None:
    """Empty the caches of a module's functions: what is looked up there does not reach the function."""
    for found in vars(sys.modules[module]).values():
        if hasattr(found, "cache_clear"):
            found.cache_clear()


def _processor_time(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return float(fields[11]) + float(fields[12])


def _fails(item: pytest.Item, following: pytest.Item | None) -> bool:
    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=following))


def try_all(
    module: str,
    copy: Path,
    mutants: Sequence[str],
    tests: Sequence[str],
    *,
    noted: Callable[[str, Verdict], None],
    warm: Callable[[], None],
    seconds: float,
) -> bool:
    """Try ``mutants`` of ``module`` (as in ``dp_stats.secure.noise``), whose mutated copy is given; true if all ran.

    Args:
        warm: done once before the first fork. seconds: processor time of tests spent on one mutant at most.
    """
    sys.meta_path.insert(0, MutatedModule(module, copy))
    phases = (Phase.explicit, Phase.generate)  # what is found need not be made small
    hypothesis.register_profile("mutants", database=None, derandomize=True, deadline=None, phases=phases)
    hypothesis.load_profile("mutants")
    scratch = Path("/dev/shm" if Path("/dev/shm").is_dir() else copy.parent) / f"mutants-{os.getpid()}"
    forks = Forks(module, mutants, noted, scratch, warm, seconds)
    arguments = ["-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=0", "-s", "--tb=no"]
    try:
        pytest.main([*arguments, "--assert=plain", f"--basetemp={scratch}", *tests], plugins=[forks])
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.with_suffix(".notes").unlink(missing_ok=True)
    return forks.ok
