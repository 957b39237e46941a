"""Read a catalogue folder file by file: one that is broken takes away what depends on it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from dp_stats.catalogue.codes import CodeList, load_code_list
from dp_stats.catalogue.load import Catalogue, DependsOnBroken, check_release, read_model
from dp_stats.catalogue.models import Agreement, Column, Dataset, Organisation, Release
from dp_stats.catalogue.part import every_file, files_of
from dp_stats.catalogue.payers import check_payers
from dp_stats.catalogue.validity import check_validity
from dp_stats.errors import CatalogueError

T = TypeVar("T")
D = TypeVar("D", Agreement, Dataset, Organisation, Release)


def load_catalogue(folder: Path) -> Catalogue:
    """Read and check every declaration in ``folder``, and refuse it if a single one is broken.

    Raises:
        CatalogueError: for each broken file its name, the field and what to write instead.
    """
    catalogue = read_catalogue(folder)
    if catalogue.broken:
        raise CatalogueError("\n".join(catalogue.broken.values()))
    return catalogue


def read_catalogue(folder: Path, *, dataset: str | None = None) -> Catalogue:
    """Every sound declaration in ``folder``; what is broken is left out with all that depends on it, and named.

    Whoever only needs some of the declarations reads them so: a release is published whatever is wrong with another.

    Args:
        dataset: read no more than this dataset, its releases and what they name. Whether others claim the same names or
            records is not seen so; before anything is charged the whole is read.

    Raises:
        CatalogueError: there is no such folder.
    """
    if not folder.is_dir():
        raise CatalogueError(f"There is no catalogue folder {folder}. Set --catalogue or DP_STATS_CATALOGUE.")
    there = every_file(folder) if dataset is None else files_of(folder, dataset)
    broken: dict[str, str] = {}
    behind: dict[str, str] = {}

    def sound(path: Path, make: Callable[[Path], T]) -> T | None:
        """What a file declares; None if it is broken, which is noted."""
        name = path.relative_to(folder).as_posix()
        try:
            return make(path)
        except CatalogueError as error:
            broken[name] = str(error)
            if isinstance(error, DependsOnBroken):
                behind[name] = error.file
        except Exception as error:  # no declaration may take away another, whatever is wrong with it
            broken[name] = (
                f"{path}: cannot be read ({type(error).__name__}: {error}). Declare it another way, and report this: "
                "dp_stats should have said so in words."
            )
        return None

    codes: dict[str, CodeList] = {}
    for path in there.codes:
        if (listed := sound(path, _checked_codes)) is not None:
            codes[path.stem] = listed
    agreements: dict[str, Agreement] = {}
    for path in there.agreements:
        if (agreement := sound(path, lambda path: _declared(path, Agreement, agreements))) is not None:
            agreements[agreement.id] = agreement
    organisations: dict[str, Organisation] = {}
    for path in there.organisations:
        if (organisation := sound(path, lambda path: _checked_organisation(path, organisations))) is not None:
            organisations[organisation.id] = organisation
    datasets: dict[str, Dataset] = {}
    catalogue = Catalogue(folder, datasets, {}, codes, broken, behind, agreements, organisations)
    for path in there.datasets:
        if (declared := sound(path, lambda path: _checked_dataset(path, catalogue))) is not None:
            datasets[declared.id] = declared
    for _ in range(2):  # whoever names one that falls out falls out after it
        check = partial(_checked_payers, datasets=dict(datasets), broken=broken, folder=folder)
        for path in [path for path in there.datasets if path.stem in datasets]:
            if sound(path, check) is None:
                datasets.pop(path.stem, None)
    releases: dict[str, Release] = {}
    for path in there.releases:
        if (release := sound(path, lambda path: _checked_release(path, catalogue, releases))) is not None:
            releases[release.id] = release
    return Catalogue(folder, datasets, releases, codes, broken, behind, agreements, organisations)


def _declared(path: Path, model: type[D], known: dict[str, D]) -> D:
    item = read_model(path, model)
    if item.id != path.stem:
        raise CatalogueError(f"{path}: id is '{item.id}'. Name the file {item.id}.yaml or change the id.")
    if item.id in known:
        raise CatalogueError(f"{path}: '{item.id}' is declared in another file, too. Remove one of them.")
    return item


def _checked_organisation(path: Path, known: dict[str, Organisation]) -> Organisation:
    """An organisation none of whose users is another's, too: who logs in acts for one."""
    organisation = _declared(path, Organisation, known)
    for other in known.values():
        if shared := set(organisation.users) & set(other.users):
            raise CatalogueError(
                f"{path}: users: '{min(shared)}' is of '{other.id}', too. Give each person a user name for each organisation."
            )
    return organisation


