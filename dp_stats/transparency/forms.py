"""JSON Schema of each file of the public log, made from what reads and writes them; ``schemas/`` holds them as files."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from dp_stats.transparency.leaves import AnyLeaf, PublishedHead
from dp_stats.transparency.proofs import EditionProof

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """File name → schema: of a line of ``log.jsonl``, of a line of ``heads.jsonl``, and of a proof."""
    made: dict[str, tuple[str, TypeAdapter[Any]]] = {
        "log.schema.json": ("A line of log.jsonl", TypeAdapter(AnyLeaf)),
        "heads.schema.json": ("A line of heads.jsonl", TypeAdapter(PublishedHead)),
        "proof.schema.json": ("rN.proof.json", TypeAdapter(EditionProof)),
    }
    return {
        name: {"$schema": DIALECT, **adapter.json_schema(), "title": title} for name, (title, adapter) in made.items()
    }
