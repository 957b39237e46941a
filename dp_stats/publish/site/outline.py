"""Which of a release's tables tell which part of its story: the whole, its regions, its areas, its groups."""

from __future__ import annotations

from dataclasses import dataclass

from dp_stats.publish.edition import Edition, StatisticFacts, TableFacts
from dp_stats.publish.site.reading import areas_of, groups_of, moments_of

FEW = 24
"""Most areas that are drawn side by side."""


@dataclass(frozen=True)
class Outline:
    """The tables that a release's pages are drawn from; None where the release has no such table.

    Attributes:
        metric: the headline statistic; rate: a rate of it that fairly compares areas.
        whole: one value per moment. regions: a few areas. areas: every area, one value per edition.
        areas_fine: every area within the edition (day by day). groups: strata of the whole.
        area_groups: strata of every area.
    """

    metric: StatisticFacts
    rate: StatisticFacts | None
    whole: TableFacts | None
    regions: TableFacts | None
    areas: TableFacts | None
    areas_fine: TableFacts | None
    groups: TableFacts | None
    area_groups: TableFacts | None

    @property
    def zero(self) -> bool:
        """Whether the value axis must start at zero: amounts do, averages need not."""
        return self.metric.kind not in ("mean", "quantile")


def outline(edition: Edition, *, editions: int) -> Outline:
    """Choose by shape alone, so that any release gets the charts its tables allow.

    Args:
        editions: how many there are: a long series is drawn by edition, a short one within the edition.
    """
    metric = edition.statistic(edition.headline.statistics[0])
    having = [t for t in edition.tables if metric.id in t.statistics]
    rate = next((s for s in edition.statistics if s.kind == "rate"), None)
    leaves = max((len(areas_of(edition, t).codes) for t in having), default=1)

    def areas(t: TableFacts) -> int:
        return len(areas_of(edition, t).codes)

    def groups(t: TableFacts) -> int:
        return len(groups_of(edition, t).codes)

    def moments(t: TableFacts) -> int:
        return len(moments_of(edition, t)[0])

    def first(found: list[TableFacts], *, coarse: bool) -> TableFacts | None:
        return min(found, key=lambda t: moments(t) if coarse else -moments(t), default=None)

    plain = [t for t in having if groups(t) == 1]
    split = [t for t in having if groups(t) > 1]
    long = editions >= 8
    local = [t for t in plain if areas(t) == leaves and leaves > 1]
    coarse_local = first(local, coarse=True)
    fine = first(local, coarse=False)
    between = [t for t in plain if 1 < areas(t) <= FEW]
    most = max((areas(t) for t in between), default=0)
    return Outline(
        metric=metric,
        rate=rate,
        whole=first([t for t in plain if areas(t) == 1], coarse=long),
        regions=first([t for t in between if areas(t) == most], coarse=True),
        areas=coarse_local,
        areas_fine=fine if fine and coarse_local and moments(fine) > moments(coarse_local) else None,
        groups=first([t for t in split if areas(t) == 1], coarse=True),
        area_groups=first([t for t in split if areas(t) == leaves and leaves > 1], coarse=True),
    )
