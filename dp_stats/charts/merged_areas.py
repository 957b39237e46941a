"""Values of merged areas before they merged, from a release's back-series, put where the editions of a panel have none."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.editions.edition import Edition, LevelFacts, TableFacts
from dp_stats.editions.facts import BREAK

FILE = "back-series.csv"
PARQUET = "back-series.parquet"
"""The same rows with types."""

Key = tuple[str, str, str, str, str]
Arrays = dict[str, NDArray[Any]]


def read_back_series(folder: Path, newest: Edition) -> dict[Key, dict[str, str]]:
    """The rows of a release's back-series on the boundaries of its newest edition; none where there is no such file."""
    place = folder / FILE
    if not place.is_file():
        return {}
    with place.open(encoding="utf-8", newline="") as file:
        return {
            (row["table"], row["metric"], row["geography_code"], row["strata"], row["date"]): row
            for row in csv.DictReader(file)
            if row["boundaries"].startswith(f"{newest.id} ")
        }


def with_back_series(
    whole: Arrays,
    rows: dict[Key, dict[str, str]],
    *,
    table: TableFacts,
    areas: LevelFacts,
    groups: LevelFacts,
    dates: Sequence[str],
) -> Arrays:
    """Arrays of shape ``(metrics, moments, areas, groups)`` with what the rows tell where there was nothing.

    An area whose values before are known is no break where it begins.
    """
    if not rows:
        return whole
    filled = {name: values.copy() for name, values in whole.items()}
    place = {date: i for i, date in enumerate(dates)}
    metrics = {metric: i for i, metric in enumerate(table.statistics)}
    at_area = {code: i for i, code in enumerate(areas.codes)}
    at_group = {"" if len(groups.codes) == 1 else code: i for i, code in enumerate(groups.codes)}
    known: set[int] = set()
    for (id, metric, code, strata, date), row in rows.items():
        if (
            id != table.id
            or metric not in metrics
            or date not in place
            or code not in at_area
            or strata not in at_group
        ):
            continue
        at = (metrics[metric], place[date], at_area[code], at_group[strata])
        if np.isnan(filled["value"][at]):
            for name, column in (("value", "value"), ("lower", "lower_95"), ("upper", "upper_95")):
                filled[name][at] = float(row[column])
            filled["status"][at] = ""
            known.add(at_area[code])
    for area in known:
        marks = filled["status"][:, :, area, :]
        marks[...] = [[[_without_break(str(m)) for m in line] for line in block] for block in marks]
    return filled


def _without_break(status: str) -> str:
    return " ".join(mark for mark in status.split() if mark != BREAK)
