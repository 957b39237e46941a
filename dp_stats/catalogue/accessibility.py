"""What the publisher of a site says in its accessibility statement: who runs it, when it was tested and prepared.

``accessibility.yaml`` stands beside the folders of the catalogue. The form is that of the United Kingdom's model statement,
which is also that of Commission Implementing Decision (EU) 2018/1523. What the software itself knows (how its pages are tested)
stands in texts.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import Field, model_validator

from dp_stats.catalogue.declared import Model, Name
from dp_stats.catalogue.languages import Language
from dp_stats.catalogue.load import read_model

FILE = "accessibility.yaml"


class AccessibilityWords(Model):
    """The same in a further language; what is left out is shown in the language of the declaration, and marked as such."""

    organisation: str = Field("", description="Who runs the site.", examples=["Yr asiantaeth"])
    contact: str = Field("", description="How to write or call.", examples=["hygyrchedd@asiantaeth.example"])
    tested_by: str = Field("", description="Who tested it.", examples=["Cwmni profi"])
    how_tested: str = Field("", description="What was tested, and how.", examples=["Pob math o dudalen."])
    problems: tuple[str, ...] = Field((), description="What cannot be used, in the same order.", examples=[["Dim."]])
    burdens: tuple[str, ...] = Field(
        (), description="What would be a disproportionate burden, in the same order.", examples=[["Dim."]]
    )
    plans: str = Field("", description="What is being done about it.", examples=["Bydd yn cael ei drwsio."])
    enforcement: str = Field("", description="Whom to complain to.", examples=["Ombwdsmon."])


class Accessibility(Model):
    """What a publisher declares of the accessibility of its site: `accessibility.yaml`."""

    organisation: Name = Field(description="Who runs the site.", examples=["The agency"])
    contact: Name = Field(
        description="Where to write or call about what cannot be used.",
        examples=["accessibility@agency.example, 01632 960001"],
    )
    answer_days: int = Field(ge=1, le=365, description="Within how many days an answer comes.", examples=[15])
    prepared: date = Field(description="Day on which the statement was first prepared.", examples=["2026-11-02"])
    reviewed: date | None = Field(
        None, description="Day of the last review; the law asks for one each year.", examples=["2026-11-23"]
    )
    tested: date | None = Field(
        None, description="Day on which the site was last tested, as it is published.", examples=["2026-10-19"]
    )
    tested_by: str = Field("", description="Who tested it.", examples=["A testing company"])
    how_tested: str = Field(
        "",
        description="What was tested, and how: which pages, and with which tools and people.",
        examples=["One page of each kind, with two screen readers and by two people who use them every day."],
    )
    problems: tuple[str, ...] = Field(
        (),
        description="What cannot be used and is not in the software's own list: what it is, and which criterion it fails.",
        examples=[["The names of areas in Welsh are not marked as Welsh (3.1.2, language of parts)."]],
    )
    burdens: tuple[str, ...] = Field(
        (),
        description="What is left as it is because mending it would be a disproportionate burden, and why.",
        examples=[["Workbooks of editions before 2020."]],
    )
    plans: str = Field(
        "", description="What is being done about it, and by when.", examples=["The names will be marked by May 2027."]
    )
    enforcement: str = Field(
        "",
        description="Whom to complain to, where that is not the United Kingdom's procedure.",
        examples=["Complain to the ombudsman of your country."],
    )
    languages: dict[Language, AccessibilityWords] = Field(
        {},
        description="The same in further languages, by their codes.",
        examples=[{"cy": {"organisation": "Yr asiantaeth"}}],
    )

    @model_validator(mode="after")
    def _in_order(self) -> Accessibility:
        if self.reviewed is not None and self.reviewed < self.prepared:
            raise ValueError("reviewed: lies before 'prepared'")
        if self.tested is None and (self.tested_by or self.how_tested):
            raise ValueError("tested: is missing; give the day on which the site was tested")
        return self


def read_accessibility(folder: Path) -> Accessibility | None:
    """What ``accessibility.yaml`` in a catalogue's folder declares; None where there is none.

    Raises:
        CatalogueError: the file is not what it should be.
    """
    path = folder / FILE
    return read_model(path, Accessibility) if path.is_file() else None
