"""What each version of the estimator gives for the same plans and noisy numbers, kept in ``tests/estimates``.

``python -m tests.kept_estimates`` keeps what the present version gives, of each example that is not kept of it already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dp_stats.catalogue.models import Late
from dp_stats.catalogue.periods import next_period, parse_period
from dp_stats.estimate import estimate, estimator
from dp_stats.estimate.across import across
from dp_stats.estimate.late import LateTables
from dp_stats.estimate.measured_edition import Measured
from dp_stats.estimate.model import Estimate
from dp_stats.plan.make import make_sealed
from dp_stats.plan.model import Measurement, Plan
from dp_stats.plan.noisy import NoisyMeasurements
from tests.across_examples import BY_DAY, Series, declare_series, tables_across
from tests.estimate_examples import DeclaredEdition, declare_edition

FOLDER = Path(__file__).parent / "estimates"

COUNT = {"id": "count", "kind": "count", "expected_total": 900}
TABLES = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
    {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
)
WEEK: dict[str, Any] = {"period": "2024-W10", "kind": "week", "areas": (2, 2), "tables": TABLES, "statistics": (COUNT,)}

EXAMPLES: dict[str, dict[str, Any]] = {
    "laplace": {"bands": 1},
    "gaussian": {"bands": 2, "loss": {"rho": "0.1"}},
    "truncated": {"bands": 1, "contribution": {"rows": 3}},
    "all kinds": {
        "bands": 2,
        "statistics": (
            COUNT,
            {"id": "people", "kind": "persons", "expected_total": 500},
            {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 100, "resolution": 1},
        ),
        "derived": (
            {"id": "rate", "kind": "rate", "of": "count", "per": 1000},
            {"id": "share", "kind": "share", "of": "count", "across": "band"},
            {"id": "mean-cost", "kind": "mean", "of": "cost", "over": "count"},
            {"id": "so-far", "kind": "cumulative", "of": "count"},
        ),
        "tables": (
            {
                "id": "area-week",
                "levels": {"area": "area", "date": "week"},
                "statistics": ["count", "people", "cost", "rate", "mean-cost"],
            },
            {"id": "region-band", "levels": {"area": "region", "band": "band"}, "statistics": ["count", "share"]},
            {"id": "day", "levels": {"date": "day"}, "statistics": ["count", "so-far"]},
        ),
    },
    "truncated, so far": {
        "bands": 1,
        "areas": (1, 2),
        "contribution": {"rows": 3},
        "derived": ({"id": "so-far", "kind": "cumulative", "of": "count"},),
        "tables": (
            {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count", "so-far"]},
            {"id": "area", "levels": {"area": "area"}, "statistics": ["count"]},
        ),
    },
    "weak": {"bands": 1, "areas": (9, 7), "weak": 12},
    "late, finely": {"bands": 1, "late": 0.3, "statistics": ({**COUNT, "expected_total": 90000},)},
    "late, coarsely": {"bands": 1, "late": 0.1, "statistics": ({**COUNT, "expected_total": 300},)},
}


ACROSS = "across editions"
"""Tables across four weekly editions with late rows, by day, week and month."""


def declared(example: str) -> tuple[DeclaredEdition, tuple[Measurement, ...]]:
    """An edition as it is planned today, and how later editions measure its late rows."""
    options = {**WEEK, **EXAMPLES[example]}
    share, _ = options.pop("late", None), options.pop("weak", None)
    made = declare_edition(**options)
    if share is None:
        return made, ()
    release = made.release.model_copy(update={"late": Late(periods=2, share=share)})
    catalogue = replace(made.catalogue, releases={"test": release}, _grids={})
    period = parse_period(options["period"])
    first = make_sealed(catalogue, release, period)
    assert first.series is not None
    later = make_sealed(catalogue, release, next_period(period), stored={first.series.hash: [first]})
    edition = replace(made, catalogue=catalogue, release=release, plan=first.plan, grid=first.grid)
    return edition, later.plan.late[0].measurements


def numbers(measurement: Measurement, turn: int = 0) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Invented noisy numbers of a table: large, small and negative ones by turns, the same for ever."""
    size = int(np.prod(measurement.shape, dtype=np.int64))
    scale = max(1, round(measurement.scale))
    return ((np.arange(size) + turn) * 7919 % 101 - 15).reshape(measurement.shape) * scale // 2


