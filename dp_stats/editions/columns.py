"""The columns of every table that is published, one model of a row for each: their order, types, units and meanings.

Writers take names and types from here, and the manual's page is made from it. An alias in angle brackets stands for as many
columns as a release has dimensions (or languages) of that kind.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import date as Day
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field

from dp_stats.editions.across_facts import Facts

ColumnType = Literal["string", "integer", "number", "date"]

_TYPES: dict[type, ColumnType] = {str: "string", int: "integer", float: "number", Day: "date"}


class TableRow(Facts):
    """A row of a published table: one value with its interval and status. The same in every edition of a release, after the
    shape of the UK Health Security Agency's downloads."""

    metric: str = Field(description="Which statistic; titles and units are in `edition.json`.")
    geography_type: str = Field(
        description="Level of the area. This and the next two are left out where a release has no areas."
    )
    geography_code: str = Field(description="Official code of the area.")
    geography: str = Field(description="Name of the area.")
    stratum_code: str = Field(
        alias="<name>_code", description="For each other dimension, code of the group; `all` is everyone."
    )
    stratum: str = Field(
        alias="<name>",
        description="For each other dimension, name of the group (`<name>_group` where the name is that of a column here).",
    )
    date: Day = Field(description="First day that the value covers.")
    period: str = Field(
        description="The days that the value covers, as an ISO 8601 label; "
        "[where they are a part of a week, month or year](../how-to/calendars.md#parts-of-a-period), the range of the days."
    )
    period_start: Day = Field(description="First day that the value covers.")
    period_end: Day = Field(description="Last day that the value covers.")
    period_type: str = Field(
        description="`day`, `week`, `4-week`, `month`, `quarter`, `year`, `financial-year` or `range`; `part-week` and so on for "
        "a part of one. Compare values of one type that is no part."
    )
    value: float | None = Field(
        description="Best estimate, in the metric's unit. Counts are whole numbers, are not negative, and add up across tables. "
        "Empty where it is not available."
    )
    lower_95: float | None = Field(
        description="Lower limit of the 95 % interval of the true value, in the metric's unit, rounded outwards."
    )
    upper_95: float | None = Field(
        description="Upper limit, likewise. Empty where nothing bounds a mean: what it is divided by may be as little as nothing."
    )
    status: str | None = Field(
        description="[Marks](file-formats.md#marks), separated by a space; empty means reliable."
    )
    value_unbiased: float | None = Field(
        description="Another estimator, in the metric's unit: from the measurements alone, before anything leans on neighbours, "
        "is settled or rounded. It may be negative and may lie outside the row's interval of possible values. Add these up "
        "when you make totals of your own; read and quote `value`."
    )
    standard_error: float | None = Field(description="Standard error of `value_unbiased`, in the metric's unit.")
    release: str = Field(description="Id of the release, so that tables can be stacked; so are the next two.")
    edition: str = Field(description="Release and period.")
    revision: int = Field(description="Revision of the edition, from 1.")


TABLE_KEY = ("metric", "geography_type", "geography_code", "stratum_code", "date", "period")
"""Fields of ``TableRow`` that tell rows of a table apart."""


class LabelRow(Facts):
    """A row of ``labels.csv``: what something in an edition's tables is called in each language."""

    kind: str = Field(
        description="What it is: `statistic`, `unit`, `table`, `column`, `mark`, `dimension`, `level` or `group`."
    )
    of: str = Field(
        description="What it belongs to: of a level the dimension, of a group `dimension.level`; else empty."
    )
    code: str = Field(description="Its code, the same in all languages.")
    label: str = Field(alias="label_<language>", description="For each language, what it is called there.")


