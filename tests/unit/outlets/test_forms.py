"""What files of data hold is what the manual tells of them: no field more and none less, in every kind of file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from english import TEXTS
from file_forms import JSON, column_faults, field_faults, fields_of, fields_set, form_faults, form_of, plain
from invented_editions import publish_weeks_and_costs

from dp_stats.editions.columns import BackSeriesRow, MeasurementRow, TableRow
from dp_stats.editions.measurements import measurement_rows
from dp_stats.estimate import open_measurements
from dp_stats.estimate.combine_form import CombineFile, OpenLateRows
from dp_stats.estimate.fitted import _late as spread_told
from dp_stats.estimate.fitted import fitted
from dp_stats.estimate.late_rows import LateRows
from dp_stats.estimate.tables import fit_all
from dp_stats.outlets.api import _back_series
from dp_stats.outlets.forms import ApiBackSeries, ApiColumns, ApiList, HistoryIndex, Leaf, Slice
from dp_stats.outlets.index import refresh_index
from tests.combined_examples import CASES, WEEKS, measured, over_a_change

BASE = "https://statistics.example.org"


@pytest.fixture(scope="module")
def public(make_sample: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks, the second under a new name and revised; a year of another release."""
    made = publish_weeks_and_costs(make_sample, tmp_path_factory.mktemp("forms"), (7,), BASE)
    for number in (1, 2):
        sample = make_sample(period="2021-W08", seed=number)
        sample.release = sample.release.model_copy(update={"id": "cases", "formerly": ("cases-by-area",)})
        sample.catalogue = sample.catalogue.with_release(sample.release)
        told = {"revision": number, **({"reason": "Late reports"} if number > 1 else {})}
        sample.publish(made, published=datetime(2021, 3, number, 9, 30, tzinfo=UTC), **told)
    refresh_index(made, base_url=BASE, texts=TEXTS)
    return made


def test_every_file_of_data_has_a_form_and_keeps_to_it(public: Path) -> None:
    assert list(form_faults(public)) == []


def test_every_field_of_a_form_is_in_some_file(public: Path) -> None:
    wanted = {model: fields_of(model) for model in (HistoryIndex, ApiList, Leaf, Slice)}
    found: dict[Any, set[str]] = {model: set() for model in wanted}
    for path in public.rglob("*.json"):
        model = form_of(path.relative_to(public).as_posix(), JSON)
        if model in wanted:
            found[model] |= fields_set(model.model_validate(plain(json.loads(path.read_bytes()), model)))
    elsewhere = {f"ApiBackSeries.{name}" for name in ApiBackSeries.model_fields} | {"LeafHead.back_series"}
    places = {f"ApiColumns.{name}" for name in ("geography_code", "geography")}
    for model, fields in wanted.items():
        left = {Leaf: elsewhere | places | {"Leaf.back_series"}, ApiList: {"ApiList.areas"}}.get(model, set())
        assert fields - found[model] <= left, model.__name__
    row = dict.fromkeys(BackSeriesRow.model_fields, "1")
    assert fields_set(_back_series([row])) == fields_of(ApiBackSeries)


def test_what_is_more_or_less_than_the_form_is_found(public: Path, tmp_path: Path) -> None:
    leaf = json.loads(next(public.rglob("geographies/*/metrics/*/area-day.json")).read_bytes())
    index = json.loads((public / "cases" / "history" / "index.json").read_bytes())
    for content, model in ((leaf, Leaf), (index, HistoryIndex)):
        assert list(field_faults(content, model)) == []
        assert list(field_faults({**content, "rows_read": 7}, model))
        for name in model.model_fields:
            if name in content and name not in ("revisions", "renamed"):
                assert list(field_faults({k: v for k, v in content.items() if k != name}, model)), name
    for column in ApiColumns.model_fields:
        if column in leaf["data"]:
            less = {k: v for k, v in leaf["data"].items() if k != column}
            assert list(field_faults({**leaf, "data": less}, Leaf)), column
    table = pq.read_table(next(public.glob("cases/*/r1/area-day.parquet")))
    turned = table.select(table.column_names[::-1])
    for broken in (table.drop_columns(["status"]), table.append_column("exact", table["value"]), turned):
        pq.write_table(broken, tmp_path / "broken.parquet")
        assert list(column_faults(tmp_path / "broken.parquet", TableRow)), broken.column_names
    (public / "cases" / "more.json").write_text("{}")
    assert list(form_faults(public)) == ["cases/more.json: the manual has no form of this file"]
    (public / "cases" / "more.json").unlink()


def test_combine_json_and_the_noisy_measurements_have_every_field_of_their_forms(tmp_path: Path) -> None:
    found: set[str] = set()
    editions = [measured(case, WEEKS[0])[0] for case in CASES]
    editions.append(over_a_change()[-1])
    for one in editions:
        known = fitted(fit_all(one.plan, grid=one.grid, release=one.release, noisy=one.noisy, late=one.late))
        content = json.loads(json.dumps({"revision": 1, **open_measurements.document(one, known)}))
        assert list(field_faults(content, CombineFile)) == []
        found |= fields_set(CombineFile.model_validate(content))
        pq.write_table(measurement_rows(content), tmp_path / "measurements.parquet")
        assert list(column_faults(tmp_path / "measurements.parquet", MeasurementRow)) == []
        for name in CombineFile.model_fields:
            assert list(field_faults({k: v for k, v in content.items() if k != name}, CombineFile)), name
        assert list(field_faults({**content, "plan": {**content["plan"], "expected": []}}, CombineFile))
        assert list(field_faults({**content, "release": {**content["release"], "title": ""}, "path": "x"}, CombineFile))
    two = np.ones(2)
    coarse = LateRows(
        {"area": "region"}, 0, two, two, two, two, two, two, 0.1, two, 0.1, 0.8, [(2.0, "discrete_laplace")]
    )
    found |= fields_set(OpenLateRows.model_validate(spread_told(coarse)))
    assert fields_of(CombineFile) - found == set()
