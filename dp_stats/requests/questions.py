"""What an analyst asks: the form's fields checked, and the breakdowns and groups that they name.

A request's id is a digest of what is asked and by whom, so asking the same again finds the same
release, plan, approval and measurements, and costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dp_stats.catalogue import Catalogue, Dataset, parse_period
from dp_stats.catalogue.asked import asked_name
from dp_stats.catalogue.load import cause_of
from dp_stats.catalogue.models import (
    SMALLEST_EPSILON,
)
from dp_stats.errors import CatalogueError
from dp_stats.files import require_printable
from dp_stats.requests.selection import chosen_codes

Counted = Literal["count", "persons", "sum", "mean", "rate"]
STATISTICS: tuple[Counted, ...] = get_args(Counted)
OF_A_COLUMN = ("sum", "mean")
"""Statistics of a column of numbers, between bounds."""
MEASURED: Mapping[str, tuple[Literal["count", "persons", "sum"], ...]] = {"mean": ("sum", "count"), "rate": ("count",)}
"""What is measured for a statistic that is computed from others."""
LARGEST_REQUESTED_EPSILON = 20.0
SHORTEST_PURPOSE = 15
LARGEST_NUMBER = 1e12
"""Bounds and margins beyond it are slips of the hand."""
SAY = "Say in a sentence what the figures are needed for"


class Question(BaseModel):
    """The form, as the analyst filled it in; ``epsilon`` or ``margin`` is set, the other is None."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    dataset: str
    statistic: Counted = "count"
    column: str | None = None
    lower: float | None = Field(None, ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)
    upper: float | None = Field(None, ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)
    by: tuple[str, ...] = Field((), description="Breakdowns, each DATASET/COLUMN/LEVEL or COLUMN/LEVEL.")
    period: str
    epsilon: float | None = Field(None, ge=float(SMALLEST_EPSILON), le=LARGEST_REQUESTED_EPSILON)
    margin: float | None = Field(None, gt=0, le=LARGEST_NUMBER)
    rows: int | None = Field(None, ge=1, le=1000)
    purpose: str = Field(min_length=SHORTEST_PURPOSE, max_length=2000)
    audience: Literal["public", "restricted"] = "public"
    free: Literal["enough", "always", "never"] = "enough"
    agreed_purpose: str | None = Field(
        None, description="Which agreed purpose it is for.", exclude_if=lambda purpose: purpose is None
    )
    only: tuple[str, ...] = Field((), description="Codes or names of the areas and bands that are handed over.")

    @field_validator("only", mode="before")
    @classmethod
    def _lines(cls, value: Any) -> Any:
        """A text has one code or name a line."""
        return tuple(line.strip() for line in value.splitlines() if line.strip()) if isinstance(value, str) else value

    @field_validator("purpose", mode="before")
    @classmethod
    def _spaces(cls, value: Any) -> Any:
        """A space that does not break a line, as word processors make, is a space."""
        return value.replace("\u00a0", " ") if isinstance(value, str) else value

    @field_validator("purpose")
    @classmethod
    def _purpose(cls, value: str) -> str:
        if len(" ".join(value.split())) < SHORTEST_PURPOSE:
            raise ValueError(f"is too short. {SAY}")
        require_printable(value)
        return value

    @model_validator(mode="after")
    def _one_goal(self) -> Question:
        if (self.epsilon is None) == (self.margin is None):
            raise ValueError("fill in either the privacy loss ε or the accuracy you need, and leave the other empty")
        return self

    @model_validator(mode="after")
    def _numbers(self) -> Question:
        """A sum or mean says of which numbers; nothing else does, as it would be left out without a word."""
        given = [name for name in ("column", "lower", "upper") if getattr(self, name) is not None]
        if self.statistic in OF_A_COLUMN and len(given) < 3:
            raise ValueError(
                f"a {self.statistic} needs the column of numbers, and the smallest and the largest number that count"
            )
        if self.statistic not in OF_A_COLUMN and given:
            raise ValueError(f"a {self.statistic} is of no column: leave {', '.join(given)} empty")
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
        raise CatalogueError("The request cannot be read:\n" + "\n".join(fault_in(f) for f in error.errors())) from None
    if question.dataset not in catalogue.datasets:
        if catalogue.broken_file("datasets", question.dataset):
            raise CatalogueError(
                f"dataset: the declaration of '{question.dataset}' is broken. Ask again when it is mended."
            )
        raise CatalogueError(f"dataset: there is no '{question.dataset}'. There are: {', '.join(catalogue.datasets)}.")
    chosen(question, catalogue)
    if question.statistic == "rate" and breakdowns(question, catalogue).keys().isdisjoint(
        populated(catalogue, question.dataset)
    ):
        raise CatalogueError(
            "statistic: a rate is per so many people who live there, so it needs a breakdown by areas whose list has a column "
            "'population'. Choose one, or ask for the number of records."
        )
    if parse_period(question.period).kind == "4-week":
        raise CatalogueError(f"period: write the days of {question.period} as a range, 2021-01-01--2021-01-28.")
    return question


def fault_in(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    known = ", ".join(Question.model_fields)
    texts = {
        "extra_forbidden": f"there is no such field. The fields are: {known}",
        "missing": "is missing. Fill it in",
        "string_too_short": f"is too short. {SAY}",
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
    for spec in (spec for release in catalogue.declared_of(dataset) for spec in release.dimensions):
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


def populated(catalogue: Catalogue, dataset: str) -> tuple[str, ...]:
    """The columns of a dataset whose code lists say how many people live where."""
    columns = catalogue.datasets[dataset].columns
    return tuple(
        name
        for name, column in columns.items()
        if column.codes and "population" in catalogue.codes[column.codes].header
    )


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
    known = catalogue.on(parse_period(question.period).end) if question.only else catalogue
    return chosen_codes(question.only, breakdowns(question, catalogue), dataset=dataset, catalogue=known)


def request_id(question: Question, *, requested_by: str) -> str:
    """The id of the release that answers a question of this analyst; see ``asked_name``."""
    return asked_name(question.model_dump(mode="json"), requested_by=requested_by)
