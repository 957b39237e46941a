"""One delivery, however it is cut into files: a folder, a pattern, partitions, archives, object storage."""

from __future__ import annotations

import csv
import gzip
import io
import sqlite3
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dp_stats.errors import SourceError
from tests.visits_source import VisitsSource

HEADER = "Patient ID,Visit Date,Area,Age,Nights"
LINES = [f"p{i},{9 + i % 7:02}-03-2020,A{1 + i % 2},{i * 7 % 90},{i % 4}.5" for i in range(40)]


def put(path: Path, lines: list[str], how: str = "plain", header: str = HEADER) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([header, *lines]).encode() + b"\n"
    if how == "gz":
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(text))
    elif how == "zip":
        with zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inside/visits.csv", text)
    else:
        path.write_bytes(text)


@pytest.fixture
def whole(visits: VisitsSource) -> Any:
    visits.source("\n".join([HEADER, *LINES]) + "\n")
    rows = visits.rows()
    assert len(rows) == len(LINES)
    return rows


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, len(LINES)), max_size=4).map(sorted),
    how=st.lists(st.sampled_from(["plain", "gz", "zip"]), min_size=5, max_size=5),
    order=st.permutations(HEADER.split(",")),
)
def test_a_delivery_reads_the_same_however_it_is_cut_into_files(
    visits: VisitsSource,
    whole: Any,
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    how: list[str],
    order: Any,
) -> None:
    folder = tmp_path_factory.mktemp("delivery")
    parts = [LINES[a:b] for a, b in zip([0, *cuts], [*cuts, len(LINES)], strict=True)]
    places = [HEADER.split(",").index(name) for name in order]
    for number, part in enumerate(parts):
        if number % 2:  # another order of columns
            lines = [",".join(line.split(",")[place] for place in places) for line in part]
            put(folder / "2020" / f"day-{number}.csv", lines, how[number], ",".join(order))
        else:
            put(folder / "2020" / f"day-{number}.csv", part, how[number])
    (folder / ".hidden.csv").write_text("nothing")
    (folder / "readme.md").write_text("nothing")
    for path in (folder, folder / "2020" / "day-*", folder / "*" / "*"):
        visits.declared["source"] = {"kind": "csv", "path": str(path)}
        assert visits.rows() == whole


def test_partitions_of_parquet_are_columns_from_the_first_one_on(visits: VisitsSource, tmp_path: Path) -> None:
    so_far: list[str] = []
    for area in ("A1", "A2"):
        so_far += [line for line in LINES if line.split(",")[2] == area]
        lines = [line.split(",") for line in so_far if line.split(",")[2] == area]
        columns = {name: [line[i] for line in lines] for i, name in enumerate(HEADER.split(",")) if name != "Area"}
        folder = tmp_path / "lake" / f"Area={area}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table(columns), folder / "part-0.parquet")
        visits.source("\n".join([HEADER, *so_far]) + "\n", kind="csv", path="${DP_STATS_HOME}/source/visits.csv")
        expected = visits.rows()
        for path in (tmp_path / "lake", tmp_path / "lake" / "*" / "*.parquet"):
            visits.declared["source"] = {"kind": "parquet", "path": str(path)}
            assert visits.rows() == expected


@pytest.mark.parametrize("log", ["_delta_log", "metadata", ".hoodie"])
@pytest.mark.parametrize("path", ["{}/lake", "{}/lake/*/*.parquet", "memory://{}/lake", "memory://{}/lake/*/*.parquet"])
def test_a_lakes_table_is_refused_as_its_folder_holds_rows_that_were_deleted(
    visits: VisitsSource, tmp_path: Path, log: str, path: str
) -> None:
    remote = path.startswith("memory://")
    system, home = fsspec.filesystem("memory" if remote else "file"), f"/lakes{tmp_path}" if remote else str(tmp_path)
    lines = [line.split(",") for line in LINES]
    system.makedirs(f"{home}/lake/Area=A1", exist_ok=True)
    with system.open(f"{home}/lake/Area=A1/part-0.parquet", "wb") as file:
        pq.write_table(pa.table({n: [line[i] for line in lines] for i, n in enumerate(HEADER.split(","))}), file)
    visits.declared["source"] = {"kind": "parquet", "path": path.format(home.strip("/") if remote else home)}
    assert visits.rows(), "a plain folder is read"
    system.makedirs(f"{home}/lake/{log}", exist_ok=True)
    with system.open(f"{home}/lake/{log}/0.json", "wb") as file:
        file.write(b"{}")
    with pytest.raises(SourceError, match="rows that were deleted"):
        visits.rows()


