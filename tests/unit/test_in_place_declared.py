"""What cannot be worked on in place is refused where it is declared, with what to do instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dp_stats.catalogue.in_place import PORTABLE
from dp_stats.catalogue.models import Dataset, Source
from dp_stats.errors import SourceError
from dp_stats.operations.preview import _invented
from dp_stats.plan.declaration import dataset_told, reading
from dp_stats.secure.in_place.cluster import address_of
from dp_stats.secure.in_place.pulling import work_place
from dp_stats.settings import load_settings
from tests.builders import declared_dataset

POSTGRES = {"kind": "postgres", "table": "clinic.visits", "url_env": "CLINIC_URL"}
LAKE = {"kind": "parquet", "path": "s3a://lake/visits", "url_env": "LAKE_SPARK"}
ON_SPARK = {"source": LAKE, "work_schema": None, "work_folder": "s3a://lake/work"}


def declared(columns: dict[str, Any] | None = None, **fields: Any) -> Dataset:
    known: dict[str, Any] = {"person": {"type": "person", "identifier": {"pattern": "[A-Z]{1,3}[0-9]+"}}, "day": "date"}
    in_place = {"source": POSTGRES, "engine": "source", "work_schema": "work", **fields}
    return Dataset.model_validate(declared_dataset("visits", {**known, **(columns or {})}, **in_place))


@pytest.mark.parametrize(
    ("columns", "fields", "said"),
    [
        ({}, {"source": {"kind": "csv", "path": "visits.csv"}}, "a csv source is not worked on in place"),
        ({}, {"work_schema": None}, "name the schema"),
        ({}, {"work_schema": "Robert'); DROP"}, "work_schema"),
        ({}, {"engine": "duckdb"}, "only with engine: source"),
        ({}, {"work_folder": "/lake/work"}, "work_folder: that is for a parquet source"),
        ({}, {**ON_SPARK, "source": {**LAKE, "url_env": None}}, "name with 'url_env' the variable"),
        ({}, {**ON_SPARK, "work_schema": "work"}, "work_schema: that is for a postgres source"),
        ({}, {**ON_SPARK, "work_folder": None}, "work_folder: name the folder"),
        ({}, {**ON_SPARK, "work_folder": "work"}, "work_folder: write a whole path"),
        ({}, {**ON_SPARK, "source": {**LAKE, "path": "visits"}}, "source.path: write a whole path"),
        ({}, {**ON_SPARK, "source": {**LAKE, "path": "/lake/2024-*"}}, "source.path: name one folder"),
        ({}, {**ON_SPARK, "engine": "duckdb"}, "only with engine: source are folders made"),
        ({"day": {"type": "date", "formats": ["%d/%m/%Y"]}}, ON_SPARK, "columns.day: in place a date must be stored"),
        ({"person": "person"}, {}, "declare 'identifier'"),
        ({"person": {"type": "person", "identifier": {"pattern": r"\d+"}}}, {}, "identifier.pattern"),
        ({"day": {"type": "date", "formats": ["%d/%m/%Y"]}}, {}, "columns.day: in place a date must be stored"),
        ({"cost": {"type": "number", "currency": "£"}}, {}, "columns.cost: in place a number must be stored"),
        ({"cost": {"type": "number", "decimal": ","}}, {}, "columns.cost: in place a number must be stored"),
    ],
)
def test_what_cannot_be_done_in_place_is_named(columns: dict[str, Any], fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        declared(columns, **fields)


def test_the_rest_is_taken() -> None:
    columns = {
        "person": {"type": "person", "identifier": {"kind": "nhs_number"}},
        "day": {"type": "date", "timezone": "Europe/London"},
        "cost": "number",
    }
    found = declared(columns)
    assert found.engine == "source"
    assert reading(found) == reading(declared(columns, engine="duckdb", work_schema=None)), "what is read is the same"


def test_a_folder_on_a_cluster_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = declared(**ON_SPARK)
    assert work_place(found, load_settings()) == "s3a://lake/work"
    assert reading(found) == reading(declared(source=LAKE, work_schema=None, engine="duckdb")), (
        "what is read is the same"
    )
    monkeypatch.setenv("LAKE", "/lake")
    below = declared(
        **{**ON_SPARK, "source": {**LAKE, "path": "${LAKE}/visits"}, "work_folder": "${LAKE}/visits/work/"}
    )
    with pytest.raises(SourceError, match="must not lie one in the other"):
        work_place(below, load_settings())


@pytest.mark.parametrize("fields", [{}, ON_SPARK])
def test_a_preview_of_invented_rows_reads_them_here(fields: dict[str, Any], tmp_path: Path) -> None:
    previewed = Dataset.model_validate(_invented(declared(**fields), tmp_path))
    assert (previewed.engine, previewed.work_schema, previewed.work_folder) == ("duckdb", None, None)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "is not set"),
        ("local[2]", "no address of a Spark cluster"),
        ("sc://cluster:15002", "no address of a Spark cluster"),
        ("spark://h:7077?spark.hadoop.fs.s3a.secret.key=hunter2&spark.log.level=INFO", "sets an option"),
        ("spark://h:7077?password=hunter2", "sets an option"),
        ("spark://h:7077?spark.local.dir=/tmp", "sets an option"),
    ],
)
def test_an_address_that_would_break_a_promise_is_refused(
    address: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE_SPARK", address)
    with pytest.raises(SourceError, match=said) as caught:
        address_of(Source.model_validate(LAKE))
    assert "hunter2" not in str(caught.value)


def test_an_address_may_carry_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_SPARK", "spark://a:7077,b:7077?spark.executor.memory=4g&spark.x=1%2B1")
    found = address_of(Source.model_validate(LAKE))
    assert found.master == "spark://a:7077,b:7077"
    assert found.options == {"spark.executor.memory": "4g", "spark.x": "1+1"}


@given(st.from_regex(r"[A-Z0-9a\[\](){},|?*+\\.^$-]{1,8}", fullmatch=True))
def test_a_pattern_that_is_taken_is_a_regular_expression_without_anything_else(pattern: str) -> None:
    if PORTABLE.fullmatch(pattern):
        assert not re.search(r"[\\.^$]|\(\?|[?*+}][?*+{]", pattern)


@pytest.mark.parametrize("pattern", ["[A-Z]{2}[0-9]{6}[A-D]?", "(A|B)[0-9]{1,}", "[a-z0-9]+", "A*"])
def test_common_patterns_are_taken(pattern: str) -> None:
    assert PORTABLE.fullmatch(pattern)


def test_a_plan_that_was_sealed_before_the_rows_moved_is_still_told() -> None:
    before = declared(source={"kind": "csv", "path": "visits.csv"}, engine="duckdb", work_schema=None)
    told = dataset_told(reading(before), [declared()])
    assert (told.engine, told.work_schema, told.source) == ("duckdb", None, before.source)
    assert dataset_told(reading(declared()), [declared(title="Moved")]).engine == "source"
