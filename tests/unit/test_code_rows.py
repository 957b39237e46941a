"""What the manual tells of the columns of code lists is what is read, and holds for the lists that come with the software."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dp_stats.catalogue import load_catalogue
from dp_stats.catalogue.code_rows import CodeRow
from dp_stats.catalogue.registers import FACTS
from dp_stats.catalogue.validity import VALIDITY
from dp_stats.outlets.places import ALSO
from dp_stats.settings import shipped

CODES = shipped("catalogue") / "codes"
NAMES = {info.alias or name for name, info in CodeRow.model_fields.items()}


def test_every_column_that_is_read_by_its_name_is_told() -> None:
    assert {*FACTS, *VALIDITY, ALSO, "code", "name"} == {name for name in NAMES if "<" not in name}


@pytest.mark.parametrize("path", sorted(CODES.glob("*.csv")), ids=lambda path: path.stem)
def test_the_lists_that_come_with_the_software_have_no_other_column(path: Path) -> None:
    catalogue = load_catalogue(shipped("catalogue"))
    releases = [r for r in catalogue.releases.values() if path.stem in catalogue.dataset_of(r).code_lists]
    levels = {level for release in releases for one in release.dimensions for level in one.levels or ()}
    with path.open(encoding="utf-8") as file:
        header = next(csv.reader(file))
    named = {"name", *(f"{level}_name" for level in levels)}
    for column in header:
        kind = {
            column in NAMES: column,
            column in levels: "<level>",
            column.removesuffix("_name") in levels: "<level>_name",
            column.removesuffix("_cy") in named: "<name>_<language>",
            column.startswith("population_"): "<population>_<code>",
        }
        assert kind.get(True) in NAMES, column
