"""What a source calls its files, sheets, members, tables and columns may be data, too: no error tells it.

An extract may be a file a patient, a sheet a ward's name, a line of headings the first row. Each delivery here is planted
with names, spoilt in each way that stops a run, and every message with its whole traceback is searched.
"""

from __future__ import annotations

import shutil
import sqlite3
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from dp_stats.errors import DpStatsError
from tests.deliveries import as_csv
from tests.visits_source import VisitsSource

CANARY = "canary"
HEADER = ["Patient ID", "Visit Date", "Area", "Age", "Nights", "canary-column"]
GOOD = [["canary-1", "2020-03-09", "A1", "30", "1", "canary-cell"], ["canary-2", "2020-03-10", "A2", "40", "2", ""]]
TABLES: dict[str, list[list[str]]] = {
    "a missing column": [["Patient ID", "Visit Date", "canary-column"], ["canary-1", "2020-03-09", "x"]],
    "no line of headings": [["canary-3", "canary-4", "canary-5", "canary-6", "canary-7", "x"], *GOOD],
    "a column twice": [[*HEADER[:-1], "Area"], *GOOD],
    "nothing": [],
}
TEXTS: dict[str, bytes] = {
    "a broken line": as_csv([HEADER, *GOOD]) + b"canary-9,2020-03-09\n",
    "an open quotation mark": as_csv([HEADER, *GOOD]) + b'"canary-9,2020-03-09,A1,1,1,x\n',
    "another encoding": as_csv([HEADER, *GOOD]) + b"canary\xff,2020-03-09,A1,1,1,x\n",
    **{what: as_csv(rows) for what, rows in TABLES.items()},
}
Spoilt = dict[str, Any]


def folder_of_files(place: Path, spoilt: bytes) -> Spoilt:
    (place / "canary-folder").mkdir()
    (place / "canary-folder" / "canary-1.csv").write_bytes(as_csv([HEADER, *GOOD]))
    (place / "canary-folder" / "canary-2.csv").write_bytes(spoilt)
    return {"kind": "csv", "path": str(place / "*" / "*.csv")}


def one_of_a_pattern(place: Path, spoilt: bytes) -> Spoilt:
    (place / "canary-1.csv").write_bytes(spoilt)
    return {"kind": "csv", "path": str(place / "*.csv")}


def member_of_a_zip(place: Path, spoilt: bytes) -> Spoilt:
    with zipfile.ZipFile(place / "records.zip", "w") as archive:
        archive.writestr("canary-folder/canary-1.csv", spoilt)
    return {"kind": "csv", "path": str(place / "records.zip")}


def two_members(place: Path, spoilt: bytes) -> Spoilt:
    with zipfile.ZipFile(place / "records.zip", "w") as archive:
        archive.writestr("canary-1.csv", spoilt)
        archive.writestr("canary-2.csv", spoilt)
    return {"kind": "csv", "path": str(place / "records.zip")}


@pytest.mark.parametrize("deliver", [folder_of_files, one_of_a_pattern, member_of_a_zip, two_members])
@pytest.mark.parametrize("what", TEXTS)
def test_no_name_of_a_file_is_told(
    visits: VisitsSource, tmp_path: Path, deliver: Callable[[Path, bytes], Spoilt], what: str
) -> None:
    place = tmp_path / "delivery"
    place.mkdir()
    visits.declared["source"] = deliver(place, TEXTS[what])
    assert CANARY not in told(visits)


def workbook(place: Path, rows: list[list[str]]) -> Spoilt:
    with xlsxwriter.Workbook(str(place / "records.xlsx")) as book:
        sheet = book.add_worksheet("canary-sheet")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return {"kind": "spreadsheet", "path": str(place / "records.xlsx")}


def parquet(place: Path, rows: list[list[str]]) -> Spoilt:
    part = place / "lake" / "canary-partition=canary-1"
    part.mkdir(parents=True)
    names = rows[0] if rows else []
    columns = {name: pa.array([row[i] for row in rows[1:]], pa.string()) for i, name in enumerate(names)}
    pq.write_table(pa.table(columns), part / "canary-1.parquet")
    return {"kind": "parquet", "path": str(place / "lake")}


def database(place: Path, rows: list[list[str]]) -> Spoilt:
    names = ", ".join(f'"{name}{i}" VARCHAR' for i, name in enumerate(rows[0] if rows else ["canary-column"]))
    with duckdb.connect(str(place / "records.duckdb")) as session:
        session.execute(f'CREATE TABLE "canary-table" ({names})')
    return {"kind": "duckdb", "path": str(place / "records.duckdb"), "table": "canary-table"}


