"""Published tables in pandas: what their types are, wherever they are read from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from invented_editions import catalogue, make_sample, publish_weeks_and_costs

import dp_stats
from dp_stats.errors import PublishedError
from tests.serving import served

__all__ = ["catalogue", "make_sample"]

LEAF = "api/themes/health/sub_themes/infectious-disease/topics/cases-by-area/geography_types/ltla"


@pytest.fixture(scope="module")
def public(make_sample: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_weeks_and_costs(
        make_sample, tmp_path_factory.mktemp("made"), (7, 8), "https://statistics.example.org"
    )


@pytest.fixture(scope="module")
def address(public: Path) -> Iterator[str]:
    with served(public) as found:
        yield found


def test_columns_have_their_types_and_an_interval(public: Path) -> None:
    rows = dp_stats.read(public / "cases-by-area" / "history" / "area-day.csv")
    kinds = {name: str(kind) for name, kind in rows.dtypes.items()}
    assert {kinds[n] for n in ("metric", "geography_code", "geography", "period", "status", "edition")} == {"str"}
    assert kinds["value"] == "Int64"
    assert {kinds[n] for n in ("lower_95", "upper_95", "value_unbiased", "standard_error")} == {"float64"}
    assert {kinds[n] for n in ("date", "period_start", "period_end")} == {"datetime64[s]"}
    assert kinds["interval_95"] == "interval[float64, both]"
    assert not rows["geography_code"].isna().any()
    inside = [value in interval for value, interval in zip(rows["value"], rows["interval_95"], strict=True)]
    assert all(inside)


def test_csv_and_parquet_a_folder_and_the_web_give_the_same(public: Path, address: str) -> None:
    folder = public / "cases-by-area"
    sources = [
        (folder / "history" / "area-week-age.csv", ""),
        (folder / "history" / "area-week-age.parquet", ""),
        (folder / "history", "area-week-age"),
        (folder, "area-week-age"),
        (f"{address}/cases-by-area/index.html#downloads", "area-week-age"),
        (f"{address}/cases-by-area/history/area-week-age.csv", ""),
    ]
    first, *others = (dp_stats.read(source, table=table) for source, table in sources)
    assert len(first) > 0
    for other in others:
        pd.testing.assert_frame_equal(first, other)
        assert {**other.attrs, "address": ""} == {**first.attrs, "address": ""}


def test_an_empty_value_stays_empty_and_its_mark_is_told(public: Path) -> None:
    rows = dp_stats.read(public / "costs-by-sex", table="by-sex")
    missing = rows[rows["value"].isna()]
    assert len(missing)
    assert set(missing["status"]) <= {"x", "z"}
    assert not missing["reliable"].any()
    assert set(missing["status"]) <= set(rows.attrs["marks"])
    assert rows.attrs["licence"] == "OGL-UK-3.0"


def test_an_interval_that_nothing_bounds_above_goes_on_for_ever() -> None:
    from dp_stats.client.reading import _typed

    given = {"value": ["1.5", "2"], "lower_95": ["1", ""], "upper_95": ["", ""], "status": ["", "x"]}
    rows = _typed(pd.DataFrame(given))
    assert rows["interval_95"].iloc[0] == pd.Interval(1.0, np.inf, closed="both")
    assert pd.isna(rows["interval_95"].iloc[1])
    assert str(rows["value"].dtype) == "float64"


def test_files_of_the_api_are_tables_too(public: Path) -> None:
    one = dp_stats.read(public / LEAF / "geographies" / "A2" / "metrics" / "cases" / "area-day.json")
    every = dp_stats.read(public / LEAF / "metrics" / "cases" / "area-day" / "2021-W08.json")
    assert set(one["geography_code"]) == {"A2"}
    whole = dp_stats.read(public / "cases-by-area" / "2021-W08" / "r1" / "area-day.csv")
    wanted = whole[whole["metric"] == "cases"].reset_index(drop=True)
    pd.testing.assert_series_equal(every["value"], wanted["value"])
    pd.testing.assert_series_equal(every["geography"], wanted["geography"])


@pytest.mark.parametrize(
    ("place", "table", "said"),
    [
        ("cases-by-area", "", "There are several tables"),
        ("cases-by-area", "nothing", "There is no table 'nothing'"),
        ("nowhere", "", "no published tables"),
        ("cases-by-area/history/nothing.csv", "", "There is no"),
        ("api/index.json", "", "holds no values"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_do(
    public: Path, address: str, place: str, table: str, said: str
) -> None:
    for start in (str(public), address):
        with pytest.raises(PublishedError, match=said):
            dp_stats.read(f"{start}/{place}", table=table)


def test_an_address_that_does_not_answer_is_said() -> None:
    with pytest.raises(PublishedError, match="cannot be reached"):
        dp_stats.read("http://127.0.0.1:9/cases.csv")


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = {"pandas", "numpy", "httpx", "pyarrow", "scipy"}
    code = f"import dp_stats, sys; print([m for m in sys.modules if m in {heavy!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "read" in dir(dp_stats)
    with pytest.raises(AttributeError):
        dp_stats.nothing  # noqa: B018
