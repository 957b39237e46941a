"""What the files beside editions hold, field by field: the index of the whole series, the API, and what areas are found by.

Writers fill these models, or tests hold what is written against them; the manual's pages are made from them.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dp_stats.editions.edition import Facts


class HistoryFile(Facts):
    """A file of the whole series."""

    path: str = Field(description="Its name, in the same folder.")
    bytes: int = Field(description="Size in bytes.")
    sha256: str = Field(description="SHA-256 of its bytes, in hexadecimal.")


class HistoryTable(Facts):
    """A table of all periods."""

    id: str = Field(description="Name in files and addresses.")
    rows: int = Field(description="Number of rows.")
    columns: tuple[str, ...] = Field(description="Its columns, in order: those of [a table](tables.md#tablerow).")
    editions: int = Field(description="How many editions are in it.")
    made_of: str = Field(description="SHA-256 over which editions, by path and checksum, in hexadecimal.")
    files: tuple[HistoryFile, ...] = Field(description="Its files: CSV and Parquet.")
    title: str = Field(description="What readers call it.")
    statistics: tuple[str, ...] = Field(description="Statistics that it shows.")


class HistoryEdition(Facts):
    """An edition that the whole series holds."""

    path: str = Field(description="Release, period and revision, as in `cases/2021-W07/r1`.")
    title: str = Field(description="The period as readers read it.")
    start: str = Field(description="First day.")
    end: str = Field(description="Last day.")


class HistoryIndex(Facts):
    """The list of a release's editions to use, and of the files of all periods."""

    release: str = Field(description="Id of the release.")
    title: str = Field(description="What readers call it.")
    licence: str = Field(description="Licence, by its SPDX identifier where there is one.")
    updated: str = Field(description="When the newest of these editions was published (RFC 3339, UTC).")
    address: str = Field(description="Address of the folder.")
    tables: tuple[HistoryTable, ...] = Field(description="Every table.")
    editions: tuple[HistoryEdition, ...] = Field(
        description="Every edition, each in the revision to use, oldest first."
    )


class ApiLink(Facts):
    """One entry of a list."""

    name: str = Field(description="Name of the step in the path.")
    title: str = Field(
        "", description="What readers call it; absent where it has no title.", exclude_if=lambda title: not title
    )
    link: str = Field(description="Address of the list below it, or of the values.")


class Renamed(Facts):
    """Where the values of a release go on that has another name now."""

    release: str = Field(description="Its id now.")
    link: str = Field(description="Address of its list.")


class ApiList(Facts):
    """A list of what is below a step of the path (each ``index.json``)."""

    below: tuple[ApiLink, ...] = Field(
        alias="<step>",
        description="What there is, under the name of the step: `themes`, `sub_themes`, `topics`, `geography_types`, "
        "`geographies`, `metrics`, `tables`, or of a slice `periods` (the newest first).",
    )
    renamed: Renamed | None = Field(None, description="Of a release that was renamed; else absent.")
    areas: str = Field(
        "", description="Address of the index of areas that are shown together; absent where each has its own."
    )


class ApiRevision(Facts):
    """A revision among the editions of a leaf."""

    edition: str = Field(description="Path of the revision.")
    kind: str = Field(description="Of which [kind](file-formats.md#revisions-and-withdrawals) it is.")
    reason: str = Field(description="Why.")


class ApiColumns(Facts):
    """Values, column by column: lists of one length, a place in each for a value. As in [a table](tables.md#tablerow)."""

    geography_code: tuple[str, ...] = Field((), description="Code of the area; only in slices, where there are areas.")
    geography: tuple[str, ...] = Field((), description="Name of the area; likewise.")
    stratum_code: tuple[str, ...] = Field(
        (), alias="<name>_code", description="For each other dimension that is split, code of the group."
    )
    date: tuple[str, ...] = Field(description="First day that the value covers.")
    period: tuple[str, ...] = Field(description="The days that it covers, as an ISO 8601 label.")
    period_start: tuple[str, ...] = Field(description="First day that it covers.")
    period_end: tuple[str, ...] = Field(description="Last day that it covers.")
    period_type: tuple[str, ...] = Field(description="Kind of period.")
    value: tuple[float | None, ...] = Field(description="Best estimate, in `unit`; null where it is not available.")
    lower_95: tuple[float | None, ...] = Field(description="Lower limit of the 95 % interval of the true value.")
    upper_95: tuple[float | None, ...] = Field(description="Upper limit; null where nothing bounds it.")
    status: tuple[str | None, ...] = Field(description="[Marks](file-formats.md#marks), with spaces between.")
    value_unbiased: tuple[float | None, ...] = Field(description="The estimate from the measurements alone.")


