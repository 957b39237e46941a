"""An accessible spreadsheet of an edition: cover, contents, notes and one marked-up table a sheet."""

from __future__ import annotations

import io
import tempfile
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from dp_stats.editions import filling
from dp_stats.editions.edition import Edition, TableFacts
from dp_stats.editions.provisional import provisional_said
from dp_stats.editions.truncated import said_beside
from dp_stats.texts.words import Texts

if TYPE_CHECKING:
    import pandas as pd

NAME, ENDING = "workbook", ".xlsx"
MOST_ROWS = 1_500
"""Longer tables are in a workbook of their own."""
MOST_ROWS_ALONE = 20_000
"""Longer ones still are for programs, not for people: they are in the CSV files only."""

_LEFT_OUT = ("release", "edition", "revision", "geography_type")


_WORD, _BREAK = "\ue0000", "\ue001"
"""Signs of no alphabet that stand in texts while gptables works, and in nothing that is published."""


def shielded(text: str) -> str:
    """A text that gptables and Excel take as it is, in any script; ``_unshielded`` removes the marks.

    gptables refuses cells without Latin letters or digits, and reads ``$$`` as a note and ``[…](…)`` as a link; Excel
    reads a text that begins with ``=`` as a formula.
    """
    plain = text.replace("\ue000", "").replace(_BREAK, "")
    return _WORD + plain.replace("$$", f"${_BREAK}$").replace("](", f"]{_BREAK}(")


