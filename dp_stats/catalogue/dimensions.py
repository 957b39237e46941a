"""One dimension of a release as it is declared: a column, the levels that are published, and how its areas are shown."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dp_stats.catalogue.declared import Model, Slug


class DimensionSpec(Model):
    """One dimension of a release: a column and the nested levels to publish, finest first.

    For a code column the first level is the code itself and the others are columns of the code list
    (``region`` with names in ``region_name``). For the date column levels are ``day``, ``week``, ``4-week``, ``month``,
    ``quarter``, ``year``, ``financial-year`` (see ``calendar``). For a number, ``edges`` gives histogram bins.
    """

    name: Slug = Field(description="Name of the dimension; tables and columns use it.", examples=["area"])
    column: Slug = Field(description="Canonical column that it is read from.", examples=["area"])
    levels: tuple[str, ...] = Field(
        (), description="Levels to publish, finest first; see above.", examples=[["ltla", "region"]]
    )
    edges: tuple[float, ...] = Field(
        (),
        description="Borders of the bins of a number, rising; the last bin includes its upper border.",
        examples=[[0, 10, 50]],
    )
    title: str = Field("", description="What readers call it.", examples=["Area"])
    level_titles: dict[str, str] = Field(
        {},
        description="What a reader calls a level, e.g. ltla: local authority.",
        examples=[{"ltla": "local authority"}],
    )
    pages: dict[str, Literal["each", "together"]] = Field(
        {},
        description="How areas of a level are shown: `each` has a page and files of its own; of those shown `together` one "
        "page loads the figures of the area that a reader chooses. Default: each; of more than 2,000 areas, together.",
        examples=[{"small-area": "together"}],
        exclude_if=lambda pages: not pages,
    )

    @model_validator(mode="after")
    def _known_levels(self) -> DimensionSpec:
        unknown = sorted(set(self.pages) - set(self.levels))
        if unknown:
            raise ValueError(f"pages: there is no level '{unknown[0]}'. Write one of 'levels'")
        return self
