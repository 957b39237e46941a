"""An edition's noisy measurements as anyone may have them: with all that is needed to combine them, and nothing else.

Noisy measurements are what the guarantee is about: whatever is made of them costs nobody's privacy anything. The document
holds the plan of what was measured, the public grid, what statistics mean, the public lists that rates are made of, and the
noisy numbers, those of late rows included; so what is read back from it answers as the stored measurements do, to the digit
(``estimate.answer``). It holds nothing of how or where records are kept. ``combine_form`` has every field of it.

``late_rows`` says how late rows that are known coarsely are spread, ``factors`` what statistics are multiplied by for late and
truncated rows, and how far off that may be. They follow from the rest, and are there for readers who do not want to compute them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import Dimension, Grid, Level
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period, parse_period
from dp_stats.errors import PublishedError
from dp_stats.estimate.combine_form import FORMAT, NOT_OF_THE_PLAN, RELEASE
from dp_stats.estimate.late import LateTables
from dp_stats.estimate.measured_edition import Measured
from dp_stats.plan.model import Measurement, Plan
from dp_stats.plan.noisy import NoisyMeasurements

Document = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Lists(Catalogue):
    """Public lists by the dimension that is made of them."""

    def code_list_of(self, release: Release, dimension: str) -> CodeList | None:
        """The code list behind a dimension."""
        return self.codes.get(dimension)


def document(measured: Measured, fitted: Mapping[str, Any]) -> Document:
    """An edition's measurements as a JSON document.

    Args:
        fitted: what readers need to know of the fits (see ``estimate.fitted``).
    """
    plan, release = measured.plan, measured.release
    period = measured.period
    return {
        "format": FORMAT,
        "edition": plan.edition,
        "period": [period.start.isoformat(), period.end.isoformat(), period.label, period.kind],
        "release": {**release.model_dump(mode="json", by_alias=True, include=set(RELEASE)), "texts": {"summary": ""}},
        "plan": plan.model_dump(mode="json", exclude=set(NOT_OF_THE_PLAN)),
        "dimensions": [_dimension(d, release, period) for d in measured.grid.dimensions],
        "lists": {d.name: found for d in measured.grid.dimensions if (found := _list(measured, d.name)) is not None},
        "variances": {
            m.id: m.variance for m in (*plan.measurements, *(m for x in measured.late for m in x.measurements))
        },
        "noisy": {m.id: measured.noisy.values[m.id].ravel().tolist() for m in plan.measurements},
        "late": [
            {
                "measurements": [m.model_dump(mode="json") for m in late.measurements],
                "noisy": {m.id: np.asarray(late.values[m.id]).ravel().tolist() for m in late.measurements},
            }
            for late in measured.late
        ],
        **fitted,
    }


def _dimension(dimension: Dimension, release: Release, period: Period) -> Document:
    spec = next(d for d in release.dimensions if d.name == dimension.name)
    days = [
        parse_period(code).within(period.start, period.end) for code in dimension.leaf.codes if dimension.kind == "date"
    ]
    return {
        "name": dimension.name,
        "title": spec.title,
        "column": dimension.column,
        "kind": dimension.kind,
        "unknown": dimension.unknown,
        "edges": list(dimension.edges),
        **({"days": [[d.start.isoformat(), d.end.isoformat()] for d in days]} if days else {}),
        "levels": [
            {
                "name": level.name,
                "title": spec.level_titles.get(level.name, ""),
                "codes": list(level.codes),
                "names": list(level.names),
                "group": level.group.tolist(),
            }
            for level in dimension.levels
        ],
    }


def _list(measured: Measured, dimension: str) -> Document | None:
    """The codes of a public list with the populations that rates are made of, and what took the place of older codes."""
    codes = measured.listed(dimension).codes
    if codes is None:
        return None
    people = {d.population for d in measured.release.derived if d.kind == "rate"}
    header = ["code", *(h for h in codes.header if any(h == p or h.startswith(f"{p}_") for p in people))]
    replaced = None if codes.replaced is None else {code: list(new) for code, new in codes.replaced.items()}
    return {"header": header, "rows": [[row[name] for name in header] for row in codes.rows], "replaced": replaced}


def read(document: Mapping[str, Any]) -> Measured:
    """The measurements that a document holds.

    Raises:
        PublishedError: it is another document, or one of a later version.
    """
    if document.get("format") != FORMAT:
        raise PublishedError(
            f"This is no combine.json of format {FORMAT}, which this dp-stats reads. Upgrade dp-stats if the file is newer."
        )
    try:
        start, end, label, kind = document["period"]
        grid = Grid(tuple(_read_dimension(d) for d in document["dimensions"]))
        plan = Plan.model_validate({**document["plan"], "expected": ()})
        release = Release.model_validate(document["release"])
        values = _values(plan.measurements, document["noisy"])
        codes = {name: _read_list(name, content) for name, content in document["lists"].items()}
        late = []
        for one in document["late"]:
            measurements = tuple(Measurement.model_validate(m) for m in one["measurements"])
            late.append(LateTables(measurements, _values(measurements, one["noisy"])))
        return Measured(
            plan,
            Period.of(start, end, label, kind),
            grid,
            release,
            NoisyMeasurements(plan.hash, values),
            _Lists(Path("published"), {}, {release.id: release}, codes),
            tuple(late),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PublishedError("This combine.json cannot be read. Load it again from the site.") from error


def _values(measurements: Sequence[Measurement], noisy: Mapping[str, Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    return {m.id: np.array(noisy[m.id], dtype=np.int64).reshape(m.shape) for m in measurements}


def _read_dimension(content: Mapping[str, Any]) -> Dimension:
    levels = tuple(
        Level(one["name"], tuple(one["codes"]), tuple(one["names"]), np.array(one["group"], dtype=np.intp))
        for one in content["levels"]
    )
    return Dimension(
        content["name"], content["column"], content["kind"], levels, content["unknown"], tuple(content["edges"])
    )


def _read_list(name: str, content: Mapping[str, Any]) -> CodeList:
    header = tuple(content["header"])
    rows = tuple(dict(zip(header, row, strict=True)) for row in content["rows"])
    kept = content["replaced"]
    replaced = None if kept is None else {code: tuple(new) for code, new in kept.items()}
    return CodeList(name, Path(f"{name}.csv"), header, rows, replaced)
