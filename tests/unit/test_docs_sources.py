"""What the manual says of sources and columns is what a dataset takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

from dp_stats.catalogue import yaml
from dp_stats.catalogue.columns import Column
from dp_stats.catalogue.linked.functions import FUNCTIONS
from dp_stats.catalogue.linked.links import LinkTable
from dp_stats.catalogue.linked.steps import Step
from dp_stats.catalogue.models import Agreement, Dataset, Source

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"
ONLY_FOR_STEPS = {"text"}


STEPS = [name for model in get_args(get_args(Step)[0]) for name in get_args(model.model_fields["step"].annotation)]


def blocks_of(page: str) -> list[dict[str, Any]]:
    written = (PAGES / page).read_text(encoding="utf-8")
    return [yaml.parse(block) for block in re.findall(r"```yaml\n(.*?)```", written, re.DOTALL)]


def test_every_declared_source_and_column_of_the_manual_is_sound_and_every_kind_is_there() -> None:
    blocks = blocks_of("connect-a-source.md")
    sources = [Source.model_validate(block["source"]) for block in blocks if "source" in block]
    columns = [Column.model_validate(column) for block in blocks for column in block.get("columns", {}).values()]
    assert {source.kind for source in sources} == set(Source.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]
    kinds = set(Column.model_fields["type"].annotation.__args__)  # type: ignore[union-attr]
    assert {column.type for column in columns} == kinds - ONLY_FOR_STEPS


def test_the_linked_dataset_of_the_manual_is_sound_and_every_step_is_named() -> None:
    declared: dict[str, Any] = {}
    for block in blocks_of("linked-tables.md"):
        if "link" in block:  # a part of a table, shown by itself
            LinkTable.model_validate(block["link"])
        else:
            declared |= block
    dataset = Dataset.model_validate({**declared, "expectations": "x.json", "budget": {"epsilon": 1, "delta": "1e-6"}})
    assert dataset.counted == "days"
    page = (PAGES / "linked-tables.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in (*STEPS, *FUNCTIONS) if name not in ("add", "subtract"))


def test_the_agreement_of_the_manual_is_sound_and_says_what_the_manual_says_of_it() -> None:
    (declared,) = blocks_of("agreements.md")
    agreement = Agreement.model_validate(declared)
    assert agreement.agreed == ("prevention",)
    assert str(agreement.last_day) == "2026-12-31"