def test_object_storage_is_read_through_private_copies(
    visits: VisitsSource, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fsspec.filesystem("memory")
    half = len(LINES) // 2
    for name, lines in (("a", LINES[:half]), ("b", LINES[half:])):
        with store.open(f"/bucket/visits/{name}.csv", "wb") as file:
            file.write("\n".join([HEADER, *lines]).encode() + b"\n")
    monkeypatch.setenv("STORE", "memory://bucket")
    for path in ("memory://bucket/visits", "memory://bucket/visits/*.csv", "$STORE/visits"):
        visits.declared["source"] = {"kind": "csv", "path": path}
        assert visits.rows() == whole
    assert not [p for p in visits.settings.secure.rglob("*") if "fetched" in p.parts]
    visits.declared["source"] = {"kind": "csv", "path": "memory://bucket/nothing-here"}
    with pytest.raises(SourceError, match="nothing is there"):
        visits.rows()


def test_what_is_not_there_or_not_one_file_is_said_with_what_to_do(visits: VisitsSource, tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none", "There is no file"), (tmp_path / "*.csv", "There is no file")):
        visits.declared["source"] = {"kind": "csv", "path": str(path)}
        with pytest.raises(SourceError, match=said):
            visits.rows()
    (tmp_path / "empty").mkdir()
    visits.declared["source"] = {"kind": "csv", "path": str(tmp_path / "empty")}
    with pytest.raises(SourceError, match="no csv file in the folder"):
        visits.rows()
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("SECRET-one.csv", HEADER)
        archive.writestr("SECRET-two.csv", HEADER)
    visits.declared["source"] = {"kind": "csv", "path": str(tmp_path / "two.zip")}
    with pytest.raises(SourceError, match="holds 2 files") as caught:
        visits.rows()
    assert "SECRET" not in str(caught.value)
    (tmp_path / "two.zip").write_bytes((tmp_path / "two.zip").read_bytes()[:-30])
    with pytest.raises(SourceError):
        visits.rows()


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> None:
    """An .xlsx with typed cells, as a spreadsheet program saves it."""
    with xlsxwriter.Workbook(str(path), {"default_date_format": "dd/mm/yy"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)


def typed(line: str) -> list[Any]:
    person, day, area, age, nights = line.split(",")
    return [person, datetime.strptime(day, "%d-%m-%Y"), area, int(age), float(nights)]  # noqa: DTZ007 - a date cell


def test_a_sheet_with_dates_and_numbers_reads_as_the_same_table(
    visits: VisitsSource, whole: Any, tmp_path: Path
) -> None:
    rows = [HEADER.split(","), *map(typed, LINES)]
    visits.declared["columns"]["day"].pop("formats")
    workbook(tmp_path / "one.xlsx", {"Visits": rows})
    visits.declared["source"] = {"kind": "spreadsheet", "path": str(tmp_path / "one.xlsx")}
    assert visits.rows() == whole
    workbook(tmp_path / "two.xlsx", {"SECRET notes": [["nothing"]], "Visits": rows})
    visits.declared["source"] = {"kind": "spreadsheet", "path": str(tmp_path / "two.xlsx"), "sheet": "visits"}
    assert visits.rows() == whole
    for sheet, said in ((None, "has 2 sheets"), ("Visit", "no sheet 'Visit'")):
        visits.declared["source"] = {"kind": "spreadsheet", "path": str(tmp_path / "two.xlsx"), "sheet": sheet}
        with pytest.raises(SourceError, match=said) as caught:
            visits.rows()
        assert "SECRET" not in str(caught.value)
    visits.declared["source"] = {"kind": "csv", "path": str(tmp_path / "two.xlsx")}
    with pytest.raises(SourceError, match="kind: spreadsheet"):
        visits.rows()
    (tmp_path / "two.xlsx").write_bytes(b"SECRET")
    visits.declared["source"] = {"kind": "spreadsheet", "path": str(tmp_path / "two.xlsx")}
    with pytest.raises(SourceError, match="cannot be read as a workbook") as caught:
        visits.rows()
    assert "SECRET" not in str(caught.value)


def test_an_open_document_sheet_reads_as_the_same_table(visits: VisitsSource, whole: Any, tmp_path: Path) -> None:
    """The smallest .ods there is: cells with their values as a program writes them."""

    def cell(value: Any) -> str:
        kind, attribute, shown = (
            ("date", "date-value", f"{value:%Y-%m-%d}")
            if isinstance(value, datetime)
            else ("float", "value", str(value))
            if isinstance(value, (int, float))
            else ("string", "string-value", value)
        )
        told = f'office:value-type="{kind}" office:{attribute}="{shown}"'
        return f"<table:table-cell {told}><text:p>{shown}</text:p></table:table-cell>"

    rows = [HEADER.split(","), *map(typed, LINES)]
    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    names = "".join(f' xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "table", "text"))
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(tmp_path / "visits.ods", "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>',
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content{names}><office:body><office:spreadsheet>"
            f'<table:table table:name="Visits">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    visits.declared["columns"]["day"].pop("formats")
    visits.declared["source"] = {"kind": "spreadsheet", "path": str(tmp_path / "visits.ods")}
    assert visits.rows() == whole


def test_a_table_of_any_database_that_ibis_reads(
    visits: VisitsSource, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "clinic.db") as session:
        session.execute(
            f"CREATE TABLE visits ({', '.join(f'[{name}] TEXT' for name in HEADER.split(','))}, secret TEXT)"
        )
        session.executemany("INSERT INTO visits VALUES (?, ?, ?, ?, ?, 'SECRET')", [line.split(",") for line in LINES])
    monkeypatch.setenv("CLINIC_URL", f"sqlite:///{tmp_path / 'clinic.db'}")
    visits.declared["source"] = {"kind": "database", "table": "visits", "url_env": "CLINIC_URL"}
    assert visits.rows() == whole
    visits.declared["source"]["table"] = "nothing"
    with pytest.raises(SourceError, match=r"table nothing .CLINIC_URL. is not there"):
        visits.rows()
    visits.declared["source"]["table"] = "visits"
    for url, said in (
        ("mysql://root:SECRET@127.0.0.1/x", "driver is not installed"),
        ("nonsense://SECRET", "cannot be reached"),
    ):
        monkeypatch.setenv("CLINIC_URL", url)
        with pytest.raises(SourceError, match=said) as caught:
            visits.rows()
        assert "SECRET" not in str(caught.value)
    monkeypatch.delenv("CLINIC_URL")
    with pytest.raises(SourceError, match="CLINIC_URL is not set"):
        visits.rows()


def test_a_broken_line_is_named_with_its_file_and_a_column_that_one_file_lacks_is_missed(
    visits: VisitsSource, tmp_path: Path
) -> None:
    put(tmp_path / "d" / "1.csv", LINES[:3])
    put(tmp_path / "d" / "2.csv", [*LINES[3:5], "SECRET,too,few"])
    visits.declared["source"] = {"kind": "csv", "path": str(tmp_path / "d")}
    with pytest.raises(SourceError, match=r"File 2 of 2 .by name. of .*, line 4") as caught:
        visits.rows()
    assert "SECRET" not in str(caught.value)
    put(tmp_path / "d" / "2.csv", ["p1,09-03-2020"], header="Patient ID,Visit Date")
    with pytest.raises(SourceError, match=r"File 2 of 2 .* has no column"):
        visits.rows()


def test_a_file_that_comes_while_the_others_are_read_stops_the_run(
    visits: VisitsSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dp_stats.secure import pull as pulling

    put(tmp_path / "d" / "1.csv", LINES[:3])
    put(tmp_path / "d" / "2.csv", LINES[3:6])
    visits.declared["source"] = {"kind": "csv", "path": str(tmp_path / "d")}
    written = pulling._write

    def arriving(*arguments: Any, **options: Any) -> None:
        put(tmp_path / "d" / "3.csv", LINES[6:])
        written(*arguments, **options)

    monkeypatch.setattr(pulling, "_write", arriving)
    with pytest.raises(SourceError, match="changed"):
        visits.rows()


def test_a_year_of_daily_files_is_read_in_the_memory_of_one(visits: VisitsSource, tmp_path: Path) -> None:
    order = HEADER.split(",")[::-1]
    for number in range(366):
        lines = [f"p{number},09-03-2020,A1,{number % 90},1.5"]
        if number % 2:
            put(
                tmp_path / "d" / f"{number:03}.csv",
                [",".join(line.split(",")[::-1]) for line in lines],
                "gz",
                ",".join(order),
            )
        else:
            put(tmp_path / "d" / f"{number:03}.csv", lines)
    visits.declared["source"] = {"kind": "csv", "path": str(tmp_path / "d")}
    assert len(visits.rows()) == 366


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.sampled_from([1, 2, 7]), cut=st.integers(1, 60), compressed=st.booleans())
@example(files=7, cut=20, compressed=False)
@example(files=1, cut=3, compressed=True)
def test_a_file_that_was_cut_off_is_refused_or_holds_whole_lines_only(
    visits: VisitsSource, tmp_path_factory: pytest.TempPathFactory, files: int, cut: int, compressed: bool
) -> None:
    folder = tmp_path_factory.mktemp("delivery")
    quoted = [",".join(f'"{cell}"' for cell in line.split(",")) for line in LINES]
    for number in range(files):
        put(folder / f"{number}.csv", quoted, "gz" if compressed else "plain")
    spoilt = sorted(folder.iterdir())[files // 2]
    spoilt.write_bytes(spoilt.read_bytes()[:-cut])
    visits.declared["source"] = {"kind": "csv", "path": str(folder)}
    try:
        rows = len(visits.rows())
    except SourceError:
        return
    assert not compressed
    whole = list(csv.reader(io.StringIO(spoilt.read_text()), strict=True))
    assert {len(line) for line in whole} == {5}
    assert rows == (files - 1) * len(LINES) + len(whole) - 1
