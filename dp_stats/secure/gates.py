"""The limits of intake: whether a delivery looks whole, before anything is charged. Only yes or no leaves here.

Which limit was not kept is told, by its name and the column's, never how many rows there are. That is a signal about
secret rows at no charge; ``Intake`` says why the limits are coarse.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dp_stats.catalogue.models import Dataset, Delivery, LinkedTable
from dp_stats.errors import QualityError, SourceError
from dp_stats.secure.intake import FILE, ColumnIntake, IntakeReport, read_report
from dp_stats.secure.source_files import written_path
from dp_stats.secure.staging import write_private
from dp_stats.settings import Settings
from dp_stats.written import declared_share


def check_intake(dataset: Dataset, *, edition: str, folder: Path, settings: Settings) -> None:
    """Hold the intake report of what ``pull`` staged in ``folder`` against the dataset's limits.

    Raises:
        QualityError: naming each limit that was not kept. SourceError: there is no report, or no manifest.
    """
    report = read_report(folder / FILE)
    faults = [
        *faults_of(report, dataset),
        *_delivery(report.delivered, dataset.intake, _last(dataset, settings), settings),
    ]
    for name, table in dataset.tables.items():
        faults += [f"tables.{name}: {fault}" for fault in _table(name, table, report, dataset, settings)]
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise QualityError(
            f"The delivery of {dataset.id} looks faulty, so nothing goes on from here and nothing was charged:\n{listed}\n"
            f"Counts are in the secure store: dp-stats intake {edition}. Look for the reason with the custodian; move a "
            "limit (intake in the dataset) only if such rows are right."
        )


def accept(dataset: Dataset, *, folder: Path, settings: Settings) -> None:
    """Keep how many rows a delivery had that was taken, for the next one to be compared with."""
    report = read_report(folder / FILE)
    delivered = {"": report.delivered, **{name: table.delivered for name, table in report.tables.items()}}
    for name, rows in delivered.items():
        write_private(settings.secure, _last(dataset, settings, name), json.dumps({"rows": rows}).encode())


def faults_of(report: IntakeReport, dataset: Dataset) -> Iterator[str]:
    """The limits that a report does not keep, but for those of the delivery's size."""
    limits = dataset.intake
    for name, column in report.columns.items():
        if column.rows >= limits.judged_from:
            yield from _column(name, column, limits)
    if not limits.empty_period and report.counted == 0:
        rows = "no row is dated in the period" if report.in_period == 0 else "no row of the period counts"
        yield f"{rows} (intake.empty_period)"
    busy = report.open_days > 0 and report.in_period >= limits.busy * report.open_days
    if limits.days_without_rows is not None and busy and len(report.empty_days) > limits.days_without_rows:
        yield (
            "an open day has no row, or hardly any, although others have many (intake.days_without_rows, intake.trickle; "
            "declare closed_weekdays and closed_days where nothing is recorded)"
        )


def _table(name: str, table: LinkedTable, report: IntakeReport, dataset: Dataset, settings: Settings) -> Iterator[str]:
    """The limits that one of several tables does not keep."""
    found = report.tables.get(name)
    if found is None:
        raise SourceError("The intake report was made of other tables. Run the pull step again.")
    if found.delivered >= table.intake.judged_from:
        for column, read in found.columns.items():
            yield from _column(column, read, table.intake)
    yield from _delivery(found.delivered, table.intake, _last(dataset, settings, name), settings)


def _column(name: str, column: ColumnIntake, limits: Delivery) -> Iterator[str]:
    filled = column.rows - column.empty
    if filled == 0:
        return
    if limits.unreadable < 1 and column.as_declared == 0:
        yield f"columns.{name}: nothing that stands there reads as declared (intake.unreadable){_hint(column)}"
    elif column.unreadable > limits.unreadable * filled:
        yield (
            f"columns.{name}: more than {declared_share(limits.unreadable)} of what stands there does not read as "
            "declared "
            f"(intake.unreadable){_hint(column)}"
        )
    elif column.unknown > limits.unknown * filled:
        yield f"columns.{name}: more than {declared_share(limits.unknown)} of what stands there is in no code list (intake.unknown)"


def _hint(column: ColumnIntake) -> str:
    """What most of the unreadable are, where that is known."""
    wrong = column.unreadable + column.unknown
    if 2 * column.moments > wrong:
        return "; most are moments: declare its 'timezone'"
    if 2 * column.fractions > wrong:
        return "; most are whole numbers with '.0': declare its 'digits'"
    return ""


def _delivery(delivered: int, limits: Delivery, last: Path, settings: Settings) -> Iterator[str]:
    """Whether there are as many rows as were promised, and about as many as last time."""
    if limits.manifest is not None and delivered < _promised(limits.manifest, settings):
        yield "there are fewer rows than the manifest says (intake.manifest)"
    if limits.shrink and last.is_file():
        before = int(json.loads(last.read_bytes())["rows"])
        if before >= limits.judged_from and delivered < limits.shrink * before:
            yield f"there are fewer than {declared_share(limits.shrink)} of the rows of the last delivery (intake.shrink)"


def _promised(manifest: str, settings: Settings) -> int:
    path = written_path(manifest, settings, field="intake.manifest")
    try:
        rows = json.loads(path.read_bytes())["rows"]
        if isinstance(rows, int) and not isinstance(rows, bool):
            return rows
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise SourceError(
        f"{path} is no manifest that says how many rows there are. It must hold a JSON object with 'rows'."
    )


def _last(dataset: Dataset, settings: Settings, table: str = "") -> Path:
    return settings.secure / "deliveries" / f"{dataset.id}{'.' if table else ''}{table}.json"
