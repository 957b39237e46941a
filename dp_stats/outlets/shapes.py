"""Boundaries of areas as small drawings, made once for each file that an agency supplies: ``assets/maps/<id>.json``.

Points are projected with true areas (Lambert's azimuthal projection around the middle) and moved to the points of a grid. Lines
between the points where three areas or more meet are drawn with fewer points, the same from both sides, so that neighbours, which
share points, go on sharing them. The grid is as fine as a light page allows.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from dp_stats import files
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.shapes import Ring, Shapes, read_shapes, rings_of_areas
from dp_stats.outlets.declared_files import write_each
from dp_stats.outlets.forms import FoundMap

FOLDER = "assets/maps"
MOST_BYTES = 50_000
SIZES = (1000, 800, 640, 512, 400, 320, 256)
"""Points of the grid along the longer side of a map, the finest first; the first is taken whose drawings are light."""
AWAY = 1.5
"""How far, in steps of the grid, a line may lie from the points that it is drawn without."""
SMALLEST = 4
"""Twice the area, in squares of the grid, below which a part of an area (a small island) is left out beside a larger one."""

Flat = tuple[float, float]
Point = tuple[int, int]


def refresh_shapes(public: Path, catalogue: Catalogue) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """Write the drawings of every declared file; what has not changed is left alone.

    Returns:
        By code list, where its drawings are and what they are; and of declarations that are broken their name and why.
    """
    told, broken = write_each("maps", lambda: read_shapes(catalogue.folder), lambda one: _write(public, one, catalogue))
    kept = {Path(str(one["file"])).name for one in told.values()}
    for path in (public / FOLDER).glob("*.json"):
        if path.name not in kept:
            path.unlink()
    if not kept:
        shutil.rmtree(public / FOLDER, ignore_errors=True)
    return told, broken


def _write(public: Path, declared: Shapes, catalogue: Catalogue) -> Mapping[str, Any]:
    """The drawings of one file; where they are."""
    source, path = catalogue.folder / "maps" / declared.file, public / FOLDER / f"{declared.id}.json"
    made_of = files.file_sha256(source) if source.is_file() else ""
    about = FoundMap(
        file=f"{FOLDER}/{declared.id}.json",
        title=declared.title,
        source=declared.source,
        sha256=files.sha256(f"{made_of} {declared.codes} {declared.property}".encode()),
    ).model_dump()
    if path.is_file() and json.loads(path.read_bytes()).get("made_of") == about["sha256"]:
        return about
    drawn = drawings(rings_of_areas(catalogue.folder, declared, catalogue.codes.values()))
    content = {"made_of": about["sha256"], **drawn}
    files.replace_file(path, (json.dumps(content, separators=(",", ":")) + "\n").encode())
    return about


def drawings(areas: Mapping[str, Sequence[Ring]]) -> dict[str, Any]:
    """``size`` of the picture, and ``shapes``: code → the data of its path and the middle of its largest part."""
    shared = _shared_lines(_projected(areas))
    xs, ys = zip(*(p for rings in shared.values() for ring in rings for line in ring for p in line), strict=True)
    left, top, longer = min(xs), min(ys), max(max(xs) - min(xs), max(ys) - min(ys)) or 1.0
    shapes: dict[str, Any] = {}
    scale = 1.0
    for size in SIZES:
        scale = size / longer

        def on_grid(line: Sequence[Flat], scale: float = scale) -> list[Point]:
            points = [(round((x - left) * scale), round((y - top) * scale)) for x, y in line]
            return [point for at, point in enumerate(points) if not at or point != points[at - 1]]

        shapes = {
            code: _shape(
                [[p for line in ring for p in _fewer(on_grid(line))[:-1]] or on_grid(ring[0]) for ring in rings]
            )
            for code, rings in shared.items()
        }
        if sum(len(shape["d"]) for shape in shapes.values()) <= MOST_BYTES:
            break
    return {"size": [round((max(xs) - left) * scale), round((max(ys) - top) * scale)], "shapes": shapes}


def _projected(areas: Mapping[str, Sequence[Ring]]) -> dict[str, list[list[Flat]]]:
    """Points on a plane on which areas have their true size: Lambert's azimuthal equal-area projection (Snyder 1987, 24-3)."""
    points = [point for rings in areas.values() for ring in rings for point in ring]
    turned = [(math.radians(x), math.radians(y)) for x, y in points]
    east = sum(math.cos(y) * math.cos(x) for x, y in turned), sum(math.cos(y) * math.sin(x) for x, y in turned)
    middle_x = math.atan2(east[1], east[0])
    middle_y = math.atan2(sum(math.sin(y) for _, y in turned), math.hypot(*east))
    sine, cosine = math.sin(middle_y), math.cos(middle_y)

    def place(longitude: float, latitude: float) -> Flat:
        away, y = math.radians(longitude) - middle_x, math.radians(latitude)
        near = 1 + sine * math.sin(y) + cosine * math.cos(y) * math.cos(away)
        k = math.sqrt(2 / max(near, 1e-9))
        return k * math.cos(y) * math.sin(away), -k * (cosine * math.sin(y) - sine * math.cos(y) * math.cos(away))

    return {code: [[place(*point) for point in ring] for ring in rings] for code, rings in areas.items()}


