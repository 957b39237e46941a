"""Suites gate what comes in and what goes out, and never say a value."""

from __future__ import annotations

import gc
import json
import logging
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dp_stats.catalogue import load_catalogue
from dp_stats.catalogue.periods import parse_period
from dp_stats.errors import CatalogueError, DpStatsError, QualityError
from dp_stats.quality import QualityReport, check, check_published, find_suite, gx
from dp_stats.secure.check import check_snapshot, suite_parameters
from dp_stats.settings import load_settings

CANARY = "CANARY-9434765919"
ROWS = pa.table(
    {"person": [CANARY, "p2", None, "p2"], "age": [1.0, 2.0, 2.0, 777.125], "area": ["A", "B", "A", CANARY]}
)


def expectation(name: str, severity: str | None = None, **kwargs: Any) -> dict[str, Any]:
    meta = {"meta": kwargs.pop("meta")} if "meta" in kwargs else {}
    return {"type": f"expect_{name}", "kwargs": kwargs, **({"severity": severity} if severity else {}), **meta}


@pytest.fixture
def judge(tmp_path: Path):
    """Run expectations on rows, both as a Parquet file and as a table in memory."""

    def run(*expectations: dict[str, Any], table: pa.Table = ROWS, **parameters: object) -> QualityReport:
        suite = tmp_path / "visits.json"
        suite.write_text(json.dumps({"name": "visits", "expectations": list(expectations)}))
        pq.write_table(table, tmp_path / "rows.parquet")
        report = check({"rows": tmp_path / "rows.parquet"}, suite=suite, parameters=parameters)
        assert check({"rows": table}, suite=suite, parameters=parameters) == report
        return report

    return run


def test_met_expectations_leave_nothing_to_report(judge):
    report = judge(
        expectation("column_values_to_not_be_null", column="age"),
        expectation("column_values_to_not_be_null", column="person", mostly=0.7),
        expectation("table_row_count_to_be_between", min_value=4, max_value=4),
        expectation("table_columns_to_match_set", column_set=["person", "age", "area"]),
        expectation("column_values_to_be_in_set", column="area", value_set={"$PARAMETER": "areas"}, mostly=0.75),
        areas=["A", "B"],
    )
    assert report == QualityReport(5)
    assert report.enforce() is report


def test_a_failed_gate_names_suite_expectation_and_column_and_no_value(judge):
    report = judge(
        expectation("column_values_to_not_be_null", "warning", column="person"),
        expectation("column_values_to_be_between", column="age", max_value=100),
        expectation("column_values_to_be_in_set", "critical", column="area", value_set=["A", "B"]),
        expectation("column_values_to_be_unique", "info", column="person"),
    )
    assert [failure.position for failure in report.warnings] == [1, 4]
    assert [failure.position for failure in report.failed_gates] == [2, 3]
    with pytest.raises(QualityError) as caught:
        report.enforce()
    message = str(caught.value)
    assert "visits.json, expectation 2 (expect_column_values_to_be_between of age) was not met" in message
    assert "visits.json, expectation 3 (expect_column_values_to_be_in_set of area) was not met" in message
    assert "CANARY" not in message + repr(report)
    assert "777" not in message + repr(report)


def test_warnings_do_not_stop_a_run(judge):
    assert judge(expectation("column_values_to_be_unique", "warning", column="area")).enforce().warnings


@pytest.mark.parametrize(
    "broken",
    [
        expectation("column_values_to_be_between", column="nothing", max_value=1),
        expectation("column_values_to_be_between", column="person", max_value=1),
        expectation("column_values_to_be_friendly", column="person"),
        expectation("column_values_to_be_in_set", column="person"),
    ],
    ids=["a missing column", "a column of another type", "a misspelt name", "missing arguments"],
)
def test_an_expectation_that_cannot_be_evaluated_fails_closed(judge, broken, caplog, capfd):
    report = judge(broken)
    assert [failure.broken for failure in report.failed_gates] == [True]
    assert "could not be evaluated" in str(report.failed_gates[0])
    assert "CANARY" not in str(report) + caplog.text + "".join(capfd.readouterr())


