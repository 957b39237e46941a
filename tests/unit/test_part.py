"""A dataset's part of a catalogue says of it and its releases what the whole says, and nothing else is read for it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dp_stats.catalogue import folder, part, read_catalogue, yaml
from dp_stats.catalogue.load import Catalogue, read_model
from tests.builders import declared_dataset, declared_release

Json = dict[str, Any]
SHIPPED = Path("dags/catalogue")


def as_in_the_whole(place: Path, name: str, whole: Catalogue) -> Catalogue:
    """The part of a dataset, of which everything is as it is in the whole."""
    found = read_catalogue(place, dataset=name)
    assert found.datasets.get(name) == whole.datasets.get(name)
    assert found.releases == {id: one for id, one in whole.releases.items() if one.dataset == name}
    for kind in ("datasets", "agreements", "organisations", "codes"):
        assert getattr(found, kind).items() <= getattr(whole, kind).items(), kind
    assert {*found.broken} <= {*whole.broken}
    for release in found.releases.values():
        own = found.dataset_of(release)
        assert found.holders_of(own) == whole.holders_of(own)
        assert found.agreement_of(own) == whole.agreement_of(own)
        assert found.recipients_of(release) == whole.recipients_of(release)
        assert found.lists_of(release) == whole.lists_of(release)
    return found


def test_the_shipped_catalogue_by_its_parts() -> None:
    whole = read_catalogue(SHIPPED)
    assert not whole.broken
    for name in whole.datasets:
        as_in_the_whole(SHIPPED, name, whole)


@pytest.mark.parametrize("seed", range(12))
def test_any_catalogue_by_its_parts(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)
    datasets = [a_dataset(f"records-{number}", draw) for number in range(1, 6)]  # one's name begins another's
    datasets.append(a_dataset("records-10", draw))
    names = [one["id"] for one in datasets]
    releases = [a_release(f"release-{n}", draw.choice([*names, "nobody"]), draw) for n in range(12)]
    written = write(tmp_path, datasets, releases, draw)
    whole = read_catalogue(tmp_path)
    read: set[str] = set()

    def noted(path: Path, model: Any) -> Any:
        read.add(path.stem)
        return read_model(path, model)

    monkeypatch.setattr(folder, "read_model", noted)
    monkeypatch.setattr(part, "read_model", noted)
    lists: set[str] = set()
    load = folder.load_code_list
    monkeypatch.setattr(folder, "load_code_list", lambda path: lists.add(path.stem) or load(path))
    for name in names:
        read.clear()
        lists.clear()
        found = as_in_the_whole(tmp_path, name, whole)
        mine = {one["id"] for one in releases if one["dataset"] == name}
        assert {*found.releases} == mine - {file.split("/")[1].split(".")[0] for file in whole.broken}
        said = {id for id, text in written.items() if name in text or "\\" in text}
        assert read - {name} <= said, "nothing is parsed that says nothing of the dataset"
        assert lists <= {f"areas-{name}"}


def a_dataset(id: str, draw: random.Random) -> Json:
    columns: Mapping[str, Any] = {"person": "person", "day": "date", "area": f"code areas-{id}"}
    return declared_dataset(id, columns, **({"budget": "much"} if draw.random() < 0.15 else {}))


def a_release(id: str, dataset: str, draw: random.Random) -> Json:
    fields: Json = {"period": "age"} if draw.random() < 0.15 else {}
    return declared_release(
        id,
        dataset=dataset,
        dimensions=[{"name": "area", "column": "area"}],
        tables=[{"id": "areas", "levels": {"area": "code"}}],
        statistics=[{"id": "people", "kind": "count", "title": "People"}],
        texts={"summary": draw.choice(["A test.", "As records-1 does.", "Lines\nbelow each other."])},
        **fields,
    )


def write(place: Path, datasets: list[Json], releases: list[Json], draw: random.Random) -> dict[str, str]:
    """Write a catalogue; the text of each declaration by name. Names are escaped here and there, and lists missing."""
    written: dict[str, str] = {}
    for kind, declared in (("datasets", datasets), ("releases", releases)):
        (place / kind).mkdir()
        for one in declared:
            text = yaml.write(one)
            if draw.random() < 0.2:
                text = text.replace("records", r"rec\x6frds")
            (place / kind / f"{one['id']}.yaml").write_text(text)
            written[one["id"]] = text
    (place / "codes").mkdir()
    for one in datasets:
        if draw.random() < 0.9:
            (place / "codes" / f"areas-{one['id']}.csv").write_text("code,name\na,A\nb,B\n")
    return written
