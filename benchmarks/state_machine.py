"""Run thousands of random sequences of events in two installations that differ in one person's rows, and compare them.

Run it for a night before a release, or for an hour after a change of the secure room, the ledger or the plan:

    python benchmarks/state_machine.py --sequences 5000
    python benchmarks/state_machine.py --sequences 5000 --steps 20 --seed 7
    python benchmarks/state_machine.py --sequences 5000 --remember
    python benchmarks/state_machine.py --faults

The first three must end without a violation; a violation is shown as the shortest sequence that Hypothesis finds. The last puts
each known fault back, and says after how many random sequences it was found: how sharp the search is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from dp_stats import rehearsal

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--sequences", type=int, default=2000, help="random sequences (with --faults: at most, for each)"
    )
    options.add_argument("--steps", type=int, default=8, help="most events in a sequence")
    options.add_argument("--seed", type=int, default=int(time.time()), help="where the random choices start")
    options.add_argument(
        "--faults", action="store_true", help="put each known fault back and count sequences until it is found"
    )
    options.add_argument(
        "--remember",
        action="store_true",
        help="remember what pure functions returned and do not rehearse, as the suite does: more sequences, fewer kinds of rows",
    )
    given = options.parse_args()
    print(f"seed {given.seed}", flush=True)
    tests = _tests()
    if not given.remember or given.faults:
        tests.Machine.memory = None
    tests.Machine.wide = not given.remember
    if not given.faults:
        found, events, seconds = _search(tests, given, shrink=True)
        print(
            f"{events['sequences']} sequences in {seconds:.0f} s of CPU: {'a violation' if found else 'no violation'}; "
            f"{dict(sorted(events.items()))}"
        )
        raise SystemExit(1 if found else 0)
    missed = 0
    for fault, (put_back, _, _) in tests.FAULTS.items():
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(rehearsal, "rehearse_once", lambda _: None)
            put_back(broken)
            found, events, seconds = _search(tests, given, shrink=False)
        missed += not found
        print(
            f"{fault}: {'found' if found else 'not found'} after {events['sequences']} sequences, {seconds:.0f} s",
            flush=True,
        )
    raise SystemExit(1 if missed else 0)


def _search(tests: Any, given: argparse.Namespace, *, shrink: bool) -> tuple[bool, Counter[str], float]:
    """Whether a violation was found, what happened, and how long it took."""
    events: Counter[str] = Counter()
    started = time.process_time()

    class Counted(tests.Machine):
        def teardown(self) -> None:
            events["sequences"] += 1
            if self.neighbours is not None:
                events.update(self.neighbours.happened)
            if events["sequences"] % 100 == 0:
                print(f"… {events['sequences']} sequences, {time.process_time() - started:.0f} s", flush=True)
            super().teardown()

    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    wanted = settings(
        tests.SOUND, max_examples=given.sequences, stateful_step_count=given.steps, phases=phases, database=None
    )
    try:
        run_state_machine_as_test(seed(given.seed)(Counted), settings=wanted)
    except AssertionError as error:
        if shrink:
            print("\n".join([str(error), *getattr(error, "__notes__", [])]))
        return True, events, time.process_time() - started
    return False, events, time.process_time() - started


def _tests() -> Any:
    path = ROOT / "tests" / "property" / "test_state_machine.py"
    described = util.spec_from_file_location("test_state_machine", path)
    assert described is not None
    assert described.loader is not None
    module = util.module_from_spec(described)
    sys.modules["test_state_machine"] = module
    described.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
