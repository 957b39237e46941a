"""Tables across editions: sums, means, changes and growth over the borders of editions, from stored measurements alone.

Each edition says what it measured of a window's days, as its own sealed plan declares it, with the late rows of its period;
errors of different editions are independent, and what two windows share is taken into account (see ``windows``). A window
of which a day is not covered has no value, and the reason is kept: nothing is taken to be zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dp_stats.catalogue.across import DAYS_OF_ROW, AcrossStatistic, AcrossTable
from dp_stats.catalogue.across_windows import began, rows_of, source_of, windows
from dp_stats.catalogue.due import period_at
from dp_stats.catalogue.grid import Dimension
from dp_stats.catalogue.models import Release, Statistic
from dp_stats.catalogue.periods import Period, parse_period
from dp_stats.catalogue.populations import population_of
from dp_stats.errors import NotDerivableError
from dp_stats.estimate.answer import codes_of, quantity_of
from dp_stats.estimate.cells_asked import leaves
from dp_stats.estimate.compared import Compared, Spans, estimate_of
from dp_stats.estimate.measured_edition import Measured
from dp_stats.estimate.model import Across, AcrossReason, Estimate, Missing
from dp_stats.estimate.noise_law import Draws, NoiseLaw, law_of, normal_law
from dp_stats.estimate.windows import signed_sums
from dp_stats.plan.algebra import Query

Floats = NDArray[np.float64]
Window = tuple[date, date]
Pair = tuple[Window, Window | None]
"""A window, and the earlier one that it is set against."""
Signed = tuple[tuple[Window, int], ...]
Why = tuple[AcrossReason, tuple[str, ...]]
"""Why it cannot be told, and the periods that are the reason."""

FEW = 6
"""Most editions whose noise is followed draw by draw; the error of a sum of more is taken to be normal."""

_SIGNS = ((1, 0), (0, 1), (1, -1))
"""What is asked of each pair of windows: the sum of each, and their difference."""


def across(own: Measured, editions: Sequence[Measured]) -> dict[str, Across]:
    """Every table across editions that an edition publishes.

    Args:
        own: the edition. editions: those before it, one of each period, with what later ones measured of its late rows.
    """
    by_period = {e.period.label: e for e in (*editions, own)}
    begun = began(own.release, [e.period.start for e in editions])
    own = own if begun is own.release else replace(own, release=begun)
    return {table.id: _Table(table, own, by_period).made() for table in own.release.across}


def days_needed(release: Release, end: date) -> tuple[date, date] | None:
    """The first and last day of all windows of an edition that ends on ``end``; None where it has no table across."""
    found = [
        window
        for table in release.across
        for row in rows_of(table, release, end)
        for one in table.statistics
        for window in windows(one, release, row) or ()
        if window is not None
    ]
    return (min(first for first, _ in found), end) if found else None


@dataclass(eq=False)
class _Sum:
    """Sums of days with signs, along a first axis the rows of the table, then its cells; NaN where it cannot be told.

    ``draws`` is the noise of a typical cell of the newest row, from so many ``editions``; ``faults`` says of rows why cells
    of them cannot be told.
    """

    value: Floats
    noise: Floats
    added: Floats
    subtracted: Floats
    draws: list[Draws] = field(default_factory=list)
    editions: int = 0
    faults: dict[int, Why] = field(default_factory=dict)

    @property
    def variance(self) -> Floats:
        """Noise adds up as variances; how cells differ as standard deviations, for it is alike in every edition."""
        return np.asarray(self.noise + self.added**2 + self.subtracted**2)

    @property
    def law(self) -> NoiseLaw:
        return law_of(self.draws) if 0 < self.editions <= FEW else normal_law()


@dataclass(frozen=True, eq=False)
class _Table:
    """One table that an edition publishes, from the editions by the label of their period."""

    table: AcrossTable
    own: Measured
    editions: Mapping[str, Measured]

    @property
    def release(self) -> Release:
        return self.own.release

    @cached_property
    def levels(self) -> dict[str, str]:
        """Complete, in grid order; time at its top."""
        return self.own.grid.complete(self.table.levels)

    @cached_property
    def cells(self) -> list[Dimension]:
        """The dimensions other than time."""
        return [d for d in self.own.grid.dimensions if d.kind != "date"]

    def made(self) -> Across:
        """The table."""
        rows = rows_of(self.table, self.release, self.own.period.end)
        estimates: dict[str, Estimate] = {}
        missing: list[Missing] = []
        for one in self.table.statistics:
            estimates[one.id], lacking = self._statistic(one, rows)
            missing += lacking
        return Across(rows, estimates, tuple(missing))

    def _statistic(self, one: AcrossStatistic, rows: Sequence[Period]) -> tuple[Estimate, list[Missing]]:
        faults: dict[int, Why] = {}
        pairs: list[Pair | None] = []
        for number, row in enumerate(rows):
            pair = windows(one, self.release, row)
            why = self._uncovered(row, pair)
            if why is not None:
                faults[number] = why
            pairs.append(pair if why is None else None)
        statistic = next(s for s in self.release.statistics if s.id == source_of(self.release, one))
        own, before, change = (self._sum(statistic, pairs, signs) for signs in _SIGNS)
        for part in (own, before, change):
            faults = {**part.faults, **faults}
        made = estimate_of(
            one,
            statistic,
            Compared(own.value, own.variance, before.value, before.variance, change.variance),
            laws=(own.law, change.law),
            spans=Spans.of(pairs),
            scale=self._scale(one),
        )
        missing = [Missing(one.id, rows[number].code, *faults[number]) for number in sorted(faults)]
        return self._placed(one.id, made), missing

    def _uncovered(self, row: Period, pair: Pair | None) -> Why | None:
        """Why no edition, or not all that it takes, covers a row's windows; None if they are covered."""
        if row.end > self.own.period.end:
            return "ended", ()
        if pair is None:
            return "year", ()
        spans = [window for window in pair if window is not None]
        if any(first < self.release.start for first, _ in spans):
            return "before", ()
        absent: dict[str, None] = {}
        for first, last in spans:
            day = first
            while day <= last:
                there = next((e.period for e in self.editions.values() if e.period.start <= day <= e.period.end), None)
                period = there or period_at(self.release, day)
                if there is None:
                    absent[period.label] = None
                day = period.end + timedelta(days=1)
        return ("edition", tuple(sorted(absent))) if absent else None

    def _sum(self, statistic: Statistic, pairs: Sequence[Pair | None], signs: tuple[int, int]) -> _Sum:
        """The first window of each pair and the second one, each with a sign or left out."""
        shape = (len(pairs), *(len(d.level(self.levels[d.name]).codes) for d in self.cells))
        found = _Sum(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape))
        signed = [_signed(pair, signs) for pair in pairs]
        for number, windows_ in enumerate(signed):
            if not windows_:
                found.value[number] = found.noise[number] = np.nan
        for edition in self.editions.values():
            self._add(found, edition, statistic, signed)
        return found

    def _add(self, found: _Sum, edition: Measured, statistic: Statistic, signed: Sequence[Signed]) -> None:
        """Add what one edition says; what it cannot say is NaN from then on."""
        dates = next((d for d in edition.grid.dimensions if d.kind == "date"), None)
        times = [parse_period(code) for code in dates.leaf.codes] if dates is not None else [edition.period]
        rows, cut = _weights([time.within(edition.period.start, edition.period.end) for time in times], signed)
        touched = np.flatnonzero((rows != 0).any(axis=1) | cut)
        if not len(touched):
            return
        why: AcrossReason | None = "divided" if cut.any() else None
        for number in np.flatnonzero(cut):
            found.value[number] = found.noise[number] = np.nan
            found.faults.setdefault(int(number), ("divided", (edition.period.label,)))
        whole = [number for number in touched if not cut[number]]
        if not whole:
            return
        why = None if _same(statistic, edition.release) else "meaning"
        if why is None:
            try:
                parts = self._cells(edition, statistic.id, dates, rows[whole])
            except (NotDerivableError, KeyError):
                why = "measured"
        if why is not None:
            parts = [np.full((len(whole), *found.value.shape[1:]), np.nan)] * 4
        for total, part in zip((found.value, found.noise, found.added, found.subtracted), parts, strict=True):
            total[whole] += part
        for number, value in zip(whole, parts[0], strict=True):
            if np.isnan(value).any():
                found.faults.setdefault(int(number), (why or "cells", (edition.period.label,)))
        if whole[-1] == len(signed) - 1 and why is None:
            found.editions += 1
            if found.editions <= FEW:
                found.draws += self._draws(edition, statistic.id, dates, rows[whole[-1:]])

    def _cells(self, edition: Measured, statistic: str, dates: Dimension | None, rows: Floats) -> list[Floats]:
        """Values, noise and doubts in the cells of the own edition, joined by code; NaN where the other has no such cell.

        Raises:
            NotDerivableError, KeyError: it was not measured at these levels.
        """
        queries, lost = self._queries_in(edition)
        sums = signed_sums(quantity_of(edition, statistic), edition.grid, queries, dates, rows)
        if not np.isfinite(sums.variance).all():
            raise NotDerivableError(f"{edition.plan.edition} did not measure '{statistic}' at these levels.")
        there = [d.name for d in edition.grid.dimensions if d.kind != "date"]
        order = [0, *(1 + there.index(d.name) for d in self.cells)]
        parts = [part.transpose(order) for part in (sums.value, sums.variance, sums.added, sums.subtracted)]
        return [np.where(lost, np.nan, part) for part in parts]

    def _draws(self, edition: Measured, statistic: str, dates: Dimension | None, rows: Floats) -> list[Draws]:
        quantity = quantity_of(edition, statistic)
        queries, _ = self._queries_in(edition)
        return quantity.noise_draws(signed_sums(quantity, edition.grid, queries, dates, rows).queries)

    def _queries_in(self, edition: Measured) -> tuple[dict[str, Query], NDArray[np.bool_]]:
        """The cells of the table as an edition counted them, and which of them it did not.

        A merged area is the sum of those that merged, where code lists have dates (see ``boundaries``).

        Raises:
            NotDerivableError: it has other dimensions.
        """
        if {d.name for d in edition.grid.dimensions if d.kind != "date"} != {d.name for d in self.cells}:
            raise NotDerivableError(f"{edition.plan.edition} has other dimensions.")
        queries: dict[str, Query] = {}
        lost = np.zeros((), dtype=np.bool_)
        for dimension in self.cells:
            query, absent = self._query_in(edition, dimension)
            queries[dimension.name] = query
            lost = np.logical_or.outer(lost, absent)
        return queries, lost

    def _query_in(self, edition: Measured, dimension: Dimension) -> tuple[Query, NDArray[np.bool_]]:
        level, there = self.levels[dimension.name], edition.grid[dimension.name]
        wanted = dimension.level(level).codes
        known = next((one.codes for one in there.levels if one.name == level), ())
        if dimension.leaf.codes == there.leaf.codes and wanted == known:
            return level, np.zeros(len(wanted), dtype=np.bool_)
        rows, absent = np.zeros((len(wanted), len(there))), np.zeros(len(wanted), dtype=np.bool_)
        for at, code in enumerate(wanted):
            try:
                (codes,) = codes_of(edition, dimension.name, (code,), [*self.editions.values()])
                rows[at] = leaves(there, codes)
            except NotDerivableError:
                absent[at] = True
        return rows, absent

    def _scale(self, one: AcrossStatistic) -> Floats | float:
        """What values are multiplied by: for a rate, people by how many, in the cells of the table; for a daily figure, one
        by the days of the window, or of a row where a mean of rows is taken; else 1."""
        rate = next((d for d in self.release.derived if d.id == one.of), None)
        if rate is None:
            return 1.0
        if rate.kind == "daily":
            return 1 / (DAYS_OF_ROW[self.table.period] * (1 if one.kind == "mean" else one.periods))
        assert self.own.catalogue is not None
        people = population_of(self.own.grid, self.release, self.own.catalogue, self.levels, rate.population)
        dated = [i for i, d in enumerate(self.own.grid.dimensions) if d.kind == "date"]
        people = np.asarray(people.take(0, dated[0])) if dated else people
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(people > 0, rate.per / people, np.nan)

    def _placed(self, name: str, made: Sequence[Floats]) -> Estimate:
        """An estimate with the rows along the axis of time; a last axis more where there is none."""
        axis = next((i for i, d in enumerate(self.own.grid.dimensions) if d.kind == "date"), len(self.cells))
        value, unrounded, lower, upper, error = (np.moveaxis(one, 0, axis) for one in made)
        return Estimate(name, self.levels, value, unrounded, lower, upper, error)


