"""Estimates as tidy tables: one row per published value, with its interval and its status.

Columns follow the UK Health Security Agency's download shape. A release without areas has no
``geography`` columns; every other dimension but the date is a stratum with a code and a name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dp_stats.catalogue.across import COMPARING
from dp_stats.catalogue.periods import parse_period
from dp_stats.editions.columns import TABLE_KEY, TableRow, may_be_empty, names, type_of
from dp_stats.editions.edition import (
    BREAK,
    EARLY,
    ColumnFacts,
    DimensionFacts,
    Edition,
    LevelFacts,
    StatisticFacts,
    TableFacts,
)
from dp_stats.editions.moments import Moment, moments_of, shape_of
from dp_stats.errors import PublishedError
from dp_stats.estimate.model import EditionEstimates, Estimate
from dp_stats.estimate.rounding import settled
from dp_stats.texts.numbers import rounded
from dp_stats.texts.words import Texts

Rows: TypeAlias = pa.Table

AREA_COLUMNS = ("geography_type", "geography_code", "geography")
UNRELIABLE = 0.2
"""A standard error of more than this share of the value is marked ``u``."""

FEW = 10
"""A zero is marked ``low`` where its interval ends above zero, at no more than so many rows."""


def columns_of(edition: Edition, table: TableFacts, texts: Texts) -> tuple[ColumnFacts, ...]:
    """The columns of a table, in order, with types and meanings; the same for every edition of a release."""
    whole = all(edition.statistic(s).integer for s in table.statistics)
    strata = {name: s for s in edition.strata for name in _of_stratum(s)}
    return tuple(_column(edition, texts, name, strata.get(name), whole) for name in column_names(edition))


def column_names(edition: Edition) -> tuple[str, ...]:
    """The names of a table's columns, in order: those of ``TableRow``, with those of areas only where there are areas."""
    codes, groups = (tuple(_of_stratum(s)[at] for s in edition.strata) for at in (0, 1))
    every = names(TableRow, {"stratum_code": codes, "stratum": groups})
    return tuple(name for name in every if edition.geography is not None or name not in AREA_COLUMNS)


def _of_stratum(stratum: DimensionFacts) -> tuple[str, str]:
    """The columns of a stratum's codes and of its names."""
    return f"{stratum.column}_code", stratum.column


def _column(edition: Edition, texts: Texts, name: str, stratum: DimensionFacts | None, whole: bool) -> ColumnFacts:
    """One column; ``stratum`` is set for those of a stratum, ``whole`` where all values are whole numbers."""
    field = name if stratum is None else "stratum_code" if name == _of_stratum(stratum)[0] else "stratum"
    dimension = stratum or edition.geography
    about = {} if dimension is None else {"dimension": dimension.title.lower()}
    return ColumnFacts(
        name=name,
        type="integer" if field == "value" and whole else type_of(TableRow, field),
        title=stratum.title if stratum is not None and field == "stratum" else texts(f"column.{field}.title", **about),
        description=texts(f"column.{field}.text", **about),
        key=field in TABLE_KEY,
        required=not may_be_empty(TableRow, field),
    )


