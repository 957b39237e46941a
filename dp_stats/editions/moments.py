"""Which days a published value covers: the parts of an edition's period at a level of the calendar, whole or cut."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dp_stats.catalogue.grid import ALL
from dp_stats.catalogue.periods import is_part, parse_period
from dp_stats.editions.edition import Edition, LevelFacts, TableFacts


@dataclass(frozen=True)
class Moment:
    """The days of one value.

    Attributes:
        start, end: first and last day covered.
        label: what they are called: that of a whole period, or where it is cut the range of its days.
        kind: of the whole period (``week``), of which this may be a part only.
    """

    start: date
    end: date
    label: str
    kind: str

    @property
    def partial(self) -> bool:
        """Whether days of a whole period of this kind are missing, so that its value is no match for one of a whole one."""
        return is_part(self.label, self.kind)

    @property
    def type(self) -> str:
        """The kind of period as published tables have it: ``week``, or ``part-week``."""
        return f"part-{self.kind}" if self.partial else self.kind


def moments_of(edition: Edition, table: TableFacts) -> tuple[Moment, ...]:
    """The moments of a table, in order of time; one where the edition has no dates."""
    if table.across is not None:
        periods = map(parse_period, table.across.periods)
        return tuple(Moment(p.start, p.end, p.label, table.across.kind) for p in periods)
    time = edition.date
    if time is None:
        return (_moment(edition, edition.period.label, edition.period.kind),)
    return moments_at(edition, time.level(table.levels[time.name]))


def shape_of(edition: Edition, table: TableFacts) -> tuple[int, ...]:
    """Values of a table along each dimension; of one across editions its periods along that of time, or along a last axis
    more where the edition has no dates."""
    time = edition.date
    shape = [len(d.level(table.levels[d.name]).codes) for d in edition.dimensions]
    if table.across is None:
        return tuple(shape)
    periods = len(table.across.periods)
    return (
        (*shape, periods)
        if time is None
        else tuple(periods if d is time else size for d, size in zip(edition.dimensions, shape, strict=True))
    )


def moments_at(edition: Edition, level: LevelFacts) -> tuple[Moment, ...]:
    """The moments of a level of the calendar."""
    kind = edition.period.kind if level.name == ALL else level.name
    return tuple(_moment(edition, edition.period.label if code == ALL else code, kind) for code in level.codes)


def _moment(edition: Edition, code: str, kind: str) -> Moment:
    """What a code names, as far as the edition covers it."""
    covered = parse_period(code).within(edition.period.start, edition.period.end)
    return Moment(covered.start, covered.end, covered.code, kind)
