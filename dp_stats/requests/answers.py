"""Answers at no cost: what the editions of a release that have been measured already imply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from dp_stats.catalogue import Catalogue, Release, parse_period
from dp_stats.errors import CatalogueError
from dp_stats.estimate.answer import Answer, Measured, answer
from dp_stats.ledger import Ledger
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.run import load_catalogue_with
from dp_stats.settings import Settings


def answer_question(
    release: str,
    statistic: str,
    *,
    where: Mapping[str, Sequence[str]],
    start: date | None,
    end: date | None,
    settings: Settings,
) -> Answer:
    """The best estimate of a statistic over a set of cells, from stored measurements alone.

    Raises:
        CatalogueError: there is no such release. NotDerivableError: what has been measured does not tell.
    """
    catalogue = load_catalogue_with(release, settings)
    declared = catalogue.release(release)
    ledger = Ledger.open(settings.ledger_url, read_only=True)
    editions = list(measured_editions(declared, catalogue, settings=settings, ledger=ledger, start=start, end=end))
    return answer(editions, statistic, where=where, start=start, end=end, catalogue=catalogue)


def measured_editions(
    release: Release,
    catalogue: Catalogue,
    *,
    settings: Settings,
    ledger: Ledger,
    start: date | None = None,
    end: date | None = None,
) -> Iterator[Measured]:
    """The published editions of a release with days from ``start`` to ``end``, each at its last revision."""
    known = catalogue.with_release(release)
    for folder in sorted((settings.work / release.id).glob("*/")):
        try:
            period = parse_period(folder.name)
        except CatalogueError:  # not a period's folder
            continue
        if (start and period.end < start) or (end and period.start > end):
            continue
        edition = f"{release.id}/{folder.name}"
        for revision in sorted((int(r.name[1:]) for r in folder.glob("r[0-9]*")), reverse=True):
            stored = ledger.measurements(edition, revision)
            plan_file = folder / f"r{revision}" / "plan.json"
            if stored is None or not plan_file.exists() or ledger.publication(edition, revision) is None:
                continue
            plan = Plan.model_validate_json(plan_file.read_bytes())
            noisy = NoisyMeasurements.from_bytes(stored.stored, plan=plan)
            yield Measured(plan, known.grid(release, period), release, noisy)
            break
