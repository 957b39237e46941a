"""Whatever happens to sources, catalogues and runs, two installations that differ in one person's rows stay alike but for what
was charged.

Random sequences of events (rows come, go, change; declarations are edited; editions run in any order, are held up,
killed, run again, void, corrected) are run by the real functions in both neighbours, and compared after each. Then each
fault that a reviewer once found is put back, and must be found.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from edited_catalogue import CODES, DATED, OPTIONS, TARGET, Declared, Row
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from neighbouring_installations import ASKED, EDITIONS, WEEKS, Attempt, NeighbouringInstallations
from remembered import Memory

from dp_stats.catalogue import load_catalogue
from dp_stats.plan import late, make, series
from dp_stats.plan.algebra import key_of
from dp_stats.secure import bound, register
from dp_stats.secure import measure as measuring
from dp_stats.secure.register import Register

MOST_ROWS = 12
BLOCKS = (("year", "2024"), ("year", "2025"), ("month", "2024-12"), ("month", "2025-01"), ("lifetime", "lifetime"))
PERSONS = st.sampled_from([TARGET, TARGET, f" {TARGET}", "p1", "p2", ""])
DAYS = st.integers(-9, 12).map(lambda n: date(2024, 12, 31) + timedelta(days=n))
CLINICS = st.sampled_from(["n", "N ", "s", "e", "x"])
ANY_ROWS = st.builds(Row, PERSONS, DAYS, CLINICS, st.sampled_from(["3", "0.5", "900", "", "-1"]))
FEW_ROWS = st.sampled_from(
    [
        *(Row(TARGET, date(2025, 1, day), clinic, "900") for day, clinic in [(1, "n"), (2, "n"), (7, "s")]),
        *(Row(TARGET, date(2024, 12, day), clinic, "3") for day, clinic in [(28, "n"), (31, "N ")]),
        Row(f" {TARGET}", date(2025, 1, 2), "x", ""),
        Row("p1", date(2025, 1, 2), "n"),
        Row("p1", date(2024, 12, 31), "e", "0.5"),
        Row("", date(2025, 1, 7), "s"),
    ]
)
"""In the suite: few, so that what was computed for one sequence serves others; the benchmark takes any."""


@st.composite
def any_list(draw: st.DrawFn) -> str:
    """A list of any areas in any districts, of which some may merge on a day."""
    areas = draw(st.lists(st.sampled_from("nsewxy"), min_size=1, unique=True))
    day = draw(st.sampled_from([None, date(2025, 1, 1), date(2025, 1, 6)]))
    merged = draw(st.lists(st.sampled_from(areas), unique=True)) if day else []
    ends = {area: f",,{day - timedelta(days=1)},m" if day and area in merged else ",,," for area in areas}
    lines = [f"{area},{area.upper()},{draw(st.sampled_from('ABC'))},D{ends[area]}" for area in areas]
    return DATED + "".join(f"{line}\n" for line in [*lines, *([f"m,M,B,D,{day},,"] if merged else [])])


ROWS = st.deferred(lambda: ANY_ROWS if Machine.wide else FEW_ROWS)
EDITS = st.sampled_from([(name, option) for name, options in OPTIONS.items() for option in options])
LISTS: st.SearchStrategy[str] = st.deferred(lambda: any_list() if Machine.wide else st.sampled_from(sorted(CODES)))
EDITION, REVISION = st.sampled_from(EDITIONS), st.sampled_from([1, 1, 1, 2])
PLACE = st.integers(0, MOST_ROWS)


class Machine(RuleBasedStateMachine):
    """The events; ``check`` follows each of them."""

    memory: Memory | None = Memory()
    """Shared by all sequences; None lets every function run every time, the rehearsal too."""

    wide = False
    """Whether rows are any at all, rather than a few."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.neighbours: NeighbouringInstallations | None = None
        if self.memory is not None:
            self.memory.use(self.patch)

    @initialize(
        block=st.sampled_from(BLOCKS),
        one=st.booleans(),
        budget=st.sampled_from(["1000", "1000", "0.7"]),
        edits=st.lists(EDITS, max_size=2),
        rows=st.lists(ROWS, max_size=6),
    )
    def begin_with(self, block: Any, one: bool, budget: str, edits: Any, rows: list[Row]) -> None:
        declared = Declared(block[0], block[1], one, budget, set=dict(edits))
        folder = Path(_scratch().name)  # the same for all sequences: ledgers of one name are opened with less work
        for earlier in folder.iterdir():
            shutil.rmtree(earlier)
        self.neighbours = NeighbouringInstallations(folder, self.patch, declared)
        self.neighbours.source(rows)

    @property
    def w(self) -> NeighbouringInstallations:
        assert self.neighbours is not None
        return self.neighbours

    # Rows

    @rule(rows=st.lists(ROWS, min_size=1, max_size=4))
    def rows_are_added(self, rows: list[Row]) -> None:
        self.w.source([*self.w.rows, *rows][-MOST_ROWS:])

    @rule(row=ROWS, at=PLACE, what=st.sampled_from(["deleted", "re-dated", "moved", "re-identified", "duplicated"]))
    def a_row_changes(self, row: Row, at: int, what: str) -> None:
        if not self.w.rows:
            return
        rows = list(self.w.rows)
        old = rows.pop(at % len(rows))
        changed = {
            "re-dated": {"day": row.day},
            "moved": {"clinic": row.clinic},
            "re-identified": {"person": row.person},
        }
        put = (
            {"deleted": [], "duplicated": [old, old]}.get(what)
            if what not in changed
            else [replace(old, **changed[what])]
        )
        self.w.source([*rows, *(put or [])][-MOST_ROWS:])

    @rule(people=st.sets(st.sampled_from([TARGET, "P-0", "p1"])))
    def people_opt_out(self, people: set[str]) -> None:
        self.w.source(self.w.rows, [Row(p, date(2025, 1, 1), "n") for p in sorted(people)])

    @rule(edit=EDITS)
    def the_catalogue_is_edited(self, edit: tuple[str, Any]) -> None:
        self.w.declare(**{edit[0]: edit[1]})

    # Runs

    @rule(edition=EDITION, revision=REVISION, yes=st.sampled_from([True, True, False]))
    def an_edition_is_run(self, edition: str, revision: int, yes: bool) -> None:
        self.w.run(edition, revision, new_series=yes)

    @rule(editions=st.permutations(WEEKS))
    def weeks_are_run_in_some_order(self, editions: list[str]) -> None:
        for week in editions[:2]:
            self.w.run(f"weekly/{week}")

    @rule(
        weeks=st.permutations(WEEKS),
        late=st.sampled_from(OPTIONS["late"][1:]),
        lists=st.tuples(LISTS, LISTS),
        rows=st.lists(ROWS, min_size=1, max_size=2),
    )
    def the_list_changes_while_rows_come_late(
        self, weeks: list[str], late: Any, lists: tuple[str, str], rows: list[Row]
    ) -> None:
        self.w.declare(late=late, codes=lists[0])
        self.w.run(f"weekly/{weeks[0]}")
        self.w.declare(codes=lists[1])
        self.w.source([*self.w.rows, *rows][-MOST_ROWS:])
        for week in weeks[1:]:
            self.w.run(f"weekly/{week}")

    @rule(
        edition=EDITION, revision=REVISION, name=st.sampled_from(["pull", "reserve", "measure", "estimate", "clean_up"])
    )
    def a_step_is_run(self, edition: str, revision: int, name: str) -> None:
        self.w.steps(name, edition=edition, revision=revision)

    @rule(edition=EDITION, revision=REVISION)
    def a_run_fails_among_its_rows(self, edition: str, revision: int) -> None:
        self.w.steps("pull", "reserve", edition=edition, revision=revision)
        self.w.step("measure", edition, fail=True, revision=revision)

    @rule(edition=EDITION, revision=REVISION)
    def a_reservation_is_given_back(self, edition: str, revision: int) -> None:
        self.w.void(edition, revision)

    @rule(edition=EDITION, revision=REVISION, points=st.integers(0, 2))
    def an_attempt_begins_and_is_held(self, edition: str, revision: int, points: int) -> None:
        self.w.steps("pull", "reserve", edition=edition, revision=revision)
        attempts = self.w.begin(edition, revision)
        for _ in range(points):
            self.w.advance(attempts)

    @precondition(lambda self: self.neighbours and self.held)
    @rule(at=PLACE, end=st.sampled_from(["advance", "finish", "finish", "kill"]))
    def an_attempt_goes_on(self, at: int, end: str) -> None:
        held = self.held
        getattr(self.w, end)(held[at % len(held)])

    @property
    def held(self) -> list[tuple[Attempt, Attempt]]:
        return [attempts for attempts in self.w.attempts if attempts[0].under_way]

    @precondition(lambda self: self.neighbours and not self.held)
    @rule(edition=EDITION, lost=st.booleans())
    def an_edition_is_run_on_an_old_backup_of_the_ledger_or_without_it(self, edition: str, lost: bool) -> None:
        if lost:
            self.w.run_without_ledger(edition)
        else:
            self.w.run_on_copy(edition)

    @invariant()
    def nothing_differs_but_what_was_charged(self) -> None:
        if self.neighbours is not None:
            self.neighbours.check()

    def teardown(self) -> None:
        if self.neighbours is not None:
            self.neighbours.close()
        self.patch.undo()


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)


