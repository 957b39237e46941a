"""Tile maps: one hexagon of equal size per area, laid out by our own assignment from centroids.

A plain map of local authorities shows fields, not people: London's 33 boroughs vanish. Here every
area is one hexagon. The layout is found in three deterministic steps:

1. *Spread*: areas are discs that push apart where they overlap, are pulled towards their nearest
   neighbours, and are held weakly to where they really are.
2. *Assign*: each disc gets a cell of a hexagonal lattice so that the sum of squared moves is least
   (the linear assignment problem, Jonker-Volgenant, as solved by ``scipy``).
3. *Swap*: neighbouring tiles change places as long as that brings more true neighbours together.

A layout depends on the code list alone, so it is computed once and kept as a small CSV file.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import Delaunay, QhullError, cKDTree

from dp_stats.errors import CatalogueError
from dp_stats.texts.numbers import rounded

Floats = NDArray[np.float64]
ROW = np.sqrt(3) / 2
TOGETHER = 4.0
"""How much more firmly neighbours of one region hold together than neighbours across its border."""


@dataclass(frozen=True)
class Layout:
    """Where each area's hexagon sits: code → (column, row); odd rows are shifted right by half a tile."""

    tiles: Mapping[str, tuple[int, int]]

    @cached_property
    def centres(self) -> Mapping[str, tuple[float, float]]:
        """The centre of every tile, by code."""
        return {code: self.centre(code) for code in self.tiles}

    def covers(self, codes: Sequence[str]) -> bool:
        """Whether nearly every code has a tile (codes such as 'unknown' have none)."""
        return bool(codes) and sum(c in self.tiles for c in codes) >= 0.9 * len(codes)

    def centre(self, code: str) -> tuple[float, float]:
        """The tile's centre with x to the right and y downwards; neighbours are 1 apart."""
        column, row = self.tiles[code]
        return column + row % 2 / 2, row * float(ROW)

    @cached_property
    def size(self) -> tuple[float, float]:
        """Width and height that hold every centre."""
        centres = self.centres.values()
        return max(x for x, _ in centres), max(y for _, y in centres)

    def of(self, codes: Collection[str]) -> Layout:
        """The tiles of some areas, moved into the corner; by an even number of rows, so that those in between stay there."""
        own = {code: tile for code, tile in self.tiles.items() if code in set(codes)}
        left = min((column for column, _ in own.values()), default=0)
        top = min((row for _, row in own.values()), default=0) // 2 * 2
        return Layout({code: (column - left, row - top) for code, (column, row) in own.items()})

    def save(self, path: Path) -> None:
        """Write ``code,column,row``."""
        rows = sorted(self.tiles.items())
        path.write_text("code,column,row\n" + "".join(f"{c},{x},{y}\n" for c, (x, y) in rows), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Layout:
        """Read what ``save`` wrote.

        Raises:
            CatalogueError: the file does not have the columns code, column, row.
        """
        with path.open(encoding="utf-8", newline="") as file:
            try:
                return cls({r["code"]: (int(r["column"]), int(r["row"])) for r in csv.DictReader(file)})
            except (KeyError, ValueError) as error:
                raise CatalogueError(
                    f"{path.name}: a tile layout has the columns code, column, row with whole numbers. "
                    "Delete the file; it is computed again from the code list."
                ) from error


def project(longitude: Floats, latitude: Floats) -> Floats:
    """Degrees to a local equirectangular plane, y downwards; shape ``(areas, 2)``."""
    middle = float(np.radians(np.median(latitude)))
    return np.column_stack([longitude * np.cos(middle), -latitude]).astype(np.float64)


def _neighbours(points: Floats, *, nearest: int = 5) -> NDArray[np.intp]:
    """Pairs of areas that are near each other: Delaunay edges among each other's nearest; shape ``(pairs, 2)``."""
    if len(points) < 4:
        return np.array([(i, j) for i in range(len(points)) for j in range(i)], dtype=np.intp).reshape(-1, 2)
    try:
        corners = Delaunay(points).simplices
        edges = np.sort(np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), axis=1)
    except QhullError:  # all on one line, or all in one place: whoever is next on the line
        order = np.lexsort(points.T)
        edges = np.sort(np.column_stack([order[:-1], order[1:]]), axis=1)
    edges = np.unique(edges, axis=0)
    reach = np.asarray(cKDTree(points).query(points, k=min(nearest + 1, len(points)))[0])[:, -1]
    length = np.sqrt(((points[edges[:, 0]] - points[edges[:, 1]]) ** 2).sum(axis=1))
    near: NDArray[np.intp] = edges[length <= 1.2 * np.maximum(reach[edges[:, 0]], reach[edges[:, 1]])].astype(np.intp)
    return near