class MeasurementRow(Facts):
    """A row of ``measurements.parquet``: one noisy number, and the noise that was added."""

    table: str = Field(description="The noisy table, as in `guarantee.json`.")
    statistic: str = Field(description="Which statistic is counted.")
    role: str = Field(
        description="What is counted of it: its values (`statistic`); rows or persons beyond the contribution bound "
        "(`truncated_rows`, `truncated_persons`); or late rows that later editions measured (`late_statistic`, `late_rows`)."
    )
    level: str = Field(
        alias="<dimension>_level",
        description="For each dimension, its level; a dimension that was summed over has its top level.",
    )
    code: str = Field(alias="<dimension>_code", description="For each dimension, the code at that level.")
    value: int = Field(description="The noisy number, in steps of `unit`; it may be negative.")
    mechanism: str = Field(description="The noise: `discrete_laplace` or `discrete_gaussian`.")
    scale: float = Field(description="Parameter of the mechanism, in steps.")
    variance: float = Field(description="Variance of the noise, in steps squared.")
    unit: float = Field(description="Size of one step, in the statistic's unit.")


class BackSeriesRow(Facts):
    """A row of ``back-series.csv``: the value of a merged area before it merged."""

    table: str = Field(description="Table of the earlier edition that it belongs to.")
    metric: str = Field(description="Which statistic.")
    geography_type: str = Field(description="Level of the area.")
    geography_code: str = Field(description="Official code of the area of today.")
    geography: str = Field(description="Name of the area of today.")
    strata: str = Field(description="Codes of the groups, with dots between; empty where everyone is one group.")
    date: Day = Field(description="First day that the value covers.")
    period: str = Field(description="The days that the value covers, as an ISO 8601 label.")
    period_end: Day = Field(description="Last day that the value covers.")
    value: float = Field(description="Best estimate, in the metric's unit.")
    lower_95: float = Field(description="Lower limit of the 95 % interval of the true value, in the metric's unit.")
    upper_95: float = Field(description="Upper limit, likewise.")
    value_unbiased: float = Field(description="From the measurements alone; it may be negative.")
    standard_error: float = Field(description="Standard error of `value_unbiased`, in the metric's unit.")
    boundaries: str = Field(description="The edition whose areas these are, and a digest of them.")
    edition: str = Field(description="Release and period that the value is computed from.")
    revision: int = Field(description="Its revision, from 1.")


class ChartRow(Facts):
    """A row of the CSV file beside a chart (``charts/<name>.csv``, ``areas/<code>~compared.csv``): what is drawn, no more."""

    code: str = Field(description="Code of the area or group.")
    name: str = Field(description="Its name.")
    date: str | None = Field(description="First day that the value covers; no column where all are of one moment.")
    value: float | None = Field(description="Best estimate, in the unit of the chart.")
    lower_95: float | None = Field(description="Lower limit of its 95 % interval.")
    upper_95: float | None = Field(description="Upper limit; empty where nothing bounds it.")
    status: str = Field(description="[Marks](file-formats.md#marks), separated by a space; empty means reliable.")


def names(row: type[BaseModel], more: Mapping[str, tuple[str, ...]] | None = None) -> tuple[str, ...]:
    """The columns of a table, in order.

    Args:
        more: field whose alias stands for several columns → these. Fields that follow each other and stand for as many are put
            in turn: the first of each, the second of each.
    """
    found: list[str] = []
    together: list[tuple[str, ...]] = []
    for name, info in row.model_fields.items():
        if info.alias is not None:
            together.append((more or {})[name])
            continue
        found += [column for each in zip(*together, strict=True) for column in each]
        together = []
        found.append(name)
    return (*found, *(column for each in zip(*together, strict=True) for column in each))


def type_of(row: type[BaseModel], name: str) -> ColumnType:
    """What a column holds."""
    annotation = row.model_fields[name].annotation
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(one for one in get_args(annotation) if one is not type(None))
    assert isinstance(annotation, type)
    return _TYPES[annotation]


def may_be_empty(row: type[BaseModel], name: str) -> bool:
    """Whether a column may have no value in a row."""
    return type(None) in get_args(row.model_fields[name].annotation)
