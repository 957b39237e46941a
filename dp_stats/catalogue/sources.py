"""Where rows and opt-out lists come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dp_stats.catalogue.declared import Model


class Source(Model):
    """Where the rows come from. Paths may be relative to the catalogue folder or hold ``${DP_STATS_HOME}``."""

    kind: Literal["csv", "parquet", "spreadsheet", "duckdb", "postgres", "database"] = Field(
        description="What holds the rows; `database` is any that Ibis reads, by its URL.", examples=["csv"]
    )
    path: str | None = Field(
        None,
        description="File (csv, parquet, spreadsheet, duckdb); csv may be gzipped, or the only file of a zip. For "
        "csv and parquet also a folder (with hive partitions) or a pattern such as `visits/2024-*.csv`; for all but duckdb "
        "also an address that fsspec knows, such as `s3://…`.",
        examples=["visits.csv", "deliveries/*.csv.gz", "${DP_STATS_HOME}/source/visits.parquet"],
    )
    table: str | None = Field(
        None, description="Table, with schema if needed (duckdb, postgres, database).", examples=["public.visits"]
    )
    connection: str | None = Field(None, description="Airflow connection id (postgres).", examples=["warehouse"])
    url_env: str | None = Field(
        None,
        description="Environment variable that holds the database URL (postgres, database), or with `engine: source` the address "
        "of the Spark cluster (parquet).",
        examples=["WAREHOUSE_URL"],
    )
    sheet: str | None = Field(
        None, description="Sheet of a workbook (.xlsx, .xls, .ods); not needed where there is one.", examples=["Visits"]
    )
    delimiter: str = Field(",", description="What separates the fields of a csv.", examples=[";"])
    encoding: str = Field("utf-8", description="How the text of a csv is encoded.", examples=["utf-8", "windows-1252"])

    @model_validator(mode="after")
    def _complete(self) -> Source:
        if self.kind != "spreadsheet" and self.sheet is not None:
            raise ValueError("only a spreadsheet has a 'sheet'")
        if self.kind in ("csv", "parquet", "spreadsheet", "duckdb") and not self.path:
            raise ValueError(f"a {self.kind} source needs 'path'")
        if self.kind in ("duckdb", "postgres", "database") and not self.table:
            raise ValueError(f"a {self.kind} source needs 'table'")
        if self.kind == "database" and (not self.url_env or self.connection):
            raise ValueError("a database source needs 'url_env', the variable that holds its URL")
        if self.kind == "postgres" and bool(self.connection) == bool(self.url_env):
            raise ValueError("a postgres source needs either 'connection' (Airflow) or 'url_env'")
        return self


class OptOuts(Model):
    """People whose rows must never be used. A missing or unreadable list stops every run."""

    source: Source = Field(description="Where the list is; the same kinds as for rows.")
    column: str = Field(description="Column of the list that holds the person's identifier.", examples=["nhs_number"])
