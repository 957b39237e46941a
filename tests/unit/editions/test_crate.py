"""An edition's folder is a research object: RO-Crate 1.1, with the DOI that the agency declares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dp_stats.catalogue.models import ReleaseTexts
from dp_stats.editions.crate import FILE_NAME
from dp_stats.editions.formats import CHECKSUMS, listed
from dp_stats.site import build

DOI = "10.5072/cases.{period}.r{revision}"


def described(folder: Path) -> dict[str, dict[str, Any]]:
    """Each entity of a crate by its id; what names another names one that is there."""
    content = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    assert content["@context"] == "https://w3id.org/ro/crate/1.1/context"
    entities = {entity["@id"]: entity for entity in content["@graph"]}
    assert len(entities) == len(content["@graph"]), "each is described once"
    for entity in entities.values():
        for name, value in entity.items():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict) and name != "conformsTo":
                    assert one["@id"] in entities, f"{entity['@id']} leads nowhere by {name}"
    return entities


def test_a_crate_describes_the_folder_and_every_file_in_it(sample: Any, tmp_path: Path) -> None:
    folder = sample.publish(tmp_path).folder
    entities = described(folder)
    about = entities[FILE_NAME]
    assert (about["@type"], about["about"], about["conformsTo"]) == (
        "CreativeWork",
        {"@id": "./"},
        {"@id": "https://w3id.org/ro/crate/1.1"},
    )
    root = entities["./"]
    assert root["@type"] == "Dataset"
    assert all(root[name] for name in ("name", "description", "datePublished", "license", "publisher", "identifier"))
    there = {path.name for path in folder.iterdir()} - {FILE_NAME, CHECKSUMS}
    assert {part["@id"] for part in root["hasPart"]} == there
    for name in there:
        assert entities[name]["@type"] == "File"
        assert int(entities[name]["contentSize"]) == (folder / name).stat().st_size
        assert entities[name]["encodingFormat"]
    assert FILE_NAME in listed((folder / CHECKSUMS).read_bytes())


def test_a_doi_that_is_declared_is_in_crate_page_and_citation(sample: Any, tmp_path: Path) -> None:
    texts = sample.release.texts.model_copy(update={"doi": DOI})
    sample.release = sample.release.model_copy(update={"texts": texts})
    folder = sample.publish(tmp_path).folder
    address = "https://doi.org/10.5072/cases.2021-W07.r1"
    root = described(folder)["./"]
    assert (root["identifier"], root["cite-as"]) == (address, address)
    build(tmp_path, base_url="https://statistics.example.org")
    page = (tmp_path / "cases-by-area" / "2021-W07" / "index.html").read_text(encoding="utf-8")
    assert f'"identifier":"{address}"' in page
    assert f"({address}" in page or f" {address}" in page, "the citation leads there"


def test_without_a_doi_none_is_said(sample: Any, tmp_path: Path) -> None:
    folder = sample.publish(tmp_path).folder
    assert "cite-as" not in described(folder)["./"]
    assert '"doi"' not in (folder / "edition.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "doi", ["10.5072/cases", "10.5072/{period}", "https://doi.org/10.5072/{period}.{revision}", "{period}{revision}"]
)
def test_a_doi_that_is_not_one_of_each_edition_is_refused(doi: str) -> None:
    with pytest.raises(ValidationError):
        ReleaseTexts(summary="Cases.", doi=doi)
    assert ReleaseTexts(summary="Cases.", doi=DOI).doi == DOI
