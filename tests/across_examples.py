"""Series of simulated weekly editions for tables across editions: what is reported when, noise by numpy, and the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.across import AcrossTable
from dp_stats.catalogue.across_windows import source_of, windows
from dp_stats.catalogue.models import Late, Release
from dp_stats.catalogue.periods import next_period, parse_period
from dp_stats.estimate.across import across
from dp_stats.estimate.late import LateTables
from dp_stats.estimate.measured_edition import Measured
from dp_stats.estimate.model import Across
from dp_stats.plan.make import make_sealed
from dp_stats.plan.sealed import SealedPlan
from tests.estimate_examples import DeclaredEdition, declare_edition

Integers = NDArray[np.int64]

BY_DAY = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
    {"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},
    {"id": "all-day", "levels": {"date": "day"}, "statistics": ["count"]},
)
BY_WEEK = (
    {"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},
    {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
)
WEEKS: tuple[dict[str, Any], ...] = (
    {"id": "four-weeks", "kind": "total", "of": "count", "periods": 4},
    {"id": "weekly-mean", "kind": "mean", "of": "count", "periods": 4},
    {"id": "change", "kind": "difference", "of": "count"},
    {"id": "rolling-change", "kind": "difference", "of": "count", "periods": 4, "lag": 1},
    {"id": "rolling-ratio", "kind": "ratio", "of": "count", "periods": 4, "lag": 1},
    {"id": "ratio", "kind": "ratio", "of": "count"},
    {"id": "growth", "kind": "growth", "of": "count", "periods": 2},
    {"id": "since", "kind": "cumulative", "of": "count"},
)
DAYS: tuple[dict[str, Any], ...] = (
    {"id": "day-change", "kind": "difference", "of": "count"},
    {"id": "days-ratio", "kind": "ratio", "of": "count", "periods": 3, "lag": 1},
)
MONTHS: tuple[dict[str, Any], ...] = (
    {"id": "month", "kind": "total", "of": "count"},
    {"id": "month-change", "kind": "difference", "of": "count"},
    {"id": "month-ratio", "kind": "ratio", "of": "count"},
)


def tables_across(*, days: bool) -> tuple[dict[str, Any], ...]:
    """Tables by week at two levels of areas, and where days are told apart by day and month."""
    found: list[dict[str, Any]] = [
        {"id": f"{level}-weeks", "levels": {"area": level}, "period": "week", "last": 2, "statistics": WEEKS}
        for level in ("area", "region")
    ]
    if days:
        found += [
            {"id": "area-days", "levels": {"area": "area"}, "period": "day", "last": 3, "statistics": DAYS},
            {"id": "region-months", "levels": {"area": "region"}, "period": "month", "last": 1, "statistics": MONTHS},
        ]
    return tuple({"title": one["id"], **one} for one in found)


@dataclass(frozen=True, eq=False)
class Series:
    """Weekly editions of one series as their sealed plans declare them, the newest last."""

    made: DeclaredEdition
    sealed: tuple[SealedPlan, ...]

    @property
    def release(self) -> Release:
        return self.sealed[-1].release

    def edition(self, number: int) -> DeclaredEdition:
        """One edition, to be drawn."""
        one = self.sealed[number]
        return replace(self.made, release=one.release, grid=one.grid, plan=one.plan)

    def draw(self, reported: Sequence[Sequence[Integers]], rng: np.random.Generator) -> list[Measured]:
        """Every edition with noise, and with the late rows that later ones measured.

        Args:
            reported: edition → rows reported by its own run, and by each later edition that measures late rows of it.
        """
        late: list[list[LateTables]] = [[] for _ in self.sealed]
        found = []
        labels = [one.period.label for one in self.sealed]
        for number, one in enumerate(self.sealed):
            edition = self.edition(number)
            noisy = edition.draw({"count": reported[number][0], **truncated(reported[number][0])}, rng)
            found.append(Measured(one.plan, one.period, one.grid, one.release, noisy, self.made.catalogue))
            for before in one.plan.late:
                at = labels.index(before.label)
                rows = reported[at][number - at]
                there = replace(
                    self.edition(at), plan=one.plan.model_copy(update={"measurements": before.measurements})
                )
                values = there.draw({"count": rows, "late_statistic": rows, "late_rows": rows}, rng).values
                late[at].append(LateTables(before.measurements, values))
        return [replace(one, late=tuple(added)) for one, added in zip(found, late, strict=True)]

    def true(self, reported: Sequence[Sequence[Integers]]) -> dict[date, Integers]:
        """Day → rows by area that the editions have counted, all told."""
        found = {}
        for number, one in enumerate(self.sealed):
            last = min(len(self.sealed) - 1 - number, len(reported[number]) - 1)
            rows = np.sum(reported[number][: last + 1], axis=0)[:, :, 0]
            for at in range(rows.shape[1]):
                found[one.period.start + timedelta(days=at)] = rows[:, at]
        return found


def truncated(rows: Integers) -> dict[str, Integers]:
    """Nothing is truncated in these series."""
    return {"truncated_rows": np.zeros_like(rows), "truncated_persons": np.zeros_like(rows)}


def declare_series(
    *,
    weeks: int,
    tables: Sequence[Mapping[str, Any]],
    loss: Mapping[str, Any],
    late: int = 0,
    first: str = "2024-W01",
    total: int = 2000,
    across: Sequence[Mapping[str, Any]] = (),
) -> Series:
    """A series from the first week of 2024, with tables across editions."""
    made = declare_edition(
        period=first,
        kind="week",
        tables=tables,
        loss=loss,
        bands=1,
        statistics=({"id": "count", "kind": "count", "expected_total": total},),
        derived=({"id": "rate", "kind": "rate", "of": "count"},),
    )
    period = parse_period(first)
    content = made.release.model_dump(mode="json") | {"across": list(across), "start": period.start.isoformat()}
    release = Release.model_validate(content)
    if late:
        release = release.model_copy(update={"late": Late(periods=late, share=0.3)})
    catalogue = replace(made.catalogue, releases={"test": release}, _grids={})
    sealed: list[SealedPlan] = []
    for _ in range(weeks):
        known = [one.series for one in sealed[-1:] if one.series]
        before = {known[0].hash: sealed[-late:]} if late and known else {}
        sealed.append(make_sealed(catalogue, release, period, known=known, stored=before))
        period = next_period(period)
    return Series(replace(made, catalogue=catalogue, release=release), tuple(sealed))


def arrivals(series: Series, rng: np.random.Generator, *, total: int, late: int) -> list[list[Integers]]:
    """Rows of each edition by when they are reported: half within two days, more slowly in some areas."""
    areas = series.sealed[0].grid.shape()[0]
    size = rng.gamma(2, 0.5, areas)[:, None] * np.array([1.2, 1.1, 1.05, 1.0, 1.0, 0.8, 0.8])
    rate = 0.35 * np.exp(rng.normal(0, 0.2, areas))[:, None]
    found = []
    for number in range(len(series.sealed)):
        mean, before = total * size / size.sum() * 1.05**number, np.zeros_like(size)
        stages = []
        for week in range(late + 1):
            there = 1 - np.exp(-rate * (7 - np.arange(7) + 7 * week)) if late else np.ones_like(size)
            stages.append(rng.poisson(mean * (there - before))[:, :, None])
            before = there
        found.append(stages)
    return found


def true_values(
    table: AcrossTable, name: str, rows: Sequence[Any], release: Release, days: Mapping[date, Integers]
) -> Any:
    """The true values of a statistic, a row a period, by area or region; NaN where there is none."""
    one = next(s for s in table.statistics if s.id == name)
    assert source_of(release, one) == "count"
    found = []
    for row in rows:
        pair = windows(one, release, row)
        sums = []
        for window in pair or ():
            if window is not None:
                first, last = window
                inside = [n for day, n in days.items() if first <= day <= last]
                whole = len(inside) == (last - first).days + 1
                by_area = np.sum(inside, axis=0).astype(float) if whole else np.full(9, np.nan)
                by_region = np.add.reduceat(by_area, [0, 3, 7])
                sums.append(by_area if table.levels.get("area") == "area" else by_region)
        a, b = sums if len(sums) == 2 else (*sums, None)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(_value(one.kind, a, b, one.periods))
    return np.array(found)


def _value(kind: str, a: Any, b: Any, periods: int) -> Any:
    if kind == "mean":
        return a / periods
    if kind == "difference":
        return a - b
    if kind == "ratio":
        return a / b
    if kind == "growth":
        return 100 * np.log(a / b) / (7 * periods)
    return a


def covered(
    series: Series, rng: np.random.Generator, *, releases: int, total: int, late: int
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Share of covered values of each statistic in each simulated series."""
    shares: dict[tuple[str, str], list[float]] = {}
    for _ in range(releases):
        reported = arrivals(series, rng, total=total, late=late)
        *before, own = series.draw(reported, rng)
        days = series.true(reported)
        found: dict[str, Across] = across(own, before)
        for table in series.release.across:
            for one in table.statistics:
                e = found[table.id].estimates[one.id]
                true = true_values(table, one.id, found[table.id].rows, series.release, days)
                lower, upper, value = (np.moveaxis(x, 1, 0)[:, :, 0] for x in (e.lower, e.upper, e.value))
                known = ~np.isnan(value) & np.isfinite(true)
                if known.any():
                    inside = (lower[known] <= true[known] + 1e-9) & (true[known] <= upper[known] + 1e-9)
                    shares.setdefault((table.id, one.id), []).append(float(inside.mean()))
    return {key: np.array(values) for key, values in shares.items()}


def failures(found: Mapping[tuple[str, str], NDArray[np.float64]], *, least: float = 0.01) -> list[str]:
    """Statistics whose coverage is clearly outside 93 to 97 %: by five standard errors between series.

    Args:
        least: standard deviation of a series' coverage that is assumed at least; few values a series are often all covered.
    """
    bad = []
    for (table, name), shares in found.items():
        mean, error = shares.mean(), max(shares.std(ddof=1), least) / np.sqrt(len(shares))
        if not 0.93 - 5 * error <= mean <= 0.97 + 5 * error:
            bad.append(f"{table} {name}: {mean:.3f} ± {error:.4f}")
    return bad
