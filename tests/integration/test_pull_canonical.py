"""Dates, codes, bands, numbers and identifiers mean the same however they are written."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import pytest

from dp_stats.errors import CatalogueError, SourceError

MONDAY = date(2020, 3, 9)


def one(ward, which="intake", **fields):
    """Pull a single row with these fields and return it as the checks see it."""
    row = {"Patient ID": "p", "Visit Date": "09-03-2020", "Area": "A1", "Age": "9", "Nights": "1"} | fields
    ward.source(",".join(row) + "\n" + ",".join(f'"{value}"' for value in row.values()) + "\n")
    rows = ward.rows(which)
    return rows[0] if rows else None


@pytest.mark.parametrize("written", ["09-03-2020", "9-3-2020", "2020-03-09", " 09-03-2020\t"])
def test_dates_are_tried_in_each_declared_format(ward, written):
    assert one(ward, **{"Visit Date": written})[1] == MONDAY


@pytest.mark.parametrize("written", ["03/09/2020", "31-02-2020", "", "soon", "09-03-20", "09-03-2020 and more"])
def test_a_date_in_no_declared_format_is_never_guessed(ward, written):
    assert one(ward, **{"Visit Date": written}) is None
    assert one(ward, "source", **{"Visit Date": written}) == (0, 7, 7, 1.0)


def test_iso_dates_and_times_need_no_format(ward):
    del ward.declared["columns"]["day"]["formats"]
    for written in ("2020-03-09", "2020-03-09 23:59:59", "2020-03-09T00:00:00"):
        assert one(ward, **{"Visit Date": written})[1] == MONDAY


def test_a_wrong_format_is_a_fault_of_the_catalogue(ward):
    ward.declared["columns"]["day"]["formats"] = ["%Q"]
    with pytest.raises(CatalogueError, match=r"columns\.day\.formats"):
        one(ward)


@pytest.mark.parametrize(
    ("day", "counts"), [("08-03-2020", 0), ("09-03-2020", 1), ("15-03-2020", 1), ("16-03-2020", 0)]
)
def test_only_rows_of_the_period_are_staged(ward, day, counts):
    one(ward, **{"Visit Date": day})
    for which in ("snapshot", "intake"):
        assert len(ward.rows(which)) == counts


@pytest.mark.parametrize(
    ("written", "code"),
    [("A1", "A1"), (" a2\u00a0", "A2"), ("old town", "A1"), ("ß3", "ß3"), ("Harbour", None), ("", None), ("A9", None)],
)
def test_codes_match_the_list_or_a_mapped_value_without_regard_to_case_and_spaces(ward, written, code):
    assert one(ward, Area=written)[2] == code


def test_decomposed_letters_are_the_same_letters(ward):
    ward.write("catalogue/codes/areas.csv", "code,name\nA1,x\nZÜ,Zürich\n")
    assert one(ward, Area="zu\u0308")[2] == "ZÜ"


@pytest.mark.parametrize(
    ("written", "band"),
    [
        ("0", "0-17"), ("17", "0-17"), ("17.9", "0-17"), ("18", "18-64"), ("65", "65+"), ("104", "65+"), ("9.0", "0-17"),
        ("18-64", "18-64"), ("NOT REPORTED", "unknown"), ("-1", "unknown"), ("", "unknown"), ("nan", "unknown"),
        (">80", "unknown"), ("1e1", "0-17"), ("1_0", "unknown"), ("0x10", "unknown"),
    ],
)  # fmt: skip
def test_a_number_falls_in_its_band_and_all_else_is_unknown(ward, written, band):
    assert one(ward, Age=written)[3] == band


def test_a_number_between_bands_with_a_gap_is_in_none(ward):
    ward.write("catalogue/codes/bands.csv", "code,name,lower,upper\n0-17,Child,0,17\n65-70,Older,65,70\n")
    del ward.declared["columns"]["age_band"]["unknown"], ward.declared["columns"]["age_band"]["values"]
    assert [one(ward, Age=age)[3] for age in ("17.5", "18", "64", "65", "70.9", "71")] == [
        "0-17", None, None, "65-70", "65-70", None
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1", "1"), ("-2.50", "-2.5"), ("0.1", "0.1"), (" .5 ", "0.5"), ("1e3", "1000"), ("0.0000005", "0.000001"),
        ("nan", None), ("inf", None), ("1,000", None), ("12 days", None), ("", None), ("1e30", None), ("1_000", None),
    ],
)  # fmt: skip
def test_numbers_are_exact_decimals_or_missing(ward, written, number):
    assert one(ward, Nights=written)[4] == (None if number is None else Decimal(number))


def test_a_row_counts_without_a_number_but_not_without_person_date_code_or_band(ward):
    assert one(ward, "snapshot", Nights="") is not None
    assert one(ward, "snapshot", Area="A9") is None
    assert one(ward, "snapshot", **{"Patient ID": " "}) is None
    assert one(ward, "snapshot", Age="?") is not None, "this column declares an unknown cell"
    ward.declared["columns"]["age_band"] |= {"unknown": False, "values": {}}
    assert one(ward, "snapshot", Age="?") is None


def test_a_declared_unknown_may_be_the_value_mapped_from_an_empty_field(ward):
    ward.declared["columns"]["area"] |= {"unknown": True, "values": {"": "A2"}}
    assert one(ward, Area="  ")[2] == "A2"


def test_a_value_mapped_to_two_codes_is_refused(ward):
    ward.declared["columns"]["area"]["values"] = {"Old Town": "A1", "OLD TOWN ": "A2"}
    with pytest.raises(CatalogueError, match=r"columns\.area\.values: 'Old Town' is mapped to two codes"):
        one(ward)


def test_identifiers_lose_outer_spaces_only(ward):
    assert one(ward, **{"Patient ID": " 00-Ab c "})[0] == "00-Ab c"


def typed(ward, select):
    """Pull from a Parquet file made by a query."""
    ward.declared["source"] = {"kind": "parquet", "path": "${DP_STATS_HOME}/visits.parquet"}
    ward.write("home/visits.parquet", "")
    duckdb.sql(select).write_parquet(str(ward.folder / "home/visits.parquet"))
    return ward.rows("intake")


def test_typed_columns_read_like_text(ward):
    rows = typed(
        ward,
        "SELECT * FROM (VALUES (7::BIGINT, TIMESTAMP '2020-03-09 23:59:00', 'A1', 9.0::DOUBLE, 0.1::DOUBLE),"
        " (8, '2020-03-09', 'A2', 'nan', 'inf')) t(\"Patient ID\", \"visit date\", area, age, nights)",
    )
    assert rows == [("7", MONDAY, "A1", "0-17", Decimal("0.1")), ("8", MONDAY, "A2", "unknown", None)]


def test_codes_kept_as_fractions_beside_nulls_are_read(ward):
    ward.write("catalogue/codes/areas.csv", "code,name\n1,x\n20,y\n")
    ward.declared["columns"]["area"]["values"] = {}
    rows = typed(
        ward,
        "SELECT 'p' AS \"patient id\", DATE '2020-03-09' AS \"visit date\", unnest([1.0, 20.0, NULL]::DOUBLE[]) AS area,"
        " 9 AS age, 1 AS nights",
    )
    assert [row[2] for row in rows] == ["1", "20", None]


@pytest.mark.parametrize(
    ("person", "area", "said"),
    [
        ("1.5::DOUBLE", "'A1'", "holds identifiers"),
        ("'p'", "['A1']", "must be text"),
        ("'p'", "{'a': 'A1'}", "must be text"),
    ],
)
def test_types_that_cannot_be_read_are_refused(ward, person, area, said):
    with pytest.raises(SourceError, match=said):
        typed(
            ward,
            f'SELECT {person} AS "patient id", DATE \'2020-03-09\' AS "visit date", {area} AS area, 9 AS age, 1 AS nights',
        )
