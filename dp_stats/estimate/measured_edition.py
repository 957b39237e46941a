"""One edition as answers and tables across editions read it: what is stored of it, and what it declared."""

from __future__ import annotations

from dataclasses import dataclass

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period
from dp_stats.estimate.boundaries import ListedDimension
from dp_stats.estimate.late import LateTables
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements


@dataclass(frozen=True, eq=False)
class Measured:
    """One edition whose noisy measurements are stored, with its own declaration: its days, cells, statistics and lists.

    ``catalogue`` holds the edition's code lists, where populations are found, for rates; ``late`` what later editions
    have measured of the period's late rows.
    """

    plan: Plan
    period: Period
    grid: Grid
    release: Release
    noisy: NoisyMeasurements
    catalogue: Catalogue | None = None
    late: tuple[LateTables, ...] = ()

    def listed(self, dimension: str) -> ListedDimension:
        """A dimension with the code list that its cells come from."""
        declared = {d.name: d.column for d in self.release.dimensions}
        codes = None
        if self.catalogue is not None and dimension in declared:
            codes = self.catalogue.code_list_of(self.release, dimension)
        return ListedDimension(self.period.start, self.grid[dimension], codes)
