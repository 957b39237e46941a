"""A first draft of a catalogue from a table: dataset, code lists, suite and release, each line with what to decide.

A draft holds names of columns and public lists only. The newcomer edits words and limits, not structure; what only a
person may decide (whom to name, who has opted out) is asked for, or stops the first run until it is there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dp_stats import files
from dp_stats.catalogue.models import Source
from dp_stats.catalogue.registers import Register, read_register, slug
from dp_stats.catalogue.yaml import write_on_one_line as _flow
from dp_stats.errors import CatalogueError
from dp_stats.secure.database import open_database
from dp_stats.secure.look import Seen, by_names, look_at, require_header
from dp_stats.secure.source_table import Opening
from dp_stats.secure.sources import open_source
from dp_stats.settings import Settings

OPT_OUTS = "opt-outs.csv"


@dataclass(frozen=True)
class Draft:
    """Files to write below the catalogue folder, and what is still to be decided."""

    files: dict[str, str]
    decisions: tuple[str, ...]


@dataclass(frozen=True)
class Wish:
    """What a person says about a table before it is looked at.

    Attributes:
        id: of the dataset; the release is named after it. source: where the rows are.
        registers: name of a code list → file of a public register. custodian: who is answerable.
        start: first day to publish. opted_out: whether there is an opt-out list (False only where the law has none).
        schema_only: look at names and types of columns, and at no row.
    """

    id: str
    source: Source
    registers: Mapping[str, Path]
    custodian: str
    start: date
    opted_out: bool = True
    schema_only: bool = False
    person: str | None = None
    date: str | None = None


def draft(wish: Wish, settings: Settings) -> Draft:
    """Look at a table and draft its declarations.

    Raises:
        SourceError: the table cannot be read, or its first line is no header.
        CatalogueError: a register cannot be read, or no column can be the person or the date.
    """
    registers = {name: read_register(name, path) for name, path in wish.registers.items()}
    seen = _look(wish, registers, settings)
    person = _chosen(seen, "person", wish.person)
    when = _chosen(seen, "date", wish.date)
    names = _canonical(seen)
    used = {c.register: registers[c.register] for c in seen if c.register in registers and c is not person}
    dataset = _dataset(wish, seen, names, person, when, registers)
    release, tables = _release(wish, [c for c in seen if c.register in used], names, registers)
    suite = {
        "name": wish.id,
        "expectations": [
            {
                "type": "expect_column_values_to_not_be_null",
                "kwargs": {"column": names[person.name], "mostly": 0.99},
                "severity": "critical",
            },
            {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}, "severity": "critical"},
        ],
    }
    found = {
        f"datasets/{wish.id}.yaml": dataset,
        f"releases/{wish.id}-figures.yaml": release,
        f"expectations/{wish.id}.json": json.dumps(suite, indent=2) + "\n",
        **{f"codes/{name}.csv": register.content for name, register in used.items()},
    }
    return Draft(found, _decisions(wish, seen, used, tables))


def write(drafted: Draft, folder: Path) -> list[Path]:
    """Write a draft below the catalogue folder.

    Raises:
        CatalogueError: one of its files is there already with other content; nothing is written then.
    """
    taken = [
        name
        for name, content in drafted.files.items()
        if (folder / name).exists() and (folder / name).read_bytes() != content.encode("utf-8")
    ]
    if taken:
        raise CatalogueError(
            f"{folder / taken[0]} is there already, and a draft never overwrites. Choose another --id, or move it away."
        )
    for name, content in drafted.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        files.replace_file(folder / name, content.encode("utf-8"))
    return [folder / name for name in drafted.files]


def _look(wish: Wish, registers: Mapping[str, Register], settings: Settings) -> tuple[Seen, ...]:
    with tempfile.TemporaryDirectory(prefix="look-") as name, open_database(Path(name)) as connection:
        table = open_source(Opening(connection, wish.source, None, Path(name), settings))
        require_header(table.names, place=table.place)
        known = {entry.casefold() for r in registers.values() for entry in (*r.codes, *r.names)}
        if any(column.strip().casefold() in known for column in table.names):
            require_header(("", *table.names), place=table.place)  # a code among the names: the line is a row
        if wish.schema_only:
            return by_names(table.names)
        return look_at(connection, table, table.names, registers)


def _chosen(seen: Sequence[Seen], kind: str, said: str | None) -> Seen:
    """The column that names the person, or dates the row: as said, or the likeliest."""
    if said is not None:
        named = [c for c in seen if c.name.strip().casefold() == said.strip().casefold()]
        if not named:
            raise CatalogueError(f"--{kind} '{said}': the table has no such column. Write its name as it stands there.")
        return named[0]
    fitting = [c for c in seen if c.kind == kind]
    if not fitting:
        what = "identifies a person" if kind == "person" else "dates a row"
        raise CatalogueError(f"No column of the table seems to be one that {what}. Name it with --{kind}.")
    return max(fitting, key=lambda c: c.score)


def _canonical(seen: Sequence[Seen]) -> dict[str, str]:
    """Source column → its name in the declaration, each once."""
    names: dict[str, str] = {}
    for column in seen:
        name = plain = slug(column.name)[:60].rstrip("_")
        number = 1
        while name in names.values():
            number += 1
            name = f"{plain}_{number}"
        names[column.name] = name
    return names


def _dataset(
    wish: Wish,
    seen: Sequence[Seen],
    names: Mapping[str, str],
    person: Seen,
    when: Seen,
    registers: Mapping[str, Register],
) -> str:
    title = wish.id.replace("-", " ").replace("_", " ").capitalize()
    lines = [
        "# A draft made from the table's column names and public lists. Lines marked DECIDE are yours to settle.",
        f"id: {wish.id}  # the ledger knows the dataset by this name; it never changes",
        f"title: {_flow(title)}  # DECIDE: what readers call it",
        f"description: {_flow('One row per record.')}  # DECIDE: what a row is, in a sentence",
        f"custodians: [{_flow({'name': wish.custodian})}]  # who is answerable; add 'user' for those who approve requests",
        f"source: {_flow(wish.source.model_dump(exclude_defaults=True))}",
        "columns:  # what is not declared here is never copied",
    ]
    for column in seen:
        chosen = column in (person, when) or (column.register is not None and column is not person)
        said, why = _column(column, "person" if column is person else "date" if column is when else column.kind)
        if column.kind == "text" and column not in (person, when):
            lines.append(f"  # left out: {_flow(column.name)}")
        else:
            lines.append(f"  {'' if chosen else '# '}{names[column.name]}: {_flow(said)}{why}")
            if column.by_name and chosen:  # the table holds names; the public list says whose they are
                lines[-1] = f"  {names[column.name]}:"
                values = {n: c for n, c in registers[column.register or ""].names.items() if n != c}
                lines += [f"    {field}: {_flow(content)}" for field, content in said.items()]
                lines += ["    values:", *(f"      {_flow(n)}: {_flow(c)}" for n, c in values.items())]
    lines += [
        f"date_column: {names[when.name]}  # DECIDE: the date that puts a row into a period",
        f"privacy_unit: {_flow({'column': names[person.name], 'per': 'year'})}  "
        "# DECIDE: everything of a person in one year is protected together; day, month, year or lifetime",
        f"opt_outs: {_flow({'source': {'kind': 'csv', 'path': OPT_OUTS}, 'column': person.name})}  "
        f"# DECIDE: put the list there (a header line alone if nobody has opted out yet)"
        if wish.opted_out
        else "opt_outs: null  # DECIDE: only where the law provides for no objection",
        f"expectations: {wish.id}.json",
        "budget: {epsilon: 6, delta: 1e-6}  # DECIDE: the most that all releases may spend of a person's privacy in a year",
    ]
    return "\n".join(lines) + "\n"


def _column(column: Seen, kind: str) -> tuple[dict[str, Any], str]:
    """How a column is declared, and a comment where somebody must decide."""
    said: dict[str, Any] = {"from": column.name, "type": kind}
    if kind == "person":
        if column.identifier is not None:
            said["identifier"] = column.identifier.model_dump(exclude_defaults=True)
            return said, "  # valid NHS numbers; others are left out and counted"
        return said, "  # DECIDE: is this the person, not the record? Declare 'identifier' if there is a rule"
    if kind == "date":
        if column.formats:
            said["formats"] = list(column.formats[:1])
        if column.moments:
            said["timezone"] = "UTC"
            return said, "  # DECIDE: the time zone whose days are published, such as Europe/London"
        if len(column.formats) > 1:
            return said, f"  # DECIDE: reads as well as {' or '.join(column.formats[1:])}"
        return said, ""
    if column.register is not None:
        said |= {"codes": column.register, "unknown": True}
    return said, ""


def _release(
    wish: Wish, listed: Sequence[Seen], names: Mapping[str, str], registers: Mapping[str, Register]
) -> tuple[str, int]:
    title = wish.id.replace("-", " ").replace("_", " ")
    dimensions, by = [], []
    for column in listed:
        register = registers[column.register or ""]
        levels = ["band"] if column.kind == "band" else [_leaf(register), *register.levels]
        dimensions.append({"name": names[column.name], "column": names[column.name], "levels": levels})
        by.append((names[column.name], levels[0]))
    tables: list[dict[str, Any]] = [{"id": "total", "title": f"All {title}", "levels": {}, "statistics": ["records"]}]
    for name, level in by:
        shown = f"{title.capitalize()} by {name.replace('_', ' ')}"
        tables.append(
            {"id": f"by-{name.replace('_', '-')}", "title": shown, "levels": {name: level}, "statistics": ["records"]}
        )
    if len(by) > 1:
        (one, level), (other, beside) = by[:2]
        tables.append(
            {
                "id": f"by-{one}-and-{other}".replace("_", "-"),
                "title": f"{title.capitalize()} by {one} and {other}".replace("_", " "),
                "levels": {one: level, other: beside},
                "statistics": ["records"],
            }
        )
    lines = [
        "# What is published, how often and how accurately. Lines marked DECIDE are yours to settle.",
        f"id: {wish.id}-figures",
        f"title: {_flow(title.capitalize())}  # DECIDE: what readers call it",
        f"dataset: {wish.id}",
        "period: month  # DECIDE: day, week, month, quarter, year, financial-year or range",
        f"start: {wish.start.isoformat()}  # DECIDE: the first day to publish",
        "settle_days: 7  # DECIDE: days after a period's end until its rows have arrived",
        f"dimensions:{'' if dimensions else ' []'}",
        *(f"  - {_flow(dimension)}" for dimension in dimensions),
        "statistics:",
        f"  - {_flow({'id': 'records', 'kind': 'count', 'title': title.capitalize()})}  "
        "# DECIDE: add expected_total, a public guess per period; it makes the plan better",
        "tables:",
        *(f"  - {_flow(table)}" for table in tables),
        "contribution:",
        "  rows: 1  # DECIDE: the most rows of one person that count in a year; more rows, more noise",
        '  # why_nothing_is_truncated: ""  # DECIDE: if nobody can have more rows, say why here: intervals get far narrower',
        "privacy_loss: {epsilon: 1}  # DECIDE: smaller is more private and less accurate; see dp-stats plan",
        f"texts: {_flow({'summary': f'How many {title} there were.', 'publisher': wish.custodian})}  # DECIDE",
    ]
    return "\n".join(lines) + "\n", len(tables)


def _leaf(register: Register) -> str:
    """What the codes of a register are called as a level; never as one of its groups."""
    return register.id.replace("-", "_") if register.id.replace("-", "_") not in register.levels else "code"


def _decisions(wish: Wish, seen: Sequence[Seen], used: Mapping[str, Register], tables: int) -> tuple[str, ...]:
    unused = sorted(set(wish.registers) - set(used))
    said = [f"{tables} tables are drafted. Read both YAML files; lines marked DECIDE need you."]
    if wish.opted_out:
        said.append(f"Put the opt-out list at {OPT_OUTS} in the catalogue folder; no edition runs without it.")
    if unused:
        said.append(f"No column holds codes or names of {', '.join(unused)}; nothing was drafted for it.")
    if wish.schema_only:
        said.append("No row was looked at, so date formats, code lists and bands are for you to add.")
    if any(c.by_name for c in seen):
        lists = ", ".join(sorted({c.register or "" for c in seen if c.by_name}))
        said.append(f"The table holds names where {lists} has codes: they are mapped in 'values'.")
    return tuple(said)