def tidy(edition: Edition, estimates: EditionEstimates, table: TableFacts, *, previous: Rows | None = None) -> Rows:
    """One table of an edition, a row per value: metric by metric, cells in grid order.

    Args:
        previous: the same table of the superseded revision; rows whose value changed are marked ``r``.

    Raises:
        PublishedError: an estimate is missing or has another shape than the table.
    """
    levels = [(d, d.level(table.levels[d.name])) for d in edition.dimensions]
    shape = shape_of(edition, table)
    cells = math.prod(shape)
    index = [i.ravel() for i in np.indices(shape, dtype=np.int32, sparse=False)] if shape else []
    axes = {d.name: (level, i) for (d, level), i in zip(levels, index, strict=False)}
    metrics = len(table.statistics)
    found = [_estimate(estimates, table, statistic, shape) for statistic in table.statistics]
    integer = all(edition.statistic(s).integer for s in table.statistics)

    data: dict[str, Any] = {"metric": _repeat(table.statistics, np.repeat(np.arange(metrics), cells))}
    for column, values in _labels(edition, table, axes, index[-1] if len(index) > len(levels) else None, cells).items():
        data[column] = pa.concat_arrays([values] * metrics)
    parts = [
        _numbers(edition.statistic(s), e, edition, truncated=estimates.beyond_intervals)
        for s, e in zip(table.statistics, found, strict=True)
    ]
    for column in ("value", "lower_95", "upper_95"):
        data[column] = _floats(np.concatenate([part[column] for part in parts]))
    if integer:
        data["value"] = pc.cast(data["value"], pa.int64())
    marks = np.concatenate([part["status"] for part in parts])
    own = np.zeros(cells, dtype=bool) if table.across is not None else _broken(levels, index, cells)
    broken = np.tile(own, metrics) & (marks != _MISSING) & (marks != _NOT_APPLICABLE)
    later = np.tile(_open_rows(table, levels, index), metrics)
    if table.across is not None and table.across.open_from is not None:
        marks = np.where(~later & (marks < _MISSING), marks - _PROVISIONAL, marks).astype(np.int32)
    comparing = np.repeat([edition.statistic(s).kind in _COMPARING for s in table.statistics], cells)
    early = later & comparing & (marks < _MISSING)
    data["status"] = _repeat(_MARKS, marks)
    for column in ("value_unbiased", "standard_error"):
        data[column] = _floats(np.concatenate([part[column] for part in parts]))
    constant = np.zeros(cells * metrics, dtype=np.int32)
    data["release"] = _repeat((edition.release.id,), constant)
    data["edition"] = _repeat((edition.id,), constant)
    data["revision"] = pa.array(np.full(cells * metrics, edition.revision.number, dtype=np.int64))

    rows = pa.table({name: data[name] for name in column_names(edition)})
    rows = rows if previous is None else _mark_revised(rows, previous, marks)
    for mark, which in ((BREAK, broken), (EARLY, early)):
        rows = _marked(rows, which, mark) if which.any() else rows
    return rows


def _estimate(estimates: EditionEstimates, table: TableFacts, statistic: str, shape: tuple[int, ...]) -> Estimate:
    try:
        estimate = estimates.of(table.id)[statistic]
    except KeyError as error:
        raise PublishedError(
            f"table '{table.id}': there is no estimate of '{statistic}'. Run the estimate step of this edition again."
        ) from error
    if estimate.value.shape != shape:
        raise PublishedError(
            f"table '{table.id}', statistic '{statistic}': the estimate has shape {estimate.value.shape} where the grid "
            f"has {shape}. The catalogue has changed since it was estimated; estimate this edition again."
        )
    return estimate


def _labels(
    edition: Edition,
    table: TableFacts,
    axes: dict[str, tuple[LevelFacts, NDArray[np.int32]]],
    moment: NDArray[np.int32] | None,
    cells: int,
) -> dict[str, pa.Array]:
    """The columns that say what a value is about, one row per cell; ``moment`` where time is an axis of its own."""
    labels: dict[str, pa.Array] = {}
    zeros = np.zeros(cells, dtype=np.int32)
    if (area := edition.geography) is not None:
        level, index = axes[area.name]
        labels["geography_type"] = _repeat((level.name,), zeros)
        labels["geography_code"] = _repeat(level.codes, index)
        labels["geography"] = _repeat(level.names, index)
    for stratum in edition.strata:
        level, index = axes[stratum.name]
        labels[f"{stratum.column}_code"] = _repeat(level.codes, index)
        labels[stratum.column] = _repeat(level.names, index)
    time = edition.date
    index = axes[time.name][1] if time is not None else zeros if moment is None else moment
    return labels | moment_columns(moments_of(edition, table), index)


