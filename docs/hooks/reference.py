"""Reference pages made from what runs: every field from its model, every schema from its file, every decision from its ADR.

MkDocs calls :func:`on_files` before it reads the pages, and :func:`on_page_markdown` with each. A field without a description stops
the build.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import click
import pyarrow as pa
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dp_stats.catalogue.accessibility import Accessibility
from dp_stats.catalogue.code_rows import CodeRow
from dp_stats.catalogue.models import Agreement, Dataset, Organisation, Release
from dp_stats.catalogue.postcodes import Postcodes
from dp_stats.catalogue.shapes import Shapes
from dp_stats.cli.main import app
from dp_stats.editions import privacy_record
from dp_stats.editions.columns import BackSeriesRow, ChartRow, LabelRow, MeasurementRow, TableRow
from dp_stats.editions.edition import Edition
from dp_stats.editions.facts import BREAK, EARLY, MARKS
from dp_stats.editions.origin import RevisionKind
from dp_stats.editions.revisions import Correction, EditionStatus, Retraction
from dp_stats.estimate.combine_form import NOT_OF_THE_PLAN, CombineFile
from dp_stats.outlets.budgets import BlockRecord
from dp_stats.outlets.data_use import DataUse
from dp_stats.outlets.feeds import Planned
from dp_stats.outlets.forms import (
    ApiList,
    FoundBy,
    HistoryIndex,
    Leaf,
    MapFile,
    PostcodesIndex,
    SharedAreas,
    SharedIndex,
    Slice,
)
from dp_stats.plan.model import Draw, Plan
from dp_stats.secure.entries import MEANINGS, SCHEMA
from dp_stats.texts.words import Texts
from dp_stats.transparency.leaves import ChargeLeaf, EditionLeaf, LostLeaf, PublishedHead
from dp_stats.transparency.proofs import EditionProof

REVISION_KINDS: Mapping[RevisionKind, tuple[str, str]] = {
    "first": ("Nothing: there was no revision before.", "a charge"),
    "late": ("Records that arrived later are added: those that the editions in `adds` have measured.", "none"),
    "format": ("Names, texts or layout; no value changes.", "none"),
    "sources": (
        "An earlier edition was corrected that tables across editions of the newest one are made from.",
        "none",
    ),
    "method": (
        "Values are estimated by another version of the method (`provenance.estimator`, absent for the first).",
        "none",
    ),
    "correction": ("The records were read and measured again.", "a new charge"),
    "unscheduled": ("As with `correction`, which earlier versions called so.", "a new charge"),
}
"""What is other in a revision of each kind, and what it costs; for the manual."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages; called by MkDocs."""
    docs = Path(config.docs_dir)
    pages = {
        "reference/dataset.md": declaration(Dataset, "A dataset: `datasets/NAME.yaml`"),
        "reference/release.md": declaration(Release, "A release: `releases/NAME.yaml`"),
        "reference/code-list-columns.md": declaration(CodeRow, "Columns of a code list: `codes/NAME.csv`"),
        "reference/agreement.md": declaration(Agreement, "A data-sharing agreement: `agreements/NAME.yaml`"),
        "reference/organisation.md": declaration(
            Organisation, "An organisation that gets figures: `organisations/NAME.yaml`"
        ),
        "reference/postcodes.md": declaration(Postcodes, "Postcodes: `postcodes/NAME.yaml`"),
        "reference/map.md": declaration(Shapes, "Boundaries: `maps/NAME.yaml`"),
        "reference/accessibility.md": declaration(Accessibility, "Accessibility of the site: `accessibility.yaml`"),
        "reference/edition.md": declaration(Edition, "Facts of an edition: `edition.json`", examples=False),
        "reference/privacy-record.md": schema_page(
            Path(privacy_record.__file__).parent / "schemas" / "privacy.schema.json"
        ),
        "reference/lists.md": lists(
            "Lists beside editions",
            "Each is JSON, and made again whenever something is published. `register.csv` has the columns of `register.json`.",
            {
                "release/period/status.json": EditionStatus,
                "release/period/retractions.json": Retraction,
                "corrections.json": Correction,
                "calendar.json": Planned,
                "register.json": DataUse,
                "budget.json": BlockRecord,
                "release/history/index.json": HistoryIndex,
                "release/find.json, for each dimension": FoundBy,
                "assets/postcodes/ID/index.json": PostcodesIndex,
                "assets/maps/ID.json": MapFile,
            },
        ),
        "reference/tables.md": lists(
            "Tables, column by column",
            "The columns of every table that is published, as CSV and Parquet. A name in angle brackets stands for as many columns "
            "as there are dimensions or languages.",
            {
                "an edition's TABLE.csv and .parquet, release/history/TABLE.csv and .parquet, release/areas/CODE.csv": TableRow,
                "an edition's labels.csv": LabelRow,
                "an edition's measurements.parquet": MeasurementRow,
                "release/back-series.csv and .parquet": BackSeriesRow,
                "release/charts/NAME.csv, release/areas/CODE~compared.csv": ChartRow,
            },
        ),
        "reference/combine.md": declaration(CombineFile, "Noisy measurements: `combine.json`", examples=False)
        + f"\n## Plan\n\n{fields(Plan, examples=False, without=NOT_OF_THE_PLAN)}"
        + f"\n## Draw\n\n{Draw.__doc__}\n\n{fields(Draw, examples=False)}",
        "reference/api.md": lists(
            "The JSON API, field by field",
            "[Published files](file-formats.md#the-json-api) says where the files are. `api/openapi.json` of a site describes its "
            "addresses as OpenAPI.",
            {
                "index.json of each step": ApiList,
                "geographies/CODE/metrics/METRIC/TABLE.json": Leaf,
                "metrics/METRIC/TABLE/PERIOD.json": Slice,
                "areas/index.json": SharedIndex,
                "areas/YEAR/NUMBER.json": SharedAreas,
            },
        ),
        "reference/public-log.md": lists(
            "The public log",
            "Each line is canonical JSON: sorted keys, no spaces, ASCII. [Published files](file-formats.md#the-public-log) says "
            "what it proves and how; the same as JSON Schema is in `dp_stats/transparency/schemas/`.",
            {
                "log.jsonl, for each charge": ChargeLeaf,
                "log.jsonl, for each edition": EditionLeaf,
                "log.jsonl, first line where an earlier log was lost": LostLeaf,
                "heads.jsonl": PublishedHead,
                "release/period/rN.proof.json": EditionProof,
            },
        ),
        "reference/commands.md": commands(),
        "adr/index.md": decisions(docs / "adr"),
    }
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill the marked places of a page, ``<!-- made: NAME -->``; called by MkDocs.

    Raises:
        PluginError: nothing is made under a name.
    """

    def made(place: re.Match[str]) -> str:
        if place[1] not in PLACES:
            raise PluginError(f"{page.file.src_uri}: nothing is made for '{place[0]}'. Names: {', '.join(PLACES)}.")
        return PLACES[place[1]]()

    return re.sub(r"<!-- made: (.*?) -->", made, markdown)


def marks() -> str:
    """What stands in the column ``status``, in the words of the site."""
    texts = Texts.load(Path(__file__).parents[2] / "reports")
    said = {mark: texts.get(f"status.{mark}") for mark in (*MARKS, BREAK, EARLY)}
    rows = [
        ("*(empty)*", "reliable"),
        *((f"`{mark}`", f"{one['name']}: {one['meaning']}") for mark, one in said.items()),
    ]
    return table(("status", "meaning"), rows)


def revision_kinds() -> str:
    """Every kind of revision: what is other in it, and what it costs."""
    return table(
        ("kind", "what is other", "cost"), [(f"`{kind}`", *REVISION_KINDS[kind]) for kind in get_args(RevisionKind)]
    )


def register_columns() -> str:
    """The columns of the contribution register."""
    rows = [(f"`{column.name}`", ARROW_TYPES[column.type], MEANINGS[column.name]) for column in SCHEMA]
    return table(("column", "type", "meaning"), rows)


PLACES = {"marks": marks, "kinds of revisions": revision_kinds, "columns of the register": register_columns}
"""Name of a marked place → what makes it."""

ARROW_TYPES = {pa.binary(): "bytes", pa.string(): "text", pa.int32(): "32-bit integer"}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def declaration(model: type[BaseModel], title: str, *, examples: bool = True) -> str:
    """A page with a table of fields for a model and for every model its fields hold."""
    return "\n".join([f"# {title}\n", *sections([model], examples=examples)])


def sections(written: Sequence[type[BaseModel]], *, examples: bool) -> Iterator[str]:
    """A table of fields for each model and for every model that their fields hold, each once."""
    for one in dict.fromkeys(found for model in written for found in models(model)):
        yield f"## {one.__name__}\n\n{prose(one.__doc__ or '')}\n\n{fields(one, examples=examples)}"


def lists(title: str, lead: str, files: Mapping[str, type[BaseModel]]) -> str:
    """A page of several published files, each with the model of one line of it."""
    rows = "\n".join(f"| `{name}` | [{one.__name__}](#{one.__name__.lower()}) |" for name, one in files.items())
    head = f"# {title}\n\n{lead}\n\n| file | holds |\n| --- | --- |\n{rows}\n"
    return "\n".join([head, *sections(tuple(files.values()), examples=False)])


def models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and those below it, each once, in the order in which fields name them."""
    found: dict[type[BaseModel], None] = {}

    def visit(one: type[BaseModel]) -> None:
        if one not in found:
            found[one] = None
            for info in one.model_fields.values():
                for held in held_models(info.annotation):
                    visit(held)

    visit(model)
    return list(found)


