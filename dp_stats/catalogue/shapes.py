"""The boundaries of areas, as a public file that an agency supplies, so that readers see a true map beside the one of hexagons.

``maps/NAME.yaml`` names a GeoJSON file beside it, in longitude and latitude (RFC 7946), and the code list that its codes are from.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from dp_stats.catalogue.codes import CodeList, list_called
from dp_stats.catalogue.declared import Model, Name, Slug
from dp_stats.catalogue.load import read_model
from dp_stats.catalogue.part import declarations
from dp_stats.errors import CatalogueError

Ring = tuple[tuple[float, float], ...]
"""A closed line of points, each longitude and latitude in degrees."""


class Shapes(Model):
    """A public file with the boundary of each area."""

    id: Slug = Field(description="Name of the file without `.yaml`.", examples=["districts"])
    title: Name = Field(
        description="What readers are told it is, with whom it is from and its licence.",
        examples=["Local authority districts, May 2026 (ultra generalised), Office for National Statistics, OGL v3"],
    )
    source: str = Field(
        "", description="Where it comes from; readers are led there.", examples=["https://geoportal.statistics.gov.uk"]
    )
    codes: Slug = Field(description="The code list that its codes are from.", examples=["lad19"])
    file: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+\.(geojson|json)$",
        description="The GeoJSON file beside this one: a collection of polygons in longitude and latitude. A coarse one will do.",
        examples=["districts.geojson"],
    )
    property: str = Field(
        "code", min_length=1, description="The property of each polygon that holds its code.", examples=["LAD26CD"]
    )


def read_shapes(folder: Path) -> Iterator[Shapes]:
    """What is declared in ``folder/maps``.

    Raises:
        CatalogueError: a file is not what it should be.
    """
    for path in declarations(folder / "maps"):
        yield read_model(path, Shapes)


def rings_of_areas(folder: Path, declared: Shapes, lists: Collection[CodeList]) -> dict[str, list[Ring]]:
    """Code → the rings of its area, in the order of the file. Areas that the list does not have are left out.

    Raises:
        CatalogueError: the list or the file is missing, no area of the file is of the list, or it is not in longitude and latitude.
    """
    codes = list_called(declared.codes, lists, where=f"maps/{declared.id}.yaml")
    path, known = folder / "maps" / declared.file, set(codes.codes)
    found: dict[str, list[Ring]] = {}
    try:
        content = json.loads(path.read_bytes())
        for feature in content["features"]:
            code = str((feature.get("properties") or {}).get(declared.property, "")).strip()
            if code in known:
                found.setdefault(code, []).extend(_rings(feature.get("geometry") or {}))
    except OSError as error:
        raise CatalogueError(f"{path}: the boundaries cannot be read. Put a GeoJSON file there.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CatalogueError(
            f"{path.name}: this is no GeoJSON collection of polygons. Export it as GeoJSON (RFC 7946)."
        ) from error
    if not any(found.values()):
        raise CatalogueError(
            f"{path.name}: no polygon has a code of codes/{declared.codes}.csv in its property '{declared.property}'. Name the "
            "property that holds the code in 'property'."
        )
    if any(abs(x) > 180 or abs(y) > 90 for rings in found.values() for ring in rings for x, y in ring):
        raise CatalogueError(
            f"{path.name}: its points are not in longitude and latitude. Export it in WGS 84 (EPSG:4326)."
        )
    return {code: rings for code, rings in found.items() if rings}


def _rings(geometry: dict[str, Any]) -> Iterator[Ring]:
    """The rings of a polygon, or of several."""
    kind, coordinates = geometry.get("type"), geometry.get("coordinates") or ()
    polygons: Sequence[Any] = [coordinates] if kind == "Polygon" else coordinates if kind == "MultiPolygon" else ()
    for polygon in polygons:
        for ring in polygon:
            yield tuple((float(point[0]), float(point[1])) for point in ring)
