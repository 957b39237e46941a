"""What the publishers of a release say of it in their own words; the public reads it as it is declared."""

from __future__ import annotations

from pydantic import Field

from dp_stats.catalogue.declared import Model
from dp_stats.catalogue.languages import Language, ReleaseWords
from dp_stats.catalogue.practice import KnownIssue, Practice


class ReleaseTexts(Model):
    """What the public reads."""

    summary: str = Field(
        description="What is published, in a paragraph.", examples=["How many visits each clinic had."]
    )
    public_benefit: str = Field(
        "", description="What it is good for; shown in the register of data uses.", examples=["Plan staff."]
    )
    known_issues: tuple[str | KnownIssue, ...] = Field(
        (),
        description="What readers must know about the data, one sentence each, or with the day since when: `{since, text}`.",
        examples=[["Clinic A reported late in January 2024."]],
    )
    practice: Practice = Field(
        default_factory=Practice,
        description="Status, policies and quality, as a code of practice asks for them.",
        exclude_if=lambda practice: practice == Practice(),
    )
    theme: str = Field("", description="Theme of the catalogue and the API; empty: none.", examples=["Health"])
    subtheme: str = Field("", description="Sub-theme; empty: the theme's own.", examples=["Primary care"])
    keywords: tuple[str, ...] = Field((), description="Words to find it by.", examples=[["visits", "clinics"]])
    contact: str = Field("", description="Whom to ask.", examples=["statistics@agency.example"])
    publisher: str = Field("", description="Who publishes; empty: the first custodian.", examples=["The agency"])
    doi: str = Field(
        "",
        description="DOI of each edition, with `{period}` and `{revision}` in it, as registered with a DOI agency; empty: none.",
        examples=["10.5072/visits.{period}.r{revision}"],
        pattern=r"^(10\.\d{4,9}/[-._;()/:A-Za-z0-9]*\{period\}[-._;()/:A-Za-z0-9]*\{revision\}[-._;()/:A-Za-z0-9]*)?$",
        exclude_if=lambda doi: not doi,
    )
    languages: dict[Language, ReleaseWords] = Field(
        {},
        description="The same in further languages, by their codes.",
        examples=[{"cy": {"title": "Ymweliadau yn ôl clinig"}}],
        exclude_if=lambda languages: not languages,
    )
