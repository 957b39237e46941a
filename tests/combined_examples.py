"""Releases whose measurements are published, for tests of sums that readers make themselves, and what they may ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dp_stats.catalogue.models import Late
from dp_stats.catalogue.periods import next_period, parse_period
from dp_stats.estimate import open_measurements
from dp_stats.estimate.fitted import fitted
from dp_stats.estimate.late import LateTables
from dp_stats.estimate.measured_edition import Measured
from dp_stats.estimate.tables import fit_all
from dp_stats.plan.make import make_sealed
from tests.estimate_examples import DeclaredEdition, declare_edition

WEEKS = ("2024-W10", "2024-W11", "2024-W12")
AREAS, BANDS = 9, 3
TABLES: tuple[dict[str, Any], ...] = (
    {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count", "rate"]},
    {
        "id": "area-week-band",
        "levels": {"area": "area", "date": "week", "band": "band"},
        "statistics": ["count", "cost", "mean-cost"],
    },
    {"id": "region", "levels": {"area": "region"}, "statistics": ["people"]},
)
PLAIN: dict[str, Any] = {
    "tables": TABLES,
    "statistics": (
        {"id": "count", "kind": "count", "title": "Visits", "expected_total": 5000},
        {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 10, "resolution": 1},
        {"id": "people", "kind": "persons"},
    ),
    "derived": (
        {"id": "rate", "kind": "rate", "of": "count", "per": 1000},
        {"id": "mean-cost", "kind": "mean", "of": "cost", "over": "count"},
    ),
}
GAUSSIAN: dict[str, Any] = {**PLAIN, "loss": {"rho": 0.2}}
TRUNCATED: dict[str, Any] = {**PLAIN, "contribution": {"rows": 3, "truncated_rows": 6}}
WEEKLY: dict[str, Any] = {
    "tables": (
        {"id": "area-week", "levels": {"area": "area", "date": "week"}, "statistics": ["count"]},
        {"id": "region-week", "levels": {"area": "region", "date": "week"}, "statistics": ["count"]},
    ),
    "statistics": ({"id": "count", "kind": "count", "expected_total": 5000},),
}
DAILY: dict[str, Any] = {
    "tables": (
        {"id": "area-day", "levels": {"area": "area", "date": "day"}, "statistics": ["count"]},
        {"id": "all-day", "levels": {"date": "day"}, "statistics": ["count"]},
    ),
    "statistics": ({"id": "count", "kind": "count", "expected_total": 5000},),
    "bands": 1,
}
CASES: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "gaussian": GAUSSIAN,
    "truncated": TRUNCATED,
    "late": {**WEEKLY, "late": True},
    "late-by-day": {**DAILY, "late": True},
}


def measured(case: str, week: str, *, seed: int = 0, mean: float = 12.0) -> tuple[Measured, np.ndarray]:
    """One edition of a case with noise of a seed, and its true counts: areas × days × bands."""
    late = CASES[case].get("late", False)
    made = _declared(case, week)
    number = WEEKS.index(week) + 1
    true = np.random.default_rng(100 + number)  # the same for every draw of noise
    counts = true.poisson(mean, made.grid.shape()) * (true.random(made.grid.shape()) < 0.8)
    exact = {
        "count": counts,
        "cost": counts * 4,
        "people": counts,
        "truncated_rows": true.poisson(0.4, made.grid.shape()),
        "truncated_persons": true.poisson(0.2, made.grid.shape()),
    }
    rng = np.random.default_rng(1000 * seed + number)
    period, noisy = parse_period(week), made.draw(exact, rng)
    if not late:
        return Measured(made.plan, period, made.grid, made.release, noisy, made.catalogue), counts
    edition, tables = _late(made, week)
    added = true.poisson(0.2 * mean, made.grid.shape())
    plan = edition.plan.model_copy(update={"measurements": tables})
    drawn = replace(edition, plan=plan).draw({"count": added, "late_rows": added, "late_statistic": added}, rng)
    noisy = edition.draw(exact, rng)
    one = Measured(
        edition.plan,
        period,
        edition.grid,
        edition.release,
        noisy,
        edition.catalogue,
        (LateTables(tables, drawn.values),),
    )
    return one, counts + added


@cache
def _declared(case: str, week: str) -> DeclaredEdition:
    options = {name: value for name, value in CASES[case].items() if name != "late"}
    return declare_edition(period=week, kind="week", **options)


def _late(made: DeclaredEdition, week: str) -> tuple[DeclaredEdition, Any]:
    release = made.release.model_copy(update={"late": Late(periods=2, share=0.3)})
    catalogue = replace(made.catalogue, releases={"test": release}, _grids={})
    period = parse_period(week)
    first = make_sealed(catalogue, release, period)
    assert first.series is not None
    later = make_sealed(catalogue, release, next_period(period), stored={first.series.hash: [first]})
    edition = replace(made, catalogue=catalogue, release=release, plan=first.plan, grid=first.grid)
    return edition, later.plan.late[0].measurements


def published(one: Measured) -> Measured:
    """The same as a reader has it, through the text of the file."""
    known = fitted(fit_all(one.plan, grid=one.grid, release=one.release, noisy=one.noisy, late=one.late))
    text = json.dumps(open_measurements.document(one, known), allow_nan=False)
    return open_measurements.read(json.loads(text))


def write_release(folder: Path, editions: list[Measured]) -> None:
    """The files of a release that sums are made from, below ``folder/test``."""
    listed = []
    for one in editions:
        path = f"test/{one.period.label}/r1"
        (folder / path).mkdir(parents=True)
        known = fitted(fit_all(one.plan, grid=one.grid, release=one.release, noisy=one.noisy, late=one.late))
        content = {"revision": 1, **open_measurements.document(one, known)}
        (folder / path / "combine.json").write_text(json.dumps(content, allow_nan=False))
        listed.append({"path": path, "start": one.period.start.isoformat(), "end": one.period.end.isoformat()})
    (folder / "test" / "history").mkdir()
    (folder / "test" / "history" / "index.json").write_text(json.dumps({"editions": listed}))


def question(rng: np.random.Generator, case: str, *, more: Sequence[str] = ()) -> dict[str, Any]:
    """Something that a reader may ask: any areas and regions, any bands, any days, any statistic."""
    first = date(2024, 3, 4) + timedelta(days=int(rng.integers(0, 21)))
    last = min(first + timedelta(days=int(rng.integers(0, 21))), date(2024, 3, 24))
    where: dict[str, tuple[str, ...]] = {}
    if rng.random() < 0.8:
        codes = [*(f"A{i}" for i in range(AREAS)), "R0", "R1", "R2", *more]
        where["area"] = tuple(rng.choice(codes, int(rng.integers(1, 6)), replace=False).tolist())
    bands = CASES[case].get("bands", BANDS)
    if bands > 1 and rng.random() < 0.4:
        where["band"] = tuple(f"B{i}" for i in range(bands) if rng.random() < 0.6) or ("B0",)
    whole_weeks = case == "late" or "band" in where or rng.random() < 0.4
    if whole_weeks:
        weeks = sorted(rng.choice(3, 2).tolist())
        first, last = (
            date(2024, 3, 4) + timedelta(days=7 * weeks[0]),
            date(2024, 3, 10) + timedelta(days=7 * weeks[1]),
        )
    names = [s["id"] for s in (*CASES[case]["statistics"], *CASES[case].get("derived", ()))]
    return {"statistic": str(rng.choice(names)), "where": where, "start": first, "end": last}


MERGED = ["A0", "M", "A3", "A4", "A5", "A6", "A7", "S1", "S2"]
"""Areas after two have merged and one was split."""


def over_a_change() -> list[Measured]:
    """Three weekly editions, the first before areas merged and split."""
    rng, found = np.random.default_rng(3), []
    for number, week in enumerate(WEEKS):
        made = declare_edition(period=week, kind="week", areas=(3, 4, 2) if not number else (2, 4, 3), **PLAIN)
        listed = made.catalogue.codes["areas"]
        names = [row["code"] for row in listed.rows] if not number else MERGED
        rows = tuple({**row, "code": code} for row, code in zip(listed.rows, names, strict=True))
        gone = {"A1": ("M",), "A2": ("M",), "A8": ("S1", "S2")} if number else {}
        codes = {**made.catalogue.codes, "areas": replace(listed, rows=rows, replaced=gone)}
        catalogue = replace(made.catalogue, codes=codes, _grids={})
        counts = rng.poisson(12.0, made.grid.shape())
        noisy = made.draw({"count": counts, "cost": counts * 4, "people": counts}, rng)
        grid = catalogue.grid(made.release, parse_period(week))
        found.append(Measured(made.plan, parse_period(week), grid, made.release, noisy, catalogue))
    return found


def comparison(rng: np.random.Generator, case: str) -> dict[str, Any]:
    """Two areas, regions or groups of areas that a reader may compare, apart or one within the other."""
    one = question(rng, case)
    where = {name: codes for name, codes in one.pop("where").items() if name != "area"}
    codes = [*(f"A{i}" for i in range(AREAS)), "R0", "R1", "R2"]
    first, second = (tuple(rng.choice(codes, int(rng.integers(1, 3)), replace=False).tolist()) for _ in range(2))
    return {**one, "of": {**where, "area": first}, "less": {**where, "area": second}}


Ask = Callable[..., Any]


def asked(ask: Ask, question: Mapping[str, Any]) -> Any:
    """The answer as numbers, or why there is none."""
    from dp_stats.errors import NotDerivableError

    rest = {name: value for name, value in question.items() if name != "statistic"}
    try:
        return ask(question["statistic"], **rest)
    except NotDerivableError as error:
        return str(error)