def _checked_codes(path: Path) -> CodeList:
    codes = load_code_list(path)
    check_validity(codes)
    return codes


def _checked_release(path: Path, catalogue: Catalogue, known: dict[str, Release]) -> Release:
    release = _declared(path, Release, known)
    _check_former_names(path, release, known)
    check_release(release, catalogue, where=str(path))
    return release


def _check_former_names(path: Path, release: Release, known: dict[str, Release]) -> None:
    """A name belongs to one release: the one that has it, or one that had it."""
    for other in known.values():
        taken = {*release.formerly, release.id} & {*other.formerly, other.id}
        if taken:
            raise CatalogueError(
                f"{path}: '{min(taken)}' is a name, or a former name, of the release '{other.id}', too. A release's former names "
                "('formerly') are nobody else's."
            )


def _checked_dataset(path: Path, catalogue: Catalogue) -> Dataset:
    dataset = _declared(path, Dataset, dict(catalogue.datasets))
    _check_lists(dataset.columns, catalogue, where=f"{path}: columns")
    for name, table in dataset.tables.items():
        _check_lists(table.columns, catalogue, where=f"{path}: tables.{name}.columns")
    custodians = dict.fromkeys(table.custodian for table in dataset.tables.values())
    if len(custodians) > 1 and dataset.agreement is None:
        raise CatalogueError(
            f"{path}: agreement: its tables are held by {' and '.join(custodians)}; name the data-sharing agreement, a file in "
            "agreements/, that they have signed."
        )
    if dataset.agreement is not None:
        _check_agreement(dataset, dataset.agreement, catalogue, where=f"{path}: agreement")
    return dataset


def _checked_payers(path: Path, datasets: Mapping[str, Dataset], broken: Mapping[str, str], folder: Path) -> Dataset:
    check_payers(datasets[path.stem], datasets, broken, folder=folder, where=str(path))
    return datasets[path.stem]


def _check_agreement(dataset: Dataset, name: str, catalogue: Catalogue, *, where: str) -> None:
    """Whether the agreement that a dataset names is there, and is about this dataset and its tables."""
    file = f"agreements/{name}.yaml"
    if catalogue.broken_file("agreements", name):
        raise DependsOnBroken(f"{where}: {file} is broken. Mend it first.", file=file)
    if name not in catalogue.agreements:
        known = ", ".join(sorted(catalogue.agreements)) or "none"
        raise CatalogueError(f"{where}: there is no {file}. There are: {known}.")
    if against := list(catalogue.agreements[name].why_not_of(dataset)):
        raise CatalogueError(f"{where}: {file} is about something else:\n  " + "\n  ".join(against))


def _check_lists(columns: Mapping[str, Column], catalogue: Catalogue, *, where: str) -> None:
    """Whether the code lists that columns name are there, and have what is declared of them."""
    for name, column in columns.items():
        if column.codes is None:
            continue
        place, file = f"{where}.{name}", f"codes/{column.codes}.csv"
        if catalogue.broken_file("codes", column.codes):
            raise DependsOnBroken(f"{place}.codes: {file} is broken. Mend it first.", file=file)
        if column.codes not in catalogue.codes:
            known = ", ".join(sorted(catalogue.codes)) or "none"
            raise CatalogueError(f"{place}.codes: there is no {file}. There are: {known}.")
        codes = catalogue.codes[column.codes]
        if column.type == "band" and not codes.bands:
            raise CatalogueError(f"{place}: {file} needs columns 'lower' and 'upper'.")
        for value, code in column.values.items():
            if code not in codes.codes and not (column.unknown and code == "unknown"):
                raise CatalogueError(f"{place}.values: '{value}' maps to '{code}', which is not in {file}.")
