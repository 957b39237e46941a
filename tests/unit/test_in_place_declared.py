"""What cannot be worked on in place is refused where it is declared, with what to do instead."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dp_stats.catalogue.in_place import PORTABLE
from dp_stats.catalogue.models import Dataset
from dp_stats.plan.declaration import dataset_told, reading
from tests.builders import declared_dataset

POSTGRES = {"kind": "postgres", "table": "clinic.visits", "url_env": "CLINIC_URL"}


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