SOUND = settings(
    max_examples=110,  # benchmarks/state_machine.py runs as many as wanted, longer ones, and others each time
    derandomize=True,
    database=None,
    stateful_step_count=5,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@pytest.mark.slow
def test_whatever_happens_two_neighbours_differ_by_no_more_than_was_charged() -> None:
    run_state_machine_as_test(Machine, settings=SOUND)


# Each fault put back


@pytest.fixture
def make_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., NeighbouringInstallations]]:
    made: list[NeighbouringInstallations] = []

    def build(**declared: Any) -> NeighbouringInstallations:
        made.append(
            NeighbouringInstallations(tmp_path / f"installations-{len(made)}", monkeypatch, Declared(**declared))
        )
        return made[-1]

    yield build
    for neighbours in made:
        neighbours.close()


def visits(person: str = TARGET, *, days: tuple[int, ...], clinic: str = "n", cost: str = "3") -> list[Row]:
    """A person's visits on days of January 2025."""
    return [Row(person, date(2025, 1, day), clinic, cost) for day in days]


OTHERS = [*visits("p1", days=(2, 7)), *visits("p2", days=(3,), clinic="s")]
"""Two people who are the same in both neighbours."""


def bounds_edited_after_reserving(w: NeighbouringInstallations) -> None:
    w.source([*OTHERS, *visits(days=(2,), cost="900")])
    w.steps("pull", "reserve", edition="monthly/2025-01")
    w.declare(upper=50)
    w.steps("measure", edition="monthly/2025-01")


