"""The dimensions of an edition as facts: which is of areas and which of dates, and what is known about each group."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import ALL, Dimension, Grid, Level
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Dataset, DimensionSpec, Release
from dp_stats.editions.edition import DimensionFacts, LevelFacts
from dp_stats.texts.words import Texts

GEOGRAPHIC = frozenset(
    {"area", "areas", "geography", "region", "province", "country", "nation", "local_authority", "ltla"}
)
"""Names of a dimension, its column or its first level that say it is a dimension of areas."""


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
        if codes is None or column not in codes.header:
            return None
        found = [None if math.isnan(n) else n for n in codes.numbers(column)]
        return tuple(found + [None] * (len(dimension) - len(found)))

    population = numbers("population")
    levels = []
    for index, level in enumerate(dimension.levels):
        coarser = dimension.levels[index + 1] if index + 1 < len(dimension.levels) else None
        names = (region,) if role == "geography" and level.codes == (ALL,) else _names(dimension, level, texts)
        levels.append(
            LevelFacts(
                name=level.name,
                title=spec.level_titles.get(level.name) or texts.known_level(level.name) or title_of(level.name),
                codes=level.codes,
                names=names,
                parents=_parents(level, coarser) if coarser else (),
                population=_sums(population, level) if population else None,
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
        longitude=numbers("longitude"),
        latitude=numbers("latitude"),
    )


def _names(dimension: Dimension, level: Level, texts: Texts) -> tuple[str, ...]:
    """What the groups of a level are called: days and weeks in the language's words, all others as declared."""
    if dimension.kind != "date":
        return level.names
    return tuple(
        name if code == ALL else texts.period(code) for code, name in zip(level.codes, level.names, strict=True)
    )


def _parents(level: Level, coarser: Level) -> tuple[str, ...]:
    first = np.unique(level.group, return_index=True)[1]
    return tuple(coarser.codes[i] for i in coarser.group[first])


def _sums(leaves: tuple[float | None, ...], level: Level) -> tuple[float | None, ...]:
    known = np.array([v is not None for v in leaves])
    values = np.array([v or 0.0 for v in leaves])
    total = np.bincount(level.group, weights=values, minlength=len(level.codes))
    any_known = np.bincount(level.group, weights=known, minlength=len(level.codes)) > 0
    return tuple(float(t) if k else None for t, k in zip(total, any_known, strict=True))


def title_of(name: str) -> str:
    """An identifier as a reader would write it."""
    words = name.replace("_", " ").replace("-", " ")
    return words[:1].upper() + words[1:]
