"""The intake report: of a delivery's rows, how many were read as declared, and how many were lost to which rule.

Its counts are exact and of secret rows. It is kept in the secure store, for staff; nothing of it leaves but whether a
limit was kept (see ``gates``). People who opted out are in no count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from dp_stats.catalogue.models import Column, Dataset, LinkedTable
from dp_stats.catalogue.periods import Period
from dp_stats.errors import SourceError
from dp_stats.secure.canonical import Read, in_period_sql, read_column
from dp_stats.secure.database import literal, quoted

FILE = "report.json"
Ask = Callable[[str], str]
"""Puts a query of groups to where the rows are; returns a table expression of its answer."""


def _here(sql: str) -> str:
    """Where the rows are in the same database."""
    return f"({sql})"


@dataclass(frozen=True)
class ColumnIntake:
    """How the fields of one column were read; the counts of ``as_declared`` to ``unreadable`` add up to ``rows``.

    Attributes:
        empty: nothing is written there. unknown: in no code list, and counted as 'unknown'.
        unreadable: written otherwise than declared.
        moments: of the unreadable, moments for which no time zone is declared.
        fractions: of the unreadable and the unknown, whole numbers with a '.0', for which no digits are declared.
    """

    rows: int
    as_declared: int
    empty: int
    unknown: int
    unreadable: int
    moments: int
    fractions: int


@dataclass(frozen=True)
class TableIntake:
    """How the rows of one of several tables were read: all of them, since what dates a row is made by steps.

    Attributes:
        delivered: its rows. nobody: those that name no person validly, and go.
    """

    delivered: int
    nobody: int
    columns: Mapping[str, ColumnIntake]

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> TableIntake:
        """As it was kept."""
        return cls(kept["delivered"], kept["nobody"], {name: ColumnIntake(**c) for name, c in kept["columns"].items()})


@dataclass(frozen=True)
class IntakeReport:
    """What became of a delivery's rows in one edition; of several tables, of the rows that the steps made.

    Attributes:
        delivered: rows of the whole source. read: those that were looked at.
        columns: the column that dates rows, over all rows that were read; the others, over those of the period.
        lost: rule → rows that it took, each row by the first rule that fits; with ``counted`` they add up to ``read``.
        counted: rows that may be measured. empty_days: open days of the period without a row, or with
            no more than trickle in (``intake.trickle``).
        open_days: how many days of the period are open.
        tables: how each of several tables was read.
    """

    delivered: int
    read: int
    columns: Mapping[str, ColumnIntake]
    lost: Mapping[str, int]
    counted: int
    empty_days: tuple[str, ...]
    open_days: int
    tables: Mapping[str, TableIntake] = field(default_factory=dict)

    @property
    def in_period(self) -> int:
        """Rows dated in the period."""
        return self.read - self.lost["no date that reads"] - self.lost["outside the period"]

    def to_bytes(self) -> bytes:
        """The report as JSON."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> IntakeReport:
        """The report as it was kept."""
        kept: dict[str, Any] = json.loads(content)
        columns = {name: ColumnIntake(**column) for name, column in kept["columns"].items()}
        tables = {name: TableIntake.of(table) for name, table in kept.get("tables", {}).items()}
        return cls(**{**kept, "columns": columns, "empty_days": tuple(kept["empty_days"]), "tables": tables})


def take_in(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    dataset: Dataset,
    period: Period,
    *,
    delivered: int | None,
    ask: Ask = _here,
) -> IntakeReport:
    """Count what became of canonical rows that stand beside how they were read.

    Args:
        rows: a table expression of them. delivered: rows of the whole source, where ``rows`` are not all.
        ask: for rows that are in another database.
    """
    inside = in_period_sql(dataset, period)
    rules = _rules(dataset, inside)
    alike = ask(_alike(dataset, inside, rules.values(), rows))
    (found,) = connection.execute(f"SELECT {', '.join(_counts(dataset, rules))} FROM {alike}").fetchall()
    counts = iter(found)
    columns = _columns(dataset.columns, counts)
    lost = dict(zip(rules, (next(counts) for _ in rules), strict=True))
    day = quoted(dataset.date_column)
    days = ask(f"SELECT {day} AS _day, count(*) AS _rows FROM {rows} WHERE {inside} GROUP BY 1")
    dated = dict(connection.execute(f"SELECT _day, _rows FROM {days}").fetchall())
    expected = dataset.intake.open_days(period.days)
    few = dataset.intake.trickle * sum(dated.values()) / max(len(expected), 1)
    read = columns[dataset.date_column].rows
    return IntakeReport(
        delivered=read if delivered is None else delivered,
        read=read,
        columns=columns,
        lost=lost,
        counted=read - sum(lost.values()),
        empty_days=tuple(day.isoformat() for day in expected if dated.get(day, 0) <= few),
        open_days=len(expected),
    )


