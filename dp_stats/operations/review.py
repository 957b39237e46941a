"""Review a whole catalogue before anything runs: does every release plan, and does a year of editions fit the budget?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import combinations, product

from dp_stats import written
from dp_stats.catalogue import Catalogue, load_catalogue
from dp_stats.catalogue.accessibility import FILE as STATEMENT
from dp_stats.catalogue.accessibility import Accessibility, read_accessibility
from dp_stats.catalogue.places import same_records
from dp_stats.catalogue.postcodes import areas_of_postcodes, read_postcodes
from dp_stats.catalogue.shapes import read_shapes, rings_of_areas
from dp_stats.catalogue.spoken import unsaid
from dp_stats.errors import CatalogueError
from dp_stats.operations.agreements import review_agreements
from dp_stats.operations.year import ReleaseReview, YearOfBudget, review_release, year_of_budget, year_of_periods
from dp_stats.plan import make_sealed
from dp_stats.plan.series import differences, series_basis
from dp_stats.quality import find_suite
from dp_stats.rehearsal import Rehearsed, rehearse_once
from dp_stats.run import ledger_if_any
from dp_stats.settings import Settings

YEARLY = timedelta(days=366)
"""How long after a review of the accessibility statement the next one is due."""

FIRST_OF_OTHER_SCRIPTS = "\u0590"
"""Below are Latin, Greek and Cyrillic, which every font has that charts are written in."""


@dataclass(frozen=True)
class Review:
    """What a review found; errors are raised, so what is here is sound.

    ``warnings`` are those about the catalogue as a whole; each release's plan holds its own.
    """

    releases: tuple[ReleaseReview, ...]
    budgets: tuple[YearOfBudget, ...]
    warnings: tuple[str, ...]


def review_catalogue(settings: Settings) -> Review:
    """Check every declaration in the catalogue and that the year's editions fit each dataset's budget.

    Raises:
        CatalogueError: a declaration is wrong, or an expectations suite is missing. QualityError: a suite is empty or wrong.
        BudgetError: the scheduled releases of a dataset cost more than its budget in one block, or one edition does.
        AgreementError: an agreement has ended, or a dataset's budget or a plan is not within it.
    """
    catalogue = load_catalogue(settings.catalogue)
    for declared in read_postcodes(catalogue.folder):
        areas_of_postcodes(catalogue.folder, declared, catalogue.codes.values())
    for shapes in read_shapes(catalogue.folder):
        rings_of_areas(catalogue.folder, shapes, catalogue.codes.values())
    reviews = tuple(review_release(release, catalogue) for release in catalogue.releases.values())
    review_suites(settings, catalogue, reviews)
    rehearse_all(settings, catalogue, reviews)
    budgets = tuple(year_of_budget(dataset, reviews) for dataset in catalogue.datasets.values())
    warnings = [warning for budget in budgets for warning in budget.warnings]
    warnings += [
        f"Dataset '{name}' has no release."
        for name in catalogue.datasets
        if not any(r.dataset.id == name for r in reviews)
    ]
    plans = [r.sealed for r in reviews if r.dataset.agreement is not None]
    warnings += review_agreements(catalogue, plans, datetime.now(UTC).date())
    warnings += shared_sources(catalogue)
    warnings += ended_series(catalogue, settings)
    warnings += names_without_font(catalogue)
    warnings += unsaid_practice(catalogue)
    warnings += unsaid_accessibility(catalogue, datetime.now(UTC).date())
    warnings += unsaid_languages(catalogue, settings)
    return Review(reviews, budgets, tuple(warnings))


def review_suites(settings: Settings, catalogue: Catalogue, reviews: Iterable[ReleaseReview]) -> None:
    """Whether every dataset's suite can be run on what its releases will pull.

    Raises:
        CatalogueError: a suite is missing. QualityError: it is empty or wrong, or names an unknown column.
    """
    from dp_stats.secure.check import review_suite
    from dp_stats.secure.linked import try_steps

    periods = {r.dataset.id: year_of_periods(r.release)[0] for r in reviews}
    for name, dataset in catalogue.datasets.items():
        if name in periods and dataset.tables:
            try_steps(dataset, period=periods[name], settings=settings)
        if name in periods:
            review_suite(dataset, catalogue=catalogue, period=periods[name], settings=settings)
        else:
            find_suite(dataset.expectations, settings=settings)


def unsaid_practice(catalogue: Catalogue) -> list[str]:
    """Public releases that do not say what a code of practice for statistics asks for."""
    found = []
    for release in catalogue.releases.values():
        if release.audience != "public":
            continue
        said = {"contact": release.texts.contact, **release.texts.practice.model_dump()}
        missing = [name if name == "contact" else f"practice.{name}" for name, text in said.items() if not text.strip()]
        if missing:
            found.append(
                f"{release.id}: readers are not told {', '.join(missing)}. Say it in 'texts', or leave it if it does not apply."
            )
    return found


def unsaid_accessibility(catalogue: Catalogue, today: date) -> list[str]:
    """What the law has a publisher say in an accessibility statement and no declaration says, and a review that is overdue.

    Raises:
        CatalogueError: the declaration is broken.
    """
    declared = read_accessibility(catalogue.folder)
    if declared is None:
        if all(release.audience != "public" for release in catalogue.releases.values()):
            return []
        needed = ", ".join(name for name, field in Accessibility.model_fields.items() if field.is_required())
        return [
            f"{STATEMENT}: there is none, so the accessibility statement does not say who runs the site and when it was prepared. "
            f"Declare {needed} there."
        ]
    last = declared.reviewed or declared.prepared
    if last + YEARLY < today:
        return [f"{STATEMENT}: it was last reviewed on {last}. Review it once a year, and write the day in 'reviewed'."]
    return []


def unsaid_languages(catalogue: Catalogue, settings: Settings) -> list[str]:
    """Public releases that say less in a further language of the deployment than in the first."""
    found = [
        f"{name}: the release is called like the language '{name}', whose pages stand in the same folder. Call it otherwise."
        for name in catalogue.releases
        if name in settings.further_languages
    ]
    for language in settings.further_languages:
        for release in catalogue.releases.values():
            missing = list(unsaid(release, catalogue.dataset_of(release), language))
            if missing and release.audience == "public":
                found.append(
                    f"{release.id}: in '{language}', these are read in '{settings.language}': {', '.join(missing)}. Say them "
                    f"in 'texts.languages.{language}', those of the dataset in its 'languages.{language}'."
                )
    return found


def names_without_font(catalogue: Catalogue) -> list[str]:
    """Releases with names in a script that no font of this machine has: their PNG charts would show boxes."""
    found = []
    for release in catalogue.releases.values():
        grid = catalogue.grid(release, year_of_periods(release)[0])
        names = [n for d in grid.dimensions if d.kind == "code" for level in d.levels for n in level.names]
        names += [release.title, *(table.title for table in release.tables)]
        if max(map(max, filter(None, names)), default="") < FIRST_OF_OTHER_SCRIPTS:
            continue
        from dp_stats.charts.fonts import without_font

        if scripts := without_font(names):
            found.append(
                f"{release.id}: no font of this machine has the signs of {', '.join(scripts)}, so its PNG charts show boxes "
                "in their place; pages and SVG charts are written by the reader's browser. Install a font that has them "
                "(such as Debian's fonts-noto-cjk) where editions are published."
            )
    return found


def ended_series(catalogue: Catalogue, settings: Settings) -> list[str]:
    """Releases whose next edition would start a new series, because an edit has ended the one that was charged."""
    ledger = ledger_if_any(settings)
    if ledger is None:
        return []
    found = []
    for release in catalogue.releases.values():
        known = ledger.series(release.id, dataset=release.dataset, formerly=release.formerly) if release.series else []
        if not known:
            continue
        series = [k.series for k in known]
        plan = make_sealed(catalogue, release, year_of_periods(release)[0], known=series).plan
        if plan.series_hash not in {s.hash for s in series}:
            basis = series_basis(release, catalogue.dataset_of(release))
            changed = ", ".join(differences(series[0].basis, basis)) or "what must be measured"
            found.append(
                f"{release.id}: its next edition starts a new series, because of an edit ({changed}). A block that was "
                f"charged before ({', '.join(sorted(known[0].paid))}) is charged ρ = {written.rho(plan.rho)} again, which "
                "needs a yes (--new-series). Undo the edit to go on at no charge."
            )
    return found


def rehearse_all(settings: Settings, catalogue: Catalogue, reviews: Iterable[ReleaseReview]) -> None:
    """Try out the publication of every release on a dummy without rows (see ``dp_stats.rehearsal``).

    Raises:
        CatalogueError: naming every release that could not be published as declared.
    """
    from dp_stats.quality import check_published

    faults = []
    for one in reviews:
        period = year_of_periods(one.release)[0]
        try:
            check = partial(check_published, settings=settings, lowest=one.release.lowest)
            rehearse_once(Rehearsed(settings, catalogue, one.release, period, one.plan, check))
        except CatalogueError as error:
            faults.append(str(error))
    if faults:
        raise CatalogueError("\n".join(faults))


def shared_sources(catalogue: Catalogue) -> list[str]:
    """Datasets that read the same table: their budgets do not know of each other."""
    found = []
    for (one, first), (other, second) in combinations(catalogue.datasets.items(), 2):
        pairs = product(first.own_sources, second.own_sources)
        if any(same_records(mine, theirs, catalogue.folder) for mine, theirs in pairs):
            found.append(
                f"Datasets {one} and {other} read the same table, so the people in it have as many budgets. Declare one dataset."
            )
    return found