def snapshot_replaced_between_queries(w: NeighbouringInstallations) -> None:
    w.source(OTHERS + visits(days=(2,)))
    w.steps("pull", "reserve", edition="weekly/2025-W01")
    attempts = w.begin("weekly/2025-W01")
    w.source(OTHERS + visits(days=(1, 2, 3, 4, 5)))
    w.steps("pull", edition="weekly/2025-W01")
    w.finish(attempts)


def two_attempts_of_which_one_may_see_the_target(w: NeighbouringInstallations) -> None:
    w.source(OTHERS)
    w.steps("pull", "reserve", edition="weekly/2025-W01")
    first = w.begin("weekly/2025-W01")
    w.advance(first)
    w.source(OTHERS + visits(days=(2,)))
    w.steps("pull", edition="weekly/2025-W01")
    second = w.begin("weekly/2025-W01")
    w.advance(second)
    w.finish(first)
    w.finish(second)


def people_by_month_in_a_week_that_crosses_two(w: NeighbouringInstallations) -> None:
    w.source([*OTHERS, Row(TARGET, date(2024, 12, 31), "n"), *visits(days=(1,))])
    w.run("people/2025-W01")


def a_request_that_fails_among_its_rows(w: NeighbouringInstallations) -> None:
    w.source(OTHERS + visits(days=(2,)))
    w.steps("pull", "reserve", edition=ASKED)
    w.step("measure", ASKED, fail=True)


def few_rows_and_a_large_bound(w: NeighbouringInstallations) -> None:
    w.declare(rows=4)
    w.source(visits(days=(2, 3, 4)))
    w.run(ASKED)


