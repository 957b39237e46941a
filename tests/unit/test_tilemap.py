"""Tile maps keep neighbours together, give every area one tile, and are the same each time."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from dp_stats.charts.tilemap import Layout, classes, layout
from dp_stats.errors import CatalogueError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def areas() -> list[dict[str, str]]:
    with (ROOT / "dags" / "catalogue" / "codes" / "lad19.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tiles(areas: list[dict[str, str]]) -> Layout:
    return layout(
        [a["code"] for a in areas],
        [float(a["longitude"]) for a in areas],
        [float(a["latitude"]) for a in areas],
        groups=[a["region"] for a in areas],
    )


def kept_neighbours(areas: list[dict[str, str]], tiles: Layout) -> float:
    """Share of each area's three nearest areas that are at most two tiles away."""
    true = np.array([[float(a["longitude"]) * 0.57, float(a["latitude"])] for a in areas])
    nearest = cKDTree(true).query(true, k=4)[1][:, 1:]
    place = np.array([tiles.centre(a["code"]) for a in areas])
    return float((np.linalg.norm(place[nearest] - place[:, None], axis=2) <= 2.01).mean())


def test_every_area_has_a_tile_of_its_own(areas: list[dict[str, str]], tiles: Layout) -> None:
    assert set(tiles.tiles) == {a["code"] for a in areas}
    assert len(set(tiles.tiles.values())) == len(areas)


def test_true_neighbours_stay_neighbours(areas: list[dict[str, str]], tiles: Layout) -> None:
    assert kept_neighbours(areas, tiles) > 0.85


def test_a_layout_that_shuffles_areas_would_be_noticed(areas: list[dict[str, str]], tiles: Layout) -> None:
    codes = list(tiles.tiles)
    shuffled = Layout(
        dict(zip(codes, np.random.default_rng(1).permutation(list(tiles.tiles.values())).tolist(), strict=True))
    )
    assert kept_neighbours(areas, shuffled) < 0.1


def test_north_is_up_and_east_is_right(areas: list[dict[str, str]], tiles: Layout) -> None:
    place = np.array([tiles.centre(a["code"]) for a in areas])
    true = np.array([[float(a["longitude"]), -float(a["latitude"])] for a in areas])
    assert np.corrcoef(place[:, 0], true[:, 0])[0, 1] > 0.85
    assert np.corrcoef(place[:, 1], true[:, 1])[0, 1] > 0.85


def test_equal_input_gives_an_equal_layout(areas: list[dict[str, str]]) -> None:
    some = areas[:60]
    args = ([a["code"] for a in some], [float(a["longitude"]) for a in some], [float(a["latitude"]) for a in some])
    assert layout(*args) == layout(*args)


def test_the_kept_layout_covers_the_code_list(areas: list[dict[str, str]]) -> None:
    kept = Layout.load(ROOT / "reports" / "layouts" / "lad19.csv")
    assert kept.covers([a["code"] for a in areas])


def test_a_layout_reads_back_as_it_was_saved(tmp_path: Path, tiles: Layout) -> None:
    tiles.save(tmp_path / "tiles.csv")
    assert Layout.load(tmp_path / "tiles.csv") == tiles


def test_one_two_and_three_areas_have_a_layout() -> None:
    for count in (1, 2, 3):
        made = layout([str(i) for i in range(count)], list(range(count)), [50.0] * count)
        assert len(set(made.tiles.values())) == count


def test_a_missing_coordinate_is_an_error_that_says_what_is_needed() -> None:
    with pytest.raises(CatalogueError, match="longitude and the latitude"):
        layout(["a", "b"], [0.0, float("nan")], [50.0, 51.0])


def test_a_damaged_layout_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "tiles.csv").write_text("code,x\na,1\n")
    with pytest.raises(CatalogueError, match="Delete the file"):
        Layout.load(tmp_path / "tiles.csv")


def test_classes_are_round_and_about_equally_full() -> None:
    values = list(np.random.default_rng(2).gamma(2, 30, size=381))
    bounds = classes(values)
    assert bounds == sorted(float(f"{b:.2g}") for b in bounds)
    counts = np.bincount(np.searchsorted(bounds, values, side="right"), minlength=len(bounds) + 1)
    assert counts.min() > 40
    assert classes([5.0] * 10) == []


def test_a_few_areas_stand_in_the_corner_as_they_lie_to_each_other(areas: list[dict[str, str]], tiles: Layout) -> None:
    for region in sorted({a["region"] for a in areas}):
        codes = [a["code"] for a in areas if a["region"] == region]
        few = tiles.of(codes)
        assert few.tiles
        assert set(few.tiles) == set(codes) & set(tiles.tiles)
        assert min(x for x, _ in few.tiles.values()) == 0
        assert min(y for _, y in few.tiles.values()) in (0, 1)
        moved = {np.round(np.subtract(tiles.centre(c), few.centre(c)), 9).tobytes() for c in few.tiles}
        assert len(moved) == 1
