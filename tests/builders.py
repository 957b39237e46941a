"""Declarations for tests: a dataset, a release and a code list with everything that a test does not care about.

What a test is about is given by name; all else is the least that a declaration needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dp_stats.catalogue.codes import CodeList


def declared_dataset(id: str, columns: Mapping[str, str | Mapping[str, Any]], **fields: Any) -> dict[str, Any]:
    """A dataset as its file would declare it.

    Args:
        columns: canonical name → its type, or for a code or band ``"code areas"``; or all that is declared about it.
            The person and the date that the dataset needs are found by their types.
        fields: what else is declared, in place of the least. With ``tables``, each has a source and a list of its own.
    """
    declared = {name: _column(name, column) for name, column in columns.items()}
    person, date = (next(n for n, c in declared.items() if c["type"] == kind) for kind in ("person", "date"))
    alone = {} if "tables" in fields else {"source": {"kind": "csv", "path": f"{id}.csv"}, "opt_outs": None}
    return {
        "id": id,
        "title": id.capitalize(),
        "description": "Rows of nobody.",
        "custodians": [{"name": "Custodian"}],
        **alone,
        "columns": declared,
        "date_column": date,
        "privacy_unit": {"column": person, "per": "year"},
        "expectations": f"{id}.json",
        "budget": {"epsilon": 10, "delta": "1e-6"},
        **fields,
    }


def declared_table(
    id: str, columns: Mapping[str, str | Mapping[str, Any]], *, opt_outs: str | None = None, **fields: Any
) -> dict[str, Any]:
    """One of the tables of a dataset of several, as ``declared_dataset`` declares all that there is of one.

    Args:
        opt_outs: the file with its custodian's list, whose column is ``who``.
    """
    declared = {name: _column(name, column) for name, column in columns.items()}
    return {
        "source": {"kind": "csv", "path": f"{id}.csv"},
        "custodian": "Custodian",
        "person": next(name for name, column in declared.items() if column["type"] == "person"),
        "columns": declared,
        "opt_outs": opt_outs and list_of_opt_outs(opt_outs),
        "expectations": f"{id}.json",
        **fields,
    }


def list_of_opt_outs(file: str, column: str = "who") -> dict[str, Any]:
    """A list of people whose rows do not count, in a file of its own."""
    return {"source": {"kind": "csv", "path": file}, "column": column}


def declared_release(
    id: str,
    *,
    dataset: str,
    dimensions: Sequence[Mapping[str, Any]],
    tables: Sequence[Mapping[str, Any]],
    statistics: Sequence[Mapping[str, Any]],
    **fields: Any,
) -> dict[str, Any]:
    """A release as its file would declare it: one row per person, ε = 1, and all statistics in each table."""
    return {
        "id": id,
        "title": id.capitalize(),
        "dataset": dataset,
        "period": "week",
        "start": "2021-01-04",
        "dimensions": list(dimensions),
        "statistics": list(statistics),
        "tables": [{"title": t["id"], "statistics": [s["id"] for s in statistics], **t} for t in tables],
        "contribution": {"rows": 1, "why_nothing_is_truncated": "One row per person."},
        "privacy_loss": {"epsilon": 1},
        "texts": {"summary": "A test."},
        **fields,
    }


def code_list(
    name: str, codes: Sequence[str], names: Sequence[str] | None = None, **columns: Sequence[Any]
) -> CodeList:
    """A public code list with further columns, one value per code; numbers are written as short as they are."""
    written = {
        "code": codes,
        "name": names or codes,
        **{c: [v if isinstance(v, str) else f"{v:g}" for v in values] for c, values in columns.items()},
    }
    rows = tuple(dict(zip(written, row, strict=True)) for row in zip(*written.values(), strict=True))
    return CodeList(name, Path(f"{name}.csv"), tuple(written), rows)


def _column(name: str, declared: str | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(declared, str):
        return {"from": name, **declared}
    kind, _, codes = declared.partition(" ")
    return {"from": name, "type": kind, **({"codes": codes} if codes else {})}
