"""The dimensions of an edition as facts: which is of areas and which of dates, and what is known about each group."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import ALL, Dimension, Grid, Level
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import UNKNOWN, Dataset, DimensionSpec, Release
from dp_stats.catalogue.partitions import parents
from dp_stats.catalogue.populations import numbers_of_leaves, of_groups
from dp_stats.catalogue.spoken import names_in
from dp_stats.editions.edition import DimensionFacts, LevelFacts
from dp_stats.texts.words import Texts

GEOGRAPHIC = frozenset(
    {"area", "areas", "geography", "region", "province", "country", "nation", "local_authority", "ltla"}
)
"""Names of a dimension, its column or its first level that say it is a dimension of areas."""


_USUAL = frozenset({"All", "Unknown"})
"""What the grid calls groups that no list names."""


def dimension_facts(
    catalogue: Catalogue, release: Release, dataset: Dataset, grid: Grid, texts: Texts
) -> tuple[DimensionFacts, ...]:
    """The axes of an edition's grid, with names, parents, populations and coordinates of their groups.

    At most one dimension is of areas and one of dates; further ones are strata.
    """
    built: list[DimensionFacts] = []
    taken: set[str] = set()
    for spec, dimension in zip(release.dimensions, grid.dimensions, strict=True):
        codes = catalogue.code_list_of(release, spec.name)
        role = _role(spec, dimension, codes)
        if role in taken:
            role = "stratum"
        if role != "stratum":
            taken.add(role)
        built.append(_dimension(spec, dimension, codes, role, dataset.region, texts))
    return tuple(built)


def _role(spec: DimensionSpec, dimension: Dimension, codes: CodeList | None) -> Literal["geography", "date", "stratum"]:
    if dimension.kind == "date":
        return "date"
    names = {spec.name, spec.column, dimension.leaf.name}
    if codes is not None and ({"longitude", "latitude"} <= set(codes.header) or names & GEOGRAPHIC):
        return "geography"
    return "stratum"


def _dimension(
    spec: DimensionSpec,
    dimension: Dimension,
    codes: CodeList | None,
    role: Literal["geography", "date", "stratum"],
    region: str,
    texts: Texts,
) -> DimensionFacts:
    def numbers(column: str) -> tuple[float | None, ...] | None:
        found = numbers_of_leaves(codes, dimension, column)
        return None if found is None else _known(found)

    population = numbers_of_leaves(codes, dimension, "population")
    levels = []
    for index, level in enumerate(dimension.levels):
        coarser = dimension.levels[index + 1] if index + 1 < len(dimension.levels) else None
        own = names_in(codes, "code" if index == 0 else level.name, texts.language) if codes is not None else {}
        names = (region,) if role == "geography" and level.codes == (ALL,) else _names(dimension, level, own, texts)
        levels.append(
            LevelFacts(
                name=level.name,
                title=spec.level_titles.get(level.name) or texts.known_level(level.name) or title_of(level.name),
                codes=level.codes,
                names=names,
                parents=_parents(level, coarser) if coarser else (),
                population=None if population is None else _known(of_groups(population, level)),
                breaks=_breaks(codes, level, finest=index == 0),
                pages=spec.pages.get(level.name),
            )
        )
    return DimensionFacts(
        name=dimension.name,
        title=spec.title or title_of(spec.name),
        kind=dimension.kind,
        role=role,
        levels=tuple(levels),
        unknown=dimension.unknown,
        edges=dimension.edges,
        replaced=dict(codes.replaced or {}) if codes is not None else {},
        longitude=numbers("longitude"),
        latitude=numbers("latitude"),
    )


def _breaks(codes: CodeList | None, level: Level, *, finest: bool) -> tuple[str, ...]:
    """The codes of a level that do not compare with the period before."""
    broken = codes.breaks.get("code" if finest else level.name, ()) if codes is not None else ()
    return tuple(code for code in level.codes if code in broken)


def _names(dimension: Dimension, level: Level, own: Mapping[str, str], texts: Texts) -> tuple[str, ...]:
    """What the groups of a level are called: days and weeks in the language's words, all others as declared.

    Args:
        own: names that the code list has in the language, by code.
    """
    if dimension.kind != "date":
        usual = {ALL: texts("group.all"), UNKNOWN: texts("group.unknown")}
        return tuple(
            own.get(code) or (usual[code] if name in _USUAL else name)
            for code, name in zip(level.codes, level.names, strict=True)
        )
    return tuple(
        name if code == ALL else texts.period(code, kind=level.name)
        for code, name in zip(level.codes, level.names, strict=True)
    )


def _parents(level: Level, coarser: Level) -> tuple[str, ...]:
    return tuple(coarser.codes[i] for i in parents(level.group, coarser.group))


def _known(numbers: NDArray[np.float64]) -> tuple[float | None, ...]:
    """Numbers as facts: None where one is not known."""
    return tuple(None if math.isnan(n) else float(n) for n in numbers)


def title_of(name: str) -> str:
    """An identifier as a reader would write it."""
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]
