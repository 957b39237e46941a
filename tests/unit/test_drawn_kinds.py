"""Generated catalogues hold everything that a catalogue may declare, but for what is named here with the reason."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import BaseModel, ValidationError

from dp_stats.catalogue import yaml
from dp_stats.catalogue.calendar import WEEKDAYS
from dp_stats.catalogue.languages import DatasetWords, DimensionWords, ReleaseWords, StatisticWords
from dp_stats.catalogue.linked.links import LinkTable
from dp_stats.catalogue.models import Dataset, Delivery, LinkedTable, Release
from dp_stats.catalogue.validity import VALIDITY
from tests.catalogues import Declared, catalogues
from tests.drawn.steps import KINDS

ELSEWHERE = {
    "Source.kind=duckdb": "sources have tests of their own; a database needs a server",
    "Source.kind=postgres": "a database needs a server",
    "Source.kind=database": "a database needs a server",
    "Source.table": "a database needs a server",
    "Source.connection": "a database needs a server",
    "Source.url_env": "a database needs a server",
    "Source.delimiter": "tests/integration/test_pull_csv.py",
    "Dataset.engine": "see the value below",
    "Dataset.engine=spark": "tests/property/test_bound_engines.py: seconds a step",
    "Dataset.engine=source": "tests/integration/test_in_place.py: a database needs a server",
    "Dataset.work_schema": "a database needs a server",
    "Dataset.work_folder": "tests/integration/test_in_place_spark.py: a cluster takes a minute",
    "Intake.manifest": "tests/integration: the rows that are drawn have no manifest",
    "Release.requested_by": "an analyst's release comes from the form, not from the catalogue",
    "Release.purpose": "an analyst's release comes from the form, not from the catalogue",
    "Release.organisations": "tests/integration/test_audiences.py",
    **dict.fromkeys(
        ("Dataset.agreement", "Release.agreed_purpose"),
        "tests/unit/test_agreements.py, tests/property/test_agreements.py",
    ),
    **dict.fromkeys(
        ("Dataset.tables", "Dataset.steps", "Dataset.rows", "Dataset.unlinked", "Column.type=text"),
        "steps are drawn in tests/property/test_person_local.py, and published in tests/integration/test_linked.py",
    ),
    **dict.fromkeys(
        (f"{model.__name__}.{name}" for model in (LinkedTable, LinkTable, Delivery) for name in model.model_fields),
        "tests/integration/test_linked.py",
    ),
    **dict.fromkeys(
        (
            *("Dataset.languages", "ReleaseTexts.languages", "ReleaseTexts.doi"),
            *(
                f"{m.__name__}.{n}"
                for m in (DatasetWords, DimensionWords, ReleaseWords, StatisticWords)
                for n in m.model_fields
            ),
        ),
        "tests/unit/editions/test_two_languages.py, tests/unit/editions/test_crate.py",
    ),
}
"""What is not drawn → why not."""
EXAMPLES = 300


def declarable(model: type[BaseModel], known: set[type[BaseModel]]) -> Iterator[str]:
    """Every field of a model and of those in it that may be left out, and every value of those with a few."""
    if model in known:
        return
    known.add(model)
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{name}"
        for kind in _inner(field.annotation):
            if get_origin(kind) is Literal:
                values = get_args(kind)  # of the days of the week some are enough
                yield from (f"{model.__name__}.{name}={value}" for value in values if value not in WEEKDAYS)
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from declarable(kind, known)


def _inner(annotation: Any) -> Iterator[Any]:
    """The kinds of value that a field takes."""
    if get_origin(annotation) in (Union, UnionType, tuple, dict):
        for part in get_args(annotation):
            yield from _inner(part)
    else:
        yield annotation


def declared(one: BaseModel) -> Iterator[str]:
    """The fields that a declaration sets, and their values where there are a few."""
    for name, value in one:
        if name in one.model_fields_set:
            yield f"{type(one).__name__}.{name}"
        parts = value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else (value,)
        for part in parts:
            if isinstance(part, BaseModel):
                yield from declared(part)
            elif isinstance(part, str):
                yield f"{type(one).__name__}.{name}={part}"


@pytest.mark.slow
def test_everything_that_can_be_declared_is_drawn() -> None:
    drawn: set[str] = set()
    kinds = {"editions": 0, "stages": 0, "dated lists": 0}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(catalogues())
    def look(made: Declared) -> None:
        kinds["stages"] = max(kinds["stages"], len(made.stages))
        for stage in made.stages:
            kinds["editions"] = max(kinds["editions"], sum(step.kind == "edition" for step in stage.steps))
            drawn.update(f"step: {step.kind}" for step in stage.steps)
            for name, text in stage.files.items():
                if name.startswith("codes/"):
                    heading = next(csv.reader([text.splitlines()[0]]))
                    kinds["dated lists"] += {*VALIDITY} <= {*heading}
                    drawn.update(f"list: {column}" for column in heading)
                model = Release if name.startswith("releases/") else Dataset if name.startswith("datasets/") else None
                if model is None:
                    continue
                added = {} if model is Release else {"source": {"kind": "csv", "path": "records.csv"}}
                try:
                    drawn.update(declared(model.model_validate({**yaml.parse(text), **added})))
                except ValidationError:
                    continue

    look()
    # `WAYS` says how rows come: csv, parquet and spreadsheet with what each needs
    drawn |= {f"Source.kind={kind}" for kind in ("csv", "parquet", "spreadsheet")} | {"Source.sheet", "Source.encoding"}
    wanted = {*declarable(Release, set()), *declarable(Dataset, set())}
    wanted |= {f"step: {kind}" for kind in KINDS}
    wanted |= {f"list: {name}" for name in (*VALIDITY, "population", "longitude", "district_name", "region", "lower")}
    missing = sorted(wanted - drawn - ELSEWHERE.keys())
    assert not missing, "\n".join(missing)
    assert not (told := ELSEWHERE.keys() & drawn), told
    assert kinds["editions"] >= 2, kinds
    assert kinds["stages"] == 3, kinds
    assert kinds["dated lists"] > EXAMPLES / 5, kinds
