"""Which published editions may still get late rows: a window closes when the edition that ends it is published.

It closes whatever became of the editions between, and under whatever name they were published: where areas changed, where
the release was renamed, where one was retracted. So what is provisional is final by the day that its page tells.
"""

from __future__ import annotations

from datetime import date

from dp_stats.catalogue import parse_period
from dp_stats.catalogue.due import open_since
from dp_stats.editions.description import made_of
from dp_stats.ledger import Ledger
from dp_stats.run import Run


def names_of(run: Run) -> tuple[str, ...]:
    """The release of a run, under its name and those that it had before."""
    return run.release.id, *run.release.formerly


def open_from(run: Run, ledger: Ledger) -> date:
    """The first day of the periods to which late rows may still be added, once an edition is published."""
    published = {p.edition for p in ledger.publications() if p.edition.startswith(f"{run.release.id}/")}
    newest = max(published, key=_start, default=run.edition)
    made = ledger.latest(newest) if _start(newest) > run.period.start else None
    if made is None or not made.aside:
        return open_since(run.release, run.period)
    sealed = ledger.sealed(made)
    return open_since(sealed.release, sealed.period)


def is_open(period_label: str, since: date) -> bool:
    """Whether late rows may still be added to a period."""
    return parse_period(period_label).end >= since


def left_open(run: Run, ledger: Ledger, *, since: date) -> list[tuple[str, int]]:
    """Edition and number of each revision that is in use and provisional though its window is over, in order of time."""
    found = [
        (edition, number)
        for edition, (number, document) in ledger.in_use(names_of(run)).items()
        if not is_open(edition.partition("/")[2], since) and made_of(document).facts.status == "provisional"
    ]
    return sorted(found, key=lambda one: _start(one[0]))


def _start(edition: str) -> date:
    return parse_period(edition.partition("/")[2]).start
