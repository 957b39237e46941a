"""Whatever a source holds is counted or reported; a delivery that looks faulty stops before anything is charged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dp_stats.catalogue import load_catalogue, yaml
from dp_stats.catalogue.models import Dataset, Intake
from dp_stats.errors import OptOutError, QualityError, SourceError
from dp_stats.secure import opt_outs, pull
from dp_stats.secure.gates import accept, check_intake, faults_of
from dp_stats.secure.intake import ColumnIntake, IntakeReport, read_report
from tests.builders import declared_dataset
from tests.visits_source import VisitsSource

HEAD = "Patient ID,Visit Date,Area,Age,Nights\n"
MONDAY = date(2020, 3, 9)


@pytest.fixture
def visits(tmp_path: Path) -> VisitsSource:
    return VisitsSource(tmp_path)


def lines(count: int, **fields: str) -> str:
    """Good rows over the week, or with these fields instead."""
    good = [
        {"p": f"p{i}", "day": f"{MONDAY + timedelta(days=i % 7):%d-%m-%Y}", "area": "A1", "age": "9", "nights": "1"}
        | fields
        for i in range(count)
    ]
    return "".join(",".join(f'"{field}"' for field in row.values()) + "\n" for row in good)


def week(*counts: int) -> str:
    """Good rows, so many on each day of the week."""
    return "".join(lines(n, day=f"{MONDAY + timedelta(days=i):%d-%m-%Y}") for i, n in enumerate(counts))


def report_of(visits: VisitsSource) -> IntakeReport:
    return read_report(visits.pull().report)


def gate(visits: VisitsSource) -> None:
    """Pull and hold the delivery against its limits; keep it as the last one if it is taken."""
    visits.pull()
    dataset = load_catalogue(visits.settings.catalogue).datasets["visits"]
    check_intake(dataset, edition="visits/2020-W11", folder=visits.staging, settings=visits.settings)
    accept(dataset, folder=visits.staging, settings=visits.settings)


def test_every_row_and_field_is_counted_once(visits: VisitsSource) -> None:
    visits.source(
        HEAD
        + lines(5)
        + lines(1, p="")
        + lines(2, area="Nowhere")
        + lines(1, area="2.0")
        + lines(3, age="old")
        + lines(1, age="")
        + lines(1, nights="1,5")
        + lines(2, day="2020/03/09")
        + lines(1, day="")
        + lines(4, day="01-01-2019")
    )
    report = report_of(visits)
    assert report.lost == {
        "no date that reads": 3, "outside the period": 4, "no person": 1, "no area": 3, "no age_band": 0
    }  # fmt: skip
    assert (report.read, report.delivered, report.in_period, report.counted) == (21, 21, 14, 10)
    columns = report.columns
    assert columns["day"] == ColumnIntake(21, 18, 1, 0, 2, 0, 0), "the date over all rows"
    assert columns["person"] == ColumnIntake(14, 13, 1, 0, 0, 0, 0)
    assert columns["area"] == ColumnIntake(14, 11, 0, 0, 3, 0, 1)
    assert columns["age_band"] == ColumnIntake(14, 10, 1, 3, 0, 0, 0)
    assert columns["nights"] == ColumnIntake(14, 13, 0, 0, 1, 0, 0)
    for column in columns.values():
        assert column.rows == column.as_declared + column.empty + column.unknown + column.unreadable


def test_a_moment_without_a_time_zone_is_reported_as_such(visits: VisitsSource) -> None:
    visits.declared["columns"]["day"]["formats"] = ["iso"]
    visits.source(HEAD + lines(30, day="2020-03-09T10:00:00Z"))
    assert report_of(visits).columns["day"] == ColumnIntake(30, 0, 0, 0, 30, 30, 0)
    with pytest.raises(QualityError, match=r"columns\.day: nothing .*; most are moments: declare its 'timezone'"):
        gate(visits)
    visits.declared["columns"]["day"]["timezone"] = "Europe/London"
    gate(visits)


def test_people_who_opted_out_are_in_no_count(visits: VisitsSource) -> None:
    visits.source(HEAD + lines(30))
    visits.opt_outs("Patient ID\np3\np4\n")
    assert report_of(visits).read == 28


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "no row is dated in the period"),
        (lines(30, day="2020-03-09T00:00:00.000"), r"columns\.day: nothing that stands there reads"),
        (lines(30, area="1.0"), r"columns\.area: nothing .*; most are whole numbers with '\.0': declare its 'digits'"),
        (lines(30, age="unheard of"), r"columns\.age_band: nothing"),
        (lines(60, nights="1,5") + lines(100), r"columns\.nights: more than 25 % .* \(intake\.unreadable\)"),
        (lines(30, day="01-01-2019"), "no row is dated in the period"),
        (lines(3, p=""), "no row of the period counts"),
        (lines(420, day="09-03-2020"), "an open day has no row, or hardly any, although others have many"),
        (week(400, 400, 6, 400, 400, 400, 400), "an open day has no row, or hardly any, although others have many"),
    ],
)  # fmt: skip
def test_a_delivery_that_looks_faulty_stops_and_tells_no_count(visits: VisitsSource, rows: str, said: str) -> None:
    visits.source(HEAD + rows)
    with pytest.raises(QualityError, match=said) as caught:
        gate(visits)
    told = str(caught.value).replace("25 %", "").replace("2020-W11", "").replace("'.0'", "")
    assert not any(sign.isdigit() for sign in told)
    assert "dp-stats intake visits/2020-W11" in str(caught.value)
    assert not list(visits.settings.secure.glob("deliveries/*")), "what is refused is not the last delivery"


def test_what_a_dataset_says_is_right_goes_through(visits: VisitsSource) -> None:
    visits.declared["intake"] = {"empty_period": True, "unreadable": 1}
    visits.source(HEAD + lines(30, day="soon"))
    gate(visits)
    visits.declared["intake"] = {"closed_weekdays": ["tuesday"], "closed_days": [MONDAY]}
    open_days = [f"{MONDAY + timedelta(days=i):%d-%m-%Y}" for i in range(2, 7)]
    visits.source(HEAD + "".join(lines(60, day=day) for day in open_days))
    gate(visits)
    visits.declared["intake"]["closed_days"] = []
    with pytest.raises(QualityError, match="open day"):
        gate(visits)


def test_fewer_rows_than_the_manifest_says_stop(visits: VisitsSource) -> None:
    visits.declared["intake"] = {"manifest": "${DP_STATS_HOME}/source/visits.json"}
    visits.source(HEAD + lines(30))
    visits.opt_outs("Patient ID\np3\n")
    manifest = visits.write("home/source/visits.json", '{"rows": 30}')
    gate(visits)
    manifest.write_text('{"rows": 31}')
    with pytest.raises(QualityError, match=r"fewer rows than the manifest says \(intake\.manifest\)"):
        gate(visits)
    manifest.write_text('{"rows": "many"}')
    with pytest.raises(SourceError, match="no manifest"):
        gate(visits)


def test_fewer_rows_than_last_time_by_a_factor_stop(visits: VisitsSource) -> None:
    visits.source(HEAD + lines(100))
    gate(visits)
    visits.source(HEAD + lines(50))
    gate(visits)
    visits.source(HEAD + lines(24))
    with pytest.raises(QualityError, match=r"fewer than 50 % of the rows of the last delivery \(intake\.shrink\)"):
        gate(visits)
    visits.declared["intake"] = {"shrink": 0}
    gate(visits)


def while_reading(monkeypatch: pytest.MonkeyPatch, module: Any, function: str, act: Callable[[], None]) -> None:
    """Do something just before a function of a module is called."""
    real = getattr(module, function)

    def first(*args: Any, **kwargs: Any) -> Any:
        act()
        return real(*args, **kwargs)

    monkeypatch.setattr(module, function, first)


def test_a_file_that_changes_while_it_is_read_is_refused(visits: VisitsSource, monkeypatch: pytest.MonkeyPatch) -> None:
    visits.source(HEAD + lines(30))
    visits.opt_outs("Patient ID\np3\n")
    target, listed = visits.folder / "home/source/visits.csv", visits.folder / "home/source/opt-outs.csv"

    def deliver(path: Path, text: str) -> None:
        draft = path.with_suffix(".part")
        draft.write_text(text)
        os.replace(draft, path)

    visits.pull()
    with monkeypatch.context() as patch:
        while_reading(patch, pull, "without_opted_out", lambda: deliver(target, HEAD + lines(40)))
        with pytest.raises(SourceError, match=r"visits\.csv changed while it was read"):
            visits.pull()
    with monkeypatch.context() as patch:
        while_reading(patch, opt_outs, "person_sql", lambda: deliver(listed, "Patient ID\np3\np4\n"))
        with pytest.raises(OptOutError, match=r"opt-outs\.csv changed while it was read.*Nothing is pulled"):
            visits.pull()
    assert not list(visits.staging.glob("*.parquet"))


def test_limits_do_not_hang_on_one_person_in_many() -> None:
    """Without any one row of a delivery that is well within or well beyond each limit, the same limits are kept."""
    declared = declared_dataset("visits", {"person": "person", "day": "date"})
    dataset = Dataset.model_validate(declared)
    good = ColumnIntake(1000, 990, 5, 0, 5, 0, 0)
    bad = replace(good, as_declared=500, unreadable=495)
    lost = {"no date that reads": 10, "outside the period": 0, "no person": 10}
    for column, empty in ((good, ()), (bad, ("2020-03-09",))):
        report = IntakeReport(1000, 1000, {"person": column, "day": column}, lost, 980, empty, 7)
        smaller = replace(
            report,
            read=999,
            counted=979,
            columns={n: replace(c, rows=999, as_declared=c.as_declared - 1) for n, c in report.columns.items()},
        )
        assert list(faults_of(report, dataset)) == list(faults_of(smaller, dataset))
        assert len(list(faults_of(report, dataset))) == (0 if column is good else 3)


def test_a_dataset_may_move_each_limit_and_no_further_than_makes_sense() -> None:
    assert Intake(closed_weekdays=("sunday",)).open_days((date(2020, 3, 8), MONDAY)) == (MONDAY,)
    for wrong in (
        {"unreadable": 1.5},
        {"busy": 1},
        {"closed_weekdays": ["holiday"]},
        {"shrink": -1},
        {"lenient": True},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Intake.model_validate(wrong)


def test_a_quiet_day_is_no_missing_one(visits: VisitsSource) -> None:
    visits.source(HEAD + week(400, 400, 12, 400, 400, 400, 400))
    gate(visits)


def test_the_report_outlives_its_rows_for_staff_alone(visits: VisitsSource) -> None:
    visits.source(HEAD + lines(30))
    kept = visits.pull().report
    assert kept.stat().st_mode & 0o077 == 0
    assert json.loads(kept.read_text())["counted"] == 30
    assert yaml.parse(yaml.write(visits.declared))["id"] == "visits"
