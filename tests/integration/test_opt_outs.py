"""People who opted out are in nothing that is staged; a list that cannot be trusted stops the run."""

from __future__ import annotations

import logging

import duckdb
import pytest

from dp_stats.errors import OptOutError

HEADER = "Patient ID,Visit Date,Area,Age,Nights\n"
ROWS = HEADER + "".join(f"{person},09-03-2020,A1,9,1\n" for person in ("p1", "P2", " p3", "42", "CANARY", ""))


def people(visits, which="snapshot"):
    return {row[0] for row in visits.rows(which)}


def test_everyone_on_the_list_is_removed_from_every_staged_file(visits):
    visits.source(ROWS)
    visits.opt_outs("patient id,reason\np2 ,x\np3,y\n42,z\nnobody,z\n")
    snapshot = visits.pull()
    for path in (snapshot.path, snapshot.intake):
        kept = {row[0] for row in duckdb.sql(f"SELECT person FROM '{path}' WHERE person IS NOT NULL").fetchall()}
        assert kept == {"p1", "CANARY"}


def test_someone_listed_twice_is_removed_once_and_others_stay(visits):
    visits.source(ROWS)
    visits.opt_outs("Patient ID\np1\nP1\np1\n")
    assert people(visits) == {"P2", "p3", "42", "CANARY"}


def test_a_dataset_without_opt_outs_by_law_keeps_everyone(visits):
    visits.source(ROWS)
    assert people(visits) == {"p1", "P2", "p3", "42", "CANARY"}


def test_a_list_with_nobody_on_it_is_a_list(visits):
    visits.source(ROWS)
    visits.opt_outs("Patient ID\n")
    assert len(people(visits)) == 5


def test_identifiers_stored_as_whole_numbers_match_those_stored_as_text(visits):
    visits.source(ROWS)
    visits.opt_outs(None, kind="parquet")
    target = visits.folder / "home/source/opt-outs.csv"
    duckdb.sql('SELECT 42 AS "Patient ID"').write_parquet(str(target))
    assert people(visits) == {"p1", "P2", "p3", "CANARY"}


BAD = {
    "missing": (None, {}, "There is no file"),
    "empty": ("", {}, "is empty"),
    "without its column": ("CANARY\n9990000018\n", {}, "has no column 'Patient ID'. None of"),
    "with an empty identifier": ("Patient ID,why\nCANARY,x\n  ,x\n", {}, "has a line without 'Patient ID'"),
    "with a broken line": ("Patient ID,why\np1,x\nCANARY\n", {}, "line 3"),
    "of another format": ("Patient ID\nCANARY\n", {"kind": "parquet"}, "cannot be read"),
    "in another encoding": (b"Patient ID\nCANARY\xff\n", {}, "line 2"),
    "in a database that is not there": (
        None,
        {"kind": "postgres", "path": None, "table": "t", "url_env": "NO_URL"},
        "NO_URL",
    ),
}


@pytest.mark.parametrize(("content", "declared", "said"), BAD.values(), ids=BAD.keys())
def test_a_list_that_cannot_be_trusted_stops_the_run_and_nothing_is_staged(visits, content, declared, said):
    visits.source(ROWS)
    visits.opt_outs(content, **declared)
    with pytest.raises(OptOutError) as caught:
        visits.pull()
    message = str(caught.value)
    assert message.startswith("Opt-out list: ")
    assert said in message
    assert "Nothing is pulled without the opt-out list" in message
    assert "CANARY" not in message
    assert caught.value.__context__ is None
    assert list(visits.staging.rglob("*.parquet*")) == []


def test_a_failed_list_also_removes_what_an_earlier_pull_staged(visits):
    visits.source(ROWS)
    visits.pull()
    visits.opt_outs(None)
    with pytest.raises(OptOutError):
        visits.pull()
    assert list(visits.staging.rglob("*.parquet*")) == []