def moment_columns(moments: Sequence[Moment], index: NDArray[np.integer[Any]]) -> dict[str, pa.Array]:
    """The columns that say which days a value covers, from the place of each row's moment."""
    days = pa.array(index)
    starts, ends = ([getattr(m, end) for m in moments] for end in ("start", "end"))
    return {
        "date": pa.array(starts, pa.date32()).take(days),
        "period": _repeat(tuple(m.label for m in moments), index),
        "period_start": pa.array(starts, pa.date32()).take(days),
        "period_end": pa.array(ends, pa.date32()).take(days),
        "period_type": _repeat(tuple(m.type for m in moments), index),
    }


_MARKS = (
    *(
        " ".join(mark for mark in (revised, provisional, reliability, truncated) if mark)
        for revised, truncated, provisional, reliability in product(("", "r"), ("", "t"), ("", "p"), ("", "u", "low"))
    ),
    "x",
    "z",
)
_PROVISIONAL, _TRUNCATED, _REVISED = 3, 6, 12
"""What each mark adds to the place in ``_MARKS``."""
_MISSING, _NOT_APPLICABLE = 24, 25


_COMPARING = tuple(f"across-{kind}" for kind in COMPARING)
"""Kinds that set one window against an earlier one."""

_CHANGES = ("across-difference", "across-growth", "across-doubling-time")
"""Kinds that may be about zero: how large their error is beside them says nothing about reliability."""


def _numbers(
    statistic: StatisticFacts, estimate: Estimate, edition: Edition, *, truncated: bool
) -> dict[str, NDArray[Any]]:
    """Value, interval, status, and the unbiased value with its standard error, of each cell, flat in grid order.

    Decimals come from the size of the noise alone: two digits of a typical standard error, one more for the
    unbiased value. Limits are rounded outwards.

    Args:
        truncated: whether values may be off by more than intervals say, for truncated rows that nobody counted.
    """
    value, error = estimate.value.ravel(), estimate.standard_error.ravel()
    unbiased = estimate.standard_error if estimate.unrounded_error is None else estimate.unrounded_error
    step = 10.0 ** (decimals := _decimals(error))
    missing = ~np.isfinite(value)
    shown = shown_values(statistic, value, error)
    with np.errstate(invalid="ignore"):
        status = np.where(settled(error - UNRELIABLE * np.abs(shown)) > 0, 1, 0)
        few = (shown == 0) & (settled(estimate.upper.ravel()) > 0) & (settled(_in_rows(statistic, estimate)) <= FEW)
        status = np.where(few, 2, status)
    if statistic.kind in _CHANGES:
        status = np.zeros_like(status)
    if edition.revision.status == "provisional":
        status = status + _PROVISIONAL
    if truncated:
        status = status + _TRUNCATED
    elif estimate.outweighed is not None:
        status = status + _TRUNCATED * estimate.outweighed.ravel()
    status = np.where(missing, _NOT_APPLICABLE if statistic.kind == "rate" else _MISSING, status)
    return {
        "value": shown,
        "lower_95": np.minimum(np.floor(settled(estimate.lower.ravel() * step)) / step, shown) + 0.0,
        "upper_95": np.maximum(np.ceil(settled(estimate.upper.ravel() * step)) / step, shown) + 0.0,
        "status": status.astype(np.int32),
        "value_unbiased": _rounded(estimate.unrounded.ravel(), decimals + 1) + 0.0,
        "standard_error": _rounded(unbiased.ravel(), decimals + 1) + 0.0,
    }


