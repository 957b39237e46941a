"""Late rows: each row counts once over all editions, and a person at most k times over everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue.models import Statistic
from dp_stats.ledger import Ledger
from dp_stats.secure import late as late_rows
from dp_stats.secure import register as registering
from dp_stats.secure.measure import answer
from dp_stats.secure.staging import secure_folder
from dp_stats.settings import load_settings

WEEKS = ("2021-W07", "2021-W08", "2021-W09", "2021-W10")
MONDAYS = dict(zip(WEEKS, (date(2021, 2, 15) + timedelta(weeks=i) for i in range(4)), strict=True))
COUNT = Statistic(id="cases", kind="count")
OWN = "cases@area.day"
WINDOW = 2
TARGET = "u"


@dataclass(frozen=True)
class Record:
    """A row of the source: person, week, place in it, and a number that names it."""

    person: str
    week: str
    day: int
    area: str
    number: int = 0

    @property
    def content(self) -> tuple[str, str, int, str]:
        return self.person, self.week, self.day, self.area


@dataclass
class MeasuredSource:
    """A source that changes, the editions measured from it, and what each of them would draw noise for."""

    home: Path
    fully_measured: Callable[..., Any]
    k: int = 2
    record_id: bool = False
    block: str = "lifetime"
    source: list[Record] = field(default_factory=list)
    stored: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    """Edition → period → cells that were measured of it (``A/3``: area and day)."""

    def __post_init__(self) -> None:
        self.settings = load_settings({"DP_STATS_HOME": str(self.home)})
        secure_folder(self.settings.secure)
        key = self.settings.secure / "key"  # the proof fixes the secret key, and so do sources that are compared
        key.write_bytes(b"k" * 32)
        key.chmod(0o600)
        self.ledger = Ledger.open(self.settings.ledger_url)
        self.made: dict[str, Any] = {}
        self.drawn: dict[str, dict[str, Counter[str]]] = {}

    def edition(self, week: str) -> Any:
        """The edition as it was reserved; else with the late periods that there are now."""
        if week not in self.made:
            made = self.fully_measured(
                series=True,
                period=week,
                block=self.block,
                k=self.k,
                statistics=(COUNT,),
                late=WINDOW,
                stored=tuple(self.stored),
                record_id=self.record_id,
            )
            few = tuple(m for m in made.plan.measurements if m.id == OWN)
            self.made[week] = replace(made, plan=made.plan.model_copy(update={"measurements": few}))
        return self.made[week]

    def reserve(self, week: str) -> Any:
        made = self.edition(week)
        return self.ledger.reserve(
            made.sealed, dataset=made.dataset, category="scheduled", requested_by="test", reason="test"
        )

    def measure(self, week: str, *, ledger: Any = None, without: str = "") -> dict[str, Counter[str]]:
        """What the edition would draw noise for if it were measured now, after it has registered."""
        made = self.edition(week)
        rows = [r for r in self.source if r.person != without]
        table = {
            "person": [r.person for r in rows],
            "date": pa.array([MONDAYS[r.week] + timedelta(days=r.day) for r in rows], pa.date32()),
            "area": [r.area for r in rows],
            "amount": pa.array([None] * len(rows), pa.decimal128(12, 2)),
            "record": [str(r.number) for r in rows],
        }
        snapshot = self.settings.secure / f"{week}.parquet"
        pq.write_table(pa.table(table).cast(pa.schema([*_SCHEMA])), snapshot)
        found = answer(
            made.sealed,
            snapshot=snapshot,
            ledger=ledger or self.ledger,
            reservation=self.reserve(week),
            settings=self.settings,
        )
        cells = {week: _cells(found[OWN])}
        for late in made.plan.late:
            cells[late.label] = _cells(found[late.measurements[0].id])
        return cells

    def run(self, week: str, *, without: str = "") -> None:
        """Measure an edition, unless it is stored, for good."""
        if week not in self.stored:
            self.drawn[week] = self.measure(week, without=without)
            reservation = self.reserve(week)
            self.ledger.spend(reservation)
            self.ledger.store(reservation, b"noisy")
            self.stored[week] = self.drawn[week]

    def attempt(self, week: str, *, without: str = "") -> None:
        """An attempt that registers and is killed before it stores."""
        if week not in self.stored:
            self.measure(week, without=without)

    def counted(self, week: str) -> int:
        """Rows of a period that were counted in all editions together."""
        return sum(sum(cells[week].values()) for cells in self.stored.values() if week in cells)

    @property
    def vector(self) -> Counter[str]:
        """Everything that noise is drawn for, by edition, period and cell."""
        return Counter(
            {
                f"{edition} {period} {cell}": number
                for edition, periods in self.stored.items()
                for period, cells in periods.items()
                for cell, number in cells.items()
            }
        )


_SCHEMA = [
    ("person", pa.string()),
    ("date", pa.date32()),
    ("area", pa.string()),
    ("amount", pa.decimal128(12, 2)),
    ("record", pa.string()),
]


def _cells(values: Any) -> Counter[str]:
    return Counter({f"{'ABC'[a]}/{d}": int(values[a, d]) for a in range(3) for d in range(7) if values[a, d]})


@pytest.fixture
def measured_source(tmp_path: Path, fully_measured: Callable[..., Any]) -> Callable[..., MeasuredSource]:
    number = count()
    return lambda **shape: MeasuredSource(tmp_path / f"home-{next(number)}", fully_measured, **shape)


def rows(person: str, week: str, *days: int, area: str = "A") -> list[Record]:
    return [Record(person, week, day, area) for day in days]


def test_a_late_row_is_counted_by_the_next_edition_and_by_no_other(
    measured_source: Callable[..., MeasuredSource],
) -> None:
    w = measured_source(k=9)
    w.source += rows("p", WEEKS[0], 0)
    w.run(WEEKS[0])
    w.source += rows("p", WEEKS[0], 1, 1) + rows("p", WEEKS[1], 2)
    w.run(WEEKS[1])
    assert w.stored[WEEKS[1]] == {WEEKS[0]: Counter({"A/1": 2}), WEEKS[1]: Counter({"A/2": 1})}
    w.source += rows("p", WEEKS[0], 1)
    w.run(WEEKS[2])
    assert w.stored[WEEKS[2]] == {WEEKS[0]: Counter({"A/1": 1}), WEEKS[1]: Counter(), WEEKS[2]: Counter()}
    w.source += rows("p", WEEKS[0], 5)
    w.run(WEEKS[3])
    assert w.counted(WEEKS[0]) == 4  # its window is over
    assert set(w.stored[WEEKS[3]]) == set(WEEKS[1:])


def test_late_rows_use_what_is_left_of_the_bound(measured_source: Callable[..., MeasuredSource]) -> None:
    w = measured_source(k=3)
    w.source += rows("p", WEEKS[0], 0)
    w.run(WEEKS[0])
    w.source += rows("p", WEEKS[0], 1, 2, 3) + rows("p", WEEKS[1], 0)
    w.run(WEEKS[1])
    assert sum(w.stored[WEEKS[1]][WEEKS[1]].values()) == 1  # its own rows come first
    assert sum(w.stored[WEEKS[1]][WEEKS[0]].values()) == 1
    w.run(WEEKS[2])
    assert w.counted(WEEKS[0]) == 2  # what the bound has dropped is not late


def test_only_periods_whose_edition_is_stored_are_late(measured_source: Callable[..., MeasuredSource]) -> None:
    w = measured_source(k=9)
    w.source += rows("p", WEEKS[0], 0) + rows("p", WEEKS[1], 0)
    w.run(WEEKS[1])
    assert set(w.stored[WEEKS[1]]) == {WEEKS[1]}
    w.run(WEEKS[0])
    assert w.counted(WEEKS[0]) == 1


def test_a_corrected_record_is_counted_as_it_stood(measured_source: Callable[..., MeasuredSource]) -> None:
    w = measured_source(k=9, record_id=True)
    w.source = [Record("p", WEEKS[0], 0, "A", 1), Record("p", WEEKS[0], 0, "A", 2)]
    w.run(WEEKS[0])
    w.source = [Record("p", WEEKS[0], 0, "B", 1), Record("p", WEEKS[0], 0, "A", 3), Record("p", WEEKS[1], 0, "A", 2)]
    w.run(WEEKS[1])
    assert w.stored[WEEKS[1]] == {WEEKS[0]: Counter({"A/0": 1}), WEEKS[1]: Counter()}


def test_without_a_record_id_a_corrected_row_is_a_new_one(measured_source: Callable[..., MeasuredSource]) -> None:
    w = measured_source(k=9)
    w.source = rows("p", WEEKS[0], 0)
    w.run(WEEKS[0])
    w.source = rows("p", WEEKS[0], 0, area="B")
    w.run(WEEKS[1])
    assert w.counted(WEEKS[0]) == 2


def test_rows_of_a_killed_attempt_are_counted_by_its_retry(measured_source: Callable[..., MeasuredSource]) -> None:
    w = measured_source(k=2)
    w.source = rows("p", WEEKS[0], 0)
    w.run(WEEKS[0])
    w.source += rows("p", WEEKS[0], 1)
    w.attempt(WEEKS[1])
    w.run(WEEKS[2])  # what an attempt looked at may still be stored
    assert w.counted(WEEKS[0]) == 1
    w.run(WEEKS[1])
    assert w.counted(WEEKS[0]) == 2


def test_two_editions_at_the_same_time_count_a_late_row_once(measured_source: Callable[..., MeasuredSource]) -> None:
    w = measured_source(k=9)
    w.source = rows("p", WEEKS[0], 0)
    w.run(WEEKS[0])
    w.source += rows("p", WEEKS[0], 1)
    first = w.edition(WEEKS[1])
    w.edition(WEEKS[2])

    class Overtaken:
        """A ledger in which the second edition registers just after the first has looked."""

        def __init__(self) -> None:
            self.done = False

        def __getattr__(self, name: str) -> Any:
            return getattr(w.ledger, name)

        def register_entries(self, reservation: Any) -> Any:
            seen = w.ledger.register_entries(reservation)
            if not self.done:
                self.done = True
                w.run(WEEKS[2])
            return seen

    assert first.plan.late
    found = w.measure(WEEKS[1], ledger=Overtaken())
    assert sum(found[WEEKS[0]].values()) + sum(w.stored[WEEKS[2]][WEEKS[0]].values()) == 1


def test_a_late_row_is_charged_to_the_block_of_its_own_period(measured_source: Callable[..., MeasuredSource]) -> None:
    w = measured_source(k=1, block="week")
    w.source = rows("p", WEEKS[0], 0)
    w.run(WEEKS[0])
    w.source += rows("p", WEEKS[0], 1) + rows("p", WEEKS[1], 0)
    w.run(WEEKS[1])
    assert w.stored[WEEKS[1]] == {WEEKS[0]: Counter(), WEEKS[1]: Counter({"A/0": 1})}
    assert w.reserve(WEEKS[1]).blocks == WEEKS[:2]
    assert w.reserve(WEEKS[1]).charged == (WEEKS[1],)


PEOPLE = st.sampled_from([TARGET, "p", "q"])
ROW = st.builds(Record, PEOPLE, st.sampled_from(WEEKS), st.sampled_from([0, 1, 6]), st.sampled_from("AC"))
EVENT = st.one_of(
    st.tuples(st.just("arrive"), st.lists(ROW, min_size=1, max_size=4)),
    st.tuples(st.just("vanish"), st.integers(0, 50)),
    st.tuples(st.sampled_from(["run", "run", "attempt"]), st.sampled_from(WEEKS)),
)
COURSES = st.lists(EVENT, min_size=5, max_size=12)
LIMITS = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def happen(w: MeasuredSource, event: tuple[str, Any], *, without: str = "") -> None:
    what, about = event
    if what == "arrive":
        w.source += about
    elif what == "vanish" and w.source:
        w.source.pop(about % len(w.source))
    elif what in ("run", "attempt"):
        getattr(w, what)(about, without=without)


def moved(make: Callable[..., MeasuredSource], course: list[tuple[str, Any]], k: int) -> int:
    """How far one person moves everything that is measured, in L1, on one course of events."""
    with_her, without = make(k=k), make(k=k)
    for event in course:
        happen(with_her, event)
        happen(without, event, without=TARGET)
    assert [e.event for e in with_her.ledger.entries()] == [e.event for e in without.ledger.entries()]
    one, other = with_her.vector, without.vector
    return sum(abs(one[cell] - other[cell]) for cell in one.keys() | other.keys())


@LIMITS
@given(course=COURSES, k=st.integers(1, 3))
def test_a_person_moves_all_editions_together_by_at_most_k(
    measured_source: Callable[..., MeasuredSource], course: list[tuple[str, Any]], k: int
) -> None:
    assert moved(measured_source, course, k) <= k


@LIMITS
@given(course=COURSES)
def test_each_row_counts_once_over_all_editions(
    measured_source: Callable[..., MeasuredSource], course: list[tuple[str, Any]]
) -> None:
    """Against a model: rows of equal content are numbered; an edition counts what no other edition has looked at."""
    w = measured_source(k=99)
    looked: dict[str, set[tuple[Any, int]]] = {}
    for event in course:
        week = event[1] if event[0] in ("run", "attempt") else ""
        running = bool(week) and week not in w.stored
        view = [week, *(late.label for late in w.edition(week).plan.late)] if running else []
        happen(w, event)
        if not running:
            continue
        alike = Counter(r.content for r in w.source if r.week in view)
        there = {(content, n) for content, many in alike.items() for n in range(many)}
        others = set().union(*(marks for edition, marks in looked.items() if edition != week))
        looked[week] = looked.get(week, set()) | (there - others)
        if week in w.stored:
            for period in view:
                wanted = Counter(f"{area}/{day}" for (_, of, day, area), _ in there - others if of == period)
                assert w.stored[week][period] == wanted


LATE_COURSE: list[tuple[str, Any]] = [
    ("arrive", rows(TARGET, WEEKS[0], 0) + rows("p", WEEKS[0], 0)),
    ("run", WEEKS[0]),
    ("arrive", rows(TARGET, WEEKS[0], 1) + rows("p", WEEKS[0], 1)),
    ("run", WEEKS[1]),
    ("arrive", rows(TARGET, WEEKS[0], 6) + rows(TARGET, WEEKS[2], 6)),
    ("run", WEEKS[2]),
]


def test_a_register_that_forgets_late_rows_is_caught(
    measured_source: Callable[..., MeasuredSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert moved(measured_source, LATE_COURSE, 1) == 1
    nothing = registering._kept_only

    def forgetful(used: ibis.Table) -> ibis.Table:
        return nothing(used).limit(0)

    monkeypatch.setattr(registering, "_kept_only", forgetful)
    assert moved(measured_source, [("run", WEEKS[0]), *LATE_COURSE[2:]], 1) > 1


def test_a_register_that_forgets_which_rows_were_counted_is_caught(
    measured_source: Callable[..., MeasuredSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "remembered", lambda _: None)
    w = measured_source(k=9)
    w.source = rows("p", WEEKS[0], 0)
    w.run(WEEKS[0])
    w.run(WEEKS[1])
    assert w.counted(WEEKS[0]) == 2  # and yet no more than the bound
    assert moved(measured_source, LATE_COURSE, 2) == 2


def test_marks_that_two_persons_share_are_caught(
    measured_source: Callable[..., MeasuredSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a row was counted may depend on its own person alone."""
    told_apart = late_rows.told_apart

    def shared(backend: Any, rows: Any, key: str, persons: Any) -> Any:
        return told_apart(backend, rows, key, rows.table["day"].cast("string").substr(0, 0))

    monkeypatch.setattr(registering, "told_apart", shared)
    course: list[tuple[str, Any]] = [
        ("run", WEEKS[0]),
        ("arrive", rows(TARGET, WEEKS[0], 0)),
        ("run", WEEKS[1]),
        ("arrive", rows("p", WEEKS[0], 0)),
        ("run", WEEKS[2]),
    ]
    assert moved(measured_source, course, 1) > 1