def _signed(pair: Pair | None, signs: tuple[int, int]) -> Signed:
    """The windows of a pair that are asked for, with their signs; none where there is no pair or a window is missing."""
    if pair is None or (signs[1] and pair[1] is None):
        return ()
    return tuple((window, sign) for window, sign in zip(pair, signs, strict=True) if sign and window is not None)


def _weights(leaves: Sequence[Period], signed: Sequence[Signed]) -> tuple[Floats, NDArray[np.bool_]]:
    """Weights of an edition's leaves of time in each sum, and which sums have an end inside a leaf."""
    rows, cut = np.zeros((len(signed), len(leaves))), np.zeros(len(signed), dtype=np.bool_)
    starts, ends = (
        np.array([getattr(leaf, end) for leaf in leaves], dtype="datetime64[D]") for end in ("start", "end")
    )
    for number, parts in enumerate(signed):
        for (first, last), sign in parts:
            begin, stop = np.datetime64(first), np.datetime64(last)
            inside = (starts >= begin) & (ends <= stop)
            rows[number] += sign * inside
            cut[number] |= bool((~inside & (starts <= stop) & (ends >= begin)).any())
    return rows, cut


def _same(statistic: Statistic, release: Release) -> bool:
    """Whether a release measures the same under this name, so that figures add up."""
    there = next((s for s in release.statistics if s.id == statistic.id), None)
    return there is not None and (there.kind, there.column, there.lower, there.upper) == (
        statistic.kind,
        statistic.column,
        statistic.lower,
        statistic.upper,
    )
