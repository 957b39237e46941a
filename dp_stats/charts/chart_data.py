"""The numbers behind a chart, as a CSV file beside it: what is drawn and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from dp_stats.charts.series import Group, Series
from dp_stats.editions.columns import ChartRow, names
from dp_stats.editions.formats import csv_parts
from dp_stats.texts.numbers import Figure

Point = tuple[str, str, date | None, Figure]
"""Code, name, date and figure; groups at one moment have no date."""


def csv_of(shown: Sequence[Series] | Sequence[Group]) -> bytes:
    """A ``ChartRow`` for each point; of groups at one moment without the date.

    A value without an upper limit has none.
    """
    points = _points(shown)
    return _written(points, [len(points)])[0]


def csvs_of(each: Sequence[Sequence[Group]]) -> list[bytes]:
    """The same file of each of several charts, in a fraction of the time."""
    points = [_points(shown) for shown in each]
    return _written([point for of_one in points for point in of_one], [len(of_one) for of_one in points])


def _points(shown: Sequence[Series] | Sequence[Group]) -> list[Point]:
    """Every point of a chart."""
    points: list[Point] = []
    for one in shown:
        if isinstance(one, Series):
            points += [(one.code, one.name, day, figure) for day, figure in zip(one.dates, one.figures, strict=True)]
        else:
            points.append((one.code, one.name, None, one.figure))
    return points


def _written(points: Sequence[Point], lengths: Sequence[int]) -> list[bytes]:
    """Points as files of so many each."""
    days = [day for _, _, day, _ in points]
    numbers = {
        column: pa.array(values, mask=~np.isfinite(values))
        for column, values in (
            ("value", np.array([figure.value for *_, figure in points], dtype=np.float64)),
            ("lower_95", np.array([figure.lower for *_, figure in points], dtype=np.float64)),
            ("upper_95", np.array([figure.upper for *_, figure in points], dtype=np.float64)),
        )
    }
    columns = {
        "code": pa.array([code for code, *_ in points], pa.string()),
        "name": pa.array([name for _, name, *_ in points], pa.string()),
        "date": pa.array([f"{day}" for day in days], pa.string()),
        **numbers,
        "status": pa.array([figure.status for *_, figure in points], pa.string()),
    }
    header = [name for name in names(ChartRow) if name != "date" or None not in days]
    return csv_parts(pa.table([columns[name] for name in header], names=header), lengths)
