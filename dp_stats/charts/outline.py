"""Which of a release's tables tell which part of its story: the whole, its regions, its areas, its groups."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dp_stats.catalogue.grid import ALL
from dp_stats.charts.panels import areas_of, groups_of
from dp_stats.editions.edition import Edition, StatisticFacts, TableFacts
from dp_stats.editions.moments import moments_of

FEW = 24
"""Most areas that are drawn side by side."""


@dataclass(frozen=True)
class Outline:
    """The tables that a release's pages are drawn from; None where the release has no such table.

    Attributes:
        metric: the headline statistic; rate: a rate of it that fairly compares areas.
        whole: one value per moment. total: the same with the fewest moments, one per edition where a table has it.
        regions: a few areas. areas: every area, one value per edition.
        areas_fine: every area within the edition (day by day). groups: strata of the whole.
        area_groups: strata of every area.
    """

    metric: StatisticFacts
    rate: StatisticFacts | None
    whole: TableFacts | None
    total: TableFacts | None
    regions: TableFacts | None
    areas: TableFacts | None
    areas_fine: TableFacts | None
    groups: TableFacts | None
    area_groups: TableFacts | None

    @property
    def zero(self) -> bool:
        """Whether the value axis must start at zero: amounts do, averages need not."""
        return self.metric.kind not in ("mean", "quantile")


def _first(edition: Edition, found: list[TableFacts], *, coarse: bool) -> TableFacts | None:
    """The table with the fewest moments, or with the most."""
    sign = 1 if coarse else -1
    return min(found, key=lambda t: sign * len(moments_of(edition, t)), default=None)


def area_levels(edition: Edition, story: Outline) -> list[tuple[int, Outline]]:
    """The levels whose areas have pages, finest first: where each stands, and the story of its areas.

    These are the level of ``story.areas`` and every larger one that has a table of its own, up to the nation: the one area
    that holds all, where it is a place with a name.
    """
    place = edition.geography
    if place is None or story.areas is None:
        return []
    base = [level.name for level in place.levels].index(story.areas.levels[place.name])
    found = [(base, story)]
    for depth, level in enumerate(place.levels[base + 1 :], start=base + 1):
        tables = [t for t in edition.tables if t.levels[place.name] == level.name and story.metric.id in t.statistics]
        plain = [t for t in tables if len(groups_of(edition, t).codes) == 1]
        areas, fine = (_first(edition, plain, coarse=coarse) for coarse in (True, False))
        if areas is None or level.name == ALL:
            continue
        split = _first(edition, [t for t in tables if t not in plain], coarse=True)
        same = areas is fine or len(moments_of(edition, fine or areas)) == len(moments_of(edition, areas))
        found.append((depth, replace(story, areas=areas, areas_fine=None if same else fine, area_groups=split)))
    return found


def paged_areas(edition: Edition, story: Outline) -> dict[str, int]:
    """Code of every area that has a page → its level; a code of several levels has the page of the finest."""
    place = edition.geography
    levels = reversed(area_levels(edition, story))
    return {code: depth for depth, _ in levels for code in place.levels[depth].codes} if place else {}


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
        return len(moments_of(edition, t))

    def first(found: list[TableFacts], *, coarse: bool) -> TableFacts | None:
        return _first(edition, found, coarse=coarse)

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
        total=first([t for t in plain if areas(t) == 1], coarse=True),
        regions=first([t for t in between if areas(t) == most], coarse=True),
        areas=coarse_local,
        areas_fine=fine if fine and coarse_local and moments(fine) > moments(coarse_local) else None,
        groups=first([t for t in split if areas(t) == 1], coarse=True),
        area_groups=first([t for t in split if areas(t) == leaves and leaves > 1], coarse=True),
    )