def _spread(points: Floats, edges: NDArray[np.intp], weight: Floats, *, rounds: int = 900) -> Floats:
    """Move discs of diameter 1 until they hardly overlap, keeping neighbours close."""
    place = points.copy()
    degree = np.zeros((len(points), 1))
    np.add.at(degree, edges.ravel(), np.repeat(weight, 2)[:, None])
    degree = np.fmax(degree, 1.0)
    for step in range(rounds):
        cooling = 1 - step / rounds
        gap = place[edges[:, 0]] - place[edges[:, 1]]
        distance = np.linalg.norm(gap, axis=1, keepdims=True)
        pull = gap * (np.maximum(distance - 1.02, 0) / np.maximum(distance, 1e-9)) * weight[:, None] * 0.35 * cooling
        move = np.zeros_like(place)
        np.add.at(move, edges[:, 0], -pull)
        np.add.at(move, edges[:, 1], pull)
        move /= degree
        move += (points - place) * 0.004 * cooling
        place = place + move
        pairs = cKDTree(place).query_pairs(1.0, output_type="ndarray")
        if len(pairs):
            gap = place[pairs[:, 0]] - place[pairs[:, 1]]
            distance = np.linalg.norm(gap, axis=1, keepdims=True)
            push = gap / np.maximum(distance, 1e-6) * (1.0 - distance) * 0.32
            np.add.at(place, pairs[:, 0], push)
            np.add.at(place, pairs[:, 1], -push)
    return place


def _lattice(place: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The hexagonal cells around the discs: their (column, row) and their centres."""
    low, high = place.min(axis=0) - 1.5, place.max(axis=0) + 1.5
    rows = np.arange(int((high[1] - low[1]) / ROW) + 1)
    columns = np.arange(int(high[0] - low[0]) + 1)
    grid = np.array([(c, r) for r in rows for c in columns], dtype=np.int64)
    centres = np.column_stack([low[0] + grid[:, 0] + grid[:, 1] % 2 / 2, low[1] + grid[:, 1] * ROW])
    near = cKDTree(place).query(centres)[0] < 2.0
    return grid[near], centres[near]


def _swap(
    cell: NDArray[np.intp], centres: Floats, place: Floats, edges: NDArray[np.intp], weight: Floats
) -> NDArray[np.intp]:
    """Exchange tiles one apart while that shortens the links between true neighbours."""
    linked: list[list[int]] = [[] for _ in range(len(place))]
    strength: list[list[float]] = [[] for _ in range(len(place))]
    for (a, b), w in zip(edges.tolist(), weight.tolist(), strict=True):
        linked[a].append(b)
        linked[b].append(a)
        strength[a].append(w)
        strength[b].append(w)
    cell = cell.copy()

    def cost(area: int, at: int) -> float:
        links = np.linalg.norm(centres[cell[np.array(linked[area], np.intp)]] - centres[at], axis=1)
        stretched = np.maximum(links - 1, 0) ** 2 * np.array(strength[area])
        return float(stretched.sum() + 0.15 * ((place[area] - centres[at]) ** 2).sum())

    for _ in range(12):
        better = 0
        close = sorted(cKDTree(centres[cell]).query_pairs(1.8))
        for a, b in close:
            now = cost(a, cell[a]) + cost(b, cell[b])
            cell[a], cell[b] = cell[b], cell[a]
            if cost(a, cell[a]) + cost(b, cell[b]) < now - 1e-9:
                better += 1
            else:
                cell[a], cell[b] = cell[b], cell[a]
        if not better:
            break
    return cell


def layout(
    codes: Sequence[str],
    longitude: Sequence[float],
    latitude: Sequence[float],
    *,
    groups: Sequence[str] | None = None,
) -> Layout:
    """Lay out one hexagon per area; equal input gives an equal layout.

    Args:
        codes: one per area. longitude, latitude: of the areas' centroids, in degrees.
        groups: the region of each area; neighbours of one region are kept together more firmly.

    Raises:
        CatalogueError: a coordinate is missing, or the lists differ in length.
    """
    east, north = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
    if not len(codes) == len(east) == len(north) or not np.isfinite(east).all() or not np.isfinite(north).all():
        raise CatalogueError("A tile map needs the longitude and the latitude of every area of the code list.")
    if len(codes) == 1:
        return Layout({codes[0]: (0, 0)})
    points = project(east, north)
    edges = _neighbours(points)
    weight = np.ones(len(edges))
    if groups is not None:
        of = np.asarray(groups)
        weight[of[edges[:, 0]] == of[edges[:, 1]]] = TOGETHER
    extent = np.ptp(points, axis=0)
    # Half of the bounding box of a country is sea or emptiness: scale so that the discs fill the other half.
    points = (points - points.min(axis=0)) * np.sqrt(2.0 * len(codes) / max(float(np.prod(extent)), 1e-9))
    place = _spread(points, edges, weight)
    grid, centres = _lattice(place)
    moves = ((place[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    cell = _swap(linear_sum_assignment(moves)[1].astype(np.intp), centres, place, edges, weight)
    taken = grid[cell]
    first = taken.min(axis=0)
    first[1] -= first[1] % 2  # keep which rows are shifted
    return Layout({code: (int(c - first[0]), int(r - first[1])) for code, (c, r) in zip(codes, taken, strict=True)})


def classes(values: Sequence[float], *, wanted: int = 5) -> list[float]:
    """Upper bounds of colour classes that hold about equally many areas, rounded to two significant digits.

    The last class is open. Fewer classes come back where values are tied.
    """
    known = np.array([v for v in values if np.isfinite(v)])
    if not len(known):
        return []
    bounds = [rounded(float(q)) for q in np.quantile(known, np.linspace(0, 1, wanted + 1)[1:-1])]
    return sorted({b for b in bounds if known.min() < b < known.max()})
