"""A declared column of a dataset: where it comes from, and how the values in it are written.

What is written otherwise than declared is not guessed: it counts as unreadable.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from dp_stats.catalogue.declared import Model, Slug
from dp_stats.catalogue.identifiers import Identifier
from dp_stats.catalogue.schedule import zone_of

ISO, EXCEL, EXCEL_1904 = "iso", "excel", "excel-1904"
DIRECTIVE = re.compile(r"%(?:-?[dHIjmMSy]|[aAbBcfgGhnpuUVwWxXYzZ%])")
"""What a pattern may hold after each '%': the directives of DuckDB's strptime."""

OFFSET = re.compile(r"(?<!%)(?:%%)*%-?[zZ]")
"""A strptime directive that reads an offset or a zone, and so makes a moment of what is written."""


class Column(Model):
    """One canonical column: what it is called here, where it comes from, and how it is read.

    Types: ``person`` (the privacy unit's identifier), ``date``, ``code`` (of a public code list),
    ``band`` (a number put into the bands of a code list with ``lower`` and ``upper``), ``number``
    (a decimal that sums and histograms are made of), ``record`` (a text that names a record, never published),
    ``text`` (any text, for steps to work on; only in one of several ``tables``).

    A date is written in one of the ``formats``: ``iso`` is all of ISO 8601 that names a day (``2024-06-30``,
    ``20240630``, ``2024-182``, ``2024-W26-7``, each also with a time, with fractions of a second, with ``Z`` or an
    offset); ``excel`` is a day number as spreadsheets keep it (45473 is 30 June 2024), ``excel-1904`` the same in
    files from old Macintosh programs; anything else is a pattern as in strptime. A time with ``Z`` or an offset is a
    moment, and which day it belongs to depends on where one stands: so it is read only where ``timezone`` says that.

    What is written in no declared way is unreadable; the intake report counts it.
    """

    source: str = Field(
        alias="from",
        description="Column in the source; matched without regard to case or spaces.",
        examples=["Date of visit"],
    )
    type: Literal["person", "date", "code", "band", "number", "record", "text"] = Field(
        description="How the values are read; see above.", examples=["date"]
    )
    formats: tuple[str, ...] = Field(
        (),
        description="Ways in which a date may be written, tried in order; `[iso]` where none is declared. See above.",
        examples=[["%d-%m-%Y"], ["iso", "excel"], ["%d/%m/%Y %H:%M%z"]],
    )
    timezone: str | None = Field(
        None,
        description="Time zone whose days are published: 23:30Z on 30 June is 1 July in Europe/London. Needed where "
        "a date is written as a moment.",
        examples=["Europe/London"],
    )
    source_timezone: str | None = Field(
        None,
        description="Time zone in which times without an offset are written, where it is not `timezone`.",
        examples=["UTC"],
    )
    decimal: Literal[".", ","] = Field(
        ".", description="Sign before the decimals of a number that is written as text.", examples=[","]
    )
    thousands: Literal[",", ".", " ", "'", "_"] | None = Field(
        None,
        description="Sign between groups of three digits of a number; a space stands for non-breaking and narrow ones, too.",
        examples=[",", " "],
    )
    currency: str = Field(
        "",
        max_length=8,
        description="Sign that may stand before or behind a number, and is taken off.",
        examples=["£", "EUR"],
    )
    digits: int | None = Field(
        None,
        ge=1,
        le=20,
        description="Codes are whole numbers of at least so many digits: the '.0' of a tool that took them for fractions "
        "is taken off, and lost zeros are put in front (with 5, `1001.0` is the code `01001`).",
        examples=[5],
    )
    codes: Slug | None = Field(None, description="Code list (codes/NAME.csv) of a code or band.", examples=["clinics"])
    values: dict[str, str] = Field(
        {},
        description="Source value → code, matched without regard to case or outer spaces.",
        examples=[{"N": "north"}],
    )
    unknown: bool = Field(
        False,
        description="Map values outside the list to the declared cell 'unknown' instead of dropping the row.",
        examples=[True],
    )
    identifier: Identifier | None = Field(
        None,
        description="How the identifier of a person column is written; declare it wherever there is a rule.",
        examples=[{"kind": "nhs_number"}],
    )

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @property
    def written_dates(self) -> tuple[str, ...]:
        """The declared ways in which a date may be written."""
        return self.formats or (ISO,)

    @field_validator("formats")
    @classmethod
    def _patterns(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        for form in formats:
            if form not in (ISO, EXCEL, EXCEL_1904) and ("%" not in form or "%" in DIRECTIVE.sub("", form)):
                raise ValueError(f"'{form}' is no date format; write {ISO}, {EXCEL}, {EXCEL_1904} or e.g. %d-%m-%Y")
        return formats

    @field_validator("timezone", "source_timezone")
    @classmethod
    def _zone(cls, name: str | None) -> str | None:
        if name is not None:
            zone_of(name)
        return name

    @field_validator("currency")
    @classmethod
    def _sign(cls, sign: str) -> str:
        if sign != sign.strip() or re.search(r"[0-9.,'_+-]", sign):
            raise ValueError("write a sign without digits, spaces around it, or characters that stand in numbers")
        return sign

    @model_validator(mode="after")
    def _fits(self) -> Column:
        if self.type in ("code", "band") and not self.codes:
            raise ValueError(f"a {self.type} column needs 'codes', the name of a file in codes/")
        if self.type not in ("code", "band") and (self.codes or self.unknown):
            raise ValueError("only code and band columns have 'codes' or 'unknown'")
        if self.type != "person" and self.identifier is not None:
            raise ValueError("only a person column has an 'identifier'")
        return self

    @model_validator(mode="after")
    def _written(self) -> Column:
        if self.type != "date" and (self.formats or self.timezone or self.source_timezone):
            raise ValueError("only a date column has 'formats', 'timezone' or 'source_timezone'")
        if self.type not in ("number", "band") and (self.decimal != "." or self.thousands or self.currency):
            raise ValueError("only number and band columns have 'decimal', 'thousands' or 'currency'")
        if self.type != "code" and self.digits is not None:
            raise ValueError("only a code column has 'digits'")
        if self.decimal == self.thousands:
            raise ValueError("'decimal' and 'thousands' are the same sign; declare two different ones")
        if self.source_timezone is not None and self.timezone is None:
            raise ValueError("'source_timezone' needs 'timezone', the zone whose days are published")
        moments = [form for form in self.formats if OFFSET.search(form)]
        if moments and self.timezone is None:
            raise ValueError(
                f"the format '{moments[0]}' reads moments; declare 'timezone' (such as Europe/London), the zone whose "
                "days are published"
            )
        return self