def test_results_of_great_expectations_never_leave(judge, caplog, capfd, monkeypatch):
    """Even GX itself is asked for no value, so that a change in how it stores results cannot leak one."""
    from great_expectations.datasource.fluent.interfaces import Batch

    seen = []
    validate = Batch.validate

    def spying(self, *args, **kwargs):
        seen.append(validate(self, *args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(Batch, "validate", spying)
    caplog.set_level(logging.DEBUG)
    judge(
        expectation("column_values_to_be_unique", column="person"),
        expectation("column_max_to_be_between", column="age", max_value=5),
        expectation("column_most_common_value_to_be_in_set", column="area", value_set=["B"]),
    )
    results = [result for whole in seen for result in whole.results]
    assert len(results) == 6
    for result in results:
        assert not result.success
        assert result.result == {}
    text = "".join(str(result.to_json_dict()) for result in seen) + caplog.text + "".join(capfd.readouterr())
    assert "CANARY" not in text
    assert "777" not in text


def test_an_optional_expectation_is_left_out_where_its_column_is_missing(judge):
    optional = expectation("column_values_to_not_be_null", column="postcode", meta={"if_present": True})
    assert judge(optional) == QualityReport(0)
    assert judge(optional, table=pa.table({"postcode": pa.array([None], pa.string())})).failed_gates


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "cannot be read as JSON"),
        ("[]", "needs 'expectations'"),
        ('{"expectations": []}', "needs 'expectations'"),
        ('{"expectations": [{"kwargs": {}}]}', "expectation 1: needs 'type' and 'kwargs'"),
        ('{"expectations": [{"type": "x", "kwargs": {}, "severity": "bad"}]}', "critical, warning, info"),
        (
            '{"expectations": [{"type": "x", "kwargs": {}, "meta": {"table": "other"}}]}',
            "meta.table must be one of rows",
        ),
        ('{"expectations": [{"type": "x", "kwargs": {"a": {"$PARAMETER": "b"}}}]}', "no parameter 'b'"),
    ],
)
def test_a_wrong_suite_is_named_with_what_to_write(tmp_path, content, said):
    suite = tmp_path / "visits.json"
    suite.write_text(content)
    with pytest.raises(QualityError, match=said) as caught:
        check({"rows": ROWS}, suite=suite)
    assert "visits.json" in str(caught.value)


def test_a_suite_is_looked_for_in_the_catalogue_first(tmp_path):
    settings = load_settings({"DP_STATS_CATALOGUE": str(tmp_path)})
    assert find_suite("published.json", settings=settings).parent.name == "expectations"
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "published.json").touch()
    assert find_suite("published.json", settings=settings).is_relative_to(tmp_path)
    with pytest.raises(CatalogueError, match=r"There is no suite 'other\.json'"):
        find_suite("other.json", settings=settings)


@pytest.mark.parametrize("large", [1, 10**9], ids=["as a large file", "as a small file"])
def test_large_files_are_judged_alike(judge, monkeypatch, large):
    monkeypatch.setattr(gx, "LARGE", large)
    people = [f"p{i}" for i in range(999)]
    table = pa.table({"person": [*people, None], "other": [*people[:-1], "p0", "p0"], "area": ["A"] * 1000})
    report = judge(
        expectation("column_values_to_be_unique", column="person"),
        expectation("column_values_to_not_be_null", column="person"),
        expectation("column_values_to_be_unique", column="other"),
        expectation("compound_columns_to_be_unique", column_list=["person", "area"]),
        expectation("compound_columns_to_be_unique", column_list=["other", "area"]),
        expectation("column_values_to_match_regex", column="person", regex="^p[0-9]+$"),
        expectation("column_values_to_be_in_set", column="area", value_set=["A"]),
        table=table,
    )
    assert [failure.position for failure in report.failed_gates] == [2, 3, 5]
    assert not any(failure.broken for failure in report.failed_gates)


