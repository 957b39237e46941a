"""From a form to the release that would answer it: everything that can be refused before a ledger is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dp_stats import written
from dp_stats.catalogue import Catalogue, Dataset, Period, Release, read_catalogue
from dp_stats.catalogue.due import day_at
from dp_stats.catalogue.load import is_due
from dp_stats.errors import AgreementError, CatalogueError, NotDueError
from dp_stats.requests.asked_release import make_release, period_of_request
from dp_stats.requests.preflight import loss_for
from dp_stats.requests.questions import Question, read_question
from dp_stats.settings import Settings
from dp_stats.texts.words import Texts


@dataclass(frozen=True)
class Prepared:
    """A form that can be read, and the release that it becomes."""

    question: Question
    release: Release
    catalogue: Catalogue


def prepare(form: Mapping[str, Any], *, requested_by: str, settings: Settings) -> Prepared:
    """Check a form and work out the privacy loss it needs; nothing is kept.

    Raises:
        CatalogueError: the form is wrong, there are no records of the period, or no privacy loss gives the accuracy
            asked for. NotDueError: the period has not ended and settled. AgreementError: the agreement is not in force.
    """
    catalogue = read_catalogue(settings.catalogue)
    question = read_question(form, catalogue)
    require_agreement(catalogue.datasets[question.dataset], catalogue)
    texts = Texts.of(settings)
    loss = loss_for(question, catalogue, requested_by=requested_by, texts=texts)
    release = make_release(question, catalogue, requested_by=requested_by, loss=loss, texts=texts)
    period = catalogue.with_release(release).period(release, period_of_request(release))
    if not is_due(release, period, day_at(release, datetime.now(UTC))):
        raise NotDueError(
            f"period: {period.text} has not ended and settled yet. Ask after {release.settle_days} more days."
        )
    _require_records(catalogue.datasets[release.dataset], catalogue, period)
    return Prepared(question, release, catalogue)


def require_agreement(dataset: Dataset, catalogue: Catalogue) -> None:
    """Refuse to ask anything of records whose data-sharing agreement is not in force today.

    Raises:
        AgreementError: it is not.
    """
    agreement = catalogue.agreement_of(dataset)
    if agreement is not None and (why := list(agreement.why_not_on(datetime.now(UTC).date()))):
        raise AgreementError(
            f"Nothing may be asked of '{dataset.id}' today, by the agreement '{agreement.id}': {'; '.join(why)}. Nothing was "
            "charged. Its custodians know whether there will be a new version."
        )


def _require_records(dataset: Dataset, catalogue: Catalogue, period: Period) -> None:
    """Refuse a period that is not wholly within the days that are declared, or wholly outside those that releases publish."""
    like = catalogue.declared_of(dataset)
    ends = [r.end for r in like if r.end is not None]
    first = dataset.first_day or min((r.start for r in like), default=None)
    last = dataset.last_day or (max(ends) if like and len(ends) == len(like) else None)
    before = first is not None and (period.start if dataset.first_day else period.end) < first
    after = last is not None and (period.end if dataset.last_day else period.start) > last
    if before or after:
        known = f"from {written.day(first) if first else 'the beginning'} to {written.day(last) if last else 'today'}"
        raise CatalogueError(
            f"period: of {period.text} '{dataset.id}' has no records, or not of all of it. They are {known}. Ask for days "
            f"within them; if there are more, declare 'first_day' and 'last_day' in datasets/{dataset.id}.yaml."
        )