def _alike(dataset: Dataset, inside: str, rules: Collection[str], rows: str) -> str:
    """Rows that were read alike and fit the same rules, with how many there are: few, where the source has millions."""
    fits = ", ".join(f"({rule}) AS _rule_{number}" for number, rule in enumerate(rules))
    reads = ", ".join(read_column(index) for index in range(len(dataset.columns)))
    columns = ", ".join(map(str, range(1, len(rules) + len(dataset.columns) + 2)))
    return f"SELECT ({inside}) AS _inside, {fits}, {reads}, count(*) AS _rows FROM {rows} GROUP BY {columns}"


def facts_sql(rows: str, dataset: Dataset, period: Period, total: int | None, *, ask: Ask = _here) -> str:
    """One row about the whole source, for suites to set limits to.

    ``rows_in_period``; ``days_without_rows`` of the period; ``days_behind``: from the latest day with a row to the
    period's end (the period's length where no day has one); ``unreadable_dates``: their share of all the source's rows;
    ``rows_without_person``: of the period, those that are left out because they name nobody validly.
    """
    date, person = quoted(dataset.date_column), quoted(dataset.privacy_unit.column)
    groups = ask(f"SELECT {date} AS _day, ({person} IS NULL) AS _nobody, count(*) AS _rows FROM {rows} GROUP BY 1, 2")
    inside = f"_day BETWEEN DATE '{period.start}' AND DATE '{period.end}'"
    length = len(period.days)
    all_rows = "sum(_rows)" if total is None else str(total)

    def rows_where(condition: str) -> str:
        return f"coalesce(sum(_rows) FILTER ({condition}), 0)::BIGINT"

    return (
        f"SELECT {rows_where(inside)} AS rows_in_period, "
        f"{length} - count(DISTINCT _day) FILTER ({inside}) AS days_without_rows, "
        f"coalesce(date_diff('day', max(_day) FILTER ({inside}), DATE '{period.end}'), {length}) AS days_behind, "
        f"coalesce({rows_where('_day IS NULL')} / nullif({all_rows}, 0), 0.0) AS unreadable_dates, "
        f"{rows_where(f'{inside} AND _nobody')} AS rows_without_person FROM {groups}"
    )


def _counts(dataset: Dataset, rules: Collection[str]) -> list[str]:
    """Aggregates of ``_alike``: for each column one per ``Read``, then one per rule."""
    wanted = []
    for index, name in enumerate(dataset.columns):
        where = "true" if name == dataset.date_column else "_inside"
        wanted += [f"{where} AND {read_column(index)} = {how:d}" for how in Read]
    for number in range(len(rules)):
        wanted.append(" AND ".join([*(f"NOT _rule_{before}" for before in range(number)), f"_rule_{number}"]))
    return [f"coalesce(sum(_rows) FILTER ({which}), 0)::BIGINT" for which in wanted]


def take_in_table(connection: duckdb.DuckDBPyConnection, rows: str, table: LinkedTable) -> TableIntake:
    """Count how the canonical rows of one of several tables were read; those who opted out are not among them."""
    nobody = f"count(*) FILTER ({quoted(table.person)} IS NULL)"
    reads = [f"count(*) FILTER ({read_column(index)} = {how:d})" for index in range(len(table.columns)) for how in Read]
    wanted = ["count(*)", nobody, *reads]
    counts = iter(connection.execute(f"SELECT {', '.join(wanted)} FROM {rows}").fetchone() or ())
    return TableIntake(next(counts), next(counts), _columns(table.columns, counts))


def _columns(declared: Mapping[str, Column], counts: Iterator[int]) -> dict[str, ColumnIntake]:
    """How each column was read, from one count per ``Read`` and column."""
    columns = {}
    for name, column in declared.items():
        by_read = [next(counts) for _ in Read]
        unlisted = by_read[Read.UNKNOWN if column.unknown else Read.UNREADABLE] + by_read[Read.FRACTION]
        columns[name] = ColumnIntake(
            rows=sum(by_read),
            as_declared=by_read[Read.AS_DECLARED],
            empty=by_read[Read.EMPTY],
            unknown=unlisted if column.unknown else 0,
            unreadable=(0 if column.unknown else unlisted) + by_read[Read.MOMENT],
            moments=by_read[Read.MOMENT],
            fractions=by_read[Read.FRACTION],
        )
    return columns


def _rules(dataset: Dataset, inside: str) -> dict[str, str]:
    """What takes a row out, in order: name of the rule → condition."""
    needed = [name for name, column in dataset.columns.items() if column.type in ("person", "code", "band")]
    return {
        "no date that reads": f"{quoted(dataset.date_column)} IS NULL",
        "outside the period": f"NOT ({inside})",
        **{f"no {name}": f"{quoted(name)} IS NULL" for name in needed},
    }


def parquet(path: Path) -> str:
    """A Parquet file as a table expression."""
    return f"read_parquet({literal(str(path))})"


def read_report(path: Path) -> IntakeReport:
    """The report of a pull.

    Raises:
        SourceError: there is none, or it was made by another version.
    """
    try:
        return IntakeReport.from_bytes(path.read_bytes())
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise SourceError(
        "There is no intake report of this edition, or another version wrote it. Run the pull step again."
    )
