"""Which files of a catalogue folder there are, and which of them one dataset and its releases depend on.

Whoever needs one dataset reads no more than that: with hundreds of releases most of the time goes into the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dp_stats.catalogue.load import M, read_model
from dp_stats.catalogue.models import Dataset, Release


@dataclass(frozen=True)
class Files:
    """The files of a catalogue folder, or some of them, in the order in which they are read."""

    codes: tuple[Path, ...]
    agreements: tuple[Path, ...]
    organisations: tuple[Path, ...]
    datasets: tuple[Path, ...]
    releases: tuple[Path, ...]


def every_file(folder: Path) -> Files:
    """All declarations and public lists of a catalogue folder."""
    return Files(
        codes=tuple(sorted((folder / "codes").glob("*.csv"))),
        agreements=declarations(folder / "agreements"),
        organisations=declarations(folder / "organisations"),
        datasets=declarations(folder / "datasets"),
        releases=declarations(folder / "releases"),
    )


def files_of(folder: Path, dataset: str) -> Files:
    """A dataset's own file, its releases', and those that they name: holders of its records, agreements, lists, organisations.

    A file that is broken is among them if it may be about the dataset; whoever reads it finds out what is wrong.
    """
    every = every_file(folder)
    datasets: dict[str, Dataset | None] = {}
    wanted = [dataset]
    while wanted:
        if (name := wanted.pop()) not in datasets:
            found = _sound(_named(every.datasets, [name]), Dataset).get(name)
            datasets[name] = found
            wanted += found.holders if found is not None else ()
    known = [one for one in datasets.values() if one is not None]
    candidates = [path for path in every.releases if _may_name(path, dataset)]
    declared = _sound(candidates, Release)
    releases = [path for path in candidates if path.stem not in declared or declared[path.stem].dataset == dataset]
    return Files(
        codes=_named(every.codes, {name for one in known for name in one.code_lists}),
        agreements=_named(every.agreements, {one.agreement for one in known if one.agreement is not None}),
        organisations=_named(
            every.organisations,
            {name for one in declared.values() if one.dataset == dataset for name in one.organisations},
        ),
        datasets=_named(every.datasets, datasets),
        releases=tuple(releases),
    )


def datasets_behind(folder: Path, wanted: Callable[[str], bool]) -> set[str]:
    """The datasets from which the releases with a wanted id are made, as far as these can be read."""
    paths = [path for path in declarations(folder / "releases") if wanted(path.stem)]
    return {release.dataset for release in _sound(paths, Release).values()}


def declarations(folder: Path) -> tuple[Path, ...]:
    """The YAML files of a folder, by name."""
    return tuple(sorted(folder.glob("*.y*ml")))


def _named(paths: Iterable[Path], names: Iterable[str]) -> tuple[Path, ...]:
    wanted = set(names)
    return tuple(path for path in paths if path.stem in wanted)


def _may_name(path: Path, name: str) -> bool:
    """Whether a text may hold a name: as it stands, or with escapes. What is certain costs as much as reading all."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return True
    return name in text or "\\" in text


def _sound(paths: Iterable[Path], model: type[M]) -> dict[str, M]:
    """What can be read of declarations, by the names of their files."""
    found: dict[str, M] = {}
    for path in paths:
        try:
            found[path.stem] = read_model(path, model)
        except Exception:  # noqa: S112  whoever reads the catalogue finds out what is wrong with it
            continue
    return found
