"""What follows from editions that are published already, at no cost to anybody's privacy."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from statistics import median

from dp_stats.catalogue import Catalogue, Release, parse_period
from dp_stats.catalogue.due import period_at
from dp_stats.editions.facts import BREAK
from dp_stats.errors import NotDerivableError
from dp_stats.estimate.answer import Answer
from dp_stats.estimate.answer_breaks import Break
from dp_stats.estimate.answer_each import answer_each
from dp_stats.estimate.measured_edition import Measured
from dp_stats.files import plain_text
from dp_stats.ledger import Ledger, Reservation
from dp_stats.plan.expected import NORMAL_95
from dp_stats.requests.answers import measured_editions
from dp_stats.requests.asked_release import period_of_request

_Meaning = tuple[str, Fraction | None, Fraction | None]

Cell = tuple[str, ...]
"""A code of every breakdown, in the order of the table."""


@dataclass(frozen=True)
class FreeAnswer:
    """Figures that published editions of one release imply.

    Attributes:
        title: of that release. editions: those the figures are computed from.
        margin: half-width of a typical 95 % interval. figures: cell → its answer, in the order of the table.
    """

    release: str
    title: str
    editions: tuple[str, ...]
    margin: float
    figures: Mapping[Cell, Answer]

    @property
    def cells(self) -> int:
        """How many figures."""
        return len(self.figures)

    @property
    def breaks(self) -> tuple[Break, ...]:
        """Where boundaries changed within the period, of all figures."""
        return tuple(dict.fromkeys(one for figure in self.figures.values() for one in figure.breaks))


@dataclass(frozen=True, eq=False)
class _Source:
    """The published editions of one release that lie in the days asked for."""

    release: Release
    statistic: str
    names: dict[str, str]
    editions: tuple[Measured, ...]


def free_answer(
    asked: Release,
    catalogue: Catalogue,
    ledger: Ledger,
    *,
    only: Mapping[str, Collection[str]] | None = None,
) -> FreeAnswer | None:
    """The most accurate free answer to a request; None if there is none.

    Args:
        only: column → codes; a column that is left out is answered for all its codes.
    """
    best: FreeAnswer | None = None
    if asked.derived:
        return None  # a mean or a rate is measured, not added up from cells
    for source in _sources(asked, catalogue, ledger):
        try:
            figures = _figures(asked, source, catalogue, only or {})
        except NotDerivableError:
            continue
        margin = NORMAL_95 * median(a.standard_error for a in figures.values())
        if best is None or margin < best.margin:
            editions = tuple(dict.fromkeys(e for a in figures.values() for e in a.editions))
            best = FreeAnswer(source.release.id, source.release.title, editions, margin, figures)
    return best


def free_table(found: FreeAnswer, asked: Release, catalogue: Catalogue) -> str:
    """A free answer as CSV text: a code and a name per breakdown, the period asked for, value, interval, unrounded value, and
    ``b`` where boundaries changed within the period."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    breakdowns = _breakdowns(asked, catalogue, {})
    heads = [head for name in breakdowns for head in (f"{name}_code", name)]
    writer.writerow([*heads, "period", "value", "lower_95", "upper_95", "value_unbiased", "status"])
    for cell, figure in found.figures.items():
        pairs = [(code, breakdowns[name][code]) for name, code in zip(breakdowns, cell, strict=True)]
        labels = [plain_text(label) for pair in pairs for label in pair]
        numbers = (figure.value, figure.lower, figure.upper, figure.unrounded)
        written = (f"{number + 0.0:.10g}" for number in numbers)
        writer.writerow([*labels, period_of_request(asked), *written, BREAK if figure.breaks else ""])
    return text.getvalue()


def _breakdowns(asked: Release, catalogue: Catalogue, only: Mapping[str, Collection[str]]) -> dict[str, dict[str, str]]:
    """Dimension → code → name, of every cell asked for."""
    grid = catalogue.with_release(asked).grid(asked, period_at(asked, asked.start))
    found = {}
    for name, level_name in asked.tables[0].levels.items():
        level, wanted = grid[name].level(level_name), only.get(grid[name].column)
        names = zip(level.codes, level.names, strict=True)
        found[name] = {code: text for code, text in names if wanted is None or code in wanted}
    return found


def _figures(
    asked: Release, source: _Source, catalogue: Catalogue, only: Mapping[str, Collection[str]]
) -> dict[Cell, Answer]:
    """Every figure: the calendar is asked part by part, all other cells at once."""
    period = period_at(asked, asked.start)
    breakdowns = _breakdowns(asked, catalogue, only)
    columns = {d.name: d.column for d in asked.dimensions}
    dates = catalogue.datasets[asked.dataset].date_column
    calendar = next((name for name in breakdowns if columns[name] == dates), None)
    cells: dict[str, tuple[str, ...]] = {}
    for name in breakdowns:
        if name != calendar:
            if columns[name] not in source.names:
                raise NotDerivableError(
                    f"Not derivable: '{source.release.id}' has no '{name}'. A new release would have to measure it."
                )
            cells[source.names[columns[name]]] = tuple(breakdowns[name])
    found: dict[Cell, Answer] = {}
    for part in breakdowns[calendar] if calendar else ("",):
        days = parse_period(part) if part else period
        answers = answer_each(source.editions, source.statistic, cells=cells, start=days.start, end=days.end)
        for codes, figure in zip(product(*cells.values()), answers, strict=True):
            left = iter(codes)
            found[tuple(part if name == calendar else next(left) for name in breakdowns)] = figure
    return {cell: found[cell] for cell in product(*breakdowns.values())}


def _sources(asked: Release, catalogue: Catalogue, ledger: Ledger) -> Iterator[_Source]:
    """The public editions of each other release of the dataset, as their sealed plans declare them.

    Editions of one release that measure the statistic differently are different sources.
    """
    wanted, period = asked.statistics[0], period_at(asked, asked.start)
    made: dict[str, list[Reservation]] = {}
    reservations = ledger.reservations(asked.dataset)
    now = _names(reservations, ledger)
    for reservation in reservations:
        if reservation.release != asked.id:
            made.setdefault(now.get(reservation.release, reservation.release), []).append(reservation)
    for of_release in made.values():
        alike: dict[tuple[_Meaning, tuple[tuple[str, str], ...]], list[Measured]] = {}
        for found in measured_editions(of_release, ledger=ledger, start=period.start, end=period.end, today=catalogue):
            same = [s for s in found.release.statistics if (s.kind, s.column) == (wanted.kind, wanted.column)]
            if same and found.release.audience == "public":
                names = tuple((d.column, d.name) for d in found.release.dimensions)
                meaning = (same[0].id, same[0].lower, same[0].upper)
                alike.setdefault((meaning, names), []).append(found)
        for ((statistic, _, _), names), editions in alike.items():
            yield _Source(editions[-1].release, statistic, dict(names), tuple(editions))


def _names(reservations: Sequence[Reservation], ledger: Ledger) -> dict[str, str]:
    """Former name of a release → its name now."""
    last = {one.release: one for one in reservations if one.state == "stored" and one.aside}
    return {name: one.release for one in last.values() for name in ledger.sealed(one).release.formerly}
