"""People who opted out are in nothing that is staged; a list that cannot be trusted stops the run."""

from __future__ import annotations

import logging

import duckdb
import pytest

from dp_stats.errors import OptOutError

HEADER = "Patient ID,Visit Date,Area,Age,Nights\n"
ROWS = HEADER + "".join(f"{person},09-03-2020,A1,9,1\n" for person in ("p1", "P2", " p3", "42", "CANARY", ""))


def people(ward, which="snapshot"):
    return {row[0] for row in ward.rows(which)}


def test_everyone_on_the_list_is_removed_from_every_staged_file(ward):
    ward.source(ROWS)
    ward.opt_outs("patient id,reason\np2 ,x\np3,y\n42,z\nnobody,z\n")
    snapshot = ward.pull()
    for path in (snapshot.path, snapshot.intake):
        kept = {row[0] for row in duckdb.sql(f"SELECT person FROM '{path}' WHERE person IS NOT NULL").fetchall()}
        assert kept == {"p1", "CANARY"}


def test_someone_listed_twice_is_removed_once_and_others_stay(ward):
    ward.source(ROWS)
    ward.opt_outs("Patient ID\np1\nP1\np1\n")
    assert people(ward) == {"P2", "p3", "42", "CANARY"}


def test_a_dataset_without_opt_outs_by_law_keeps_everyone(ward):
    ward.source(ROWS)
    assert people(ward) == {"p1", "P2", "p3", "42", "CANARY"}


def test_a_list_with_nobody_on_it_is_a_list(ward):
    ward.source(ROWS)
    ward.opt_outs("Patient ID\n")
    assert len(people(ward)) == 5


def test_identifiers_stored_as_whole_numbers_match_those_stored_as_text(ward):
    ward.source(ROWS)
    ward.opt_outs(None, kind="parquet")
    target = ward.folder / "home/source/opt-outs.csv"
    duckdb.sql('SELECT 42 AS "Patient ID"').write_parquet(str(target))
    assert people(ward) == {"p1", "P2", "p3", "CANARY"}


BAD = {
    "missing": (None, {}, "There is no file"),
    "empty": ("", {}, "is empty"),
    "without its column": ("nhs_number\nCANARY\n", {}, "has no column 'Patient ID'. It has: nhs_number"),
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
def test_a_list_that_cannot_be_trusted_stops_the_run_and_nothing_is_staged(ward, content, declared, said):
    ward.source(ROWS)
    ward.opt_outs(content, **declared)
    with pytest.raises(OptOutError) as caught:
        ward.pull()
    message = str(caught.value)
    assert message.startswith("Opt-out list: ")
    assert said in message
    assert "Nothing is pulled without the opt-out list" in message
    assert "CANARY" not in message
    assert caught.value.__context__ is None
    assert list(ward.staging.rglob("*.parquet*")) == []


def test_a_failed_list_also_removes_what_an_earlier_pull_staged(ward):
    ward.source(ROWS)
    ward.pull()
    ward.opt_outs(None)
    with pytest.raises(OptOutError):
        ward.pull()
    assert list(ward.staging.rglob("*.parquet*")) == []


def test_identifiers_that_are_fractions_are_refused_because_they_would_not_match(ward):
    ward.source(ROWS)
    ward.opt_outs(None, kind="parquet")
    duckdb.sql('SELECT 42.0::DOUBLE AS "Patient ID"').write_parquet(str(ward.folder / "home/source/opt-outs.csv"))
    with pytest.raises(OptOutError, match="whole numbers"):
        ward.pull()


def test_how_many_opted_out_is_not_logged_or_printed(ward, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    ward.source(ROWS)
    ward.opt_outs("Patient ID\np1\n")
    ward.pull()
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")