def _unshielded(book: bytes) -> bytes:
    """The workbook without the marks of ``shielded``."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as shut, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for part in shut.infolist():
            content = shut.read(part).decode().replace(_WORD, "").replace(_BREAK, "")
            opened.writestr(part, content.encode())
    return out.getvalue()


def _headings(titles: list[str]) -> list[str]:
    """Titles of columns, made different where they are equal: a table of a spreadsheet needs that."""
    taken: set[str] = set()
    found = []
    for title in titles:
        name, number = title, 1
        while name.casefold() in taken:
            number += 1
            name = f"{title} ({number})"
        taken.add(name.casefold())
        found.append(shielded(name))
    return found


def workbooks(
    edition: Edition, tables: Mapping[str, pa.Table], texts: Texts, *, most: int | None = None
) -> dict[str, bytes]:
    """The edition's tables as spreadsheets, after the Analysis Function's guidance: name without ending → content.

    The short tables are together in one; each long one is in one of its own, unless it is too long for people.

    Args:
        most: how many rows of each are written, where nobody keeps it (default: all).
    """
    short = [t for t in edition.tables if len(tables[t.id]) <= MOST_ROWS]
    alone = [t for t in edition.tables if MOST_ROWS < len(tables[t.id]) <= MOST_ROWS_ALONE]
    rest = [t for t in edition.tables if t not in short and t not in alone]
    about = [
        texts(key, tables=shielded(", ".join(t.title for t in listed)))
        for key, listed in (("workbook.own", alone), ("workbook.long", rest))
        if listed
    ]
    books = {NAME: _book(edition, short, tables, texts, about, most)} if short else {}
    return books | {f"{NAME}-{table.id}": _book(edition, [table], tables, texts, [], most) for table in alone}


def _book(
    edition: Edition,
    chosen: Sequence[TableFacts],
    tables: Mapping[str, pa.Table],
    texts: Texts,
    about: Sequence[str],
    most: int | None,
) -> bytes:
    """Some tables, a sheet each, with a cover that also says ``about`` the others."""
    import gptables

    frames = {f"Table_{n}": _frame(edition, t, tables[t.id][:most], texts) for n, t in enumerate(chosen, start=1)}
    sheets = {
        label: _sheet(edition, table, filling.widest_row(frame), label.lower(), texts)
        for (label, frame), table in zip(frames.items(), chosen, strict=True)
    }
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / f"{NAME}{ENDING}"
        book = gptables.produce_workbook(
            filename=str(path),
            sheets=sheets,
            cover=_cover(edition, about, texts),
            notes_table=_notes(edition, texts),
            contentsheet_options={"additional_elements": []},
            auto_width=True,
            workbook_options={"strings_to_formulas": False, "strings_to_urls": False},  # a text is a text
        )
        for label, frame in frames.items():
            filling.fill(book, label, frame)
        created = edition.published.astimezone(UTC).replace(tzinfo=None)
        book.set_properties({"title": edition.title, "created": created, "comments": edition.path})
        book.close()
        return _unshielded(path.read_bytes())


def _frame(edition: Edition, table: TableFacts, rows: pa.Table, texts: Texts) -> pd.DataFrame:
    """The rows of a table as a reader of the spreadsheet sees them."""
    import pandas as pd

    facts = {c.name: c for c in table.columns}
    kept = [name for name in rows.column_names if name not in _LEFT_OUT]
    frame: pd.DataFrame = rows.select(kept).to_pandas()
    for name, known in _names(edition, table).items():
        frame[name] = frame[f"{name}_code"].map(known).fillna(frame[name])
    for name in ("date", "period_start", "period_end"):
        frame[name] = frame[name].astype(str)
    frame["status"] = frame["status"].replace("", texts("workbook.reliable"))
    for name in ("value", "lower_95", "upper_95", "value_unbiased", "standard_error"):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), "x")
    for name in kept:
        if facts[name].type == "string":
            frame[name] = frame[name].map(shielded)
    frame.columns = pd.Index(_headings([facts[name].title for name in kept]))
    return frame


def _sheet(edition: Edition, table: TableFacts, frame: pd.DataFrame, name: str, texts: Texts) -> object:
    """The sheet of a table: what stands above it, and its heading with a row that stands for all."""
    import gptables

    return gptables.GPTable(
        table=frame,
        table_name=name,
        title=f"{shielded(table.title)}, {edition.period.text}$$privacy$$",
        subtitles=[shielded(edition.release.title)],
        instructions=texts("workbook.instructions"),
        source=shielded(edition.dataset.title),
        scope=shielded(edition.dataset.region),
        index_columns={},
    )


def _names(edition: Edition, table: TableFacts) -> dict[str, dict[str, str]]:
    """Column of names → what each code beside it is called, in the language that the edition is read in."""
    columns = {d.name: d.column for d in edition.strata} | (
        {place.name: "geography"} if (place := edition.geography) else {}
    )
    levels = {column: edition.dimension(name).level(table.levels[name]) for name, column in columns.items()}
    told = {c.name for c in table.columns}
    return {
        column: dict(zip(level.codes, level.names, strict=True))
        for column, level in levels.items()
        if {column, f"{column}_code"} <= told
    }


def _cover(edition: Edition, others: Sequence[str], texts: Texts) -> object:
    import gptables

    guarantee = edition.guarantee
    about = [
        texts("workbook.published", day=texts.day(edition.published.date()), revision=edition.revision.number),
        texts("workbook.licence", licence=shielded(edition.release.licence_title)),
        texts(
            "workbook.privacy",
            epsilon=texts.significant(guarantee.epsilon),
            delta=texts.delta(guarantee.delta),
            unit=guarantee.unit,
            per=texts(f"per.{guarantee.per}"),
        ),
    ]
    about += others
    left_out = said_beside(edition, [s.id for s in edition.statistics], texts)
    beside = (provisional_said(edition), left_out)
    contact = [shielded(edition.release.contact)] if edition.release.contact else None
    return gptables.Cover(
        title=shielded(edition.title),
        intro=[shielded(text) for text in (edition.release.summary or edition.title, *beside) if text],
        about=about,
        contact=contact,
    )


def _notes(edition: Edition, texts: Texts) -> object:
    import pandas as pd

    reference, note = texts("workbook.reference"), texts("workbook.note")
    privacy = texts("workbook.differ")
    if edition.quality.consistent:
        privacy = f"{privacy} {texts('workbook.add')}"
    rows = [{reference: "privacy", note: privacy}]
    reliable = texts("workbook.reliable")
    meanings = [(mark, f"{name}: {meaning}") for mark in edition.marks for name, meaning in texts.status(mark)]
    for mark, meaning in [(reliable, reliable), *meanings]:
        rows.append({reference: texts("workbook.mark", mark=mark), note: f"{meaning[:1].upper()}{meaning[1:]}."})
    return pd.DataFrame(rows)