def of_ibis(place: Path, rows: list[list[str]]) -> Spoilt:
    names = ", ".join(f'"{name}{i}" TEXT' for i, name in enumerate(rows[0] if rows else ["canary-column"]))
    session = sqlite3.connect(place / "records.db")
    session.execute(f"CREATE TABLE records ({names})")
    session.close()
    return {"kind": "database", "url_env": "RECORDS_URL", "table": "records"}


@pytest.mark.parametrize("deliver", [workbook, parquet, database, of_ibis])
@pytest.mark.parametrize("what", [what for what in TABLES if what != "a column twice"])
def test_no_name_in_a_file_is_told(
    visits: VisitsSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deliver: Callable[[Path, list[list[str]]], Spoilt],
    what: str,
) -> None:
    place = tmp_path / "delivery"
    place.mkdir()
    monkeypatch.setenv("RECORDS_URL", f"sqlite:///{place / 'records.db'}")
    source = deliver(place, TABLES[what])
    visits.declared["source"] = source
    said = told(visits).replace(str(source.get("table")), "")  # what is declared may be told
    assert CANARY not in said
    for other in ("sheet", "table"):
        if other in source or (other == "sheet" and source["kind"] == "spreadsheet"):
            visits.declared["source"] = {**source, other: "another"}
            assert CANARY not in told(visits)


@pytest.mark.parametrize("kind", ["csv", "spreadsheet", "parquet", "duckdb"])
@pytest.mark.parametrize("spoil", ["cut short", "of another kind", "a folder", "not there"])
def test_a_damaged_file_is_not_quoted(visits: VisitsSource, tmp_path: Path, kind: str, spoil: str) -> None:
    place = tmp_path / "delivery"
    place.mkdir()
    deliver: dict[str, Callable[[], Spoilt]] = {
        "csv": lambda: member_of_a_zip(place, as_csv([HEADER, *GOOD])),
        "spreadsheet": lambda: workbook(place, [HEADER, *GOOD]),
        "parquet": lambda: parquet(place, [HEADER, *GOOD]),
        "duckdb": lambda: database(place, [HEADER, *GOOD]),
    }
    visits.declared["source"] = deliver[kind]()
    for path in [p for p in place.rglob("*") if p.is_file()]:
        raw = path.read_bytes()
        path.unlink()
        if spoil == "cut short":
            path.write_bytes(raw[: len(raw) // 2])
        elif spoil == "of another kind":
            path.write_bytes(b"canary\x00" * 100)
        elif spoil == "a folder":
            path.mkdir()
    assert CANARY not in told(visits).replace("canary-table", "")
    shutil.rmtree(place)


@pytest.mark.parametrize("url", ["mysql://u:canary@127.0.0.1:1/x", "nonsense://canary", "mssql://canary", "canary"])
@pytest.mark.parametrize("kind", ["database", "postgres"])
def test_no_address_of_a_database_is_told(
    visits: VisitsSource, monkeypatch: pytest.MonkeyPatch, kind: str, url: str
) -> None:
    monkeypatch.setenv("RECORDS_URL", url)
    visits.declared["source"] = {"kind": kind, "url_env": "RECORDS_URL", "table": "records"}
    assert CANARY not in told(visits)


def test_the_search_finds_what_an_error_quotes(visits: VisitsSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the driver's own error let through, the search fails: it has power."""
    from dp_stats.secure import ibis_source

    def careless(variable: str, place: str) -> Any:
        try:
            raise ValueError("cannot connect to canary")
        except ValueError as error:
            raise DpStatsError("The database cannot be reached.") from error

    monkeypatch.setattr(ibis_source, "_connected", careless)
    visits.declared["source"] = {"kind": "database", "url_env": "RECORDS_URL", "table": "records"}
    assert CANARY in told(visits)


def told(visits: VisitsSource) -> str:
    """Everything that the failing run says, in small letters."""
    with pytest.raises(DpStatsError) as caught:
        visits.rows()
    # Without the lines of source code that a traceback quotes: they are ours.
    whole = traceback.TracebackException.from_exception(caught.value)
    said = []
    link: traceback.TracebackException | None = whole
    while link is not None:
        said += list(link.format_exception_only())
        link = link.__cause__ or link.__context__
    return "".join(said).casefold()
