"""What of a declaration decides what is measured and what the numbers mean, apart from names, texts and guesses.

The deciding part is sealed and hashed. The rest may be told in today's words: it is joined by id and by code, never
by position, and only where the deciding part says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dp_stats.catalogue.calendar import ISO
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.models import Dataset, Release

DATASET_TEXTS = {
    "title",
    "description",
    "custodians",
    "region",
    "legal_basis",
    "languages",
    "expectations",
    "intake",
    "budget",
    "engine",
    "work_schema",
    "work_folder",
}
RELEASE_TEXTS = {
    "title",
    "start",
    "end",
    "schedule",
    "timezone",
    "holidays",
    "settle_days",
    "headline",
    "licence",
    "texts",
    "priority",
}
ITEM_TEXTS = {
    "dimensions": {"title", "level_titles", "pages"},
    "statistics": {"title", "unit", "expected_total"},
    "derived": {"title", "unit"},
    "tables": {"title", "weight", "ceiling", "prior_mean"},
}
ACROSS_TEXTS = {"title", "unit"}
UNIT_TEXTS = {"name"}
TABLE_TEXTS = {"custodian", "expectations", "intake"}

Json = dict[str, Any]


def reading(dataset: Dataset) -> Json:
    """How rows are read: sources, columns with their mappings and value maps, steps, opt-outs, date, privacy unit."""
    content = dataset.model_dump(mode="json", by_alias=True, exclude=DATASET_TEXTS)
    content["privacy_unit"] = _without(content["privacy_unit"], UNIT_TEXTS)
    if "tables" in content:
        content["tables"] = {name: _without(table, TABLE_TEXTS) for name, table in content["tables"].items()}
    return content


def declared(release: Release) -> Json:
    """What is counted and published of them, for whom and why."""
    content = release.model_dump(mode="json", by_alias=True, exclude=RELEASE_TEXTS)
    if release.calendar == ISO:
        del content["calendar"]  # as plans were sealed before there was another
    for name, texts in ITEM_TEXTS.items():
        content[name] = [_without(item, texts) for item in content[name]]
    if "across" in content:
        content["across"] = [
            {**_without(t, ACROSS_TEXTS), "statistics": [_without(s, ACROSS_TEXTS) for s in t["statistics"]]}
            for t in content["across"]
        ]
    return content


def deciding_columns(name: str, codes: CodeList, dataset: Dataset, release: Release) -> tuple[str, ...]:
    """Columns of a code list that decide cells, bands and rates: the codes, their groups, ends of bands, populations."""
    using = {column for column, spec in dataset.columns.items() if spec.codes == name}
    read = [c for columns in (dataset.columns, *(t.columns for t in dataset.tables.values())) for c in columns.values()]
    wanted = {"code"}
    for spec in release.dimensions:
        if spec.column in using:
            wanted |= set(spec.levels[1:])
    if any(column.type == "band" and column.codes == name for column in read):
        wanted |= {"lower", "upper"}
    people = tuple(d.population for d in release.derived if d.kind == "rate")
    wanted |= {head for head in codes.header if any(head == p or head.startswith(f"{p}_") for p in people)}
    return tuple(sorted(wanted & set(codes.header)))


def list_content(codes: CodeList, columns: Sequence[str]) -> Json:
    """Some columns of a code list, in the order of its codes; and what became of codes that are not in force any more."""
    content: Json = {"header": list(columns), "rows": [[row[name] for name in columns] for row in codes.rows]}
    if codes.replaced is not None:
        content["replaced"] = {code: list(new) for code, new in codes.replaced.items()}
    return content


def list_sealed(codes: CodeList, columns: Sequence[str]) -> Json:
    """The same with what does not compare with the period before."""
    breaks = {level: list(broken) for level, broken in codes.breaks.items()}
    return {**list_content(codes, columns), **({"breaks": breaks} if breaks else {})}


def code_list(name: str, content: Json) -> CodeList:
    """A code list as it was kept."""
    rows = tuple(dict(zip(content["header"], row, strict=True)) for row in content["rows"])
    kept = content.get("replaced")
    replaced = None if kept is None else {code: tuple(new) for code, new in kept.items()}
    breaks = {level: tuple(broken) for level, broken in content.get("breaks", {}).items()}
    return CodeList(name, Path(f"{name}.csv"), tuple(content["header"]), rows, replaced, breaks)


def dataset_told(sealed: Json, tellers: Sequence[Dataset]) -> Dataset:
    """The sealed reading of a dataset with the texts of the first teller; its tables with those of the first that has them all.

    Whose a table is and who is answerable for the dataset belong together, so both are told by one teller.
    """
    dumps = [teller.model_dump(mode="json", by_alias=True) for teller in tellers]
    tables = sealed.get("tables", {})
    texts = next((t for t in dumps if set(tables) <= set(t.get("tables", {}))), dumps[-1])
    told = {name: texts[name] for name in DATASET_TEXTS if name in texts}
    unit = {name: texts["privacy_unit"][name] for name in UNIT_TEXTS}
    content: Json = {**told, **sealed, "privacy_unit": {**unit, **sealed["privacy_unit"]}}
    if content["engine"] == "source" and content.get("source") != texts.get("source"):
        content = {
            **content,
            "engine": "duckdb",
            "work_schema": None,
            "work_folder": None,
        }  # the rows were read from elsewhere then
    if tables:
        content["tables"] = {
            name: {**{text: texts["tables"][name][text] for text in TABLE_TEXTS}, **table}
            for name, table in tables.items()
        }
    return Dataset.model_validate(content)


def release_told(sealed: Json, tellers: Sequence[Release]) -> Release:
    """The sealed part of a release with the texts of the first teller that has them, item by item."""
    texts = [teller.model_dump(mode="json", by_alias=True) for teller in tellers]
    content: Json = {**{name: texts[0][name] for name in RELEASE_TEXTS}, **sealed}
    for name, fields in ITEM_TEXTS.items():
        key = "name" if name == "dimensions" else "id"
        content[name] = [
            {**_texts_of(item[key], key, (t[name] for t in texts), fields), **item} for item in sealed[name]
        ]
    if "across" in sealed:
        content["across"] = [_across_told(table, [t.get("across", []) for t in texts]) for table in sealed["across"]]
    tables = {table["id"] for table in sealed["tables"]}
    content["headline"] = next((t["headline"] for t in texts if t["headline"] in tables), None)
    return Release.model_validate(content)


def _across_told(sealed: Json, lists: Sequence[list[Json]]) -> Json:
    """A table across editions with its title, and with those of its statistics."""
    statistics = [[s for table in tables for s in table["statistics"]] for tables in lists]
    told = [{**_texts_of(one["id"], "id", statistics, ACROSS_TEXTS), **one} for one in sealed["statistics"]]
    return {"title": sealed["id"], **_texts_of(sealed["id"], "id", lists, {"title"}), **sealed, "statistics": told}


def _texts_of(id: str, key: str, lists: Iterable[list[Json]], fields: set[str]) -> Json:
    for items in lists:
        for item in items:
            if item[key] == id:
                return {name: item[name] for name in fields if name in item}
    return {}


def codes_told(sealed: CodeList, tellers: Sequence[CodeList]) -> CodeList:
    """A sealed code list with the names and facts that others tell of its codes, the first that knows a code."""
    header = [*sealed.header]
    for teller in tellers:
        header += [name for name in teller.header if name not in header]
    filled: list[dict[str, str]] = [dict(row) for row in sealed.rows]
    for column in header[len(sealed.header) :]:
        level = column.removesuffix("_name")
        by = level if column != level and level in sealed.header else "code"  # a group's name goes by the group's code
        known: dict[str, str] = {}
        for teller in reversed([t for t in tellers if {by, column} <= set(t.header)]):
            known |= {row[by]: row[column] for row in reversed(teller.rows)}
        for row in filled:
            row[column] = known.get(row[by], row[by] if column == "name" or by != "code" else "")
    return CodeList(sealed.id, sealed.path, tuple(header), tuple(filled), sealed.replaced, sealed.breaks)


def _without(content: Mapping[str, Any], names: set[str]) -> Json:
    return {name: value for name, value in content.items() if name not in names}