def another_column_of_identifiers(w: NeighbouringInstallations) -> None:
    w.source(OTHERS + visits(days=(2, 3, 7, 8)))
    w.run("weekly/2025-W01")
    w.declare(unit="Alias")
    w.run("weekly/2025-W02")


def rows_in_every_week(w: NeighbouringInstallations) -> None:
    w.source(OTHERS + visits(days=(2, 3, 7, 8)))
    w.run("weekly/2025-W01")
    w.run("weekly/2025-W02")


def rows_in_every_week_while_districts_merge(w: NeighbouringInstallations) -> None:
    w.declare(rows=2, codes="merged from January", loss={"rho": "1/10"})
    w.source([*OTHERS, Row(TARGET, date(2024, 12, 28), "n"), *visits(days=(2,), clinic="s"), *visits(days=(7, 8))])
    for week in WEEKS:
        w.run(f"weekly/{week}")


def a_larger_bound_in_the_middle_of_a_series(w: NeighbouringInstallations) -> None:
    w.declare(rows=1)
    w.source(OTHERS + visits(days=(2, 7, 8, 9)))
    w.run("weekly/2025-W01")
    w.declare(rows=4, codes="merged")
    w.run("weekly/2025-W02")


def rows_that_come_late(w: NeighbouringInstallations) -> None:
    w.declare(late={"periods": 2, "share": 0.5}, rows=1)
    w.source(OTHERS)
    w.run("weekly/2025-W01")
    w.source(OTHERS + visits(days=(2,)))
    w.run("weekly/2025-W02")
    w.source(OTHERS + visits(days=(2, 7)))
    w.run("weekly/2024-W52")
    w.run("weekly/2025-W03")


def rows_that_come_late_while_districts_merge(w: NeighbouringInstallations) -> None:
    w.declare(late={"periods": 2, "share": 0.5}, rows=1, codes="merged from January")
    w.source(OTHERS)
    w.run("weekly/2024-W52")
    w.run("weekly/2025-W01")
    w.source(OTHERS + visits(days=(2,), clinic="s"))
    w.run("weekly/2025-W02")
    w.source(OTHERS + visits(days=(2, 7, 13)))
    w.run("weekly/2025-W03")


def a_restored_ledger(w: NeighbouringInstallations) -> None:
    w.source(OTHERS + visits(days=(2, 3)))
    w.steps("pull", "reserve", edition="weekly/2025-W01")
    w.keep_copy()
    w.steps("measure", edition="weekly/2025-W01")
    w.check()
    w.run_on_copy("weekly/2025-W01")


def a_lost_ledger(w: NeighbouringInstallations) -> None:
    w.source(OTHERS + visits(days=(2, 3)))
    w.run("weekly/2025-W01")
    w.check()
    w.run_without_ledger("weekly/2025-W01")


def an_opt_out_spelt_otherwise(w: NeighbouringInstallations) -> None:
    w.source(OTHERS + visits(days=(2,)), [Row("P-0", date(2025, 1, 1), "n")])
    w.run("weekly/2025-W01")


def todays_declarations(patch: pytest.MonkeyPatch) -> None:
    answer = measuring.answer

    def read_again(sealed: Any, *, settings: Any, **options: Any) -> Any:
        release = load_catalogue(settings.catalogue).release(sealed.release.id)
        return answer(replace(sealed, release=release), settings=settings, **options)

    patch.setattr(measuring, "answer", read_again)


