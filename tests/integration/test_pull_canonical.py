"""Dates, codes, bands, numbers and identifiers mean the same however they are written."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import pytest

from dp_stats.errors import CatalogueError, SourceError

MONDAY = date(2020, 3, 9)


def one(visits, which="intake", **fields):
    """Pull a single row with these fields and return it as the checks see it."""
    row = {"Patient ID": "p", "Visit Date": "09-03-2020", "Area": "A1", "Age": "9", "Nights": "1"} | fields
    visits.source(",".join(row) + "\n" + ",".join(f'"{value}"' for value in row.values()) + "\n")
    rows = visits.rows(which)
    return rows[0] if rows else None


@pytest.mark.parametrize("written", ["09-03-2020", "9-3-2020", "2020-03-09", " 09-03-2020\t"])
def test_dates_are_tried_in_each_declared_format(visits, written):
    assert one(visits, **{"Visit Date": written})[1] == MONDAY


@pytest.mark.parametrize("written", ["03/09/2020", "31-02-2020", "", "soon", "09-03-20", "09-03-2020 and more"])
def test_a_date_in_no_declared_format_is_never_guessed(visits, written):
    assert one(visits, **{"Visit Date": written}) is None
    assert one(visits, "source", **{"Visit Date": written}) == (0, 7, 7, 1.0, 0)


def test_iso_dates_and_times_need_no_format(visits):
    del visits.declared["columns"]["day"]["formats"]
    for written in ("2020-03-09", "2020-03-09 23:59:59", "2020-03-09T00:00:00"):
        assert one(visits, **{"Visit Date": written})[1] == MONDAY


def test_a_wrong_format_is_a_fault_of_the_catalogue(visits):
    visits.declared["columns"]["day"]["formats"] = ["%Q"]
    with pytest.raises(CatalogueError, match=r"columns\.day\.formats"):
        one(visits)


@pytest.mark.parametrize(
    ("day", "counts"), [("08-03-2020", 0), ("09-03-2020", 1), ("15-03-2020", 1), ("16-03-2020", 0)]
)
def test_only_rows_of_the_period_are_staged(visits, day, counts):
    one(visits, **{"Visit Date": day})
    for which in ("snapshot", "intake"):
        assert len(visits.rows(which)) == counts


@pytest.mark.parametrize(
    ("written", "code"),
    [("A1", "A1"), (" a2\u00a0", "A2"), ("old town", "A1"), ("ß3", "ß3"), ("Harbour", None), ("", None), ("A9", None)],
)
def test_codes_match_the_list_or_a_mapped_value_without_regard_to_case_and_spaces(visits, written, code):
    assert one(visits, Area=written)[2] == code


def test_decomposed_letters_are_the_same_letters(visits):
    visits.write("catalogue/codes/areas.csv", "code,name\nA1,x\nZÜ,Zürich\n")
    assert one(visits, Area="zu\u0308")[2] == "ZÜ"


@pytest.mark.parametrize(
    ("written", "band"),
    [
        ("0", "0-17"), ("17", "0-17"), ("17.9", "0-17"), ("18", "18-64"), ("65", "65+"), ("104", "65+"), ("9.0", "0-17"),
        ("18-64", "18-64"), ("NOT REPORTED", "unknown"), ("-1", "unknown"), ("", "unknown"), ("nan", "unknown"),
        (">80", "unknown"), ("1e1", "0-17"), ("1_0", "unknown"), ("0x10", "unknown"),
    ],
)  # fmt: skip
def test_a_number_falls_in_its_band_and_all_else_is_unknown(visits, written, band):
    assert one(visits, Age=written)[3] == band


def test_a_number_between_bands_with_a_gap_is_in_none(visits):
    visits.write("catalogue/codes/bands.csv", "code,name,lower,upper\n0-17,Child,0,17\n65-70,Older,65,70\n")
    del visits.declared["columns"]["age_band"]["unknown"], visits.declared["columns"]["age_band"]["values"]
    assert [one(visits, Age=age)[3] for age in ("17.5", "18", "64", "65", "70.9", "71")] == [
        "0-17", None, None, "65-70", "65-70", None
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1", "1"), ("-2.50", "-2.5"), ("0.1", "0.1"), (" .5 ", "0.5"), ("1e3", "1000"), ("0.0000005", "0.000001"),
        ("nan", None), ("inf", None), ("1,000", None), ("12 days", None), ("", None), ("1e30", None), ("1_000", None),
    ],
)  # fmt: skip
def test_numbers_are_exact_decimals_or_missing(visits, written, number):
    assert one(visits, Nights=written)[4] == (None if number is None else Decimal(number))


def test_a_row_counts_without_a_number_but_not_without_person_date_code_or_band(visits):
    assert one(visits, "snapshot", Nights="") is not None
    assert one(visits, "snapshot", Area="A9") is None
    assert one(visits, "snapshot", **{"Patient ID": " "}) is None
    assert one(visits, "snapshot", Age="?") is not None, "this column declares an unknown cell"
    visits.declared["columns"]["age_band"] |= {"unknown": False, "values": {}}
    assert one(visits, "snapshot", Age="?") is None


def test_a_declared_unknown_may_be_the_value_mapped_from_an_empty_field(visits):
    visits.declared["columns"]["area"] |= {"unknown": True, "values": {"": "A2"}}
    assert one(visits, Area="  ")[2] == "A2"


def test_a_value_mapped_to_two_codes_is_refused(visits):
    visits.declared["columns"]["area"]["values"] = {"Old Town": "A1", "OLD TOWN ": "A2"}
    with pytest.raises(CatalogueError, match=r"columns\.area\.values: 'Old Town' is mapped to two codes"):
        one(visits)


def test_identifiers_lose_outer_spaces_only(visits):
    assert one(visits, **{"Patient ID": " 00-Ab c "})[0] == "00-Ab c"


def typed(visits, select):
    """Pull from a Parquet file made by a query."""
    visits.declared["source"] = {"kind": "parquet", "path": "${DP_STATS_HOME}/visits.parquet"}
    visits.write("home/visits.parquet", "")
    duckdb.sql(select).write_parquet(str(visits.folder / "home/visits.parquet"))
    return visits.rows("intake")


def test_typed_columns_read_like_text(visits):
    rows = typed(
        visits,
        "SELECT * FROM (VALUES (7::BIGINT, TIMESTAMP '2020-03-09 23:59:00', 'A1', 9.0::DOUBLE, 0.1::DOUBLE),"
        " (8, '2020-03-09', 'A2', 'nan', 'inf')) t(\"Patient ID\", \"visit date\", area, age, nights)",
    )
    assert rows == [("7", MONDAY, "A1", "0-17", Decimal("0.1")), ("8", MONDAY, "A2", "unknown", None)]


def test_codes_kept_as_fractions_beside_nulls_are_read(visits):
    visits.write("catalogue/codes/areas.csv", "code,name\n1,x\n20,y\n")
    visits.declared["columns"]["area"]["values"] = {}
    rows = typed(
        visits,
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
def test_types_that_cannot_be_read_are_refused(visits, person, area, said):
    with pytest.raises(SourceError, match=said):
        typed(
            visits,
            f'SELECT {person} AS "patient id", DATE \'2020-03-09\' AS "visit date", {area} AS area, 9 AS age, 1 AS nights',
        )
