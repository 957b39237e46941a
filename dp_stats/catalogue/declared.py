"""What declarations of datasets and of releases share: names, people, privacy losses."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*([-_][a-z0-9]+)*$", max_length=64)]
LONGEST_NAME = 200
"""Characters of the longest name or title."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
UNKNOWN = "unknown"
SMALLEST_EPSILON = Fraction(1, 10_000)
LARGEST_DECLARED_EPSILON = 100
"""The privacy losses that a release may have; ρ = ε²/2 bounds those that are declared in ρ."""


MOST_SIGNS = 100
LARGEST_POWER = 100


def exact(value: object) -> object:
    """A number as it is declared (1, 0.25, "1e-6", "1/3") as an exact fraction; anything else as it is.

    Raises:
        ValueError: it is not a number, or one too long or too large to count with.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return value
    text = str(value).strip()
    _, _, power = text.casefold().partition("e")
    if len(text) > MOST_SIGNS or (
        power.lstrip("+-").isdigit() and int(power) not in range(-LARGEST_POWER, LARGEST_POWER)
    ):
        raise ValueError("the number is too long or too large; write one such as 1, 0.25 or 1e-6")
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError("is not a number; write one such as 1, 0.25, 1e-6 or 1/3") from None


def _licence(value: str) -> str:
    if not re.fullmatch(r"[-a-zA-Z0-9._]+", value):
        raise ValueError(
            "write an identifier without spaces: SPDX's, such as CC-BY-4.0, or LicenseRef-… for one of your own"
        )
    return value


Licence = Annotated[str, AfterValidator(_licence)]
"""The name of a licence as the Data Package standard wants it: without it nothing that is published is a data package."""


class Model(BaseModel):
    """Strict and immutable: an unknown or misspelt field is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Deputy(Model):
    """Who may decide on requests in the place of a custodian, on some days."""

    user: str = Field(description="User name in Airflow.", examples=["deputy-dph"])
    first_day: date = Field(description="First day (UTC) on which a decision counts.", examples=[date(2026, 8, 3)])
    last_day: date = Field(description="Last day (UTC) on which a decision counts.", examples=[date(2026, 8, 21)])

    @model_validator(mode="after")
    def _in_order(self) -> Deputy:
        if self.last_day < self.first_day:
            raise ValueError(f"the days of {self.user} as deputy end before they begin; write the earlier as first_day")
        return self


class Person(Model):
    """Someone answerable: shown on pages, and named in Airflow where they approve."""

    name: Name = Field(description="What the person or body is called.", examples=["Director of Public Health"])
    user: str | None = Field(None, description="User name in Airflow, for approvals.", examples=["dph"])
    email: str | None = Field(None, description="Address shown to readers.", examples=["statistics@agency.example"])
    deputies: tuple[Deputy, ...] = Field(
        (),
        description="Who may decide in this one's place, and when; never on a request of their own.",
        exclude_if=lambda deputies: not deputies,
    )

    @property
    def answers_as(self) -> str:
        """The user name, else the name."""
        return self.user or self.name

    def deputies_on(self, day: date) -> tuple[str, ...]:
        """The users who may decide in this one's place on a day."""
        return tuple(one.user for one in self.deputies if one.first_day <= day <= one.last_day)


class PrivacyLoss(Model):
    """A privacy loss: ``epsilon`` alone (pure), ``epsilon`` with ``delta``, or ``rho`` (zero-concentrated)."""

    epsilon: Fraction | None = Field(None, gt=0, description="ε, e.g. 1 or 0.25.", examples=[1, 0.25])
    delta: Fraction | None = Field(
        None, gt=0, lt=1, description="δ, e.g. 1e-6; leave out for pure ε.", examples=["1e-6"]
    )
    rho: Fraction | None = Field(None, gt=0, description="ρ of zero-concentrated differential privacy.", examples=[0.5])

    @field_validator("epsilon", "delta", "rho", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        return exact(value)

    @model_validator(mode="after")
    def _one_form(self) -> PrivacyLoss:
        if (self.epsilon is None) == (self.rho is None):
            raise ValueError("write either epsilon (with or without delta) or rho")
        if self.rho is not None and self.delta is not None:
            raise ValueError("rho has no delta here; the budget's delta is used to show ε")
        return self

    @property
    def pure(self) -> bool:
        """Whether this is pure ε, which only Laplace noise can keep."""
        return self.epsilon is not None and self.delta is None
