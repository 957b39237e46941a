"""A declared release: what is published of a dataset, when, for whom, and at which privacy loss."""

from __future__ import annotations

import math
from datetime import date
from fractions import Fraction
from typing import Literal

from pydantic import Field, field_validator, model_validator

from dp_stats.catalogue.across import AcrossTable, Known, check_across
from dp_stats.catalogue.calendar import Calendar
from dp_stats.catalogue.contribution import Contribution, Late, why_no_late_rows
from dp_stats.catalogue.declared import (
    LARGEST_DECLARED_EPSILON,
    SMALLEST_EPSILON,
    Licence,
    Model,
    Name,
    PrivacyLoss,
    Slug,
    exact,
)
from dp_stats.catalogue.dimensions import DimensionSpec
from dp_stats.catalogue.periods import PeriodKind
from dp_stats.catalogue.schedule import Schedule, holidays_of, is_once_a_day, zone_of
from dp_stats.catalogue.texts import ReleaseTexts
from dp_stats.written import declared

MOST_DECIMALS = 6
"""Decimals that a published number has at most."""


class Statistic(Model):
    """A linear query that is measured: rows, distinct persons, or a clipped sum.

    ``persons`` counts each person once per published cell, so its tables do not add up across levels.
    ``sum`` adds the numbers of ``column`` clipped to [lower, upper] and rounded to ``resolution``.
    """

    id: Slug = Field(description="Name in files and on the command line.", examples=["cases"])
    kind: Literal["count", "persons", "sum"] = Field(
        "count", description="What is measured; see above.", examples=["count"]
    )
    title: str = Field("", description="What readers call it.", examples=["Confirmed cases"])
    unit: str = Field("", description="Unit in words; records or people where it is empty.", examples=["pounds"])
    column: Slug | None = Field(None, description="Column of numbers that a sum adds up.", examples=["cost"])
    lower: Fraction | None = Field(
        None, description="Smallest number that counts in a sum; smaller ones count as this.", examples=[0]
    )
    upper: Fraction | None = Field(
        None,
        description="Largest number that counts in a sum; larger ones count as this. Noise grows with it.",
        examples=[100],
    )
    resolution: Fraction = Field(
        Fraction(1), gt=0, description="Step of the fixed-point integers a sum is made of.", examples=[0.01]
    )
    expected_total: float | None = Field(
        None,
        gt=0,
        description="Public guess of the total in one period (from earlier editions or elsewhere), for planning only.",
        examples=[600],
    )

    @field_validator("lower", "upper", "resolution", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        return exact(value)

    @field_validator("resolution")
    @classmethod
    def _written_out(cls, value: Fraction) -> Fraction:
        """Published sums are whole steps written out, and add up: thirds would not."""
        if (value * 10**MOST_DECIMALS).denominator > 1:
            raise ValueError(
                f"must be a decimal of at most {MOST_DECIMALS} places, such as 0.01: sums are published in such steps"
            )
        return value

    @model_validator(mode="after")
    def _sum(self) -> Statistic:
        if self.kind == "sum" and (self.column is None or self.lower is None or self.upper is None):
            raise ValueError("a sum needs 'column', 'lower' and 'upper'")
        if self.kind == "sum" and self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError("'lower' must be below 'upper'")
        if self.kind != "sum" and (self.column is not None or self.lower is not None or self.upper is not None):
            raise ValueError(f"a {self.kind} has no 'column', 'lower' or 'upper'")
        return self


class Derived(Model):
    """A statistic computed from measured ones afterwards, at no cost.

    ``rate``: ``of`` per ``per`` of the public ``population`` column of the code list.
    ``mean``: ``of`` (a sum) divided by ``over`` (a count). ``share``: ``of`` as a percentage of its total over ``across``.
    ``daily``: ``of`` per day of the row's days, such as beds occupied of nights. ``rolling``: the sum of ``of`` over the
    last ``days`` days. ``cumulative``: ``of`` since the start of the period.
    ``quantile``: the ``q`` quantile of the histogram dimension ``across``.
    """

    id: Slug = Field(description="Name in files and on the command line.", examples=["rate"])
    kind: Literal["rate", "daily", "mean", "share", "rolling", "cumulative", "quantile"] = Field(
        description="How it is computed; see above.", examples=["rate"]
    )
    of: Slug = Field(description="The measured statistic that it is computed from.", examples=["cases"])
    over: Slug | None = Field(
        None, description="For a mean: the count that the sum is divided by.", examples=["visits"]
    )
    across: Slug | None = Field(
        None, description="For a share or quantile: the dimension it runs over.", examples=["age"]
    )
    per: int = Field(100000, description="For a rate: per how many people.", examples=[100000])
    population: str = Field(
        "population",
        description="For a rate: column of the code list with the number of people.",
        examples=["population"],
    )
    days: int = Field(7, description="For a rolling sum: over how many days.", examples=[7])
    q: float = Field(0.5, gt=0, lt=1, description="For a quantile: which one; 0.5 is the median.", examples=[0.5])
    title: str = Field("", description="What readers call it.", examples=["Cases per 100,000 people"])
    unit: str = Field("", description="Unit in words.", examples=["per 100,000 people"])


class Table(Model):
    """A published table: statistics at one level of the grid; dimensions not named are summed over."""

    id: Slug = Field(description="Name of its files.", examples=["area-week"])
    title: Name = Field(description="What readers call it.", examples=["Cases by area and week"])
    levels: dict[Slug, str] = Field(
        description="Dimension → level; a dimension that is not named is summed over. `{}` is one total.",
        examples=[{"area": "ltla", "date": "week"}],
    )
    statistics: tuple[Slug, ...] = Field(
        min_length=1, description="Measured and derived statistics that it shows.", examples=[["cases", "rate"]]
    )
    weight: float = Field(1.0, ge=0, description="Importance when the budget is split.", examples=[2])
    ceiling: float | None = Field(
        None, gt=0, description="Largest acceptable 95 % margin of error; the plan warns above it.", examples=[10]
    )
    prior_mean: float | None = Field(
        None, gt=0, description="Public guess of the mean value of a cell, for planning only.", examples=[46]
    )


class Release(Model):
    """A declared publication: statistics of a dataset, on a schedule, at a privacy loss."""

    id: Slug = Field(
        description="Name of the file without `.yaml`, and of its folder and address.", examples=["visits-by-clinic"]
    )
    formerly: tuple[Slug, ...] = Field(
        (),
        description="Names that the release had before: their series go on in it at no charge, and their pages lead to it.",
        examples=[["clinic-visits"]],
        exclude_if=lambda formerly: not formerly,
    )
    title: Name = Field(description="What readers call it.", examples=["Visits by clinic"])
    dataset: Slug = Field(description="Id of the dataset it is made from.", examples=["visits"])
    period: PeriodKind = Field(description="What one edition covers.", examples=["week"])
    start: date = Field(description="First day that is published.", examples=["2024-01-01"])
    end: date | None = Field(None, description="Last day that is published; open by default.", examples=["2025-12-31"])
    calendar: Calendar = Field(
        default_factory=Calendar,
        description="When weeks and financial years begin; by default on Monday and on 1 April.",
        examples=[{"week_starts": "sunday"}],
    )
    schedule: str | None = Field(
        None,
        description="Cron expression, on the clocks of `timezone`; null for releases started by hand.",
        examples=["30 9 * * 4"],
    )
    timezone: str = Field(
        "UTC", description="Time zone whose clocks `schedule` is read on, all year.", examples=["Europe/London"]
    )
    holidays: str | None = Field(
        None,
        description="Country (`GB`) or part of one (`GB-ENG`) on whose public holidays nothing is published: an edition due then "
        "is published on the next working day.",
        examples=["GB-ENG"],
    )
    settle_days: int = Field(
        0, ge=0, description="Days after the period's end before it may be published.", examples=[3]
    )
    dimensions: tuple[DimensionSpec, ...] = Field(min_length=1, description="What figures are broken down by.")
    statistics: tuple[Statistic, ...] = Field(min_length=1, description="What is measured.")
    derived: tuple[Derived, ...] = Field((), description="What is computed from it at no cost.")
    tables: tuple[Table, ...] = Field(min_length=1, description="What is published.")
    across: tuple[AcrossTable, ...] = Field(
        (),
        description="Tables across editions: rolling sums, changes, growth and totals, at no cost.",
        exclude_if=lambda across: not across,
    )
    priority: Literal["local", "balanced", "national"] = Field(
        "balanced",
        description="Whose figures the budget serves first: local ones, everybody's, or those of the whole.",
        examples=["local"],
    )
    headline: Slug | None = Field(
        None,
        description="Table of the headline chart (default: the first). Charts and sentences are about its first statistic.",
        examples=["area-week"],
    )
    contribution: Contribution = Field(description="How many rows of one person count.")
    privacy_loss: PrivacyLoss = Field(
        description="What the editions of one block cost a person's privacy: together where they are a series, each where not."
    )
    series: bool = Field(
        True, description="Charge once per block for all editions, with a contribution register.", examples=[True]
    )
    late: Late | None = Field(
        None,
        description="Count rows that arrive after their edition in later ones, at no charge; null: such rows are not counted.",
        examples=[{"periods": 4}],
        exclude_if=lambda late: late is None,
    )
    licence: Licence = Field(
        "OGL-UK-3.0",
        description="Licence of what is published, by its SPDX identifier where there is one.",
        examples=["OGL-UK-3.0"],
    )
    audience: Literal["public", "restricted"] = Field(
        "public",
        description="Who may read it: everybody, or only who asked for it, the custodians, and the 'organisations'.",
        examples=["public"],
    )
    organisations: tuple[Slug, ...] = Field(
        (),
        description="Ids of the organisations that a restricted release is made for, each a file in `organisations/`.",
        examples=[["county"]],
        exclude_if=lambda organisations: not organisations,
    )
    requested_by: str | None = Field(None, description="The analyst, for an ad hoc release.", examples=["analyst"])
    purpose: str = Field(
        "",
        description="What an ad hoc release is for, or one for organisations; the custodian decides on it and the public reads it.",
        examples=["Plan winter beds."],
    )
    agreed_purpose: Slug | None = Field(
        None,
        description="For which purpose it is made, of those that the dataset's data-sharing agreement lists.",
        examples=["winter-beds"],
        exclude_if=lambda purpose: purpose is None,
    )
    texts: ReleaseTexts = Field(description="What the public reads about it.")

    @field_validator("privacy_loss")
    @classmethod
    def _sane(cls, value: PrivacyLoss) -> PrivacyLoss:
        """A loss that noise can be drawn for: neither wider than integers are, nor none at all."""
        if value.epsilon is not None and not SMALLEST_EPSILON <= value.epsilon <= LARGEST_DECLARED_EPSILON:
            raise ValueError(
                f"epsilon must be from {declared(SMALLEST_EPSILON)} to {LARGEST_DECLARED_EPSILON}; below it nothing is left but "
                "noise, above it nothing is protected"
            )
        most, least = Fraction(LARGEST_DECLARED_EPSILON**2, 2), SMALLEST_EPSILON**2 / 2
        if value.rho is not None and not least <= value.rho <= most:
            raise ValueError(
                f"rho must be from {declared(least)} to {declared(most)}; below it nothing is left but noise, above it "
                "nothing is protected"
            )
        return value

    @field_validator("schedule")
    @classmethod
    def _cron(cls, schedule: str | None) -> str | None:
        from croniter import croniter

        if schedule is not None and not croniter.is_valid(schedule):
            raise ValueError("write a cron expression of five fields, such as '30 9 * * 4', or @weekly")
        return schedule

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        zone_of(name)
        return name

    @field_validator("holidays")
    @classmethod
    def _known_holidays(cls, code: str | None) -> str | None:
        if code is not None:
            holidays_of(code)
        return code

    @model_validator(mode="after")
    def _waits_for_working_days(self) -> Release:
        if self.holidays is not None and (self.schedule is None or not is_once_a_day(self.schedule)):
            raise ValueError("'holidays' needs a 'schedule' of one moment a day at most, such as '30 9 * * *'")
        return self

    @property
    def timetable(self) -> Schedule | None:
        """When its editions may be made; None where they are made by hand."""
        if self.schedule is None:
            return None
        return Schedule(cron=self.schedule, timezone=self.timezone, holidays=self.holidays)

    @model_validator(mode="after")
    def _for_some(self) -> Release:
        if self.organisations and self.audience == "public":
            raise ValueError(
                "organisations: what is for everybody needs none. Leave them out, or write 'audience: restricted'"
            )
        return self

    @model_validator(mode="after")
    def _for_something(self) -> Release:
        if self.organisations and not self.purpose.strip() and self.agreed_purpose is None:
            raise ValueError("purpose: say what the organisations need the figures for; the public register tells it")
        return self

    @model_validator(mode="after")
    def _refers(self) -> Release:
        dims = {d.name for d in self.dimensions}
        known = {s.id for s in self.statistics} | {d.id for d in self.derived}
        if len(known) < len(self.statistics) + len(self.derived):
            raise ValueError("two statistics have the same id")
        for table in self.tables:
            for name in table.levels:
                if name not in dims:
                    raise ValueError(f"table '{table.id}': there is no dimension '{name}'")
            for statistic in table.statistics:
                if statistic not in known:
                    raise ValueError(f"table '{table.id}': there is no statistic '{statistic}'")
        if len({t.id for t in self.tables}) < len(self.tables):
            raise ValueError("two tables have the same id")
        if self.headline and self.headline not in {t.id for t in self.tables}:
            raise ValueError(f"headline: there is no table '{self.headline}'")
        return self

    @model_validator(mode="after")
    def _across(self) -> Release:
        if self.across and self.period == "range":
            raise ValueError("across: a release of one range has no other editions")
        known = Known(
            tables={t.id for t in self.tables},
            dimensions={d.name for d in self.dimensions},
            derived={d.id for d in self.derived},
            kinds={s.id: s.kind for s in self.statistics},
            rates={d.id: d.of for d in self.derived if d.kind in ("rate", "daily")},
            daily={d.id for d in self.derived if d.kind == "daily"},
            signed={s.id for s in self.statistics if s.lower is not None and s.lower < 0},
        )
        check_across(self.across, known)
        return self

    @model_validator(mode="after")
    def _renamed(self) -> Release:
        if self.id in self.formerly:
            raise ValueError(f"formerly: '{self.id}' is the release's own name")
        if self.formerly and self.period == "range":
            raise ValueError("formerly: a release of one range has no series that could go on")
        return self

    @model_validator(mode="after")
    def _late(self) -> Release:
        if self.late is None:
            return self
        kinds = {s.kind for s in self.statistics}
        once = self.period == "range"
        if why := why_no_late_rows(self.contribution, series=self.series, once=once, kinds=kinds):
            raise ValueError(f"late: {why}")
        return self

    @property
    def lowest(self) -> float:
        """The least value a published cell can have: below zero only where numbers may be negative."""
        return -math.inf if any(s.lower is not None and s.lower < 0 for s in self.statistics) else 0.0

    @property
    def adhoc(self) -> bool:
        """Whether an analyst asked for this release, rather than the catalogue declaring it."""
        return self.requested_by is not None
