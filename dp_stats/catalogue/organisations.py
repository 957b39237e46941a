"""An organisation that gets restricted figures: on what basis, under which terms, who of it may download, and until when."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from dp_stats.catalogue.declared import Model, Name, Slug
from dp_stats.files import require_printable


def _printable(text: str) -> str:
    require_printable(text)
    return text.strip()


Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000), AfterValidator(_printable)]


class Terms(Model):
    """What somebody of the organisation accepts before the first download."""

    version: int = Field(
        ge=1, description="Raised with every change of the text: a new version is asked for anew.", examples=[1]
    )
    text: Text = Field(description="The terms in full.", examples=["Do not pass these figures on."])


class Organisation(Model):
    """Who gets restricted figures, beside the custodians: an agency, or a company under contract.

    Days begin and end in UTC.
    """

    id: Slug = Field(description="Name of the file without `.yaml`.", examples=["county"])
    name: Name = Field(description="What the public register calls it.", examples=["The county"])
    basis: Name = Field(
        description="On what basis it gets figures: its contract or the law.", examples=["Contract 2026/17, section 4"]
    )
    users: tuple[Name, ...] = Field(
        min_length=1,
        description="Who of it may accept the terms and download: user names in Airflow. A user is of one organisation.",
        examples=[["dana", "eli"]],
    )
    terms: Terms = Field(description="The terms of use.")
    starts: date = Field(description="The first day of the contract.", examples=["2026-02-01"])
    ends: date = Field(
        description="The last day: after it nothing is measured for it, or handed out.", examples=["2027-03-31"]
    )

    @model_validator(mode="after")
    def _whole(self) -> Organisation:
        if self.ends < self.starts:
            raise ValueError("ends: lies before 'starts'")
        if len(set(self.users)) < len(self.users):
            raise ValueError("users: names a user twice")
        return self

    def why_not_on(self, day: date) -> str:
        """Why nothing may be handed out on a day; empty where it may."""
        if day < self.starts:
            return f"its contract starts on {self.starts}"
        return f"its contract ended on {self.ends}" if day > self.ends else ""
