"""Datasets that tests need come from one builder, so that a field more is declared in one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dp_stats.catalogue.models import Dataset
from tests.builders import declared_dataset, declared_table, list_of_opt_outs

TESTS = Path(__file__).resolve().parents[1]
WHOLE = re.compile(r"""^\s*["']?date_column["']?\s*:|\bdate_column=""", re.MULTILINE)
"""What only a dataset that is written out whole declares."""
WRITTEN_OUT = {"builders.py", "drawn/told.py"}
"""The builder, and what draws every way that a dataset can be declared."""


def test_no_other_module_writes_a_dataset_out_whole() -> None:
    paths = [path for path in TESTS.rglob("*.py") if WHOLE.search(path.read_text(encoding="utf-8"))]
    found = {path.relative_to(TESTS).as_posix() for path in paths if path != Path(__file__)}
    assert found == WRITTEN_OUT


@pytest.mark.parametrize("written", ['"date_column": "day",', "date_column: day", 'Dataset(date_column="day")'])
def test_a_dataset_that_is_written_out_is_seen(written: str) -> None:
    assert WHOLE.search(written)


def test_tables_have_sources_and_lists_of_their_own() -> None:
    columns = {"person": {"type": "person", "identifier": {"pattern": "p[0-9]+"}}, "day": "date"}
    alone = Dataset.model_validate(declared_dataset("visits", columns, opt_outs=list_of_opt_outs("out.csv")))
    table = declared_table("visits", columns, opt_outs="out.csv")
    several = Dataset.model_validate(declared_dataset("visits", columns, tables={"visits": table}, rows="visits"))
    assert alone.source is not None
    assert several.source is several.opt_outs is None
    assert several.tables["visits"].source == alone.source
    assert several.tables["visits"].opt_outs == alone.opt_outs
