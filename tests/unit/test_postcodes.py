"""Postcodes come from a list that an agency supplies; they are split so that nobody who serves them learns a whole one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dp_stats.catalogue import read_catalogue
from dp_stats.catalogue.postcodes import Postcodes, areas_of_postcodes, read_postcodes
from dp_stats.errors import CatalogueError
from dp_stats.outlets.places import refresh_places

RELEASE = "covid-cases-by-area"
DECLARED = "{id: few, title: A few postcodes, source: 'https://example.org', codes: lad19, file: few.csv}"
ROWS = ("LS1 1AA,E08000035", "ls1-4dy,E08000035", "M1 1AE,E08000003", "LS1 9ZZ,E08000003")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(Path(__file__).parents[2] / "dags" / "catalogue", tmp_path / "catalogue")
    return declared(tmp_path / "catalogue", *ROWS)


def declared(folder: Path, *rows: str, text: str = DECLARED) -> Path:
    (folder / "postcodes").mkdir(exist_ok=True)
    (folder / "postcodes" / "few.yaml").write_text(text)
    (folder / "postcodes" / "few.csv").write_text("\n".join(["postcode,code", *rows, ""]))
    return folder


def test_a_file_has_the_postcodes_that_begin_alike_and_no_page_needs_another(folder: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    (public / RELEASE).mkdir(parents=True)
    assert refresh_places(public, read_catalogue(folder)) == {}
    files = {path.name: json.loads(path.read_text()) for path in (public / "assets" / "postcodes" / "few").iterdir()}
    assert files["LS1.json"] == {"E08000035": ["1AA", "4DY"], "E08000003": ["9ZZ"]}
    assert files["M1.json"] == {"E08000003": ["1AE"]}
    told = json.loads((public / RELEASE / "find.json").read_text())["area"]["postcodes"]
    assert told == {
        "folder": "../assets/postcodes/few",
        "kept_back": 3,
        "source": "https://example.org",
        "title": "A few postcodes",
    }
    before = {path: path.stat().st_mtime_ns for path in public.rglob("*.json")}
    refresh_places(public, read_catalogue(folder))
    assert {path: path.stat().st_mtime_ns for path in public.rglob("*.json")} == before, (
        "what has not changed is left alone"
    )
    declared(folder, *ROWS[:1])
    refresh_places(public, read_catalogue(folder))
    assert {p.name for p in (public / "assets" / "postcodes" / "few").iterdir()} == {"index.json", "LS1.json"}
    shutil.rmtree(folder / "postcodes")
    refresh_places(public, read_catalogue(folder))
    assert not (public / "assets" / "postcodes" / "few").exists()
    assert "postcodes" not in json.loads((public / RELEASE / "find.json").read_text()).get("area", {})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["LS1 1AA,E99999999"], "line 2: 'E99999999' is no code of codes/lad19.csv"),
        (["LS1,E08000035"], "line 2: 'postcode' must have 4 to 12"),
        (["LS1 1AA,E08000035", "LS11AA,E08000003"], "line 3: this postcode stands above with another code"),
    ],
)
def test_a_wrong_line_is_named_by_check_and_takes_no_page_away(
    folder: Path, tmp_path: Path, rows: list[str], said: str
) -> None:
    declared(folder, *rows)
    catalogue = read_catalogue(folder)
    (one,) = read_postcodes(folder)
    with pytest.raises(CatalogueError, match=said):
        areas_of_postcodes(folder, one, catalogue.codes.values())
    (tmp_path / "public" / RELEASE).mkdir(parents=True)
    left_out = refresh_places(tmp_path / "public", catalogue)
    assert said in left_out["postcodes/few"]
    assert (tmp_path / "public" / RELEASE / "find.json").is_file()


def test_names_of_other_times_are_told(folder: Path, tmp_path: Path) -> None:
    listed = folder / "codes" / "lad19.csv"
    head, *lines = listed.read_text().splitlines()
    also = [f"{line},{'Elmet; Loidis' if line.startswith('E08000035') else ''}" for line in lines]
    listed.write_text("\n".join([f"{head},also_known_as", *also, ""]))
    (tmp_path / "public" / RELEASE).mkdir(parents=True)
    refresh_places(tmp_path / "public", read_catalogue(folder))
    found = json.loads((tmp_path / "public" / RELEASE / "find.json").read_text())
    assert found["area"]["names"] == {"E08000035": ["Leeds", "Elmet", "Loidis"]}


@given(st.text(alphabet="LSMZ 019-a", min_size=1, max_size=10), st.integers(1, 5))
def test_what_is_kept_back_is_never_in_the_beginning(written: str, kept_back: int) -> None:
    one = Postcodes(id="few", title="Few", codes="lad19", file="few.csv", kept_back=kept_back)
    begin, end = one.split(written)
    plain = "".join(sign for sign in written.upper() if sign.isalnum())
    assert begin + end == plain
    assert len(end) == min(kept_back, len(plain))
