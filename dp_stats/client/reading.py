"""A published table in pandas: codes as text, dates as dates, intervals as intervals, and what its marks mean."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from dp_stats.client.places import beside, document, fetched, folder_of
from dp_stats.errors import PublishedError

if TYPE_CHECKING:
    import pandas as pd

PACKAGE = "datapackage.json"
NUMBERS = ("value", "lower_95", "upper_95", "value_unbiased", "standard_error")
DATES = ("date", "period_start", "period_end")
DOUBTFUL = frozenset({"u", "low", "t", "x", "z"})
"""Marks of a value that cannot be relied on, is off by an unknown amount, or is not there."""


def read(source: str | PathLike[str], *, table: str = "") -> pd.DataFrame:
    """A published table.

    Args:
        source: address or path of a table (``….csv``, ``….parquet``), of a file of the API (``….json``), or of the page or
            folder of a release (its whole series) or of an edition. table: which one, where there are several.

    Returns:
        One row per value. Codes, names and marks are text (empty where there are none), ``date``, ``period_start`` and
        ``period_end`` are dates, ``value`` is whole where all values are. Two columns are added: ``interval_95``, the closed
        interval, and ``reliable``, whether no mark says that the value is doubtful or missing. ``attrs`` holds ``title``,
        ``licence``, ``address``, and in ``marks`` what each mark means.

    Raises:
        PublishedError: there is no such table, or it cannot be reached.
    """
    place = fspath(source)
    ending = PurePosixPath(place.partition("?")[0]).suffix
    if ending not in (".csv", ".parquet", ".json") or place.endswith(f"/{PACKAGE}"):
        place = _chosen(place, table)
        ending = PurePosixPath(place).suffix
    content = fetched(place)
    if content is None:
        raise PublishedError(f"There is no {place}. Check the address.")
    if ending == ".json":
        rows, about = _of_api(content, place)
    else:
        rows = _typed(_of_csv(content) if ending == ".csv" else _of_parquet(content))
        about = _described(place)
    rows.attrs.update({**about, "address": place})
    return rows


def _chosen(place: str, table: str) -> str:
    """The file of a table in the folder of an edition, of a release, or of its whole series.

    Raises:
        PublishedError: there is no such folder, or several tables and none is named.
    """
    folder = folder_of(place.removesuffix(f"/{PACKAGE}"))
    for home in (folder, f"{folder}/history"):
        package = document(f"{home}/{PACKAGE}")
        if package is None:
            continue
        names = [str(resource["name"]) for resource in package["resources"]]
        if table in names or (not table and len(names) == 1):
            return f"{home}/{table or names[0]}.parquet"
        asked = f"There is no table '{table}'" if table else "There are several tables"
        raise PublishedError(f"{asked} in {home}. Name one: table='{names[0]}'; there are {', '.join(names)}.")
    raise PublishedError(
        f"There are no published tables at {place}. Give the address of a release, an edition or a file."
    )


def _of_csv(content: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)


def _of_parquet(content: bytes) -> pd.DataFrame:
    import pyarrow.parquet as pq

    found: pd.DataFrame = pq.read_table(io.BytesIO(content)).to_pandas()
    return found


def _of_api(content: bytes, place: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The values of a file of the API with what it says of all of them.

    Raises:
        PublishedError: it is another file, such as a list.
    """
    import pandas as pd

    leaf = json.loads(content)
    if not isinstance(leaf, dict) or "data" not in leaf:
        raise PublishedError(f"{place} holds no values. Follow its links to a table.")
    told = ("metric", "geography_type", "geography_code", "geography")
    constant = {name: leaf[name] for name in told if name in leaf}
    rows = _typed(pd.DataFrame({**dict.fromkeys(constant), **leaf["data"]}).assign(**constant))
    return rows, {"title": f"{leaf['release']}: {leaf['table']}", "licence": leaf["licence"], "marks": {}}


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns with their types, and the two that are added."""
    import numpy as np
    import pandas as pd

    made: dict[str, Any] = {}
    for name in rows.columns:
        if name in NUMBERS:
            numbers = pd.to_numeric(rows[name].replace("", None), errors="raise").astype("float64")
            whole = name == "value" and bool((numbers.dropna() % 1 == 0).all())
            made[name] = numbers.astype("Int64") if whole else numbers
        elif name in DATES:
            made[name] = pd.to_datetime(rows[name]).astype("datetime64[s]")
        elif name == "revision":
            made[name] = rows[name].astype("int64")
        else:
            made[name] = rows[name].fillna("").astype("str")
    typed = pd.DataFrame(made)
    if {"lower_95", "upper_95"} <= set(typed.columns):
        lower, upper = typed["lower_95"], typed["upper_95"]
        top = upper.where(upper.notna() | lower.isna(), np.inf)
        typed["interval_95"] = pd.arrays.IntervalArray.from_arrays(lower, top, closed="both")
    if "status" in typed.columns:
        typed["reliable"] = [not DOUBTFUL & set(marks.split()) for marks in typed["status"]]
    return typed


def _described(place: str) -> dict[str, Any]:
    """Title, licence and marks, from the description beside a table; without one, nothing of them."""
    package = document(beside(place, PACKAGE)) or {}
    name = PurePosixPath(place).stem
    resource: Mapping[str, Any] = next((r for r in package.get("resources", ()) if r["name"] == name), {})
    fields: Sequence[Mapping[str, Any]] = resource.get("schema", {}).get("fields", ())
    marks: Mapping[str, str] = next((field.get("marks", {}) for field in fields if field["name"] == "status"), {})
    licences = [str(one["name"]) for one in package.get("licenses", ())]
    return {"title": resource.get("title", ""), "licence": ", ".join(licences), "marks": dict(marks)}