def held_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from held_models(argument)


def fields(model: type[BaseModel], *, examples: bool, without: Collection[str] = ()) -> str:
    """A Markdown table of a model's fields: name, type, default, meaning, example.

    Raises:
        PluginError: a field has no description, or no example where examples are wanted.
    """
    head = ["field", "type", "default", "meaning"] + (["example"] if examples else [])
    rows = []
    for name, info in model.model_fields.items():
        if name in without:
            continue
        if not info.description:
            raise PluginError(f"{model.__name__}.{name} has no description: write one in its Field(…).")
        row = [
            f"`{info.alias or name}`",
            type_words(info.annotation),
            default_words(info),
            prose(info.description or ""),
        ]
        if examples:
            if not info.examples and not list(held_models(info.annotation)):
                raise PluginError(f"{model.__name__}.{name} has no example: write one in its Field(…).")
            row.append(", ".join(f"`{yaml_words(example)}`" for example in info.examples or ()))
        rows.append(row)
    return table(head, rows)


def default_words(info: FieldInfo) -> str:
    """The default as a reader writes it."""
    if info.is_required():
        return "**needed**"
    default = info.get_default(call_default_factory=True)
    if default is PydanticUndefined or default is None or default in ("", (), {}, []):
        return "none"
    if isinstance(default, BaseModel):
        return "see below"
    return f"`{yaml_words(default)}`"


