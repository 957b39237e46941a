"""The noisy measurements of an edition as open data: one tidy table, and a document with all that is needed to combine them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from dp_stats.editions.columns import MeasurementRow, names
from dp_stats.editions.edition import Edition
from dp_stats.editions.formats import parquet_bytes
from dp_stats.estimate.model import EditionEstimates

TABLE = "measurements.parquet"
COMBINE = "combine.json"


def measurement_files(edition: Edition, estimates: EditionEstimates) -> dict[str, bytes]:
    """``measurements.parquet`` and ``combine.json``; nothing of estimates that come without their measurements."""
    if estimates.document is None:
        return {}
    content = {"revision": edition.revision.number, **estimates.document}
    for told in ("dimensions", "release"):
        content[told] = copy.deepcopy(content[told])
    _tell(content, edition)
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return {TABLE: parquet_bytes(measurement_rows(content)), COMBINE: f"{text}\n".encode()}


def _tell(content: dict[str, Any], edition: Edition) -> None:
    """Put the names of dimensions, levels, codes and statistics that the edition's other files have."""
    facts = {d.name: d for d in edition.dimensions}
    for dimension in content["dimensions"]:
        known = facts.get(dimension["name"])
        dimension["title"] = known.title if known else dimension["title"]
        levels = {level.name: level for level in known.levels} if known else {}
        for level in dimension["levels"]:
            told = levels.get(level["name"])
            names = dict(zip(told.codes, told.names, strict=True)) if told else {}
            level["title"] = told.title if told else level["title"]
            level["names"] = [names.get(code, name) for code, name in zip(level["codes"], level["names"], strict=True)]
    content["release"]["title"] = edition.release.title
    statistics = {s.id: s for s in edition.statistics}
    for one in (*content["release"]["statistics"], *content["release"]["derived"]):
        if (said := statistics.get(one["id"])) is not None:
            one["title"], one["unit"] = said.title, said.unit


def measurement_rows(content: Mapping[str, Any]) -> pa.Table:
    """A row per noisy number: which table it is from, the level and code of each dimension, and the noise that was added.

    ``value`` is in steps of ``unit``; ``scale`` is the parameter of ``mechanism``, ``variance`` what it gives, both in steps.
    """
    tables = [(m, content["noisy"][m["id"]]) for m in content["plan"]["measurements"]]
    tables += [(m, late["noisy"][m["id"]]) for late in content["late"] for m in late["measurements"]]
    parts = [_rows(content, m, values) for m, values in tables]
    return pa.concat_tables(parts).combine_chunks()


def _rows(content: Mapping[str, Any], m: Mapping[str, Any], values: list[int]) -> pa.Table:
    count = len(values)

    def same(value: object, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), count)

    columns: dict[str, pa.Array] = {
        "table": same(m["id"], pa.string()),
        "statistic": same(m["statistic"], pa.string()),
        "role": same(m["role"], pa.string()),
    }
    index = np.indices(m["shape"], dtype=np.int32) if m["shape"] else ()
    for dimension, at in zip(content["dimensions"], index, strict=True):
        level = next(one for one in dimension["levels"] if one["name"] == m["levels"][dimension["name"]])
        columns[f"{dimension['name']}_level"] = same(level["name"], pa.string())
        columns[f"{dimension['name']}_code"] = pa.array(level["codes"], pa.string()).take(pa.array(at.ravel()))
    gaussian = m["epsilon"] is None
    columns |= {
        "value": pa.array(values, pa.int64()),
        "mechanism": same("discrete_gaussian" if gaussian else "discrete_laplace", pa.string()),
        "scale": same(m["scale"], pa.float64()),
        "variance": same(content["variances"][m["id"]], pa.float64()),
        "unit": same(float(Fraction(m["unit"])), pa.float64()),
    }
    more = {field: tuple(f"{d['name']}_{field}" for d in content["dimensions"]) for field in ("level", "code")}
    header = names(MeasurementRow, more)
    return pa.table([columns[name] for name in header], names=list(header))
