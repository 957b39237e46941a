"""Of each late period its own rows are read, bounded together and counted in a table of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import ibis
import pytest

from dp_stats.catalogue.models import Statistic
from dp_stats.catalogue.periods import parse_period
from dp_stats.secure.bound import Bounded, apply_bound
from dp_stats.secure.late import late_answers, late_rows
from dp_stats.secure.rows import BLOCK, DAY, PERSON

COUNT = Statistic(id="cases", kind="count")
PERIOD, LATE = "2021-W10", ("2021-W07", "2021-W09")
FIRST, LAST = date(2021, 2, 8), date(2021, 3, 21)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
"""From the week before the first late period to the week after the edition's own; February ends in between."""


def spans(*labels: str) -> list[date]:
    return [day for label in labels for day in parse_period(label).days]


@pytest.fixture(scope="module")
def made(fully_measured: Callable[..., Any]) -> Any:
    """An edition that adds to two earlier ones, between which one was never stored; months are its blocks."""
    found = fully_measured(
        series=True, period=PERIOD, block="month", k=2, cap=1, statistics=(COUNT,), late=3, stored=LATE
    )
    assert [one.label for one in found.plan.late] in ([*LATE], [*LATE[::-1]])
    return found


@pytest.fixture(scope="module")
def read(made: Any, table: Callable[..., Any], duck: Any) -> tuple[Any, Any]:
    """The late rows of one person a day, of a nobody, of somewhere else, and of one who comes every day."""
    rows = [(f"p{n}", day, "ABC"[n % 3], None) for n, day in enumerate(DAYS)]
    rows += [(None, day, "A", None) for day in DAYS] + [("q", day, "elsewhere", None) for day in DAYS]
    rows += [("daily", day, "B", None) for day in DAYS]
    source = ibis.memtable(table(rows))
    return late_rows(duck, source, plan=made.plan, dataset=made.dataset, release=made.release, grid=made.grid), source


def test_late_rows_are_those_dated_in_a_late_period_that_count(made: Any, duck: Any, read: tuple[Any, Any]) -> None:
    late, source = read
    found = late.table.select(PERSON, DAY, BLOCK).to_pyarrow().to_pylist()
    days = spans(*LATE)
    wanted = [(who, day) for n, day in enumerate(DAYS) if day in days for who in (f"p{n}", "daily")]
    assert sorted((row[PERSON], row[DAY]) for row in found) == sorted(wanted)
    assert late.blocks == ("2021-02", "2021-03")
    assert all(late.blocks[row[BLOCK]] == row[DAY].isoformat()[:7] for row in found)
    none = made.plan.model_copy(update={"late": ()})
    assert late_rows(duck, source, plan=none, dataset=made.dataset, release=made.release, grid=made.grid) is None
    assert late_answers(none, None, grid=made.grid, release=made.release) == {}


def test_each_late_table_counts_the_kept_rows_of_its_own_period(made: Any, duck: Any, read: tuple[Any, Any]) -> None:
    late, _ = read
    kept = apply_bound(duck, late, made.bound, grid=made.grid, period=parse_period(PERIOD))
    found = late_answers(made.plan, kept, grid=made.grid, release=made.release)
    assert found.keys() == {one.measurements[0].id for one in made.plan.late}
    left = counted(kept)
    assert sum(left.values()) == len(spans(*LATE)) + 2 * 2, "of who comes every day two rows a month"
    for one in made.plan.late:
        cells = [(area, day) for area in "ABC" for day in parse_period(one.label).days]
        assert found[one.measurements[0].id].ravel().tolist() == [left[cell] for cell in cells]


def counted(kept: Bounded) -> Counter[tuple[str, date]]:
    """Area and day of every row that the bound lets count."""
    area = kept.rows.coordinates["area"]

    def cells(table: Any) -> Counter[tuple[str, date]]:
        return Counter((row[area], row[DAY]) for row in table.select(area, DAY).to_pyarrow().to_pylist())

    return cells(kept.rows.table) - cells(kept.candidates.filter(~kept.candidates["kept"]))