def estimated(edition: DeclaredEdition, late: tuple[Measurement, ...], *, weak: int = 1) -> dict[str, Any]:
    """Table/statistic → values, unrounded values and the ends of their intervals; ``weak`` divides the noisy numbers."""
    noisy = NoisyMeasurements(edition.plan.hash, {m.id: numbers(m) // weak for m in edition.plan.measurements})
    added = [LateTables(late, {m.id: numbers(m, turn) // 3 for m in late}) for turn in (1, 2) if late]
    found = estimate(
        edition.plan,
        grid=edition.grid,
        release=edition.release,
        catalogue=edition.catalogue,
        noisy=noisy,
        late=added,
    )
    return {
        f"{table}/{statistic}": _written(e)
        for table, statistics in found.tables.items()
        for statistic, e in statistics.items()
    }


def _written(estimate: Estimate) -> dict[str, list[float]]:
    return {
        name: [float(f"{x:.10g}") for x in np.asarray(getattr(estimate, name), float).ravel()]
        for name in ("value", "unrounded", "lower", "upper")
    }


def declared_across() -> Series:
    """The editions of the example of tables across editions, as they are planned today."""
    wanted = tables_across(days=True)
    return declare_series(weeks=4, tables=BY_DAY, loss={"epsilon": 1}, late=1, total=900, across=wanted)


def estimated_across(series: Series) -> dict[str, Any]:
    """Table/statistic → values, unrounded values and the ends of intervals in the newest edition of a series."""
    labels = [one.period.label for one in series.sealed]
    late: list[list[LateTables]] = [[] for _ in labels]
    found = []
    for turn, one in enumerate(series.sealed):
        noisy = NoisyMeasurements(one.plan.hash, {m.id: numbers(m, turn) for m in one.plan.measurements})
        found.append(Measured(one.plan, one.period, one.grid, one.release, noisy, series.made.catalogue))
        for before in one.plan.late:
            values = {m.id: numbers(m, turn) // 3 for m in before.measurements}
            late[labels.index(before.label)].append(LateTables(before.measurements, values))
    *earlier, own = (replace(one, late=tuple(added)) for one, added in zip(found, late, strict=True))
    return {
        f"{table}/{name}": _written(e)
        for table, made in across(own, earlier).items()
        for name, e in made.estimates.items()
    }


def kept(version: int) -> dict[str, Any]:
    """What a version gave: example → its plan, how late rows are measured, and estimates."""
    content: dict[str, Any] = json.loads((FOLDER / f"version-{version}.json").read_text(encoding="utf-8"))
    return content


def as_kept(example: str, content: Mapping[str, Any]) -> tuple[DeclaredEdition, tuple[Measurement, ...]]:
    """The edition as it was planned when its estimates were kept."""
    made, _ = declared(example)
    late = tuple(in_order(Measurement.model_validate(m), made) for m in content["late"])
    plan = Plan.model_validate(content["plan"])
    own = tuple(in_order(m, made) for m in plan.measurements)
    return replace(made, plan=plan.model_copy(update={"measurements": own})), late


def across_as_kept(content: Mapping[str, Any]) -> Series:
    """The editions as they were planned when their tables across editions were kept."""
    series = declared_across()
    made = series.made
    sealed = []
    for one, kept_plan in zip(series.sealed, content["plans"], strict=True):
        plan = Plan.model_validate(kept_plan)
        late = tuple(
            before.model_copy(update={"measurements": tuple(in_order(m, made) for m in before.measurements)})
            for before in plan.late
        )
        own = tuple(in_order(m, made) for m in plan.measurements)
        sealed.append(replace(one, plan=plan.model_copy(update={"measurements": own, "late": late})))
    return replace(series, sealed=tuple(sealed))


def in_order(measurement: Measurement, made: DeclaredEdition) -> Measurement:
    """Levels in the order of the grid's axes."""
    return measurement.model_copy(update={"levels": {d.name: measurement.levels[d.name] for d in made.grid.dimensions}})


def _plan(plan: Plan) -> dict[str, Any]:
    return {**plan.model_dump(mode="json", by_alias=True), "expected": [], "warnings": []}


def _made(example: str) -> dict[str, Any]:
    """What the present version gives for an example, and the plans that it is made from."""
    if example == ACROSS:
        series = declared_across()
        return {"plans": [_plan(one.plan) for one in series.sealed], "estimates": estimated_across(series)}
    edition, late = declared(example)
    return {
        "plan": _plan(edition.plan),
        "late": [m.model_dump(mode="json", by_alias=True) for m in late],
        "estimates": estimated(edition, late, weak=EXAMPLES[example].get("weak", 1)),
    }


if __name__ == "__main__":
    path = FOLDER / f"version-{estimator.VERSION}.json"
    content = kept(estimator.VERSION) if path.exists() else {}
    missing = [name for name in (*EXAMPLES, ACROSS) if name not in content]
    if not missing:
        raise SystemExit(
            f"{path} is kept already: other estimates need another version (dp_stats/estimate/estimator.py)."
        )
    content |= {name: _made(name) for name in missing}
    FOLDER.mkdir(exist_ok=True)
    path.write_text(
        json.dumps(content, separators=(",", ":")).replace('"estimates"', '\n"estimates"') + "\n", encoding="utf-8"
    )
