"""How a person's identifier is written: declared once, and read alike in rows, opt-out lists, register and links."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from dp_stats.catalogue.declared import Model


class Identifier(Model):
    """What a valid identifier looks like, and what is taken out of it first.

    ``kind: nhs_number`` stands for spaces and dashes taken out, ten digits and their check digit. Otherwise ``pattern``
    says it. A row whose identifier does not fit names nobody: it is left out and counted in the secure store. An
    entry of the opt-out list that does not fit stops the run.
    """

    kind: Literal["nhs_number"] | None = Field(
        None, description="A well-known identifier, instead of the fields below.", examples=["nhs_number"]
    )
    remove: str = Field("", description="Characters that are taken out, wherever they stand.", examples=[" -"])
    case: Literal["upper", "lower"] | None = Field(
        None, description="Write all letters as these; otherwise 'a' and 'A' are different.", examples=["upper"]
    )
    pattern: str | None = Field(
        None,
        max_length=200,
        description="Regular expression that the whole identifier must match then (RE2: no look-around).",
        examples=["[0-9]{10}"],
    )
    check: Literal["mod11"] | None = Field(
        None, description="Check digit: mod11 of ten digits, as in NHS and CHI numbers.", examples=["mod11"]
    )

    @model_validator(mode="after")
    def _complete(self) -> Identifier:
        if self.kind is not None and (self.remove or self.case or self.pattern or self.check):
            raise ValueError("write either 'kind' or 'remove', 'case', 'pattern' and 'check'")
        if self.kind is None and self.pattern is None:
            raise ValueError("write 'kind', or a 'pattern' that every valid identifier matches")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error:
                raise ValueError("'pattern' is no regular expression") from None
            if re.search(r"\(\?(?![:i])|\\[1-9]", self.pattern):
                raise ValueError("'pattern' may not look around or refer back; write what the identifier consists of")
        return self

    @property
    def spelt_out(self) -> Identifier:
        """The same without ``kind``."""
        if self.kind is None:
            return self
        return Identifier(remove=" -", pattern="[0-9]{10}", check="mod11")

    @property
    def rule(self) -> str:
        """What a valid identifier is, in words for an error."""
        if self.kind is not None:
            return "an NHS number (ten digits with a check digit, spaces and dashes apart)"
        return f"text that matches {self.pattern}" + (" with a mod11 check digit" if self.check else "")
