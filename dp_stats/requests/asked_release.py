"""The release that an analyst's question becomes: one table of one statistic, declared as any other."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from pydantic import ValidationError

from dp_stats.catalogue import Catalogue, Dataset, Period, Release, parse_period
from dp_stats.catalogue.calendar import ISO, TIME_LEVELS, Calendar
from dp_stats.catalogue.due import period_at
from dp_stats.catalogue.models import (
    Contribution,
    Derived,
    DimensionSpec,
    PrivacyLoss,
    ReleaseTexts,
    Statistic,
    Table,
)
from dp_stats.errors import CatalogueError
from dp_stats.requests.questions import MEASURED, Question, breakdowns, fault_in, levels_of, request_id
from dp_stats.texts.words import Texts

TABLE = "answer"
UNLINKED = "unlinked"
"""The statistic, and its table, of rows that did not link."""

_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365, "financial-year": 365}
"""About how long a period is, for a guess of how many rows it has."""


def make_release(
    question: Question, catalogue: Catalogue, *, requested_by: str, loss: PrivacyLoss, texts: Texts
) -> Release:
    """The release that answers a question at a privacy ``loss``, titled in the words of ``texts``.

    Raises:
        CatalogueError: the question does not fit the dataset.
    """
    dataset = catalogue.datasets[question.dataset]
    period = parse_period(question.period)
    chosen = breakdowns(question, catalogue)
    known = levels_of(catalogue, dataset)
    like = catalogue.declared_of(dataset)
    titles = {spec.column: (spec.name, spec.title) for r in like for spec in r.dimensions}
    names = {column: titles.get(column, (column, ""))[0] for column in chosen}
    # Without a breakdown one number is asked for; the calendar is there to be summed over.
    columns = chosen or {dataset.date_column: ""}
    dimensions = tuple(
        DimensionSpec(
            name=titles.get(column, (column, ""))[0],
            column=column,
            title=titles.get(column, ("", ""))[1],
            levels=tuple(x for x in known[column] if x in _levels_in(period) or column != dataset.date_column),
        )
        for column in columns
    )
    unlinked = _unlinked(question, dataset, like, texts)
    title = _title(question, dataset, [(names[column], level) for column, level in chosen.items()], period, texts)
    content = {
        "id": request_id(question, requested_by=requested_by),
        "title": title[:200],
        "dataset": dataset.id,
        "period": period.kind,
        "start": period.start,
        "end": period.end,
        "calendar": _calendar(period, like),
        "settle_days": max((r.settle_days for r in like), default=0),
        "dimensions": dimensions,
        "statistics": (*_statistics(question, like, period, texts), *unlinked),
        "derived": _derived(question, like, texts),
        "tables": (
            Table(
                id=TABLE,
                title=title[:200],
                levels={names[c]: level for c, level in chosen.items()},
                statistics=(question.statistic,),
            ),
            *(Table(id=one.id, title=one.title, levels={}, statistics=(one.id,)) for one in unlinked),
        ),
        "contribution": _contribution(question, like),
        "privacy_loss": loss,
        "series": False,
        "audience": question.audience,
        "requested_by": requested_by,
        "purpose": question.purpose,
        "agreed_purpose": question.agreed_purpose,
        "texts": ReleaseTexts(
            summary=texts("request.summary", title=title),
            public_benefit=question.purpose,
            publisher=like[0].texts.publisher if like else dataset.custodians[0].name,
            contact=like[0].texts.contact if like else (dataset.custodians[0].email or ""),
        ),
    }
    try:
        release = Release.model_validate(content)
    except ValidationError as error:
        raise CatalogueError(
            "The request does not make a release:\n" + "\n".join(fault_in(f) for f in error.errors())
        ) from None
    return catalogue.with_release(release).release(release.id)


def _calendar(period: Period, like: Sequence[Release]) -> Calendar:
    """The calendar of the dataset's releases where it has the period, else one that has."""
    known = (release.calendar for release in like)
    if period.kind == "range":
        return next(known, ISO)
    return next((c for c in known if c.period_of(period.start, period.kind) == period), Calendar.of(period))