def test_identifiers_that_are_fractions_are_refused_because_they_would_not_match(visits):
    visits.source(ROWS)
    visits.opt_outs(None, kind="parquet")
    duckdb.sql('SELECT 42.0::DOUBLE AS "Patient ID"').write_parquet(str(visits.folder / "home/source/opt-outs.csv"))
    with pytest.raises(OptOutError, match="whole numbers"):
        visits.pull()


def test_how_many_opted_out_is_not_logged_or_printed(visits, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    visits.source(ROWS)
    visits.opt_outs("Patient ID\np1\n")
    visits.pull()
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


NUMBERS = ("9434765919", "4505577104", "9990000018")
SPELT = {
    "spaces": "943 476 5919",
    "dashes": "943-476-5919",
    "a fraction": "9434765919.0",
    "outer spaces": "\u00a09434765919 ",
}


def numbered(visits, *people, **identifier):
    visits.source(HEADER + "".join(f"{person},09-03-2020,A1,9,1\n" for person in people))
    if identifier:
        visits.declared["columns"]["person"]["identifier"] = identifier


@pytest.mark.parametrize("identifier", [{}, {"kind": "nhs_number"}], ids=["undeclared", "declared"])
@pytest.mark.parametrize("spelling", SPELT.values(), ids=SPELT.keys())
@pytest.mark.parametrize("where", ["in the list", "in the table"])
def test_an_identifier_spelt_otherwise_still_opts_out(visits, identifier, spelling, where):
    inside = NUMBERS if where == "in the list" else (spelling, *NUMBERS[1:])
    numbered(visits, *inside, **identifier)
    visits.opt_outs(f"Patient ID\n{spelling if where == 'in the list' else NUMBERS[0]}\n")
    assert people(visits) == set(NUMBERS[1:])


@pytest.mark.parametrize(
    ("identifier", "entry", "rule"),
    [
        ({}, "9.43E+09", "exponent has lost its digits"),
        ({"kind": "nhs_number"}, "9.43E+09", "it must be an NHS number"),
        ({"kind": "nhs_number"}, "9434765910", "it must be an NHS number"),
        ({"pattern": "[0-9]{10}"}, "943 476 5919", r"text that matches \[0-9\]\{10\}"),
    ],
)
def test_an_entry_that_is_no_identifier_stops_the_run_by_its_rule_and_never_its_value(visits, identifier, entry, rule):
    numbered(visits, *NUMBERS, **identifier)
    visits.opt_outs(f"Patient ID\n{NUMBERS[1]}\n{entry}\n")
    with pytest.raises(OptOutError, match=rule) as caught:
        visits.pull()
    assert "opt-outs.csv" in str(caught.value)
    assert entry not in str(caught.value)
    assert list(visits.staging.rglob("*.parquet*")) == []


@pytest.mark.parametrize("table", [(), ("9.43E+09",), ("p1", "943/476")])
def test_whether_a_list_stops_the_run_does_not_depend_on_whose_rows_there_are(visits, table):
    numbered(visits, *table)
    visits.opt_outs("Patient ID\n943 476 5919\n")
    visits.pull()


def test_rows_of_nobody_are_left_out_and_counted_in_the_secure_store_alone(visits, capfd):
    numbered(visits, *NUMBERS, "12345", "9.43E+09", kind="nhs_number")
    assert people(visits) == set(NUMBERS)
    assert dict(
        zip(("rows_in_period", "rows_without_person"), (visits.rows("source")[0][i] for i in (0, 4)), strict=True)
    ) == {
        "rows_in_period": 5,
        "rows_without_person": 2,
    }
    assert capfd.readouterr() == ("", "")


def test_a_person_with_two_spellings_is_one_person_of_the_snapshot(visits):
    numbered(visits, "943 476 5919", "943-476-5919", "9434765919.0", kind="nhs_number")
    assert [row[0] for row in visits.rows()] == [NUMBERS[0]] * 3
