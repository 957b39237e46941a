"""The edges of the bins of a dimension: declared, or those of the bands of its code list."""

from __future__ import annotations

import numpy as np

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Release
from dp_stats.errors import CatalogueError


def edges_of(grid: Grid, release: Release, catalogue: Catalogue, name: str) -> tuple[float, ...]:
    """One more than there are bins, rising; an open last band ends where it would if it were as wide as the one before.

    Raises:
        CatalogueError: the dimension has neither.
    """
    if grid[name].kind == "bin":
        return grid[name].edges
    codes = catalogue.code_list_of(release, name)
    if codes is None or not codes.bands:
        raise CatalogueError(f"A quantile across '{name}' needs bands with 'lower' and 'upper', or 'edges'.")
    lower, upper = codes.numbers("lower"), codes.numbers("upper")
    last = upper[-1] if np.isfinite(upper[-1]) else lower[-1] + (lower[-1] - lower[-2] if len(lower) > 1 else 1.0)
    return (*lower, float(last))
