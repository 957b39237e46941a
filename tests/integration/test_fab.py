"""Airflow's FAB auth manager, really started, with the roles that docs/how-to/production.md has imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from deploy.local.environment import ROOT

pytestmark = pytest.mark.slow

LOOK = {"list", "form", "runs", "budget", "my requests"}
PAGES = LOOK | {"tasks", "pages in the menu"}
ALLOWED = {
    "viewer": PAGES,
    "analyst": PAGES | {"card", "ask"},
    "custodian": PAGES | {"card"},
    "recorder": LOOK
    | {"note of a request", "note of a release", "end a run", "unpause a release"}
    | {"tasks", "mark as done", "clear"},
}
"""Role → what it may do, and nothing else."""
BESIDES = {"/api/v2/importErrors", "/api/v2/assets/events", "/api/v2/dagWarnings", "/ui/structure/structure_data"}
"""What Airflow's pages of a form and of a card ask for besides; they show nothing in its place."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    command = [sys.executable, "-W", "ignore", "-m", "tests.fab_airflow", str(tmp_path_factory.mktemp("fab"))]
    done = subprocess.run(
        [*command, "dp_stats.airflow.fab.FabUsers"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_each_role_may_do_what_it_is_for_and_nothing_else(told: Any) -> None:
    for role, allowed in ALLOWED.items():
        assert {what for what, status in told["rights"][role].items() if status == 200} == allowed, role
        assert set(told["rights"][role].values()) == {200, 403}, role


def test_a_custodian_answers_under_the_user_name_that_the_dataset_has(told: Any) -> None:
    assert told["answer"] == {"viewer": 403, "analyst": 403, "engineer": 403, "custodian": 200}
    assert told["answered by"]["name"] == "custodian"
    assert told["answered by"]["id"] != "custodian", "else this would not show that ids are not compared"
    assert told["started by"] == "analyst"


def test_people_log_in_by_fabs_page_and_see_theirs(told: Any) -> None:
    analyst, custodian = told["seen"]["analyst"], told["seen"]["custodian"]
    assert "Everything that analyst has asked for" in analyst["ours"]
    assert "Ask for figures: Visits" in analyst["ours"]
    assert "Every request that waits for custodian" in custodian["ours"]
    for each in (analyst, custodian):
        assert {url.partition("?")[0] for url in each["refused"]} <= BESIDES, "a page lacks what it is about"


def test_an_answer_counts_by_the_name_of_who_gave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from dp_stats import requests
    from dp_stats.airflow import approval
    from dp_stats.errors import ApprovalError
    from dp_stats.requests import showing

    made: list[Any] = []
    monkeypatch.setattr(approval, "request_of", lambda context: "adhoc-x")
    monkeypatch.setattr(approval, "request_stopped", lambda context, words, answered_by: None)
    monkeypatch.setattr(requests, "card", lambda name: None, raising=False)
    monkeypatch.setattr(approval.CustodianApproval, "_deputies", lambda self, made: ())
    monkeypatch.setattr(approval, "place", lambda context: "here")
    monkeypatch.setattr(showing, "shown", lambda name, **where: "card")
    monkeypatch.setattr(requests, "decide", lambda name, **what: made.append(what), raising=False)
    task = approval.CustodianApproval(task_id="approve", custodian="custodian", response_timeout=timedelta(hours=1))
    event = {"chosen_options": ["Approve"], "params_input": {"reason": "It helps."}}
    task.execute_complete({}, {**event, "responded_by_user": {"id": "2", "name": "custodian"}})
    assert [(one["approver"], one["decision"]) for one in made] == [("custodian", "approved")]
    with pytest.raises(ApprovalError, match="Only custodian can answer"):
        task.execute_complete({}, {**event, "responded_by_user": {"id": "custodian", "name": "another"}})
