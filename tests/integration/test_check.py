"""``check`` and ``plan`` tell the truth about the budget and about suites, before anything is charged."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dp_stats import pipeline
from dp_stats.cli.main import app
from dp_stats.operations.review import review_catalogue
from dp_stats.run import open_run
from dp_stats.secure.pull import FACTS

RELEASE = "releases/visits.yaml"
SUITE = "expectations/visits.json"


def said(*command: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(command))
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_a_release_without_a_schedule_that_does_not_fit_is_no_sound_catalogue(clinic: Any) -> None:
    clinic.change(RELEASE, schedule=None, privacy_loss={"epsilon": 60})
    assert "more than the whole budget of dataset 'visits'" in said("check", code=7)
    with pytest.raises(Exception, match="does not allow"):
        pipeline.reserve(open_run(clinic.first).edition)


def test_editions_made_by_hand_that_do_not_all_fit_are_told(clinic: Any) -> None:
    clinic.change(RELEASE, schedule=None, series=False, privacy_loss={"epsilon": 1})
    review = review_catalogue(clinic.settings)
    (year,) = review.budgets
    assert year.scheduled == 0
    assert year.by_hand == sum(r.rho_per_block for r in review.releases)
    assert year.left < 0
    assert "not every edition of a year can be made" in said("check")


def test_check_says_what_is_left_and_what_a_pure_epsilon_weighs(clinic: Any) -> None:
    text = said("check")
    (year,) = review_catalogue(clinic.settings).budgets
    assert f"{100 * float(year.left / year.cap):.1f} %" in text
    assert "a pure ε of 1 weighs as much here as ε =" in text
    clinic.change(RELEASE, privacy_loss={"rho": 0.02})
    assert "a pure ε" not in said("check")


def test_plan_says_whether_it_is_a_new_charge_or_already_charged_or_does_not_fit(clinic: Any) -> None:
    plan = ("plan", "visits", "--period", "2024-W02")
    assert "No ledger yet" in said(*plan)
    pipeline.reserve(clinic.first)
    assert "Already charged" in said(*plan)
    assert "Already charged" in said("plan", "visits", "--period", "2024-W03"), "the series is paid for"
    assert "New charge of ρ" in said("plan", "visits", "--period", "2025-W03")
    clinic.change(RELEASE, series=False, privacy_loss={"epsilon": 60})
    assert "Does not fit the budget" in said("plan", "visits", "--period", "2025-W03")


@pytest.mark.parametrize(
    ("expectations", "message"),
    [
        ([], "at least one"),
        ([{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "Patient"}}], "no column 'Patient'"),
        ([{"type": "expect_column_values_to_be_nice", "kwargs": {"column": "patient"}}], "does not know this type"),
        (
            [{"type": "expect_column_max_to_be_between", "kwargs": {"column": "rows"}, "meta": {"table": "source"}}],
            "no column 'rows' in the table 'source'",
        ),
    ],
)
def test_a_suite_that_could_not_fail_or_not_be_run_is_refused(clinic: Any, expectations: Any, message: str) -> None:
    (clinic.folder / SUITE).write_text(json.dumps({"name": "visits", "expectations": expectations}))
    assert message in said("check", code=6)


def test_the_facts_that_suites_may_name_are_those_that_are_staged(clinic: Any) -> None:
    pipeline.pull(clinic.first)
    assert pq.read_schema(open_run(clinic.first).staging / "source.parquet").names == list(FACTS)