def _shared_lines(areas: Mapping[str, Sequence[Sequence[Flat]]]) -> dict[str, list[list[list[Flat]]]]:
    """Each ring as lines between the points where lines meet, so that neighbours have the same lines between them."""
    closed = {
        code: [[*ring, ring[0]] if ring[0] != ring[-1] else ring for ring in rings] for code, rings in areas.items()
    }
    beside: dict[Flat, set[Flat]] = {}
    for rings in closed.values():
        for ring in rings:
            for a, b in pairwise(ring):
                beside.setdefault(a, set()).add(b)
                beside.setdefault(b, set()).add(a)
    meet = {point for point, others in beside.items() if len(others) > 2}
    return {code: [_lines(ring, meet) for ring in rings] for code, rings in closed.items()}


def _lines(ring: Sequence[Flat], meet: Collection[Flat]) -> list[list[Flat]]:
    """A closed ring, cut; one that meets no other is cut at its first point and at the one farthest from it."""
    points = list(ring[:-1])
    start = next((at for at, point in enumerate(points) if point in meet), points.index(min(points)))
    turned = [*points[start:], *points[:start], points[start]]
    stops = [at for at, point in enumerate(turned) if point in meet or at in (0, len(turned) - 1)]
    if len(stops) == 2:
        far = max(range(len(turned)), key=lambda at: math.dist(turned[0], turned[at]))
        stops = sorted({*stops, far})
    return [turned[a : b + 1] for a, b in pairwise(stops)]


def _fewer(line: list[Point]) -> list[Point]:
    """A line with its ends and the points that it needs (Douglas and Peucker 1973), the same whichever end comes first."""
    if len(line) < 3:
        return line
    if line[0] > line[-1]:
        return _fewer(line[::-1])[::-1]
    kept, waiting = {0, len(line) - 1}, [(0, len(line) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        far = max(range(first + 1, last), key=lambda at: _away(line[first], line[last], line[at]))
        if _away(line[first], line[last], line[far]) > AWAY:
            kept.add(far)
            waiting += [(first, far), (far, last)]
    return [line[at] for at in sorted(kept)]


def _away(a: Point, b: Point, c: Point) -> float:
    """How far a point lies from the line between two others."""
    length = math.dist(a, b)
    return abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / length if length else math.dist(a, c)


def _shape(rings: Sequence[Sequence[Point]]) -> dict[str, Any]:
    """The path of an area's rings on the grid, and the middle of the largest; what is too small for the grid is a small diamond."""
    largest = max(rings, key=lambda ring: abs(_twice_area(ring)))
    if not _twice_area(largest):
        x, y = largest[0]
        largest = [(x - 1, y), (x, y - 1), (x + 1, y), (x, y + 1)]
    others = [ring for ring in rings if ring is not largest and abs(_twice_area(ring)) >= SMALLEST]
    return {"d": "".join(map(_path, (largest, *others))), "at": _middle(largest)}


def _twice_area(ring: Sequence[Point]) -> int:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))


def _middle(ring: Sequence[Point]) -> list[int]:
    """The centre of a ring's area."""
    whole = _twice_area(ring)
    pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    x = sum((a[0] + b[0]) * (a[0] * b[1] - b[0] * a[1]) for a, b in pairs) / (3 * whole)
    y = sum((a[1] + b[1]) * (a[0] * b[1] - b[0] * a[1]) for a, b in pairs) / (3 * whole)
    return [round(x), round(y)]


def _path(ring: Sequence[Point]) -> str:
    """``M3 4l1 2-3 1z``: a ring as the data of a path, each point from the one before."""
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(ring)]
    numbers = [number for step in steps for number in step]
    joined = "".join(f"{'' if number < 0 or not at else ' '}{number}" for at, number in enumerate(numbers))
    return f"M{ring[0][0]} {ring[0][1]}l{joined}z"
