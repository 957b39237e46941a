"""The contribution register: over all editions of a series, in any order, a person counts at most k rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dp_stats.errors import RegisterError
from dp_stats.ledger import Ledger, Reservation
from dp_stats.secure.measure import answer
from dp_stats.secure.staging import secure_folder
from dp_stats.settings import Settings, load_settings

WEEKS = ("2021-W07", "2021-W08", "2021-W09")
MONDAYS = dict(zip(WEEKS, (date(2021, 2, 15) + timedelta(weeks=i) for i in range(3)), strict=True))
CASES, TRUNCATED_ROWS, TRUNCATED_PERSONS = "cases@all.week", "truncated_rows@all.week", "truncated_persons@all.week"


class Series:
    """Weekly editions that share one block, each with its own snapshot, in a state folder of their own."""

    def __init__(self, home: Path, fully_measured: Callable[..., Any], table: Callable[..., Any], **shape: Any) -> None:
        self.settings: Settings = load_settings({"DP_STATS_HOME": str(home)})
        secure_folder(self.settings.secure)
        self.ledger = Ledger.open(self.settings.ledger_url)
        self.fully_measured, self.table, self.shape = fully_measured, table, {"k": 2, "cap": 3, **shape}

    def edition(self, week: str) -> Any:
        made = self.fully_measured(series=True, period=week, block="lifetime", **self.shape)
        few = tuple(
            m for m in made.plan.measurements if m.id in (CASES, TRUNCATED_ROWS, TRUNCATED_PERSONS, "people@all.week")
        )
        return replace(made, plan=made.plan.model_copy(update={"measurements": few}))

    def reserve(self, week: str) -> Reservation:
        w = self.edition(week)
        return self.ledger.reserve(
            w.sealed, dataset=w.dataset, category="scheduled", requested_by="test", reason="test"
        )

    def snapshot(self, week: str, rows: dict[str, int]) -> Path:
        path = self.settings.secure / f"{week}.parquet"
        listed = [
            (p, MONDAYS[week] + timedelta(days=i % 7), "ABC"[i % 3], i) for p, n in rows.items() for i in range(n)
        ]
        pq.write_table(self.table(listed), path)
        return path

    def run(self, week: str, rows: dict[str, int], *, ledger: Any = None) -> dict[str, int]:
        """Register and aggregate an edition whose snapshot has so many rows per person; the totals it would measure."""
        w = self.edition(week)
        found = answer(
            w.sealed,
            snapshot=self.snapshot(week, rows),
            ledger=ledger or self.ledger,
            reservation=self.reserve(week),
            settings=self.settings,
        )
        return {name: int(values.sum()) for name, values in found.items()}

    def store(self, week: str) -> None:
        reservation = self.reserve(week)
        self.ledger.spend(reservation)
        self.ledger.store(reservation, b"noisy")

    @property
    def files(self) -> list[Path]:
        return sorted((self.settings.secure / "register").rglob("*.parquet"))


@pytest.fixture
def series(tmp_path: Path, fully_measured: Callable[..., Any], table: Callable[..., Any]) -> Callable[..., Series]:
    return lambda *, home="home", **shape: Series(tmp_path / home, fully_measured, table, **shape)


@pytest.mark.parametrize("order", [WEEKS, WEEKS[::-1], (WEEKS[1], WEEKS[2], WEEKS[0])])
def test_a_person_counts_k_rows_over_all_editions_in_any_order(
    series: Callable[..., Series], order: tuple[str, ...]
) -> None:
    s = series(k=3)
    rows = {WEEKS[0]: {"p1": 2, "p2": 1}, WEEKS[1]: {"p1": 2, "p2": 1}, WEEKS[2]: {"p1": 2, "p2": 1, "p3": 3}}
    assert sum(s.run(week, rows[week])[CASES] for week in order) == 3 + 3 + 3


def test_without_a_series_each_edition_bounds_by_itself(
    series: Callable[..., Series], fully_measured: Callable[..., Any]
) -> None:
    s = series()
    s.fully_measured = lambda **shape: fully_measured(**{**shape, "series": False})
    assert [s.run(week, {"p1": 5})[CASES] for week in WEEKS] == [2, 2, 2]
    assert s.files == []


def test_editions_that_share_no_block_need_no_register(
    series: Callable[..., Series], fully_measured: Callable[..., Any]
) -> None:
    s = series()
    s.fully_measured = lambda **shape: fully_measured(**{**shape, "block": "week"})
    assert [s.run(week, {"p1": 5})[CASES] for week in WEEKS] == [2, 2, 2]
    assert s.files == []


def test_truncated_rows_and_truncated_persons_are_counted_once_over_the_block(series: Callable[..., Series]) -> None:
    s = series(k=1, cap=3)
    first, second, third = (s.run(week, {"p1": 3, "p2": 1}) for week in WEEKS)
    assert (first[CASES], first[TRUNCATED_ROWS], first[TRUNCATED_PERSONS]) == (2, 2, 1)
    assert (second[CASES], second[TRUNCATED_ROWS], second[TRUNCATED_PERSONS]) == (
        0,
        1 + 1,
        1,
    )  # p1's last truncated row; p2's first
    assert (third[CASES], third[TRUNCATED_ROWS], third[TRUNCATED_PERSONS]) == (0, 1, 0)


def test_a_retry_replaces_its_own_entry_and_never_adds(series: Callable[..., Series]) -> None:
    s = series()
    assert s.run(WEEKS[0], {"p1": 1})[CASES] == 1
    for _ in range(3):
        assert s.run(WEEKS[0], {"p1": 1})[CASES] == 1
    assert s.run(WEEKS[1], {"p1": 5})[CASES] == 1


def test_a_retry_with_fewer_rows_does_not_give_back_what_its_first_attempt_may_still_store(
    series: Callable[..., Series],
) -> None:
    s = series()
    assert s.run(WEEKS[0], {"p1": 2})[CASES] == 2
    assert s.run(WEEKS[0], {"p1": 1})[CASES] == 1  # a row was deleted in between
    assert s.run(WEEKS[1], {"p1": 2})[CASES] == 0


def test_a_void_edition_gives_its_rows_back(series: Callable[..., Series]) -> None:
    s = series()
    assert s.run(WEEKS[0], {"p1": 2})[CASES] == 2
    s.ledger.void(s.reserve(WEEKS[0]), "nothing was measured")
    assert s.run(WEEKS[1], {"p1": 2})[CASES] == 2
    assert s.run(WEEKS[0], {"p1": 2})[CASES] == 0


def test_rows_deleted_after_they_were_counted_stay_counted(series: Callable[..., Series]) -> None:
    s = series()
    s.run(WEEKS[0], {"p1": 2})
    s.store(WEEKS[0])
    s.snapshot(WEEKS[0], {})  # the source has forgotten them
    assert s.run(WEEKS[1], {"p1": 2})[CASES] == 0


def test_late_rows_of_a_stored_edition_are_refused(series: Callable[..., Series]) -> None:
    s = series()
    s.run(WEEKS[0], {"p1": 1})
    s.store(WEEKS[0])
    with pytest.raises(RegisterError):
        s.run(WEEKS[0], {"p1": 2})


def test_an_edition_that_registers_in_between_is_seen(series: Callable[..., Series]) -> None:
    """Both read an empty register; the second to write finds out, reads again and bounds again."""
    s = series()

    class Overtaken:
        """A ledger in which week 2 registers just after week 1 has looked."""

        def __init__(self, ledger: Ledger) -> None:
            self.ledger, self.done = ledger, False

        def __getattr__(self, name: str) -> Any:
            return getattr(self.ledger, name)

        def register_entries(self, reservation: Reservation) -> Any:
            seen = self.ledger.register_entries(reservation)
            if not self.done:
                self.done = True
                assert s.run(WEEKS[1], {"p1": 2})[CASES] == 2
            return seen

    assert s.run(WEEKS[0], {"p1": 2}, ledger=Overtaken(s.ledger))[CASES] == 0


def test_the_register_names_nobody(series: Callable[..., Series]) -> None:
    s = series()
    s.run(WEEKS[0], {"Anna Canary": 2})
    content = s.files[0].read_bytes()
    assert b"Canary" not in content
    assert pq.read_table(s.files[0]).to_pydict()["kept"] == [2]
    assert s.files[0].stat().st_mode & 0o077 == 0


def test_without_the_register_a_person_would_count_more_than_k(
    series: Callable[..., Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above have power: a register that forgets lets a person count twice."""
    s = series()
    monkeypatch.setattr("dp_stats.secure.register.Register._allowances", lambda *_: None)
    assert sum(s.run(week, {"p1": 2})[CASES] for week in WEEKS) > 2