def snapshots_by_name(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(measuring, "pinned", lambda snapshot, **_: nullcontext(snapshot))


def equal_contents_have_equal_digests(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(register, "secrets", SimpleNamespace(token_hex=lambda size: "0" * 2 * size))


def one_period_that_stands_for_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(make, "grids_of", lambda release, grid: (grid,))
    patch.setattr(
        make, "canonical_period", lambda release: release.calendar.period_of(date(2021, 1, 6), release.period)
    )
    patch.setattr(make, "_chosen", {})


def failures_give_the_charge_back(patch: pytest.MonkeyPatch) -> None:
    anew = measuring._measure_anew
    patch.setattr(measuring, "_authorise", lambda *_, **__: None)

    def voiding(plan: Any, answered: Any, ledger: Any, reservation: Any) -> Any:
        try:
            return anew(plan, answered, ledger, reservation)
        except Exception:
            ledger.void(reservation, "nothing was measured")
            raise

    patch.setattr(measuring, "_measure_anew", voiding)


def halves_of_few_rows(patch: pytest.MonkeyPatch) -> None:
    def repeated(values: Any, most: int) -> Any:
        upper = values >= np.uint32(1 << 31)
        halves = [np.sort(values[~upper]), np.sort(values[upper])]
        return np.concatenate([np.unique(part[most:][part[most:] == part[: len(part) - most]]) for part in halves])

    patch.setattr(bound, "repeated_values", repeated)


def a_series_whatever_identifies_a_person(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(series, "_unit", lambda column: {})


def whatever_bounds_a_series(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(make, "continues", lambda *_: True)


def forgetful_register(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Register, "_allowances", lambda *_: None)


def late_rows_are_not_registered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(register, "_kept_only", lambda used: used.limit(0))


def late_rows_at_the_price_of_all_tables(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(late, "allowance", lambda measurements, mechanism: sum(m.epsilon or m.rho for m in measurements))
    patch.setattr(late, "_best", lambda release, grid, given, statistic, noise: key_of(grid, {}))
    patch.setattr(make, "_chosen", {})
    for module in (make, measuring):
        patch.setattr(module, "costs_no_more", lambda *_: True)


def no_witnesses(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("dp_stats.ledger.ledger.refuse_loss", lambda *_: None)


def a_new_ledger_whatever_lies_beside_it(patch: pytest.MonkeyPatch) -> None:
    no_witnesses(patch)
    patch.setattr("dp_stats.ledger.opening.refuse_new", lambda *_: None)


def identifiers_as_they_are_written(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("dp_stats.secure.opt_outs.loose_key", str)


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[NeighbouringInstallations], None], str]] = {
    "measured with today's bounds": (todays_declarations, bounds_edited_after_reserving, "charged for"),
    "a snapshot replaced between queries": (snapshots_by_name, snapshot_replaced_between_queries, "charged for"),
    "digests decide which attempt stores": (
        equal_contents_have_equal_digests,
        two_attempts_of_which_one_may_see_the_target,
        "an attempt ends",
    ),
    "one period stands for all": (
        one_period_that_stands_for_all,
        people_by_month_in_a_week_that_crosses_two,
        "charged for",
    ),
    "a failure among rows is free": (failures_give_the_charge_back, a_request_that_fails_among_its_rows, "was free"),
    "small halves fail": (halves_of_few_rows, few_rows_and_a_large_bound, "measure"),
    "a series whatever identifies a person": (
        a_series_whatever_identifies_a_person,
        another_column_of_identifiers,
        "charged for",
    ),
    "a larger bound for free": (
        whatever_bounds_a_series,
        a_larger_bound_in_the_middle_of_a_series,
        "charged for",
    ),
    "a register that forgets while areas merge": (
        forgetful_register,
        rows_in_every_week_while_districts_merge,
        "charged for",
    ),
    "a register that forgets": (forgetful_register, rows_in_every_week, "charged for"),
    "late rows are not registered": (late_rows_are_not_registered, rows_that_come_late, "charged"),
    "late rows are not registered while areas merge": (
        late_rows_are_not_registered,
        rows_that_come_late_while_districts_merge,
        "charged",
    ),
    "late rows cost more": (late_rows_at_the_price_of_all_tables, rows_that_come_late, "charged"),
    "an old ledger goes on": (no_witnesses, a_restored_ledger, "charged for"),
    "a lost ledger is made anew": (a_new_ledger_whatever_lies_beside_it, a_lost_ledger, "charged for"),
    "opt-outs in one spelling": (identifiers_as_they_are_written, an_opt_out_spelt_otherwise, "opted out"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_is_put_back_is_found(
    make_neighbours: Callable[..., NeighbouringInstallations], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    put_back, events, said = FAULTS[fault]

    def happen() -> None:
        neighbours = make_neighbours(per="lifetime", block="lifetime")
        events(neighbours)
        neighbours.check()

    happen()
    with monkeypatch.context() as broken:
        put_back(broken)
        with pytest.raises(AssertionError, match=said):
            happen()
