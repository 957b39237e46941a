"""Three lines each of pandas, polars, DuckDB and R that load a published table with its intervals, codes and names as text."""

from __future__ import annotations

from dp_stats.editions.edition import Edition, TableFacts
from dp_stats.editions.provisional import provisional_said
from dp_stats.editions.truncated import said_beside
from dp_stats.texts.words import Texts


def snippets(edition: Edition, table: TableFacts, *, address: str = "") -> dict[str, str]:
    """Language → code that loads the table and shows values with their 95 % intervals.

    Args:
        address: what stands before the file's name: the edition's URL with a slash at the end, or nothing
            where the code is run in the edition's folder.
    """
    csv, parquet = f"{address}{table.id}.csv", f"{address}{table.id}.parquet"
    place = "geography" if edition.geography is not None else "metric"
    groups = [d.column for d in edition.strata if len(d.level(table.levels[d.name]).codes) > 1]
    kinds = [c.name for c in table.columns if c.name == "period_type"]  # tables of early editions have none
    columns = [
        "metric",
        *(["geography"] if place == "geography" else []),
        *groups,
        "date",
        *kinds,
        "value",
        "lower_95",
        "upper_95",
    ]
    texts = [c.name for c in table.columns if c.type == "string"]
    numbers = [c.name for c in table.columns if c.type != "string" and not c.required]
    as_text, as_empty = (
        ", ".join(f'"{c}": {value}' for c in kind) for kind, value in ((texts, "str"), (numbers, '""'))
    )
    classes = ", ".join(f'`{c}` = "character"' for c in texts)
    return {
        "pandas": (
            "import pandas as pd\n"
            f'data = pd.read_csv("{csv}", parse_dates=["date"], dtype={{{as_text}}}, keep_default_na=False, '
            f"na_values={{{as_empty}}})\n"
            f"print(data[{columns!r}])\n".replace("'", '"')
        ),
        "polars": (
            f'import polars as pl\ndata = pl.read_parquet("{parquet}")\nprint(data.select({columns!r}))\n'.replace(
                "'", '"'
            )
        ),
        "duckdb": (
            f"CREATE TABLE data AS FROM '{parquet}';\n"
            f"SELECT {', '.join(columns)}\n"
            f"FROM data ORDER BY {', '.join([*kinds, 'date', place])};\n"
        ),
        "r": (
            f'data <- read.csv("{csv}", na.strings = character(), colClasses = c({classes}, date = "Date"))\n'
            f"data <- data[order(data$date), c({', '.join(f'{chr(34)}{c}{chr(34)}' for c in columns)})]\n"
            "print(head(data))\n"
        ),
    }


def readers_kit(edition: Edition, texts: Texts) -> bytes:
    """``readers-kit.md``: how to load every table of the edition, run in its folder."""
    parts = [
        f"# {texts('kit.title', edition=edition.title)}\n",
        f"{texts('kit.lead')}\n",
    ]
    if provisional := provisional_said(edition):
        parts.append(f"{provisional}\n")
    if left_out := said_beside(edition, [s.id for s in edition.statistics], texts):
        parts += [f"## {texts('kit.left_out')}\n", f"{left_out}\n"]
    fences = {"pandas": "python", "polars": "python", "duckdb": "sql", "r": "r"}
    for table in edition.tables:
        parts.append(f"## {table.title}\n")
        for language, code in snippets(edition, table).items():
            if language not in texts.get("kit"):  # of an edition that was published before it was spoken
                continue
            parts.append(f"{texts(f'kit.{language}')}:\n\n```{fences[language]}\n{code}```\n")
    return "\n".join(parts).encode()
