"""``api/openapi.json``: the static API described for programs (OpenAPI 3.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from dp_stats.editions import formats
from dp_stats.outlets.api import DAYS, ROOT, VALUES
from dp_stats.outlets.forms import ApiList, HistoryIndex, Leaf, SharedAreas, SharedIndex, Slice
from dp_stats.texts.words import ORIGIN, Texts

PATH = f"{ROOT}/openapi.json"

_STEPS = ("theme", "sub_theme", "topic", "geography_type", "geography", "metric", "table")
_FOLDERS = ("themes", "sub_themes", "topics", "geography_types", "geographies", "metrics")
_FORMS = (ApiList, Leaf, Slice, SharedIndex, SharedAreas, HistoryIndex)


def document(*, base_url: str, texts: Texts, shared: bool = False) -> bytes:
    """The description of every kind of address below ``api/`` and of the history files.

    Args:
        base_url: address of the public folder, without a slash at the end; empty where it is not known.
        shared: whether there are areas that are shown together (``shared_areas``).
    """
    paths: dict[str, Any] = {}
    so_far = f"/{ROOT}"
    for depth, folder in enumerate(_FOLDERS):
        if depth:
            so_far += f"/{_FOLDERS[depth - 1]}/{{{_STEPS[depth - 1]}}}"
        paths[f"{so_far}/index.json"] = _get(texts(f"openapi.list.{folder}"), _STEPS[:depth], "ApiList", texts)
    leaf = f"{so_far}/metrics/{{metric}}"
    paths[f"{leaf}/index.json"] = _get(texts("openapi.list.tables"), _STEPS[:6], "ApiList", texts)
    paths[f"{leaf}/{{table}}.json"] = _get(texts("openapi.leaf"), _STEPS, "Leaf", texts)
    kind = so_far.partition("/geographies/")[0]
    sliced = f"{kind}/metrics/{{metric}}/{{table}}"
    steps = (*_STEPS[:4], "metric", "table")
    paths[f"{sliced}/index.json"] = _get(texts("openapi.list.periods"), steps, "ApiList", texts)
    paths[f"{sliced}/{{period}}.json"] = _get(texts("openapi.slice"), (*steps, "period"), "Slice", texts)
    if shared:
        paths[f"{kind}/areas/index.json"] = _get(texts("openapi.list.shared"), _STEPS[:4], "SharedIndex", texts)
        steps = (*_STEPS[:4], "year", "number")
        paths[f"{kind}/areas/{{year}}/{{number}}.json"] = _get(texts("openapi.shared"), steps, "SharedAreas", texts)
    paths["/{topic}/history/index.json"] = _get(texts("openapi.history"), ("topic",), "HistoryIndex", texts)
    paths["/{topic}/history/{table}.csv"] = _get(texts("openapi.whole"), ("topic", "table"), "", texts)
    return formats.json_bytes(
        {
            "openapi": "3.1.0",
            "info": {"title": texts("site.name"), "description": texts("openapi.about"), "version": "1"},
            "servers": [{"url": base_url or "/"}],
            "paths": paths,
            "components": {"schemas": _schemas(texts)},
        }
    )


def _get(summary: str, steps: tuple[str, ...], schema: str, texts: Texts) -> dict[str, Any]:
    media = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "get": {
            "summary": summary,
            "parameters": [
                {
                    "name": step,
                    "in": "path",
                    "required": True,
                    "description": texts(f"openapi.step.{step}"),
                    "schema": {"type": "string"},
                }
                for step in steps
            ],
            "responses": {
                "200": {"description": summary, "content": media if schema else {"text/csv": {"schema": {}}}},
                "404": {"description": texts("openapi.missing")},
            },
        }
    }


class _Untitled(GenerateJsonSchema):
    """Fields without titles, which would only repeat their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _schemas(texts: Texts) -> dict[str, Any]:
    """The forms of the files, and those inside them.

    What fields mean is told in the language of the manual, where that is the site's; of columns in the site's.
    """
    _, found = models_json_schema(
        [(form, "serialization") for form in _FORMS],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    schemas = {name: _form(schema, said=texts.language == ORIGIN) for name, schema in found["$defs"].items()}
    columns = schemas["ApiColumns"]["properties"]
    for name in (*DAYS, *VALUES):
        columns[name]["description"] = texts(f"column.{name}.text")
    schemas["Leaf"]["properties"]["complete"]["description"] = texts("openapi.complete")
    return schemas


def _form(schema: Mapping[str, Any], *, said: bool) -> dict[str, Any]:
    """A form as readers are told of it: it may have more fields one day, and a name in angle brackets stands for any name."""
    fields = {name: _described(field, said=said) for name, field in schema["properties"].items()}
    named = {name: field for name, field in fields.items() if not name.startswith("<")}
    others = [field for name, field in fields.items() if name not in named]
    needed = [name for name in schema.get("required", ()) if name in named]
    kept = {name: value for name, value in _described(schema, said=said).items() if name != "additionalProperties"}
    several = {"additionalProperties": {k: v for k, v in others[0].items() if k != "default"}} if others else {}
    return {**kept, "properties": named, "required": needed, **several}


def _described(schema: Mapping[str, Any], *, said: bool) -> dict[str, Any]:
    """A schema whose description has no links into the manual; without one where it is not ``said``."""
    without = {name: value for name, value in schema.items() if name != "description"}
    if not said or "description" not in schema:
        return without
    return {**without, "description": re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", schema["description"]).replace("``", "`")}