class ApiBackSeries(Facts):
    """Of an area that others were merged into: its values before, as in the [back-series](tables.md#backseriesrow)."""

    strata: tuple[str, ...] = Field(description="Codes of the groups, with dots between.")
    date: tuple[str, ...] = Field(description="First day that the value covers.")
    period: tuple[str, ...] = Field(description="The days that it covers, as an ISO 8601 label.")
    period_end: tuple[str, ...] = Field(description="Last day that it covers.")
    edition: tuple[str, ...] = Field(description="The edition that it is computed from.")
    value: tuple[float, ...] = Field(description="Best estimate, in `unit`.")
    lower_95: tuple[float, ...] = Field(description="Lower limit of the 95 % interval.")
    upper_95: tuple[float, ...] = Field(description="Upper limit.")
    value_unbiased: tuple[float, ...] = Field(description="The estimate from the measurements alone.")


class LeafHead(Facts):
    """What a leaf says of all its values."""

    metric: str = Field(description="Which statistic.")
    unit: str = Field(description="Unit of the values, in words.")
    geography_type: str = Field(description="Level of the area; `all` where a release has no areas.")
    geography_code: str = Field(description="Code of the area; `all` where a release has no areas.")
    geography: str = Field(description="Name of the area, or of the region that the dataset covers.")
    release: str = Field(description="Id of the release.")
    table: str = Field(description="Id of the table.")
    updated: str = Field(description="When the newest of its editions was published (RFC 3339, UTC).")
    editions: tuple[str, ...] = Field(description="Paths of the editions that are in it, oldest first.")
    complete: bool = Field(description="Whether these are all; else `history` leads to the rest.")
    download: str = Field(description="Address of the newest edition's table, as CSV.")
    history: str = Field(description="Address of the table of all periods, as CSV.")
    licence: str = Field(description="Licence, by its SPDX identifier where there is one.")
    revisions: tuple[ApiRevision, ...] = Field(
        (), description="Which of the editions are revisions; absent where none.", exclude_if=lambda found: not found
    )
    renamed: Renamed | None = Field(
        None, description="Of a release that was renamed; else absent.", exclude_if=lambda name: name is None
    )
    count: int = Field(description="How many values.")
    back_series: ApiBackSeries | None = Field(
        None, description="Values of before areas were merged; absent where none.", exclude_if=lambda rows: rows is None
    )


class Leaf(LeafHead):
    """The values of one table for one area and metric, about 400 rows back."""

    data: ApiColumns = Field(description="The values.")


class SliceHead(Facts):
    """What a slice says of all its values."""

    edition: str = Field(description="Path of the edition.")
    revision: int = Field(description="Its revision, from 1.")
    release: str = Field(description="Id of the release.")
    table: str = Field(description="Id of the table.")
    metric: str = Field(description="Which statistic.")
    unit: str = Field(description="Unit of the values, in words.")
    period: str = Field(description="Label of the period.")
    geography_type: str = Field(description="Level of the areas; `all` where a release has none.")
    updated: str = Field(description="When the edition was published (RFC 3339, UTC).")
    download: str = Field(description="Address of the edition's table, as CSV.")
    licence: str = Field(description="Licence, by its SPDX identifier where there is one.")
    count: int = Field(description="How many values.")


class Slice(SliceHead):
    """The values of one table and metric in one period, for all areas at once."""

    data: ApiColumns = Field(description="The values.")


class SharedDownload(Facts):
    """Where a table of areas that are shown together can be had as a whole."""

    csv: str = Field(description="Address of the newest edition's table.")
    history: str = Field(description="Address of the table of all periods.")


