"""CSV files as agencies really send them are read right, or refused by line number without showing the line."""

from __future__ import annotations

import gzip
from datetime import date
from decimal import Decimal

import pytest

from dp_stats.errors import DpStatsError, SourceError

HEADER = "Patient ID,Visit Date,Area,Age,Nights"
EXPECTED = [
    ("p1", date(2020, 3, 9), "A1", "0-17", Decimal("1.500000")),
    ("p2", date(2020, 3, 15), "A2", "unknown", None),
]
LINES = [HEADER, "p1,09-03-2020,a1 ,9,1.5", " p2 ,2020-03-15,A2,Not Reported,"]


def text(*lines: str, end: str = "\n") -> str:
    return end.join(lines) + end


MESSY = {
    "clean": text(*LINES),
    "with a byte-order mark": "\ufeff" + text(*LINES),
    "with a byte-order mark and quoted names": "\ufeff" + text('"Patient ID","Visit Date",Area,Age,Nights', *LINES[1:]),
    "with Windows line ends": text(*LINES, end="\r\n"),
    "with mixed line ends": LINES[0] + "\n" + LINES[1] + "\r\n" + LINES[2] + "\n",
    "with old Mac line ends": text(*LINES, end="\r"),
    "without a last line end": text(*LINES).rstrip("\n"),
    "with blank lines at the end": text(*LINES) + "\n\n",
    "with names in another case and spaces": text("  PATIENT ID , visit date,AREA,age,Nights ", *LINES[1:]),
    "with more columns in another order": text(
        "notes,Nights,Age,Area,Visit Date,Patient ID,name,name",
        '"a ""quoted"", note",1.5,9,A1,09-03-2020,p1,x,y',
        '"two\nlines",,not reported,A2,15-03-2020,p2,x,y',
    ),
    "compressed": gzip.compress(text(*LINES).encode()),
    "compressed with a byte-order mark and mixed line ends": gzip.compress(
        ("\ufeff" + LINES[0] + "\n" + LINES[1] + "\r\n" + LINES[2] + "\n").encode()
    ),
}


@pytest.mark.parametrize("content", MESSY.values(), ids=MESSY.keys())
def test_a_messy_file_gives_the_same_rows_as_a_clean_one(visits, content):
    visits.source(content)
    assert visits.rows() == EXPECTED


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-8-sig"])
def test_other_encodings_are_read(visits, encoding):
    visits.source(text(HEADER, "zoë,09-03-2020,A1,9,").encode(encoding), encoding=encoding)
    assert visits.rows() == [("zoë", date(2020, 3, 9), "A1", "0-17", None)]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_read(visits, delimiter):
    visits.source(text(*LINES).replace(",", delimiter), delimiter=delimiter)
    assert visits.rows() == EXPECTED


BROKEN = {
    "too few fields": (text(*LINES, "SECRET,09-03-2020,A1"), "line 4: 3 fields"),
    "too many fields": (text(*LINES, "SECRET,09-03-2020,A1,9,1,x"), "line 4: 6 fields"),
    "an open quotation mark": (text(*LINES, '"SECRET,09-03-2020,A1,9,1', "x,y"), "line 4: a quotation mark"),
    "a quotation mark inside": (text(*LINES, '"SEC"RET",09-03-2020,A1,9,1'), "line 4: a quotation mark"),
    "bytes of another encoding": (text(*LINES).encode() + b"SECRET\xff,09-03-2020,A1,9,1\n", "line 4: bytes"),
    "a broken line after a field of two lines": (
        text(HEADER, '"p\n1",09-03-2020,A1,9,1', "SECRET"),
        "line 4: 1 field",
    ),
    "a broken line after mixed line ends": (LINES[0] + "\r\n" + LINES[1] + "\nSECRET,1\n", "line 3: 2 fields"),
    "a compressed file cut short": (gzip.compress(text(*LINES * 999).encode())[:-20], "cut short"),
}


@pytest.mark.parametrize(("content", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_line_is_named_by_number_and_not_shown(visits, content, said):
    visits.source(content)
    with pytest.raises(SourceError, match=said) as caught:
        visits.pull()
    assert "visits.csv" in str(caught.value)
    assert "SEC" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "a traceback would print DuckDB's own message, which quotes the line"
    assert list(visits.staging.rglob("*.parquet*")) == []


def test_bytes_of_another_encoding_are_found_when_the_file_is_rewritten(visits):
    visits.source(text(*LINES).encode("cp1252") + b"SECRET\x81,09-03-2020,A1,9,1\n", encoding="cp1252")
    with pytest.raises(SourceError, match="line 4: bytes that are not cp1252"):
        visits.pull()


def test_a_missing_column_is_named_with_the_declared_ones_that_are_there(visits):
    visits.source(text("Patient ID,Visit Date,SECRET 1,Age,SECRET 2", "SECRET,09-03-2020,A1,9,1"))
    with pytest.raises(
        SourceError, match=r"visits\.csv has no column 'Area'.*\. It has 'Patient ID' and 'visit date' and .* others"
    ) as e:
        visits.pull()
    assert "SECRET" not in str(e.value)


def test_a_file_without_a_line_of_names_is_said_to_have_none(visits):
    visits.source(text("SECRET 9990000018,09-03-2020,SECRET A1,9,1", "SECRET,09-03-2020,A1,9,1"))
    with pytest.raises(SourceError, match="does not look like a line of column names") as e:
        visits.pull()
    assert "SECRET" not in str(e.value)


def test_a_column_that_stands_twice_is_refused(visits):
    visits.source(text("Patient ID,Visit Date,Area,AREA,Age,Nights", "p,09-03-2020,A1,A2,9,1"))
    with pytest.raises(SourceError, match="more than once"):
        visits.pull()


@pytest.mark.parametrize("content", ["", "\n", ",,,,\n1,2,3,4,5\n"], ids=["no bytes", "no header", "empty names"])
def test_an_empty_file_is_refused(visits, content):
    visits.source(content)
    with pytest.raises(SourceError, match="is empty"):
        visits.pull()


def test_a_file_with_a_header_alone_has_no_rows(visits):
    visits.source(text(HEADER))
    assert visits.rows() == []


def test_a_missing_file_is_named(visits):
    with pytest.raises(SourceError, match=r"There is no file .*visits\.csv"):
        visits.pull()


def test_an_unset_variable_in_the_path_is_named(visits):
    visits.declared["source"]["path"] = "${NOWHERE}/visits.csv"
    with pytest.raises(SourceError, match=r"\$\{NOWHERE\}/visits\.csv"):
        visits.pull()


@pytest.mark.parametrize("declared", [{"delimiter": ",,"}, {"encoding": "klingon"}])
def test_an_impossible_dialect_is_refused(visits, declared):
    visits.source(text(*LINES), **declared)
    with pytest.raises(DpStatsError, match=next(iter(declared))):
        visits.pull()


def test_nothing_but_the_declared_columns_is_staged(visits):
    visits.source(text(HEADER + ",name", "p1,09-03-2020,A1,9,1,SECRETNAME"))
    snapshot = visits.pull()
    assert all(b"SECRETNAME" not in path.read_bytes() for path in snapshot.path.parent.rglob("*") if path.is_file())
    assert sorted(path.name for path in snapshot.path.parent.iterdir()) == [
        f"{snapshot.digest}.parquet",
        "intake.parquet",
        "report.json",
        "snapshot.parquet",
        "source.parquet",
    ]
