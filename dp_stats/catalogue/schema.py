"""JSON Schemas of the declarations, so that editors complete and check YAML while it is written."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from dp_stats.catalogue.accessibility import Accessibility
from dp_stats.catalogue.models import Agreement, Dataset, Organisation, Release
from dp_stats.catalogue.postcodes import Postcodes
from dp_stats.catalogue.shapes import Shapes
from dp_stats.files import replace_file

MODELS: dict[str, type[BaseModel]] = {
    "accessibility": Accessibility,
    "agreement": Agreement,
    "dataset": Dataset,
    "map": Shapes,
    "organisation": Organisation,
    "postcodes": Postcodes,
    "release": Release,
}


def json_schema(name: str) -> str:
    """The schema of a kind of declaration (``dataset``) as indented JSON."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **MODELS[name].model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def export_schemas(folder: Path) -> list[Path]:
    """Write a file for each kind of declaration, such as ``dataset.json``; returns their paths."""
    written = []
    for name in MODELS:
        path = folder / f"{name}.json"
        replace_file(path, json_schema(name).encode())
        written.append(path)
    return written