class SharedIndex(Facts):
    """The index of areas that are shown together: which file an area is in."""

    release: str = Field(description="Id of the release.")
    geography_type: str = Field(description="Level of the areas.")
    updated: str = Field(description="When the newest edition was published (RFC 3339, UTC).")
    licence: str = Field(description="Licence, by its SPDX identifier where there is one.")
    count: int = Field(description="How many areas.")
    editions: tuple[str, ...] = Field(description="Paths of the editions, oldest first.")
    downloads: dict[str, SharedDownload] = Field(description="Table → where it can be had as a whole.")
    years: tuple[int, ...] = Field(description="Years in which editions end: each is a folder.")
    first_codes: tuple[str, ...] = Field(
        description="First code of each file of a year, in the order of UTF-16. An area is in the file of the last first code that "
        "is not after its own."
    )
    made_of: dict[str, str] = Field(description="Year → SHA-256 over what its files are made of, in hexadecimal.")


class SharedTable(Facts):
    """How the values of a table are arranged: moment by moment, and within each the groups in their order."""

    metrics: tuple[str, ...] = Field(description="Statistics that it shows.")
    strata: dict[str, tuple[str, ...]] = Field(description="Column of codes → the code of each group.")
    moments: dict[str, tuple[str, ...]] = Field(
        description="`edition`, `date`, `period`, `period_start`, `period_end` and `period_type` → of each moment."
    )


class SharedAreasHead(Facts):
    """What a file of areas that are shown together says of them."""

    release: str = Field(description="Id of the release.")
    geography_type: str = Field(description="Level of the areas.")
    licence: str = Field(description="Licence, by its SPDX identifier where there is one.")
    editions: tuple[str, ...] = Field(description="Paths of the editions of the year that are in it.")
    tables: dict[str, SharedTable] = Field(description="Table → how its values are arranged.")


class SharedAreas(SharedAreasHead):
    """The values of some areas whose codes follow each other, in one year."""

    areas: dict[str, dict[str, Any]] = Field(
        description="Code → the area's `name`, and table → metric → `value`, `lower_95`, `upper_95`, `status` and "
        "`value_unbiased`, each a list as the table says."
    )


class FoundPostcodes(Facts):
    """Where the postcodes of a dimension's areas are."""

    folder: str = Field(description="Folder of the files, from the release's own.")
    title: str = Field(description="What the list is called.")
    source: str = Field(description="Where it is from.")
    kept_back: int = Field(description="How many signs at the end of a postcode readers need not send.")


class FoundMap(Facts):
    """Where the boundaries of a dimension's areas are."""

    file: str = Field(description="Path of the file, from the public folder.")
    title: str = Field(description="What the boundaries are called.")
    source: str = Field(description="Where they are from.")
    sha256: str = Field(description="SHA-256 over what the file is made of, in hexadecimal.")


class FoundBy(Facts):
    """What the areas or groups of one dimension are found by."""

    names: dict[str, tuple[str, ...]] = Field(
        description="Code → every name that it has or had, where that is more than one or the code is not always in force."
    )
    postcodes: FoundPostcodes | None = Field(None, description="Their postcodes; absent where none are declared.")
    map: FoundMap | None = Field(None, description="Their boundaries; absent where none are declared.")


class PostcodesIndex(Facts):
    """What the files of a list of postcodes are made of.

    ``<prefix>.json`` has of those that begin so: code of the area → the ends of its postcodes.
    """

    folder: str = Field(description="Folder of the files, from a release's own.")
    title: str = Field(description="What the list is called.")
    source: str = Field(description="Where it is from.")
    kept_back: int = Field(description="How many signs at the end of a postcode are kept back.")
    codes: str = Field(description="Id of the code list of the areas.")
    sha256: str = Field(description="SHA-256 of the declared file, in hexadecimal.")


class MapShape(Facts):
    """The drawing of one area."""

    d: str = Field(description="Data of an SVG path, in points of the grid.")
    at: tuple[int, int] = Field(description="Middle of its largest part, in points of the grid.")


class MapFile(Facts):
    """Boundaries of areas as small drawings."""

    made_of: str = Field(description="SHA-256 over what the file is made of, in hexadecimal.")
    size: tuple[int, int] = Field(description="Width and height of the picture, in points of the grid.")
    shapes: dict[str, MapShape] = Field(description="Code of the area → its drawing.")
