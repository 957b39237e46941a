"""``api/openapi.json``: the static API described for programs (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any

from dp_stats.editions import formats
from dp_stats.outlets.api import DAYS, ROOT, VALUES
from dp_stats.texts.words import Texts

PATH = f"{ROOT}/openapi.json"

_STEPS = ("theme", "sub_theme", "topic", "geography_type", "geography", "metric", "table")
_FOLDERS = ("themes", "sub_themes", "topics", "geography_types", "geographies", "metrics")


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
        paths[f"{so_far}/index.json"] = _get(texts(f"openapi.list.{folder}"), _STEPS[:depth], "List", texts)
    leaf = f"{so_far}/metrics/{{metric}}"
    paths[f"{leaf}/index.json"] = _get(texts("openapi.list.tables"), _STEPS[:6], "List", texts)
    paths[f"{leaf}/{{table}}.json"] = _get(texts("openapi.leaf"), _STEPS, "Values", texts)
    kind = so_far.partition("/geographies/")[0]
    sliced = f"{kind}/metrics/{{metric}}/{{table}}"
    steps = (*_STEPS[:4], "metric", "table")
    paths[f"{sliced}/index.json"] = _get(texts("openapi.list.periods"), steps, "List", texts)
    paths[f"{sliced}/{{period}}.json"] = _get(texts("openapi.slice"), (*steps, "period"), "Values", texts)
    if shared:
        paths[f"{kind}/areas/index.json"] = _get(texts("openapi.list.shared"), _STEPS[:4], "Shared", texts)
        steps = (*_STEPS[:4], "year", "number")
        paths[f"{kind}/areas/{{year}}/{{number}}.json"] = _get(texts("openapi.shared"), steps, "Areas", texts)
    paths["/{topic}/history/index.json"] = _get(texts("openapi.history"), ("topic",), "History", texts)
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


def _schemas(texts: Texts) -> dict[str, Any]:
    text = {"type": "string"}
    number = {"type": ["number", "null"]}
    kinds = {**dict.fromkeys(DAYS, text), **dict.fromkeys(VALUES, number), "status": {"type": ["string", "null"]}}
    columns = {
        name: {"type": "array", "items": kind, "description": texts(f"column.{name}.text")}
        for name, kind in kinds.items()
    }
    link = {
        "type": "object",
        "required": ["name", "link"],
        "properties": dict.fromkeys(("name", "title", "link"), text),
    }
    about = ("release", "table", "metric", "unit", "geography_type", "updated", "download", "licence")
    return {
        "List": {"type": "object", "additionalProperties": {"type": "array", "items": link}},
        "Values": {
            "type": "object",
            "required": ["release", "table", "metric", "count", "data"],
            "properties": {
                **dict.fromkeys(about, text),
                "count": {"type": "integer"},
                "complete": {"type": "boolean", "description": texts("openapi.complete")},
                "data": {"type": "object", "required": ["date", "value"], "properties": columns},
            },
        },
        "Shared": {
            "type": "object",
            "required": ["release", "years", "first_codes"],
            "properties": {
                **dict.fromkeys(("release", "geography_type", "updated", "licence"), text),
                "years": {"type": "array", "items": {"type": "integer"}},
                "first_codes": {"type": "array", "items": text},
            },
        },
        "Areas": {
            "type": "object",
            "required": ["release", "geography_type", "tables", "areas"],
            "properties": {
                **dict.fromkeys(("release", "geography_type", "licence"), text),
                "tables": {"type": "object"},
                "areas": {"type": "object"},
            },
        },
        "History": {
            "type": "object",
            "required": ["release", "tables", "editions"],
            "properties": {
                "release": text,
                "tables": {"type": "array", "items": {"type": "object"}},
                "editions": {"type": "array", "items": {"type": "object"}},
            },
        },
    }
