"""Check an edition's staged rows against the dataset's suite, before anything is charged."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import UNKNOWN, Column, Dataset
from dp_stats.catalogue.periods import Period
from dp_stats.quality import ROWS, DatabaseTable, QualityReport, SparkTable, check, find_suite, review
from dp_stats.quality.suites import Failure
from dp_stats.secure.in_place.checking import rows_to_check
from dp_stats.secure.in_place.pinning import POINTER
from dp_stats.secure.linked import table_file
from dp_stats.secure.pull import FACTS
from dp_stats.settings import Settings


def check_snapshot(
    dataset: Dataset, *, catalogue: Catalogue, period: Period, folder: Path, settings: Settings
) -> QualityReport:
    """Run the dataset's suite on what ``pull`` staged in ``folder``; of several tables first that of each, on all its rows.

    The table ``rows`` holds all rows dated in the period with unreadable values null (``intake.parquet``);
    ``source`` has one row of facts about the whole source (``source.parquet``): ``rows_in_period``,
    ``days_without_rows``, ``days_behind``, ``unreadable_dates`` (a share) and ``rows_without_person``.

    Raises:
        QualityError: a gate failed, or the suite itself is wrong.
    """
    warnings: list[Failure] = []
    wanted: list[tuple[str, Mapping[str, Path | DatabaseTable | SparkTable], Mapping[str, Column]]] = []
    for name, table in dataset.tables.items():
        wanted.append((table.expectations, {ROWS: folder / table_file(name)}, table.columns))
    with _rows(dataset, period, folder, settings) as rows:
        wanted.append((dataset.expectations, {ROWS: rows, "source": folder / "source.parquet"}, dataset.columns))
        for suite, tables, columns in wanted:
            found = find_suite(suite, settings=settings)
            report = check(tables, suite=found, parameters=suite_parameters(columns, catalogue, period)).enforce()
            warnings += report.warnings
    return replace(report, warnings=tuple(warnings))


def _rows(
    dataset: Dataset, period: Period, folder: Path, settings: Settings
) -> AbstractContextManager[Path | DatabaseTable | SparkTable]:
    """All rows dated in the period: a file, or where they are."""
    if dataset.engine != "source":
        return nullcontext(folder / "intake.parquet")
    return rows_to_check(folder / POINTER, dataset, period, settings=settings)


def review_suite(dataset: Dataset, *, catalogue: Catalogue, period: Period, settings: Settings) -> None:
    """Whether the dataset's suite can be run on what ``pull`` will stage, before there is anything staged.

    Raises:
        CatalogueError: there is no such suite. QualityError: it is empty or wrong, or names a column that there will not be.
    """
    for table in dataset.tables.values():
        suite = find_suite(table.expectations, settings=settings)
        parameters = suite_parameters(table.columns, catalogue, period)
        review(suite, columns={ROWS: tuple(table.columns)}, parameters=parameters)
    suite = find_suite(dataset.expectations, settings=settings)
    columns = {ROWS: tuple(dataset.columns), "source": FACTS}
    review(suite, columns=columns, parameters=suite_parameters(dataset.columns, catalogue, period))


def suite_parameters(columns: Mapping[str, Column], catalogue: Catalogue, period: Period) -> dict[str, object]:
    """What a suite may refer to: the codes of each code or band column by its name, and the period.

    ``columns`` is the list of all canonical columns; ``period_start`` and ``period_end`` are ISO dates and
    ``period_days`` is the number of days.
    """
    catalogue = catalogue.on(period.end)
    parameters: dict[str, object] = {
        "columns": list(columns),
        "period_start": period.start.isoformat(),
        "period_end": period.end.isoformat(),
        "period_days": len(period.days),
    }
    for name, column in columns.items():
        if column.codes is not None:
            parameters[name] = [*catalogue.codes[column.codes].codes, *([UNKNOWN] if column.unknown else [])]
    return parameters
