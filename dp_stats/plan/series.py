"""What makes editions one series, and the strategy that a series keeps: chosen once, stored, used by every edition.

A series shares one charge per block, so its identity is what bounds the mechanism and nothing else: the unit and
where its identifier comes from, the block, the contribution bounds, kinds and clipping bounds, the privacy loss, and
where weeks or financial years are used, when they begin. No order, no title, no guess that only planning uses, and no
cells: sensitivities of counts and sums do not depend on which cells there are. Levels and scales are chosen when a
series begins. Later editions use them as they are, as long as they can: another processor or a newer optimiser never
makes a second charge.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from pydantic import Field

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Column, Dataset, PrivacyLoss, Release
from dp_stats.plan.algebra import Structure, key_of
from dp_stats.plan.draws import paying
from dp_stats.plan.mechanism import Mechanism
from dp_stats.plan.model import Frozen, Measurement, digest
from dp_stats.plan.targets import statistic_of, targets
from dp_stats.plan.truncation import truncation_cap

VERSION = 2
"""Raised when the same declarations would be measured differently, so that series are not mixed."""


class Series(Frozen):
    """What all editions of a series share.

    Attributes:
        basis: what was declared that bounds the mechanism (``series_basis``).
        measurements: levels and scales on the period that stands for all editions; shapes are empty.
        late: the tables of late rows of one earlier period, likewise; none where late rows are not counted.
    """

    basis: dict[str, Any]
    mechanism: Mechanism
    measurements: tuple[Measurement, ...]
    late: tuple[Measurement, ...] = Field((), exclude_if=lambda late: not late)

    @property
    def hash(self) -> str:
        """Names the series: equal for all editions that share one charge per block."""
        content = self.model_dump(mode="json")
        content["measurements"] = sorted(content["measurements"], key=lambda m: (m["role"], m["id"]))
        return digest(content)

    @property
    def rho(self) -> Fraction:
        """What the series costs per block; late rows cost nothing more (``plan.late``)."""
        return sum((m.rho for m in self.measurements), Fraction(0))


def series_of(
    basis: dict[str, Any], mechanism: Mechanism, measurements: Sequence[Measurement], late: Sequence[Measurement] = ()
) -> Series:
    """A series with a strategy chosen for it."""

    def bare(tables: Sequence[Measurement]) -> tuple[Measurement, ...]:
        return tuple(m.model_copy(update={"shape": ()}) for m in tables)

    return Series(basis=basis, mechanism=mechanism, measurements=bare(measurements), late=bare(late))


def series_basis(release: Release, dataset: Dataset) -> dict[str, Any]:
    """Everything declared that bounds what one person can do to the measurements of a series, in canonical form."""
    contribution = release.contribution
    measured = contribution.measure_truncation and not contribution.why_nothing_is_truncated
    return {
        "version": VERSION,
        "release": release.id,
        "dataset": dataset.id,
        "unit": _unit(dataset.columns[dataset.privacy_unit.column]),
        "block": dataset.privacy_unit.per,
        "period": release.period,
        "shared": release.series,
        "contribution": {
            "rows": contribution.rows,
            "one_per_cell": contribution.one_per_cell,
            "truncated_rows": truncation_cap(release) if measured else None,
        },
        "statistics": sorted(
            [s.id, s.kind, *(None if n is None else str(n) for n in (s.lower, s.upper)), str(s.resolution)]
            for s in release.statistics
        ),
        "privacy_loss": PrivacyLoss.model_dump(release.privacy_loss, mode="json", exclude_none=True),
        **({"calendar": calendar} if (calendar := _calendar(release, dataset)) else {}),
        **({"pays": paying(release, dataset)} if dataset.holders else {}),
        **({"late": f"rows by {dataset.record_id or 'content'}"} if release.late else {}),
    }


def _calendar(release: Release, dataset: Dataset) -> dict[str, str]:
    """When weeks and financial years begin, where editions or cells are made of them and ISO or custom say otherwise."""
    dated = [spec for spec in release.dimensions if dataset.columns[spec.column].type == "date"]
    return release.calendar.differing({release.period, *(level for spec in dated for level in spec.levels)})


def _unit(column: Column) -> dict[str, Any]:
    """Where the identifier comes from and how it is read; the source's heading as it is matched."""
    declared = column.model_dump(mode="json", exclude_defaults=True, exclude={"source"})
    return {**declared, "from": "".join(column.source.casefold().split())}


def same_basis(series: Series, basis: dict[str, Any], release: Release) -> bool:
    """Whether what bounds the mechanism is what bounded it when a series began, under whichever name of the release."""
    renamed = series.basis["release"] in release.formerly
    return ({**series.basis, "release": release.id} if renamed else series.basis) == basis


def differences(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, ...]:
    """Which parts of two bases differ, as a person calls them."""
    names = {
        "unit": "the person's identifier",
        "statistics": "statistics or their bounds",
        "shared": "series",
        "late": "how late rows are told apart",
        "pays": "which other datasets pay, and how much",
    }
    changed = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    return tuple(names.get(name, name.replace("_", " ")) for name in changed)


def published_from(measurements: Sequence[Measurement], grid: Grid, release: Release) -> bool:
    """Whether everything that ``release`` publishes follows from ``measurements`` on ``grid``."""
    precision: dict[str, dict[tuple[str, ...], float]] = {}
    exact = set()
    for m in measurements:
        if any(m.levels.get(d.name) not in {level.name for level in d.levels} for d in grid.dimensions):
            return False
        if len(m.levels) != len(grid.dimensions) or m.statistic not in {s.id for s in release.statistics}:
            return False
        if m.role == "statistic":
            precision.setdefault(m.statistic, {})[key_of(grid, m.levels)] = 1.0
            exact.add((m.statistic, key_of(grid, m.levels)))
    structures: dict[str, Structure] = {}
    for target in targets(grid, release):
        if statistic_of(release, target.statistic).kind == "persons":
            if (target.statistic, target.levels) not in exact:
                return False
            continue
        if target.statistic not in precision:
            return False
        if target.statistic not in structures:
            structures[target.statistic] = Structure(grid, precision[target.statistic])
        if not np.isfinite(structures[target.statistic].query_variance(target.queries)).all():
            return False
    return True
