"""Records that several datasets read have one budget: the datasets with linked tables say which dataset's it is.

Of all datasets that read a source one *holds* it. Every other, if it is made of linked tables, names that one in the
table's ``budget_of``, and what is spent on it is charged there as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from dp_stats.catalogue.columns import Column
from dp_stats.catalogue.datasets import Dataset
from dp_stats.catalogue.linked.tables import LinkedTable
from dp_stats.catalogue.load import DependsOnBroken
from dp_stats.catalogue.places import same_records
from dp_stats.catalogue.sources import Source
from dp_stats.errors import CatalogueError


def check_payers(
    dataset: Dataset, known: Mapping[str, Dataset], broken: Mapping[str, str], *, folder: Path, where: str
) -> None:
    """Whether every source of a dataset's tables that others read, too, has one dataset that holds it.

    Args:
        known: every dataset that is sound by itself. broken: files that are not. folder: of the catalogue.

    Raises:
        CatalogueError: naming the table and what to write.
    """
    for name, table in dataset.tables.items():
        place = f"{where}: tables.{name}.budget_of"
        if table.budget_of is None:
            others = [other.id for other in _readers(table.source, known, folder) if other.id != dataset.id]
            unnamed = [other for other in others if not _names(known[other], table.source, dataset.id, folder)]
            if unnamed:
                raise CatalogueError(
                    f"{place}: '{unnamed[0]}' reads the same source. Write the dataset whose budget pays for both, here or there."
                )
            continue
        file = f"datasets/{table.budget_of}.yaml"
        if table.budget_of not in known:
            if file in broken:
                raise DependsOnBroken(f"{place}: {file} is broken. Mend it first.", file=file)
            raise CatalogueError(f"{place}: there is no dataset '{table.budget_of}'. There are: {', '.join(known)}.")
        if faults := list(_faults(table, dataset, known[table.budget_of], folder)):
            raise CatalogueError(f"{place}: {faults[0]}")


def _faults(table: LinkedTable, dataset: Dataset, holder: Dataset, folder: Path) -> Iterator[str]:
    """Why a dataset cannot pay for what is measured of a table."""
    if holder.id == dataset.id:
        yield "names its own dataset, which pays anyway. Leave it out"
        return
    if holder.privacy_unit.per != "lifetime":
        yield (
            f"'{holder.id}' has a budget per {holder.privacy_unit.per}. A record of one may decide linked rows of another, so only "
            "a budget for all days ('privacy_unit.per: lifetime') can pay"
        )
    persons = [person for source, person in _persons(holder) if same_records(source, table.source, folder)]
    if not persons:
        yield f"'{holder.id}' reads another source. Name the dataset that holds these records"
    elif not any(_same_person(table.columns[table.person], person) for person in persons):
        yield f"'{holder.id}' reads persons from another column, or spells them otherwise; one person must be one in both"
    if any(_names(holder, table.source, other, folder) for other in holder.holders):
        yield f"'{holder.id}' does not hold these records itself. Name the dataset that it names"


def _readers(source: Source, known: Mapping[str, Dataset], folder: Path) -> list[Dataset]:
    return [d for d in known.values() if any(same_records(source, other, folder) for other in d.sources)]


def _names(dataset: Dataset, source: Source, holder: str, folder: Path) -> bool:
    """Whether all tables of a dataset that read a source name its holder."""
    reading = [table for table in dataset.tables.values() if same_records(table.source, source, folder)]
    return bool(reading) and all(table.budget_of == holder for table in reading)


def _persons(dataset: Dataset) -> list[tuple[Source, Column]]:
    """Each source of a dataset with the column that says whose a row is."""
    if dataset.source is not None:
        return [(dataset.source, dataset.columns[dataset.privacy_unit.column])]
    return [(table.source, table.columns[table.person]) for table in dataset.tables.values()]


def _same_person(one: Column, other: Column) -> bool:
    return (one.source, one.identifier) == (other.source, other.identifier)
