"""Boundaries that an agency supplies become a light drawing in which neighbours go on sharing their borders."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from dp_stats.catalogue import read_catalogue
from dp_stats.catalogue.shapes import read_shapes, rings_of_areas
from dp_stats.errors import CatalogueError
from dp_stats.outlets import shapes
from dp_stats.outlets.places import refresh_places

RELEASE = "covid-cases-by-area"
LEEDS, BRADFORD, SCILLY = "E08000035", "E08000032", "E06000052"


def square(code: str, x: float, y: float, side: float = 0.4, **said: object) -> dict[str, object]:
    ring = [[x, y], [x + side / 2, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]
    return {"properties": {"code": code, **said}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


BESIDE = [square(BRADFORD, -2, 53.6), square(LEEDS, -1.6, 53.6), square(SCILLY, -6.3, 49.9, 0.0001), square("E1", 0, 0)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(Path(__file__).parents[3] / "dags" / "catalogue", tmp_path / "catalogue")
    return declared(tmp_path / "catalogue", {"type": "FeatureCollection", "features": BESIDE})


def declared(folder: Path, content: object, codes: str = "lad19", file: str = "few.json") -> Path:
    (folder / "maps").mkdir(exist_ok=True)
    (folder / "maps" / "few.yaml").write_text(f"{{id: few, title: Squares, codes: {codes}, file: {file}}}")
    (folder / "maps" / "few.json").write_text(json.dumps(content))
    return folder


def points(path: str) -> list[tuple[int, int]]:
    """The points of a path of one ring."""
    assert path.count("M") == 1
    x, y, *steps = map(int, re.findall(r"-?\d+", path))
    found = [(x, y)]
    for across, down in zip(steps[::2], steps[1::2], strict=True):
        found.append((found[-1][0] + across, found[-1][1] + down))
    return found


def test_neighbours_share_their_border_and_what_is_small_is_seen(folder: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    (public / RELEASE).mkdir(parents=True)
    assert refresh_places(public, read_catalogue(folder)) == {}
    told = json.loads((public / RELEASE / "find.json").read_text())["area"]["map"]
    drawn = json.loads((public / told["file"]).read_text())
    assert set(drawn["shapes"]) == {LEEDS, BRADFORD, SCILLY}, "E1 is no area of the list"
    leeds, bradford, scilly = (points(drawn["shapes"][code]["d"]) for code in (LEEDS, BRADFORD, SCILLY))
    assert len(set(leeds) & set(bradford)) >= 2
    assert max(x for x, _ in bradford) <= max(x for x, _ in leeds), "east is right"
    assert max(y for _, y in leeds) < min(y for _, y in scilly), "north is up"
    assert len(scilly) == 4
    assert max(drawn["size"]) == shapes.SIZES[0]
    at = drawn["shapes"][LEEDS]["at"]
    assert min(leeds)[0] < at[0] < max(leeds)[0]
    before = (public / told["file"]).stat().st_mtime_ns
    refresh_places(public, read_catalogue(folder))
    assert (public / told["file"]).stat().st_mtime_ns == before, "what has not changed is left alone"
    shutil.rmtree(folder / "maps")
    refresh_places(public, read_catalogue(folder))
    assert not (public / shapes.FOLDER).exists()
    assert "map" not in json.loads((public / RELEASE / "find.json").read_text())["area"]


def test_a_fine_coast_is_drawn_on_a_grid_that_keeps_the_page_light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MOST_BYTES", 16_000)
    coast = [(x / 1000, (x % 7) / 200) for x in range(2000)]
    ring = (*coast, (2.0, 1.0), (0.0, 1.0), coast[0])
    drawn = shapes.drawings({f"E{n}": [tuple((x, y + n / 20) for x, y in ring)] for n in range(6)})
    assert sum(len(shape["d"]) for shape in drawn["shapes"].values()) <= shapes.MOST_BYTES
    assert max(drawn["size"]) < shapes.SIZES[0]
    assert len(drawn["shapes"]) == 6


def test_areas_keep_their_true_size_wherever_they_lie() -> None:
    """A square degree at 60° north is half as large as one at the equator."""
    ring = ((10.0, 0.0), (11.0, 0.0), (11.0, 1.0), (10.0, 1.0), (10.0, 0.0))
    drawn = shapes.drawings({"south": [ring], "north": [tuple((x, y + 59.5) for x, y in ring)]})

    def size(code: str) -> float:
        found = points(drawn["shapes"][code]["d"])
        pairs = zip(found, [*found[1:], found[0]], strict=True)
        return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2

    assert size("north") / size("south") == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(
    ("content", "codes", "file", "said"),
    [
        ({"features": [square("E1", 0, 0)]}, "lad19", "few.json", "no polygon has a code of codes/lad19.csv"),
        ({"features": [square(LEEDS, 430_000, 433_000)]}, "lad19", "few.json", "not in longitude and latitude"),
        ({"type": "Topology"}, "lad19", "few.json", "no GeoJSON collection"),
        ({"features": []}, "none", "few.json", "no code list 'codes/none.csv'"),
        ({"features": []}, "lad19", "lost.json", "cannot be read"),
    ],
)
def test_a_wrong_file_is_named_by_check_and_takes_no_page_away(
    folder: Path, tmp_path: Path, content: object, codes: str, file: str, said: str
) -> None:
    declared(folder, content, codes, file)
    catalogue = read_catalogue(folder)
    (one,) = read_shapes(folder)
    with pytest.raises(CatalogueError, match=said):
        rings_of_areas(folder, one, catalogue.codes.values())
    (tmp_path / "public" / RELEASE).mkdir(parents=True)
    assert said in refresh_places(tmp_path / "public", catalogue)["maps/few"]
    assert (tmp_path / "public" / RELEASE / "find.json").is_file()
