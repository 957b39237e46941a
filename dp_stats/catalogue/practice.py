"""Known issues and the policies of a producer, as a code of practice for statistics asks for them."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from dp_stats.catalogue.declared import Model


class KnownIssue(Model):
    """What readers must know about the data since a day."""

    since: date = Field(description="Day from which it is known.", examples=["2024-02-01"])
    text: str = Field(description="What is wrong, in a sentence.", examples=["Clinic A reports late."])


class Practice(Model):
    """What a code of practice for statistics has a producer say; the public reads it on the page of the method.

    Each is a sentence or two in the producer's own words. What is not declared is not said, and a review of the catalogue names it.
    """

    status: str = Field(
        "",
        description="Standing of the statistics under the law or a code, as it was given to them.",
        examples=["Official statistics in development"],
    )
    revisions: str = Field(
        "", description="When and why figures are revised.", examples=["Each week is revised once, four weeks later."]
    )
    pre_release_access: str = Field(
        "", description="Who sees figures before they are published, and how long.", examples=["Nobody."]
    )
    source_quality: str = Field(
        "",
        description="How good the records are, and what is done about it.",
        examples=["Every clinic reports; a tenth of postcodes are missing."],
    )
    timeliness: str = Field(
        "",
        description="How long after the period figures appear, and why.",
        examples=["Ten days, as most records arrive within a week."],
    )
    comparability: str = Field(
        "",
        description="What figures may be compared with, and what not.",
        examples=["Not with figures before 2020, when clinics were counted otherwise."],
    )