def shown_values(
    statistic: StatisticFacts, value: NDArray[np.float64], error: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values as they are published: sums in their steps, so that they add up; others to two digits of their error."""
    if statistic.integer:
        return value
    return _rounded(value, max(_decimals(error), _decimals_of_sums(statistic, value)))


def _rounded(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    """Rounded so that exact halves are decided alike whatever the last digits of the arithmetic were."""
    step = 10.0**decimals
    rounded: NDArray[np.float64] = np.round(settled(values * step)) / step
    return rounded


def _in_rows(statistic: StatisticFacts, estimate: Estimate) -> NDArray[np.float64]:
    """The upper end in rows, where that is known: a zero only stands for a few if no more than a few are possible."""
    upper = estimate.upper.ravel()
    return upper if statistic.integer else np.full(upper.shape, np.inf)


def _decimals_of_sums(statistic: StatisticFacts, value: NDArray[np.float64]) -> int:
    """Decimals that show sums exactly (0 to 6): they add up in steps, and rounding them on their own would undo that."""
    if statistic.kind not in ("sum", "rolling", "cumulative"):
        return 0
    known = value[np.isfinite(value)]
    exact = (d for d in range(7) if np.allclose(np.round(known, d), known, rtol=0, atol=1e-7))
    return next(exact, 6)


def _decimals(error: NDArray[np.float64]) -> int:
    """How many decimals show two digits of the median standard error (0 to 6)."""
    known = error[np.isfinite(error) & (error > 0)]
    if not known.size:
        return 1
    return int(np.clip(1 - math.floor(math.log10(rounded(float(np.median(known)), digits=9))), 0, 6))


def _mark_revised(rows: Rows, previous: Rows, marks: NDArray[np.int32]) -> Rows:
    """Put ``r`` before the status of every row whose value is not that of the superseded revision."""
    keys = ("metric", "geography_code", "date")
    same_cells = len(rows) == len(previous) and all(
        rows.column(k).equals(previous.column(k)) for k in keys if k in rows.column_names and k in previous.column_names
    )
    if same_cells:
        changed = pc.fill_null(pc.not_equal(rows["value"], previous["value"]), True)
        flags = np.asarray(changed.to_numpy(zero_copy_only=False), dtype=bool)
    else:
        flags = np.ones(len(rows), dtype=bool)
    plain = marks < _MISSING
    revised = np.where(flags & plain, marks + _REVISED, marks)
    return rows.set_column(rows.column_names.index("status"), "status", _repeat(_MARKS, revised))


def _broken(
    levels: Sequence[tuple[DimensionFacts, LevelFacts]], index: Sequence[NDArray[np.int32]], cells: int
) -> NDArray[np.bool_]:
    """Which cells do not compare with the period before: the first moment of those that hold other places than then."""
    found = np.zeros(cells, dtype=bool)
    for (_, level), at in zip(levels, index, strict=True):
        found |= np.isin(np.array(level.codes), level.breaks)[at] if level.breaks else False
    for (dimension, _), at in zip(levels, index, strict=True):
        if dimension.role == "date":
            found &= at == 0
    return found


def _open_rows(
    table: TableFacts, levels: Sequence[tuple[DimensionFacts, LevelFacts]], index: Sequence[NDArray[np.int32]]
) -> NDArray[np.bool_]:
    """Which cells of a table across editions end in a period to which late records may still be added."""
    if table.across is None or table.across.open_from is None:
        return np.zeros(len(index[0]) if index else 1, dtype=bool)
    time = next((i for i, (dimension, _) in enumerate(levels) if dimension.role == "date"), -1)
    since = table.across.open_from
    return np.array([parse_period(code).end >= since for code in table.across.periods])[index[time]]


def _marked(rows: Rows, which: NDArray[np.bool_], own: str) -> Rows:
    """Put a mark behind the status of some rows."""
    plain = rows["status"].to_pylist()
    marked = [f"{mark} {own}".strip() if here else mark for mark, here in zip(plain, which.tolist(), strict=True)]
    return rows.set_column(rows.column_names.index("status"), "status", pa.array(marked, pa.string()))


def _repeat(values: tuple[str, ...], index: NDArray[Any]) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(index))


def _floats(values: NDArray[Any]) -> pa.Array:
    """Numbers with NaN as null."""
    return pa.array(values.astype(np.float64), mask=~np.isfinite(values))