def test_the_suite_of_the_example_passes_on_good_rows_and_finds_each_fault(visits):
    suite = find_suite("covid-cases.json", settings=load_settings({}))
    visits.declared["columns"] = {
        "person_id": {"from": "person", "type": "person"},
        "specimen_date": {"from": "day", "type": "date"},
        "area": {"from": "area", "type": "code", "codes": "areas"},
        "age_band": {"from": "age", "type": "band", "codes": "bands", "unknown": True},
    }
    visits.declared |= {"date_column": "specimen_date", "expectations": "covid-cases.json"}
    visits.declared["privacy_unit"]["column"] = "person_id"
    visits.write("catalogue/expectations/covid-cases.json", suite.read_text())

    def judge(*rows: str) -> list[int]:
        visits.source("\n".join(["person,day,area,age", *rows]) + "\n")
        visits.pull()
        catalogue = load_catalogue(visits.settings.catalogue)
        parameters = suite_parameters(catalogue.datasets["visits"].columns, catalogue, parse_period(visits.period))
        tables = {"rows": visits.staging / "intake.parquet", "source": visits.staging / "source.parquet"}
        report = check(tables, suite=suite, parameters=parameters)
        return [failure.position for failure in report.failed_gates] or [
            -failure.position for failure in report.warnings
        ]

    good = [f"p{i},2020-03-{9 + i % 7:02},A1,{i}" for i in range(700)]
    assert judge(*good) == []
    assert judge() == [2, 3]
    assert judge(*(row for row in good if "03-13" not in row and "03-14" not in row and "03-15" not in row)) == [3]
    assert judge(*good, *["p9,09/03/2020,A1,9"] * 20) == [4]
    assert judge(*good, *[" ,2020-03-09,A1,9"] * 20) == [5]
    assert judge(*good, *(f"q{i},2020-03-09,A9,9" for i in range(50))) == [6]
    assert judge(*good, *(f"q{i},2020-03-09,A1,?" for i in range(99))) == [9]
    assert judge(*(row for row in good if "03-12" not in row)) == [-10]
    assert judge(*good, *(f"q{i},2020-03-09,A9,9" for i in range(9))) == [-11]
    assert judge(*good, *good[:200]) == [-12]

    judge()
    catalogue = load_catalogue(visits.settings.catalogue)
    with pytest.raises(QualityError, match=r"covid-cases\.json, expectation 2 .* of rows_in_period"):
        check_snapshot(
            catalogue.datasets["visits"],
            catalogue=catalogue,
            period=parse_period(visits.period),
            folder=visits.staging,
            settings=visits.settings,
        )


PUBLISHED = pa.table(
    {
        "metric": ["cases", "cases", "cases"],
        "geography_type": ["ltla"] * 3,
        "geography_code": ["E1", "E2", "E3"],
        "age_code": ["all"] * 3,
        "date": ["2021-01-04"] * 3,
        "period": ["2021-W01"] * 3,
        "value": pa.array([3, 0, None], pa.int64()),
        "lower_95": [1.5, 0.0, None],
        "upper_95": [4.5, 2.0, None],
        "status": ["", "p low", "x"],
    }
)  # fmt: skip


def published(**columns: list[Any]) -> pa.Table:
    return pa.table(PUBLISHED.to_pydict() | columns)


def test_a_sound_table_may_be_published():
    settings = load_settings({})
    assert check_published(PUBLISHED, settings=settings).warnings == ()
    without_areas = PUBLISHED.drop_columns(["geography_type", "geography_code"]).slice(0, 1)
    assert check_published(without_areas, settings=settings).warnings == ()
    assert check_published(
        published(value=[-3, 0, 1], lower_95=[-4, 0, 0], upper_95=[0, 1, 2]), settings=settings, lowest=-3
    )


FAULTS = {
    "a value below nothing": ({"value": [-1, 0, 1], "lower_95": [-2, 0, 0]}, "to_be_between of value"),
    "an interval that begins above the value": ({"lower_95": [3.5, 0, 0]}, "of value, lower_95"),
    "an interval that ends below the value": ({"upper_95": [2.5, 1, 1]}, "of upper_95, value"),
    "a cell that stands twice": (
        {"geography_code": ["E1", "E1", "E3"]},
        "unique of metric, geography_type, geography_code",
    ),
    "a cell without an area": ({"geography_code": ["E1", "E2", None]}, "null of geography_code"),
    "a row without a date": ({"date": ["2021-01-04", "2021-01-04", None]}, "null of date"),
    "an unknown mark": ({"status": ["", "maybe", ""]}, "regex of status"),
    "no rows": ({name: [] for name in PUBLISHED.column_names}, "expect_table_row_count_to_be_between"),
}


@pytest.mark.parametrize(("columns", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_faulty_table_is_not_published(columns, said):
    with pytest.raises(DpStatsError, match=said):
        check_published(published(**columns), settings=load_settings({}))


def test_great_expectations_keeps_no_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(1000)})
    gone = weakref.ref(frame)
    rows = {1: {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1000, "max_value": 1000}}}
    assert gx.evaluate(frame, rows) == {1: True}
    del frame
    gc.collect()
    assert gone() is None


def test_threads_that_check_at_once_get_the_answers_of_their_own_rows() -> None:
    def counted(size: int) -> bool:
        limits = {"min_value": size, "max_value": size}
        rows = {1: {"type": "expect_table_row_count_to_be_between", "kwargs": limits}}
        return all(gx.evaluate(pd.DataFrame({"a": range(size)}), rows) == {1: True} for _ in range(10))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(counted, range(1, 9)))