ATTEMPTS = ("A", "B")
STEPS = ("register", "spend", "store")
ORDERS = sorted(order for order in set(permutations(ATTEMPTS * len(STEPS))) if order[0] == "A")
"""Every way in which two attempts can take their steps, but for the names of the two."""


class Attempt:
    """One run of an edition with a snapshot of its own, taken step by step, as one process does."""

    def __init__(self, series: Series, name: str, rows: dict[str, int]) -> None:
        self.series, self.name, self.rows = series, name, rows
        self.ledger = Ledger.open(series.settings.ledger_url)
        self.steps = iter(STEPS)
        self.failed = False

    def next_step(self) -> str:
        """Take the next step unless an earlier one was refused; what an observer sees of it."""
        step = next(self.steps)
        if self.failed:
            return f"{self.name}: over"
        made = self.series.reserve(WEEKS[0])
        try:
            if step == "register":
                self.series.run(WEEKS[0], self.rows, ledger=self.ledger)
            elif step == "spend":
                self.ledger.spend(made)
            else:
                kept = self.ledger.store(made, self.name.encode())
                return f"{self.name}: {kept.decode()} is kept"
        except RegisterError:
            self.failed = True
            return f"{self.name}: refused to {step}"
        return f"{self.name}: {step}"


def course(
    series: Callable[..., Series], home: str, order: Sequence[str], rows: dict[str, dict[str, int]]
) -> list[str]:
    """What happens when attempts with these rows take their steps in this order."""
    s = series(home=home)
    attempts = {name: Attempt(s, name, rows[name]) for name in ATTEMPTS}
    seen = [attempts[name].next_step() for name in order]
    return [*seen, *(f"{e.event}" for e in s.ledger.entries())]


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS, ids="".join)
def test_neighbouring_sources_give_the_same_course_of_events(
    series: Callable[..., Series], order: tuple[str, ...]
) -> None:
    """With the person the two attempts count different rows, without her equal ones: nothing but the rows may differ."""
    others = {"p1": 2, "p2": 1}
    with_her = course(series, "with", order, {"A": {**others, "u": 1}, "B": {**others, "u": 2}})
    without = course(series, "without", order, {"A": others, "B": others})
    assert with_her == without