def _levels_in(period: Period) -> tuple[str, ...]:
    """Levels of time that fit into a period."""
    within = {
        "day": ("day",),
        "week": ("day", "week"),
        "month": ("day", "week", "month"),
        "quarter": ("day", "week", "month", "quarter"),
    }
    return within.get(period.kind, TIME_LEVELS)


def _title(question: Question, dataset: Dataset, by: Sequence[tuple[str, str]], period: Period, texts: Texts) -> str:
    what = texts(f"request.what.{question.statistic}", dataset=dataset.title, column=question.column or "")
    when = texts.period(period.label)
    groups = texts.listed(texts("request.group", name=name, level=level) for name, level in by)
    return (
        texts("request.title_by", what=what, by=groups, when=when)
        if by
        else texts("request.title", what=what, when=when)
    )


def _statistics(question: Question, like: list[Release], period: Period, texts: Texts) -> tuple[Statistic, ...]:
    """What is measured: the statistic itself, or what a mean or a rate is computed from."""
    measured = MEASURED.get(question.statistic) or (question.statistic,)
    return tuple(_statistic(kind, question, like, period, texts) for kind in measured)  # type: ignore[arg-type]


def _statistic(
    kind: Literal["count", "persons", "sum"], question: Question, like: list[Release], period: Period, texts: Texts
) -> Statistic:
    total = kind == "sum"
    column = question.column if total else None
    declared = [(s, r) for r in like for s in r.statistics if (s.kind, s.column) == (kind, column)]
    expected = None
    if declared and declared[0][0].expected_total:
        days = _DAYS.get(declared[0][1].period)
        expected = declared[0][0].expected_total * len(period.days) / days if days else None
    return Statistic(
        id=kind,
        kind=kind,
        title=declared[0][0].title if declared else texts(f"request.statistic.{kind}"),
        unit=declared[0][0].unit if declared else "",
        column=column,
        lower=Fraction(str(question.lower)) if total and question.lower is not None else None,
        upper=Fraction(str(question.upper)) if total and question.upper is not None else None,
        resolution=declared[0][0].resolution if declared else Fraction(1),
        expected_total=expected,
    )


def _unlinked(question: Question, dataset: Dataset, like: list[Release], texts: Texts) -> tuple[Statistic, ...]:
    """How many rows did not link, which every release of a linked dataset tells beside its figures; nothing of one that is not."""
    column = dataset.unlinked
    if column is None or (question.column, question.lower, question.upper) == (column, 0, 1):
        return ()
    declared = next((s for r in like for s in r.statistics if s.column == column), None)
    if declared is not None:
        return (declared.model_copy(update={"id": UNLINKED}),)
    title = texts("request.statistic.unlinked")
    return (Statistic(id=UNLINKED, kind="sum", title=title, column=column, lower=Fraction(0), upper=Fraction(1)),)


def _derived(question: Question, like: list[Release], texts: Texts) -> tuple[Derived, ...]:
    """A mean or a rate, as the dataset's releases declare one if they do."""
    title = texts(f"request.statistic.{question.statistic}")
    if question.statistic == "mean":
        return (Derived(id="mean", kind="mean", of="sum", over="count", title=title),)
    if question.statistic == "rate":
        known = (d for r in like for d in r.derived if d.kind == "rate")
        counts = {s.id for r in like for s in r.statistics if s.kind == "count"}
        own = next((d for d in known if d.of in counts), None)
        if own is not None:
            return (own.model_copy(update={"id": "rate", "of": "count"}),)
        unit = texts("request.per_people", count=texts.number(100_000))
        return (Derived(id="rate", kind="rate", of="count", title=title, unit=unit),)
    return ()


def _contribution(question: Question, like: list[Release]) -> Contribution:
    if like and question.rows in (None, like[0].contribution.rows):
        return like[0].contribution
    return Contribution.model_validate({"rows": question.rows or 1})


def period_of_request(release: Release) -> str:
    """The label of the one period a request is about."""
    return period_at(release, release.start).label
