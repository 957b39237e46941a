"""Every file of data that a published folder holds against the form that the manual tells of it: no more fields, and no fewer."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, RootModel, ValidationError

from dp_stats.editions.columns import BackSeriesRow, ChartRow, LabelRow, MeasurementRow, TableRow, names
from dp_stats.editions.edition import Edition
from dp_stats.editions.formats import arrow_type
from dp_stats.editions.revisions import Correction, EditionStatus, Retraction
from dp_stats.estimate.combine_form import NOT_OF_THE_PLAN, RELEASE, CombineFile
from dp_stats.outlets.budgets import BlockRecord
from dp_stats.outlets.data_use import DataUse
from dp_stats.outlets.feeds import Planned
from dp_stats.outlets.forms import (
    ApiColumns,
    ApiList,
    FoundBy,
    HistoryIndex,
    Leaf,
    MapFile,
    PostcodesIndex,
    SharedAreas,
    SharedIndex,
    Slice,
)
from dp_stats.plan.model import Plan

TOPIC = r"api/themes/[^/]+/sub_themes/[^/]+/topics/[^/]+/geography_types/[^/]+"
JSON: dict[str, Any] = {
    r"[^/]+/[^/]+/r\d+/edition\.json": Edition,
    r"[^/]+/[^/]+/r\d+/combine\.json": CombineFile,
    r"[^/]+/history/index\.json": HistoryIndex,
    r"[^/]+/find\.json": RootModel[dict[str, FoundBy]],
    r"[^/]+/[^/]+/status\.json": EditionStatus,
    r"[^/]+/[^/]+/retractions\.json": RootModel[tuple[Retraction, ...]],
    r"([a-z]{2}/)?corrections\.json": RootModel[tuple[Correction, ...]],
    r"([a-z]{2}/)?calendar\.json": RootModel[tuple[Planned, ...]],
    r"([a-z]{2}/)?register\.json": RootModel[tuple[DataUse, ...]],
    r"budget\.json": RootModel[tuple[BlockRecord, ...]],
    r"assets/postcodes/[^/]+/index\.json": PostcodesIndex,
    r"assets/postcodes/[^/]+/[^/]+\.json": RootModel[dict[str, tuple[str, ...]]],
    r"assets/maps/[^/]+\.json": MapFile,
    rf"{TOPIC}/areas/index\.json": SharedIndex,
    rf"{TOPIC}/areas/\d+/\d+\.json": SharedAreas,
    r"api/(?:[^/]+/)*index\.json": ApiList,
    rf"{TOPIC}/geographies/[^/]+/metrics/[^/]+/[^/]+\.json": Leaf,
    rf"{TOPIC}/metrics/[^/]+/[^/]+/[^/]+\.json": Slice,
}
"""Paths → what such a file holds; the first that fits."""

ELSEWHERE = (
    r"[^/]+/[^/]+/r\d+/(?:datapackage|guarantee|privacy|ro-crate-metadata)\.json|[^/]+/history/datapackage\.json",  # standards
    r"[^/]+/[^/]+/r\d+\.proof\.json|log(?:\.\w+)?\.jsonl|heads\.jsonl",  # schemas of their own, in transparency
    r"api/openapi\.json|[^/]+/[^/]+/r\d+/[^/]+\.csv-metadata\.json",
    r"\.site\.json|(?:[a-z]{2}/)?[^/]+/areas/(?:places|names/[^/]+|tables/[^/]+)\.json",  # for the pages alone
    r"(?:[a-z]{2}/)?register\.csv",  # the columns of register.json
)
"""Files whose form is told by a standard, by a schema beside, or by nobody as only pages read them."""

TABLES: dict[str, type[BaseModel]] = {
    r"[^/]+/back-series\.(?:csv|parquet)": BackSeriesRow,
    r"[^/]+/[^/]+/r\d+/labels\.csv": LabelRow,
    r"[^/]+/[^/]+/r\d+/measurements\.parquet": MeasurementRow,
    r"(?:[a-z]{2}/)?[^/]+/charts/[^/]+\.csv|(?:[a-z]{2}/)?[^/]+/areas/[^/]+~compared\.csv": ChartRow,
    r"(?:[^/]+/[^/]+/r\d+|[^/]+/history)/[^/]+\.(?:csv|parquet)|(?:[a-z]{2}/)?[^/]+/areas/[^/]+\.csv": TableRow,
}
STEPS = ("themes", "sub_themes", "topics", "geography_types", "geographies", "metrics", "tables", "periods")


def form_faults(public: Path) -> Iterator[str]:
    """Files of data whose fields are not those that their form has, and files that have no form."""
    for path in sorted(public.rglob("*")):
        where = path.relative_to(public).as_posix()
        if path.suffix not in (".json", ".jsonl", ".csv", ".parquet") or "/latest/" in where:
            continue
        if path.suffix in (".csv", ".parquet") and (row := form_of(where, TABLES)) is not None:
            yield from (f"{where}: {fault}" for fault in column_faults(path, row))
        elif path.suffix == ".json" and (model := form_of(where, JSON)) is not None:
            yield from (f"{where}: {fault}" for fault in field_faults(json.loads(path.read_bytes()), model))
        elif not any(re.fullmatch(pattern, where) for pattern in ELSEWHERE):
            yield f"{where}: the manual has no form of this file"


def form_of(where: str, forms: Mapping[str, Any]) -> Any:
    """The form of a file."""
    if any(re.fullmatch(pattern, where) for pattern in ELSEWHERE):
        return None
    return next((model for pattern, model in forms.items() if re.fullmatch(pattern, where)), None)


def field_faults(content: Any, model: Any) -> Iterator[str]:
    """What of a content the model does not know, or misses."""
    try:
        model.model_validate(plain(content, model))
    except ValidationError as error:
        yield from (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    if model is CombineFile and {"plan", "release"} <= content.keys():
        plan, release = set(content["plan"]), set(content["release"]) - {"texts"}
        missing = set(Plan.model_fields) - set(NOT_OF_THE_PLAN) - {"draws"} - plan
        unknown = plan - (set(Plan.model_fields) - set(NOT_OF_THE_PLAN))
        yield from (f"plan: {sorted(one)}" for one in (missing, unknown) if one)
        yield from (f"release: {sorted(one)}" for one in (release - set(RELEASE),) if one)


def plain(content: Any, model: Any) -> Any:
    """A content with one name for each field that stands for several."""
    if model in (Leaf, Slice) and "data" in content:
        known = set(ApiColumns.model_fields)
        data = {name if name in known else "<name>_code": values for name, values in content["data"].items()}
        return {**content, "data": data}
    if model is ApiList:
        return {"<step>" if name in STEPS else name: value for name, value in content.items()}
    return content


def column_faults(path: Path, row: type[BaseModel]) -> Iterator[str]:
    """Columns of a file that its form has otherwise."""
    types: dict[str, pa.DataType] = {}
    if path.suffix == ".parquet":
        types = {field.name: field.type for field in pq.read_schema(path)}
        header = list(types)
    else:
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file))
    fixed = [name for name, info in row.model_fields.items() if info.alias is None]
    if row is TableRow and "geography" not in header:
        fixed = [name for name in fixed if not name.startswith("geography")]
    if row is ChartRow and "date" not in header:
        fixed.remove("date")
    if [name for name in header if name in fixed] != fixed:
        yield f"columns {header} are not {fixed}"
    several = [name for name, info in row.model_fields.items() if info.alias is not None]
    more = [name for name in header if name not in fixed]
    if several and len(more) % len(several) == 0:
        turns = {name: tuple(more[at :: len(several)]) for at, name in enumerate(several)}
        if [name for name in names(row, turns) if name in header] != header:
            yield f"columns {header} are in another order"
    elif more:
        yield f"columns {more} are of no field"
    for name in set(fixed) & set(types):
        whole = name == "value" and types[name] == pa.int64()
        if types[name] != arrow_type(row, name) and not whole and not pa.types.is_dictionary(types[name]):
            yield f"column {name} is {types[name]}"


def fields_of(model: Any) -> set[str]:
    """Every field of a model and of the models in it, by the model's name and its own."""
    found: set[str] = set()
    for kind in kinds(model):
        found |= {f"{kind.__name__}.{name}" for name in kind.model_fields}
    return found


def kinds(model: Any) -> set[type[BaseModel]]:
    """The models inside a type."""
    found: set[type[BaseModel]] = set()
    for part in get_args(model):
        found |= kinds(part)
    if isinstance(model, type) and issubclass(model, BaseModel):
        found.add(model)
        for info in model.model_fields.values():
            found |= kinds(info.annotation)
    return found


def fields_set(value: Any) -> set[str]:
    """Every field that a content has, the models in it included."""
    if isinstance(value, BaseModel):
        own = {f"{type(value).__name__}.{name}" for name in value.model_fields_set}
        return own.union(*(fields_set(getattr(value, name)) for name in value.model_fields_set))
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (tuple, list)) else ()
    return set().union(*(fields_set(part) for part in parts))