def yaml_words(value: Any) -> str:
    """A value on one line, as it stands in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {yaml_words(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(yaml_words(item) for item in value) + "]"
    return str(value)


def type_words(annotation: Any) -> str:
    """A type in words: ``text``, ``one of: day, week``, ``list of Table``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(type_words(a) for a in arguments if a is not type(None))
    if origin is typing.Literal:
        return "one of: " + ", ".join(f"`{a}`" for a in arguments)
    if origin is typing.Annotated:
        return type_words(arguments[0])
    if origin in (tuple, list, frozenset):
        return f"list of {type_words(arguments[0])}"
    if origin is dict:
        return f"map of {type_words(arguments[0])} to {type_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    names = {
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true or false",
        "Fraction": "exact number",
    }
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name)


def schema_page(path: Path) -> str:
    """The page of a JSON Schema: one table per object, nested names joined by dots."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    lines = [f"# {schema.get('title', path.stem)}\n", schema.get("description", ""), "", f"Schema: `{path.name}`.", ""]
    lines += ["| field | type | needed | meaning |", "| --- | --- | --- | --- |"]

    def visit(node: Mapping[str, Any], prefix: str) -> None:
        needed = set(node.get("required", ()))
        for name, child in node.get("properties", {}).items():
            if "$ref" in child:
                child = {**resolve(child["$ref"]), **{k: v for k, v in child.items() if k != "$ref"}}
            kind = child.get("type", "one of" if "enum" in child or "const" in child else "any")
            kind = " or ".join(kind) if isinstance(kind, list) else kind
            values = ", ".join(f"`{value}`" for value in child.get("enum", ()))
            meaning = " ".join(part for part in (child.get("description", ""), values) if part)
            lines.append(
                f"| `{prefix}{name}` | {kind} | {'yes' if name in needed else ''} | {meaning} |".replace("\n", " ")
            )
            visit(child, f"{prefix}{name}.")
            if isinstance(child.get("items"), Mapping):
                items = child["items"]
                visit(resolve(items["$ref"]) if "$ref" in items else items, f"{prefix}{name}[].")

    def resolve(reference: str) -> Mapping[str, Any]:
        node: Any = schema
        for part in reference.lstrip("#/").split("/"):
            node = node[part]
        return typing.cast(Mapping[str, Any], node)

    visit(schema, "")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """The page of commands: each with its help, its arguments and its options, from the commands themselves."""
    parts = ["# Commands", "`dp-stats` does what the DAGs do, for a person at a terminal. This page is made from it."]

    def visit(command: click.Command, name: str, depth: int) -> None:
        context = click.Context(command, info_name=name)
        parts.append(f"{'#' * depth} `{name}`")
        parts.append(re.sub(r"\[/?\w+\]", "", command.help or ""))
        rows = [
            f"| `{'`, `'.join(parameter.opts) if parameter.param_type_name == 'option' else parameter.human_readable_name}` | "
            f"{getattr(parameter, 'help', None) or ''} | {'needed' if parameter.required else ''} |"
            for parameter in command.get_params(context)
            if not getattr(parameter, "hidden", False)
        ]
        if rows:
            parts.append("\n".join(["| argument or option | meaning | |", "| --- | --- | --- |", *rows]))
        if isinstance(command, click.Group):
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                if found is not None and not found.hidden:
                    visit(found, f"{name} {child}", min(depth + 1, 4))

    visit(typer.main.get_command(app), "dp-stats", 2)
    return "\n\n".join(parts) + "\n"


def decisions(folder: Path) -> str:
    """The list of ADRs by room, from their file names and titles."""
    by_room: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.md")):
        if path.name != "index.md":
            title = re.sub(r"^#\s*", "", path.read_text(encoding="utf-8").splitlines()[0])
            by_room.setdefault(path.stem.partition("-")[0], []).append(f"- [{title}]({path.name})")
    rooms = "\n\n".join(f"## {room}\n\n" + "\n".join(entries) for room, entries in by_room.items())
    return f"# Decisions\n\nOne half-page each: what was decided, why, and what was not chosen.\n\n{rooms}\n"


def prose(text: str) -> str:
    """A docstring's text as Markdown: double backticks single, line breaks kept between paragraphs only."""
    paragraphs = re.split(r"\n\s*\n", text.replace("``", "`").strip())
    return "\n\n".join(re.sub(r"\s+", " ", paragraph) for paragraph in paragraphs)
