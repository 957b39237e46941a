"""Over a year of weekly editions quarters and changes on a year ago are the sums of their days, also where areas have merged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from dp_stats.catalogue.across_windows import windows
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import next_period, parse_period
from dp_stats.estimate.across import across
from dp_stats.estimate.measured_edition import Measured
from dp_stats.estimate.model import Across
from dp_stats.plan.make import make_sealed
from tests.across_examples import BY_DAY, declare_series

pytestmark = pytest.mark.slow

MERGED = date(2024, 5, 15)
"""In the middle of a week and of a quarter: A0 and A1 become M."""
WEEKS = 66
FIRST, LAST = date(2024, 1, 1), date(2025, 4, 6)
TABLES: tuple[dict[str, Any], ...] = (
    {
        "id": "quarters",
        "title": "Quarters",
        "levels": {"area": "area"},
        "period": "quarter",
        "last": 5,
        "statistics": [
            {"id": "quarter", "kind": "total", "of": "count"},
            {"id": "quarter-year-ago", "kind": "difference", "of": "count", "against": "year"},
        ],
    },
    {
        "id": "weeks",
        "title": "Weeks",
        "levels": {"area": "area"},
        "period": "week",
        "last": 12,
        "statistics": [
            {"id": "year-ago", "kind": "difference", "of": "count", "against": "year"},
            {"id": "as-a-share", "kind": "ratio", "of": "count", "against": "year"},
            {"id": "this-year", "kind": "cumulative", "of": "count", "since": "2025-01-01"},
        ],
    },
)


def with_dates(codes: CodeList) -> CodeList:
    """The list with a merger of its first two areas."""
    ends = {"A0", "A1"}
    before = (MERGED - timedelta(days=1)).isoformat()
    rows = [
        {
            **row,
            "valid_from": "",
            "valid_to": before if row["code"] in ends else "",
            "replaced_by": "M" * (row["code"] in ends),
        }
        for row in codes.rows
    ]
    new = {
        **rows[0],
        "code": "M",
        "name": "Merged",
        "valid_from": MERGED.isoformat(),
        "valid_to": "",
        "replaced_by": "",
    }
    return replace(codes, header=(*codes.header, "valid_from", "valid_to", "replaced_by"), rows=(*rows, new))


@pytest.fixture(scope="module")
def year() -> tuple[dict[str, Across], dict[date, dict[str, int]], Measured]:
    """The newest edition's tables, made without noise, and how many rows each area has on each day, as areas were at first."""
    made = declare_series(weeks=1, tables=BY_DAY, loss={"epsilon": 1}, across=TABLES).made
    release: Release = made.release
    lists = {**made.catalogue.codes, "areas": with_dates(made.catalogue.codes["areas"])}
    catalogue = replace(made.catalogue, codes=lists, releases={"test": release}, _grids={})
    rng = np.random.default_rng(7)
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    counts = {day: {f"A{n}": int(k) for n, k in enumerate(rng.poisson(20 + 5 * np.arange(9)))} for day in days}
    editions: list[Measured] = []
    period, known, hashes = parse_period("2024-W01"), [], set()
    for _ in range(WEEKS):
        sealed = make_sealed(catalogue, release, period, known=known)
        assert sealed.series is not None
        known = [sealed.series]
        hashes.add(sealed.series.hash)
        codes = sealed.grid["area"].leaf.codes
        inside = [period.start + timedelta(days=n) for n in range(7)]
        exact = [[counted(counts[day], code) for day in inside] for code in codes]
        edition = replace(made, release=sealed.release, grid=sealed.grid, plan=sealed.plan)
        noisy = edition.draw({"count": np.array(exact)[:, :, None]}, rng, noise=0)
        editions.append(Measured(sealed.plan, period, sealed.grid, sealed.release, noisy, sealed.catalogue))
        period = next_period(period)
    assert len(hashes) == 1, "one charge"
    *before, own = editions
    return across(own, before), counts, own


def counted(there: dict[str, int], code: str) -> int:
    """Rows of a day in an area as it is now."""
    return there["A0"] + there["A1"] if code == "M" else there[code]


@pytest.mark.parametrize(("table", "name"), [(t["id"], s["id"]) for t in TABLES for s in t["statistics"]])
def test_every_window_is_the_sum_of_its_days_and_like_is_set_against_like(year: Any, table: str, name: str) -> None:
    tables, counts, own = year
    declared = next(t for t in own.release.across if t.id == table)
    one = next(s for s in declared.statistics if s.id == name)
    codes = own.grid["area"].leaf.codes
    assert codes[-1] == "M"
    found = np.moveaxis(tables[table].estimates[name].value, 1, 0)[:, :, 0]
    rows, told = tables[table].rows, 0
    for row, values in zip(rows, found, strict=True):
        pair = windows(one, own.release, row)
        if pair is None or any(w is not None and (w[0] < FIRST or w[1] > LAST) for w in pair):
            assert np.isnan(values).all()
            continue
        told += 1
        sums = [
            np.array([sum(counted(n, code) for day, n in counts.items() if w[0] <= day <= w[1]) for code in codes])
            for w in pair
            if w is not None
        ]
        expected = sums[0] if one.kind in ("total", "cumulative") else sums[0] - sums[1]
        if one.kind == "ratio":
            expected = sums[0] / sums[1]
        np.testing.assert_allclose(values, expected, rtol=1e-2 if one.kind == "ratio" else 0, atol=0)
    assert told >= (1 if name == "quarter-year-ago" else len(rows) - 1)
