"""Ad hoc requests: what an analyst fills in, checked and turned into a release, and kept as a declaration.

A request's id is a digest of what is asked and by whom, so asking the same again finds the same
release, plan, approval and measurements, and costs nothing.
"""

from __future__ import annotations

import json
from base64 import b32encode
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dp_stats.catalogue import Catalogue, Dataset, Period, Release, parse_period, yaml
from dp_stats.catalogue.load import cause_of, read_model
from dp_stats.catalogue.models import (
    SMALLEST_EPSILON,
    Contribution,
    DimensionSpec,
    PrivacyLoss,
    ReleaseTexts,
    Statistic,
    Table,
)
from dp_stats.errors import CatalogueError
from dp_stats.files import replace_file
from dp_stats.requests.selection import chosen_codes
from dp_stats.settings import Settings
from dp_stats.texts.words import Texts

TABLE = "answer"
STATISTICS = ("count", "persons", "sum")
LARGEST_REQUESTED_EPSILON = 20.0
LARGEST_NUMBER = 1e12
"""Bounds and margins beyond it are slips of the hand."""


class Question(BaseModel):
    """The form, as the analyst filled it in; ``epsilon`` or ``margin`` is set, the other is None."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    dataset: str
    statistic: Literal["count", "persons", "sum"] = "count"
    column: str | None = None
    lower: float | None = Field(None, ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)
    upper: float | None = Field(None, ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)
    by: tuple[str, ...] = Field((), description="Breakdowns, each DATASET/COLUMN/LEVEL or COLUMN/LEVEL.")
    period: str
    epsilon: float | None = Field(None, ge=float(SMALLEST_EPSILON), le=LARGEST_REQUESTED_EPSILON)
    margin: float | None = Field(None, gt=0, le=LARGEST_NUMBER)
    rows: int | None = Field(None, ge=1, le=1000)
    purpose: str = Field(min_length=15, max_length=2000)
    audience: Literal["public", "restricted"] = "public"
    free: Literal["enough", "always", "never"] = "enough"
    only: tuple[str, ...] = Field((), description="Codes or names of the areas and bands that are handed over.")

    @field_validator("only", mode="before")
    @classmethod
    def _lines(cls, value: Any) -> Any:
        """A text has one code or name a line."""
        return tuple(line.strip() for line in value.splitlines() if line.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_goal(self) -> Question:
        if (self.epsilon is None) == (self.margin is None):
            raise ValueError("fill in either the privacy loss ε or the accuracy you need, and leave the other empty")
        return self


def read_question(form: Mapping[str, Any], catalogue: Catalogue) -> Question:
    """Check a form's values; empty fields count as left out.

    Raises:
        CatalogueError: every fault at once, each with its field and what to write instead.
    """
    content = {name: value for name, value in form.items() if value not in (None, "", [])}
    try:
        question = Question.model_validate(content)
    except ValidationError as error:
        raise CatalogueError("The request cannot be read:\n" + "\n".join(_fault(f) for f in error.errors())) from None
    if question.dataset not in catalogue.datasets:
        if catalogue.why_broken("datasets", question.dataset):
            raise CatalogueError(
                f"dataset: the declaration of '{question.dataset}' is broken. Ask again when it is mended."
            )
        raise CatalogueError(f"dataset: there is no '{question.dataset}'. There are: {', '.join(catalogue.datasets)}.")
    chosen(question, catalogue)
    parse_period(question.period)
    return question


def _fault(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    known = ", ".join(Question.model_fields)
    texts = {
        "extra_forbidden": f"there is no such field. The fields are: {known}",
        "missing": "is missing. Fill it in",
        "string_too_short": "is too short. Say in a sentence what the figures are needed for",
        "less_than_equal": f"must be at most {fault.get('ctx', {}).get('le')}",
        "greater_than_equal": f"must be at least {fault.get('ctx', {}).get('ge')}",
        "finite_number": "must be an ordinary number",
        "greater_than": f"must be above {fault.get('ctx', {}).get('gt')}",
    }
    message = texts.get(fault["type"], cause_of(fault))
    return f"  {place + ': ' if place else ''}{message}."


def levels_of(catalogue: Catalogue, dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """The columns of a dataset that statistics can be broken down by, each with its levels, finest first.

    Names of levels are those the dataset's declared releases use; other columns take those of their code list.
    """
    found: dict[str, tuple[str, ...]] = {}
    for release in catalogue.releases.values():
        if release.dataset == dataset.id and not release.adhoc:
            for spec in release.dimensions:
                if spec.levels:
                    longest = max(found.get(spec.column, ()), spec.levels, key=len)
                    found[spec.column] = tuple(level for level in longest if level != "all")
    for name, column in dataset.columns.items():
        if name in found:
            continue
        if column.codes is not None:
            header = catalogue.codes[column.codes].header
            found[name] = ("code", *(level for level in header if f"{level}_name" in header))
        elif column.type == "date":
            found[name] = ("day", "week", "month", "year")
    return found


def breakdowns(question: Question, catalogue: Catalogue) -> dict[str, str]:
    """Column → level, as asked.

    Raises:
        CatalogueError: a breakdown is of another dataset, unknown, or its column stands twice.
    """
    dataset = catalogue.datasets[question.dataset]
    known = levels_of(catalogue, dataset)
    chosen: dict[str, str] = {}
    for entry in question.by:
        parts = entry.split("/")
        if len(parts) == 3 and parts[0] != dataset.id:
            raise CatalogueError(f"by: '{entry}' belongs to dataset '{parts[0]}'. Choose breakdowns of '{dataset.id}'.")
        column, level = parts[-2:] if len(parts) in (2, 3) else ("", "")
        if level not in known.get(column, ()):
            options = ", ".join(f"{name}/{level}" for name, levels in known.items() for level in levels)
            raise CatalogueError(f"by: there is no breakdown '{entry}'. Choose from {options}.")
        if column in chosen:
            raise CatalogueError(f"by: '{column}' is chosen at two levels. Choose one; ask for the other separately.")
        chosen[column] = level
    return chosen


def chosen(question: Question, catalogue: Catalogue) -> dict[str, frozenset[str]]:
    """Column → the codes asked for, where not all are (see ``adhoc.chosen``)."""
    dataset = catalogue.datasets[question.dataset]
    return chosen_codes(question.only, breakdowns(question, catalogue), dataset=dataset, catalogue=catalogue)


def request_id(question: Question, *, requested_by: str) -> str:
    """The id of the release that answers a question of this analyst: 130 bits of all that the form says.

    Purpose, audience and what is handed over are part of it, so that a request approved for one purpose cannot
    stand for another.
    """
    asked = question.model_dump(mode="json")
    asked["by"] = sorted("/".join(entry.split("/")[-2:]) for entry in question.by)
    asked["only"] = sorted(question.only)
    text = json.dumps({**asked, "requested_by": requested_by}, sort_keys=True, separators=(",", ":"))
    return f"adhoc-{b32encode(sha256(text.encode()).digest()).decode().lower()[:26]}"


def make_release(
    question: Question, catalogue: Catalogue, *, requested_by: str, epsilon: Fraction, texts: Texts
) -> Release:
    """The release that answers a question at a privacy loss of ``epsilon``, titled in the words of ``texts``.

    Raises:
        CatalogueError: the question does not fit the dataset.
    """
    dataset = catalogue.datasets[question.dataset]
    period = parse_period(question.period)
    chosen = breakdowns(question, catalogue)
    known = levels_of(catalogue, dataset)
    like = [r for r in catalogue.releases.values() if r.dataset == dataset.id and not r.adhoc]
    titles = {spec.column: (spec.name, spec.title) for r in like for spec in r.dimensions}
    names = {column: titles.get(column, (column, ""))[0] for column in chosen}
    # Without a breakdown one number is asked for; the calendar is there to be summed over.
    columns = chosen or {dataset.date_column: ""}
    dimensions = tuple(
        DimensionSpec(
            name=titles.get(column, (column, ""))[0],
            column=column,
            title=titles.get(column, ("", ""))[1],
            levels=tuple(x for x in known[column] if x in _calendar(period) or column != dataset.date_column),
        )
        for column in columns
    )
    title = _title(question, dataset, [(names[column], level) for column, level in chosen.items()], period, texts)
    content = {
        "id": request_id(question, requested_by=requested_by),
        "title": title[:200],
        "dataset": dataset.id,
        "period": period.kind,
        "start": period.start,
        "end": period.end,
        "settle_days": max((r.settle_days for r in like), default=0),
        "dimensions": dimensions,
        "statistics": (_statistic(question, like, period, texts),),
        "tables": (
            Table(
                id=TABLE,
                title=title[:200],
                levels={names[c]: level for c, level in chosen.items()},
                statistics=(question.statistic,),
            ),
        ),
        "contribution": _contribution(question, like),
        "privacy_loss": PrivacyLoss(epsilon=epsilon, delta=None, rho=None),
        "series": False,
        "audience": question.audience,
        "requested_by": requested_by,
        "purpose": question.purpose,
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
            "The request does not make a release:\n" + "\n".join(_fault(f) for f in error.errors())
        ) from None
    return catalogue.with_release(release).release(release.id)


def _calendar(period: Period) -> tuple[str, ...]:
    """Levels of time that fit into a period."""
    within = {"day": ("day",), "week": ("day", "week"), "month": ("day", "week", "month")}
    return within.get(period.kind, ("day", "week", "4-week", "month", "year"))


def _title(question: Question, dataset: Dataset, by: Sequence[tuple[str, str]], period: Period, texts: Texts) -> str:
    what = texts(f"request.what.{question.statistic}", dataset=dataset.title, column=question.column or "")
    when = texts.period(period.label)
    groups = texts.listed(texts("request.group", name=name, level=level) for name, level in by)
    return (
        texts("request.title_by", what=what, by=groups, when=when)
        if by
        else texts("request.title", what=what, when=when)
    )


def _statistic(question: Question, like: list[Release], period: Period, texts: Texts) -> Statistic:
    declared = [
        (s, r) for r in like for s in r.statistics if s.kind == question.statistic and s.column == question.column
    ]
    expected = None
    if declared and declared[0][0].expected_total:
        days = {"day": 1, "week": 7, "month": 30, "year": 365}.get(declared[0][1].period)
        expected = declared[0][0].expected_total * len(period.days) / days if days else None
    total = question.statistic == "sum"
    return Statistic(
        id=question.statistic,
        kind=question.statistic,
        title=declared[0][0].title if declared else texts(f"request.statistic.{question.statistic}"),
        unit=declared[0][0].unit if declared else "",
        column=question.column if total else None,
        lower=Fraction(str(question.lower)) if total and question.lower is not None else None,
        upper=Fraction(str(question.upper)) if total and question.upper is not None else None,
        resolution=declared[0][0].resolution if declared else Fraction(1),
        expected_total=expected,
    )


def _contribution(question: Question, like: list[Release]) -> Contribution:
    if like and question.rows in (None, like[0].contribution.rows):
        return like[0].contribution
    return Contribution.model_validate({"rows": question.rows or 1})


def save_request(release: Release, question: Question, settings: Settings) -> Path:
    """Keep a request: the release as a declaration, and the form beside it."""
    settings.requests.mkdir(parents=True, exist_ok=True)
    path = settings.requests / f"{release.id}.yaml"
    content = json.loads(release.model_dump_json(exclude_defaults=True, by_alias=True))
    replace_file(path.with_suffix(".form.json"), question.model_dump_json(indent=1).encode())
    replace_file(path, yaml.write(content).encode())
    return path


def load_request(name: str, settings: Settings) -> tuple[Release, Question]:
    """A request that was kept.

    Raises:
        CatalogueError: there is none of that id, or its files are not what was asked under it.
    """
    path = settings.requests / f"{name}.yaml"
    if not path.exists():
        raise CatalogueError(f"There is no request '{name}'. Ask again with the form.")
    form = path.with_suffix(".form.json")
    try:
        question = Question.model_validate_json(form.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CatalogueError(f"{form} is missing or cannot be read. Ask again with the form.") from None
    release = read_model(path, Release)
    if request_id(question, requested_by=release.requested_by or "") != name or release.id != name:
        raise CatalogueError(f"The request '{name}' is not the form that was filled in under this id. Ask again.")
    return release, question


def period_of_request(release: Release) -> str:
    """The label of the one period a request is about."""
    end: date = release.end or release.start
    if release.period == "range":
        return f"{release.start}--{end}"
    from dp_stats.catalogue.periods import period_of

    return period_of(release.start, release.period).label
