"""What everything in an edition's tables is called in each language, as one table: codes are the same in all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from dp_stats.editions.columns import LabelRow, names
from dp_stats.editions.edition import Edition
from dp_stats.texts.words import Texts

FILE_NAME = "labels.csv"


def labels(said: Sequence[Edition], languages: Sequence[Texts]) -> pa.Table:
    """A row for each statistic, table, column, mark, dimension, level and group, with a column of labels for each language.

    Args:
        said: the same edition in each language, its columns included.
    """
    named = [list(_named(edition, texts)) for edition, texts in zip(said, languages, strict=True)]
    header = names(LabelRow, {"label": tuple(f"label_{texts.language}" for texts in languages)})
    columns = [[row[at] for row in named[0]] for at in range(3)] + [[row[3] for row in rows] for rows in named]
    return pa.table([pa.array(column, pa.string()) for column in columns], names=list(header))


def _named(edition: Edition, texts: Texts) -> Iterator[tuple[str, str, str, str]]:
    """(kind, what it belongs to, code, label)."""
    yield from (("statistic", "", s.id, s.title) for s in edition.statistics)
    yield from (("unit", "", s.id, s.unit) for s in edition.statistics if s.unit)
    yield from (("table", "", t.id, t.title) for t in edition.tables)
    told = {column.name: column.title for table in edition.tables for column in table.columns}
    yield from (("column", "", name, title) for name, title in told.items())
    yield from (("mark", "", mark, name) for mark in edition.marks for name, _ in texts.status(mark))
    for dimension in edition.dimensions:
        yield "dimension", "", dimension.name, dimension.title
        for level in dimension.levels:
            yield "level", dimension.name, level.name, level.title
            groups = zip(level.codes, level.names, strict=True)
            yield from (("group", f"{dimension.name}.{level.name}", code, name) for code, name in groups)
