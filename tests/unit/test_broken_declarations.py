"""A declaration that is broken is named, takes away what depends on it, and stops nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Clinic
from typer.testing import CliRunner

from dp_stats.catalogue import load_catalogue, read_catalogue
from dp_stats.cli.main import app
from dp_stats.errors import CatalogueError
from dp_stats.operations import faults, upkeep
from dp_stats.pipeline import due_editions
from dp_stats.requests.questions import read_question
from dp_stats.run import open_run

WAYS = {
    "a misspelt field": lambda text: text.replace("title:", "tilte:", 1).replace("code,", "cdoe,", 1),
    "no text": lambda text: b"\xff\xfe\x00",
    "nothing": lambda text: "",
    "no YAML": lambda text: text + "\n: [\n",
    "a field of another kind": lambda text: text.replace("id: ", "id: [1, 2] #", 1).replace("east,", "", 1),
}
DEPENDS = {
    "codes/clinics.csv": {"datasets/visits.yaml", "releases/visits.yaml"},
    "datasets/visits.yaml": {"releases/visits.yaml"},
    "releases/visits.yaml": set(),
    "codes/shops.csv": {"datasets/sales.yaml", "releases/sales.yaml"},
    "datasets/sales.yaml": {"releases/sales.yaml"},
    "releases/sales.yaml": set(),
}


@pytest.fixture
def two(clinic: Clinic) -> Clinic:
    """The clinic's catalogue, and the same again under other names: two datasets that share nothing."""
    again = [("codes", "clinics.csv", "shops.csv")]
    again += [(kind, "visits.yaml", "sales.yaml") for kind in ("datasets", "releases")]
    for kind, old, new in again:
        text = (clinic.folder / kind / old).read_text()
        text = text.replace("id: visits\n", "id: sales\n", 1).replace("dataset: visits", "dataset: sales")
        (clinic.folder / kind / new).write_text(text.replace("codes: clinics", "codes: shops"))
    return clinic


def break_file(path: Path, way: str) -> None:
    changed = WAYS[way](path.read_text())
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("file", DEPENDS)
def test_only_what_depends_on_a_broken_file_is_out(two: Clinic, file: str, way: str) -> None:
    if way == "no YAML" and file.endswith(".csv"):
        pytest.skip("A code list is no YAML.")
    break_file(two.folder / file, way)
    found = read_catalogue(two.folder)
    assert set(found.broken) == {file, *DEPENDS[file]}
    everything = {f"releases/{name}.yaml" for name in found.releases} | {f"datasets/{n}.yaml" for n in found.datasets}
    assert everything == {name for name in DEPENDS if not name.startswith("codes")} - set(found.broken)
    assert Path(file).name in found.broken[file]
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(two.folder)
    assert all(message in str(caught.value) for message in found.broken.values())


def test_a_fault_that_nobody_foresaw_stops_its_own_file_alone(two: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    from dp_stats.catalogue import folder

    check = folder.check_release

    def fails(release, catalogue, *, where):  # type: ignore[no-untyped-def]
        if release.id == "sales":
            raise ZeroDivisionError("by zero")
        check(release, catalogue, where=where)

    monkeypatch.setattr(folder, "check_release", fails)
    found = read_catalogue(two.folder)
    assert list(found.releases) == ["visits"]
    assert "sales.yaml: cannot be read (ZeroDivisionError" in found.broken["releases/sales.yaml"]


def test_a_name_that_two_files_declare_is_refused(two: Clinic) -> None:
    shutil.copy(two.folder / "releases/sales.yaml", two.folder / "releases/sales.yml")
    found = read_catalogue(two.folder)
    assert list(found.broken) == ["releases/sales.yml"]
    assert "declared in another file" in found.broken["releases/sales.yml"]


def test_the_others_are_due_and_run_while_the_broken_one_says_why_it_does_not(two: Clinic) -> None:
    break_file(two.folder / "releases/sales.yaml", "a misspelt field")
    assert due_editions("visits", settings=two.settings)[0] == "visits/2024-W01"
    assert open_run("visits/2024-W02", settings=two.settings).release.id == "visits"
    for ask in (lambda: due_editions("sales", settings=two.settings), lambda: open_run("sales/2024-W02")):
        with pytest.raises(CatalogueError, match=r"sales\.yaml:\n  title: Field required\n  tilte: is no field here"):
            ask()


@pytest.mark.parametrize("file", ["codes/shops.csv", "datasets/sales.yaml", "releases/sales.yaml"])
def test_whoever_asks_for_a_release_is_told_the_fault_behind_it(two: Clinic, file: str) -> None:
    break_file(two.folder / file, "a misspelt field")
    broken = read_catalogue(two.folder).broken
    with pytest.raises(CatalogueError) as caught:
        open_run("sales/2024-W02")
    assert str(caught.value) == "\n".join(broken[name] for name in reversed(broken))


def test_a_question_about_a_broken_dataset_is_told_so(two: Clinic) -> None:
    break_file(two.folder / "datasets/sales.yaml", "a misspelt field")
    form = {"dataset": "sales", "period": "2024-W02", "epsilon": 1, "purpose": "To plan how many nurses are needed."}
    with pytest.raises(CatalogueError, match="the declaration of 'sales' is broken"):
        read_question(form, read_catalogue(two.folder))
    read_question({**form, "dataset": "visits"}, read_catalogue(two.folder))


def test_check_fails_with_every_message(two: Clinic) -> None:
    for file in ("releases/sales.yaml", "datasets/visits.yaml"):
        break_file(two.folder / file, "a misspelt field")
    done = CliRunner().invoke(app, ["check"])
    assert done.exit_code == CatalogueError.exit_code
    assert done.output.count("tilte: is no field here") == 2
    assert "dataset: the declaration of 'visits' is broken. Mend it first." in done.output.replace("\n", " ")


def test_upkeep_names_each_broken_file(two: Clinic) -> None:
    break_file(two.folder / "codes/shops.csv", "a misspelt field")
    found = faults.broken_declarations(settings=two.settings)
    assert [alert.subject for alert in found] == [
        "codes/shops.csv is broken",
        "datasets/sales.yaml is broken",
        "releases/sales.yaml is broken",
    ]
    assert all("left out until it is mended" in alert.text for alert in found)
    assert [alert.subject for alert in upkeep.late_editions(settings=two.settings)] == ["visits is late"]
