"""What the manual says of sources and columns is what a dataset takes."""

from __future__ import annotations

import re
from pathlib import Path

from dp_stats.catalogue import yaml
from dp_stats.catalogue.columns import Column
from dp_stats.catalogue.datasets import Source

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "connect-a-source.md"


def test_every_declared_source_and_column_of_the_manual_is_sound_and_every_kind_is_there() -> None:
    blocks = [yaml.parse(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    sources = [Source.model_validate(block["source"]) for block in blocks if "source" in block]
    columns = [Column.model_validate(column) for block in blocks for column in block.get("columns", {}).values()]
    assert {source.kind for source in sources} == set(Source.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]
    assert {column.type for column in columns} == set(Column.model_fields["type"].annotation.__args__)  # type: ignore[union-attr]
