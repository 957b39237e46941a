"""A real Airflow with PostgreSQL for its own data and for the ledger: requests over REST, roles, and crashes."""

from __future__ import annotations

import csv
import html
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import psutil
import psycopg2
import pytest
from airflow_server import ADHOC, OFTEN, QUESTION, Server, airflow_server
from bundle_repository import TITLE, Repository, make_repository
from celery_workers import REDIS, address, broker, start_worker, wait_for_worker
from conftest import make_clinic
from ledger_examples import postgres
from mailbox_server import notifier, opened

from dp_stats import pipeline

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgres() as database:
        metadata = database().replace("postgresql://", "postgresql+psycopg2://", 1)
        folder = tmp_path_factory.mktemp("server")
        lineage = {"type": "file", "log_file_path": str(folder / "lineage.jsonl"), "append": True}
        extra = {**SOON, **OFTEN, "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(lineage)}
        repository = make_repository(folder / "repository", make_clinic(folder / "first"))
        repository.commit("As it was first.")
        extra |= {
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": repository.bundles(),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(folder / "bundles"),
        }
        extra["DP_STATS_QUEUE"] = QUEUE
        extra |= {"DP_STATS_LETTERS": notifier("{to}"), "DP_STATS_ADDRESSES": "{user}@agency.example"}
        with (
            opened() as box,
            airflow_server(
                folder,
                database=metadata,
                ledger=database(),
                last=date(2024, 1, 14),
                AIRFLOW_CONN_SMTP=box.connection,
                **extra,
            ) as running,
        ):
            running.mailbox = box
            yield running


QUEUE = "may-see-rows"
"""The queue that our tasks are for; the LocalExecutor knows none."""

WORKERS = ("worker", "another-worker")
"""Of Celery: one of that queue, and one that must not see rows."""

SOON = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "4",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
}
"""A lost task is noticed in seconds instead of minutes."""


def charges(server: Server) -> list[tuple[str, str]]:
    return [(c.edition, c.state) for c in server.ledger().charges() if c.state != "void"]


def letters(server: Server, *, to: str) -> list[str]:
    """Letters to a user."""
    assert server.mailbox is not None
    return [letter for letter in server.mailbox.letters if f"To: {to}@agency.example" in letter]


def count(server: Server, event: str, edition: str) -> int:
    return sum(e.event == event and e.payload.get("edition") == edition for e in server.ledger().entries())


def test_a_request_is_shown_approved_measured_and_downloaded_over_rest(server: Server) -> None:
    run = server.ask()
    path = server.approval(run)
    engineer = server.client("engineer")
    card = engineer.get(path).json()
    for words in ("What it costs", "Left after", "95 % margin", "What the public will read about privacy"):
        assert words in card["body"]
    assert [user["id"] for user in card["assigned_users"]] == ["custodian"]
    told = "analyst asks for Visits by clinic (district), 8 to 20 January 2024 (ε 1)"
    assert card["subject"] == f"custodian: {told}. May it be published?"
    assert "95 % margins" in engineer.get(f"{ADHOC}/{run}").json()["note"]
    (letter,) = letters(server, to="custodian")
    assert "A request waits for your decision" in letter
    assert f"/dags/ask-visits/runs/{quote(run, safe='')}/tasks/approve/mapped/0/required_actions" in letter
    assert charges(server) == []
    assert server.answer("custodian", run, "Approve").status_code == 200
    assert server.finish("ask-visits", run) == "success"
    (charge,) = server.ledger().charges()
    assert (charge.state, charge.requested_by, charge.run) == ("spent", "analyst", f"ask-visits/{run}")
    (approval,) = server.ledger().approvals(charge.plan_hash)
    assert (approval.approver, approval.decision, approval.reason) == ("custodian", "approved", "It helps to plan.")
    note = engineer.get(f"{ADHOC}/{run}").json()["note"]
    assert "Answered" in note
    assert f"/budget/requests/{charge.release}" in note
    (letter,) = letters(server, to="analyst")
    assert f"/budget/requests/{charge.release}" in letter
    mine = server.client("analyst").get("/budget/requests/").text
    assert f'href="../requests/{charge.release}"' in mine
    assert charge.release not in server.client("custodian").get("/budget/requests/").text
    file = server.client("analyst").get(f"/budget/editions/{charge.edition}/r1/answer.csv")
    assert file.status_code == 200
    for task in ("ask", "measure", "publish"):
        log = server.client("analyst").get(f"{ADHOC}/{run}/taskInstances/{task}/logs/1", params={"full_content": True})
        assert log.status_code == 200
        assert "Traceback" not in log.text, task
        assert "Direct database access" not in log.text, task
    assert file.text.startswith(
        "metric,clinic_code,clinic,date,period,period_start,period_end,period_type,value,lower_95,upper_95"
    )


def test_nobody_approves_her_own_request_or_in_anothers_name(server: Server) -> None:
    before = charges(server)
    run = server.ask(epsilon=0.5)
    assert server.answer("analyst", run, "Approve").status_code == 403
    assert server.answer("engineer", run, "Approve").status_code == 403
    done = server.client("engineer").patch(f"{ADHOC}/{run}/taskInstances/approve/0", json={"new_state": "success"})
    assert done.status_code == 200, "an engineer may force a task"
    assert server.finish("ask-visits", run) == "failed"
    assert server.states("ask-visits", run)["authorise"] == "failed"
    assert charges(server) == before


def test_a_custodian_cannot_decide_on_a_request_of_her_own(server: Server) -> None:
    run = server.ask("custodian", epsilon=0.25)
    assert server.finish("ask-visits", run) == "failed"
    assert server.states("ask-visits", run)["ask"] == "failed"
    assert "cannot approve it as well" in server.client("engineer").get(f"{ADHOC}/{run}").json()["note"]
    assert "cannot approve it as well" in server.client("custodian").get("/budget/requests/").text


def test_a_refusal_ends_cleanly_and_spends_nothing(server: Server) -> None:
    before = charges(server)
    run = server.ask(epsilon=0.75)
    answered = "TaskInstance Finished: dag_id=ask-visits, task_id=approve"
    assert server.answer("custodian", run, "Approve", "ok").status_code == 200, "Airflow takes what its form would not"
    server.wait_for_log("scheduler", f"{answered}, run_id={run},", times=2)
    assert server.states("ask-visits", run)["approve"] == "awaiting_input", "without a reason nothing is decided"
    assert any("needs a reason of 5 letters" in letter for letter in letters(server, to="custodian"))
    assert server.answer("custodian", run, "Refuse", "Too detailed.").status_code == 200
    assert server.finish("ask-visits", run) == "success"
    states = server.states("ask-visits", run)
    assert {states[task] for task in ("authorise", "pull", "reserve", "publish")} == {"skipped"}
    assert charges(server) == before
    assert "Too detailed" in server.client("engineer").get(f"{ADHOC}/{run}").json()["note"]
    assert "Too detailed." in server.client("analyst").get("/budget/requests/").text


def test_a_deputy_answers_in_the_custodians_place_and_is_named_beside_her(server: Server) -> None:
    today = datetime.now(UTC).date()
    days = {"first_day": today - timedelta(days=1), "last_day": today + timedelta(days=1)}
    custodian = {"name": "The clinics", "user": "custodian"}
    server.clinic.change("datasets/visits.yaml", custodians=[{**custodian, "deputies": [{"user": "partner", **days}]}])
    run = server.ask(epsilon=0.45)
    card = server.client("analyst").get(server.approval(run)).json()
    assert [user["id"] for user in card["assigned_users"]] == ["custodian", "partner"]
    assert "partner in the place of custodian" in card["body"]
    assert any("A request waits" in letter for letter in letters(server, to="partner"))
    assert server.answer("partner", run, "Refuse", "Not while she is away.").status_code == 200
    assert server.finish("ask-visits", run) == "success"
    decided = [e.payload for e in server.ledger().entries() if e.event == "refused"][-1]
    assert (decided["approver"], decided["instead_of"]) == ("partner", "custodian")
    said = "Refused</b> by partner in the place of custodian: “Not while she is away.”"
    assert said in server.client("analyst").get("/budget/requests/").text
    assert "by partner in the place of custodian" in server.client("engineer").get(f"{ADHOC}/{run}").json()["note"]
    server.clinic.change("datasets/visits.yaml", custodians=[custodian])


def test_a_request_is_withdrawn_by_who_asked_and_nobody_else_and_its_run_ends(server: Server) -> None:
    before = charges(server)
    run = server.ask(epsilon=0.95)
    server.approval(run)
    page = server.client("analyst").get("/budget/requests/").text
    path, *_ = re.findall(r'action="\.\./requests/(adhoc-[a-z2-7]+/withdraw)"', page)
    assert server.client("custodian").post(f"/budget/requests/{path}").status_code == 409
    other = server.client("analyst").post(f"/budget/requests/{path}", headers={"Sec-Fetch-Site": "cross-site"})
    assert other.status_code == 403
    assert server.client("analyst").post(f"/budget/requests/{path}").status_code == 303
    assert server.finish("ask-visits", run), "Airflow says failed or success, as its scheduler sees it first"
    assert server.states("ask-visits", run)["pull"] in ("skipped", "upstream_failed")
    assert "Withdrawn" in server.client("engineer").get(f"{ADHOC}/{run}").json()["note"]
    assert "<b>Withdrawn</b> by you" in server.client("analyst").get("/budget/requests/").text
    assert charges(server) == before
    alerts = server.clinic.settings.home / "alerts.jsonl"
    assert "adhoc-" not in (alerts.read_text() if alerts.exists() else ""), "nothing is wrong"


def test_trying_shows_a_quote_in_note_and_page(server: Server) -> None:
    run = server.ask(epsilon=15, try_it=True)
    assert server.finish("ask-visits", run) == "success"
    note = server.client("engineer").get(f"{ADHOC}/{run}").json()["note"]
    assert "Only tried" in note
    page = server.client("analyst").get("/budget/requests/").text
    assert "Tried" in page
    assert "as you asked" in page
    assert "Tried" not in server.client("custodian").get("/budget/requests/").text.partition("Tried on")[1]


@pytest.mark.parametrize("change", [{"epsilon": 99}, {"epsilon": 1e-300}, {"margin": -1, "epsilon": None}, {"rows": 0}])
def test_what_is_out_of_bounds_is_refused_when_the_form_is_sent(server: Server, change: dict[str, object]) -> None:
    answer = server.client("analyst").post(ADHOC, json={"logical_date": None, "conf": {**QUESTION, **change}})
    assert answer.status_code == 400
    assert next(iter(change)) in answer.text


def test_a_card_that_no_longer_holds_is_refused_in_words_before_rows_are_read(server: Server) -> None:
    run = server.ask(epsilon=0.85)
    server.approval(run)
    edition = server.charge_elsewhere(epsilon=1.2)
    assert server.answer("custodian", run, "Approve").status_code == 200
    assert server.finish("ask-visits", run) == "failed"
    states = server.states("ask-visits", run)
    assert (states["approve"], states["pull"]) == ("failed", "upstream_failed")
    note = server.client("engineer").get(f"{ADHOC}/{run}").json()["note"]
    assert "the card promised that at least" in note
    told = [letter for letter in letters(server, to="custodian") if "Your answer does not count" in letter]
    assert "the card promised that at least" in told[-1], "Airflow's page has thanked her before it was looked at"
    assert "the card promised that at least" in server.client("analyst").get("/budget/requests/").text
    reserved = server.ledger().reservation(edition)
    assert reserved is not None
    server.ledger().void(reserved, "only for a test")


def test_several_are_decided_at_once_and_a_stale_card_is_refused_in_words_and_stops_no_other(server: Server) -> None:
    stale = server.ask(epsilon=0.86)
    server.approval(stale)
    reserved = server.ledger().reservation(server.charge_elsewhere(epsilon=1.21))
    good = server.ask(epsilon=0.16)
    server.approval(good)
    custodian = server.client("custodian")
    kept = max(server.clinic.settings.requests.glob("*/shown/*.json"), key=lambda path: path.stat().st_mtime)
    whole = kept.read_bytes()
    kept.chmod(0o600)
    kept.write_bytes(whole[:-9])
    page = custodian.get("/budget/decisions/").text
    assert page.count('name="place"') == 1, "a card that cannot be read keeps no other from being decided"
    assert "One request cannot be shown" in page
    kept.write_bytes(whole)
    page = custodian.get("/budget/decisions/").text
    places = re.findall(r'name="place" value="([0-9a-f-]+)"', page)
    assert len(places) == 2
    assert "To plan how many nurses are needed." in page
    assert "What the public will read about privacy" in page, "each whole card stands there"
    assert "Nothing waits for you" in server.client("analyst").get("/budget/decisions/").text
    form = {"choice": "Approve", "reason": "They help to plan.", "place": places}
    other = custodian.post("/budget/decisions/", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert other.status_code == 403
    assert "does not wait for you" in server.client("analyst").post("/budget/decisions/", data=form).text
    assert "a reason needs" in custodian.post("/budget/decisions/", data={**form, "reason": "ok"}).text
    told = custodian.post("/budget/decisions/", data=form).text
    assert told.count("Approved, as you said.") == 1
    assert "the card promised that at least" in told
    assert server.finish("ask-visits", good) == "success"
    (approval,) = [a for a in all_approvals(server) if a["reason"] == "They help to plan."]
    assert approval["approver"] == "custodian"
    assert server.states("ask-visits", stale)["approve"] == "awaiting_input", "who asked may still be answered"
    again = custodian.post("/budget/decisions/", data={**form, "choice": "Refuse", "reason": "Too late by now."}).text
    assert "Refused, as you said." in again
    assert "does not wait for you any more" in again, "the other is answered already"
    assert server.finish("ask-visits", stale) == "success"
    assert reserved is not None
    server.ledger().void(reserved, "only for a test")


def all_approvals(server: Server) -> list[dict[str, Any]]:
    """What the ledger says of every approval."""
    return [dict(entry.payload) for entry in server.ledger().entries() if entry.event == "approved"]


def test_no_answer_in_time_ends_cleanly_and_spends_nothing(server: Server) -> None:
    before = charges(server)
    run = server.ask(epsilon=0.65)
    server.approval(run)
    server.let_the_time_pass(run)
    assert server.finish("ask-visits", run) == "success"
    states = server.states("ask-visits", run)
    assert states["approve"] == "success"
    assert {states[task] for task in ("authorise", "pull", "reserve", "publish")} == {"skipped"}
    assert charges(server) == before
    expired = [e for e in server.ledger().entries() if e.event == "expired"]
    assert len(expired) == 1
    assert "has not answered in time" in server.client("engineer").get(f"{ADHOC}/{run}").json()["note"]
    assert "Ended without an answer</b> of custodian" in server.client("analyst").get("/budget/requests/").text
    assert any("has not answered in time" in letter for letter in letters(server, to="analyst"))


@pytest.fixture
def waiting_requests(server: Server) -> Iterator[int]:
    """Requests that wait for a custodian (as many as WAITING says), a broken declaration, and figures that answer others."""
    pipeline.run_edition(server.charge_elsewhere(epsilon=0.4), settings=server.clinic.settings)
    run = server.ask(epsilon=0.55)
    server.approval(run)
    broken = server.clinic.folder / "releases/broken.yaml"
    broken.write_text("id: broken\ntilte: x\n")
    yield copied(server, run, int(os.environ.get("WAITING", "200")))
    broken.unlink()
    with in_airflows_database(server) as cursor:
        cursor.execute("DELETE FROM dag_run WHERE run_id LIKE 'waiting-%'")


def test_two_hundred_waiting_requests_and_a_broken_file_leave_a_free_one_answered_in_a_minute(
    server: Server, waiting_requests: int
) -> None:
    engineer = server.client("engineer")
    waiting = engineer.get(ADHOC, params={"state": "running", "limit": 1}).json()["total_entries"]
    assert waiting > waiting_requests
    began = time.monotonic()
    run = server.ask(free="always", epsilon=1, purpose="To see how many nurses were needed.")
    while "Answered" not in (engineer.get(f"{ADHOC}/{run}").json()["note"] or ""):
        assert time.monotonic() - began < 60
        time.sleep(0.2)
    assert "Answered at no cost" in server.client("analyst").get("/budget/requests/").text
    assert "releases/broken.yaml is broken" in server.client("analyst").get("/budget/").text


def copied(server: Server, run: str, times: int) -> int:
    """Copy a run that waits, with its tasks and what is asked, in Airflow's database: as many as people have not answered yet."""
    with in_airflows_database(server) as cursor:
        rows = {name: columns_of(cursor, name) for name in ("dag_run", "task_instance", "hitl_detail")}
        for name, own in (("dag_run", {"id"}), ("task_instance", {"id"})):
            kept = [column for column in rows[name] if column not in {"run_id", *own}]
            key, value = ("id, ", "gen_random_uuid(), ") if name == "task_instance" else ("", "")
            cursor.execute(
                f"INSERT INTO {name} ({key}run_id, {', '.join(kept)}) "
                f"SELECT {value}'waiting-' || n, {', '.join(kept)} FROM {name}, generate_series(1, %s) n WHERE run_id = %s",
                [times, run],
            )
        kept = [f"h.{column}" for column in rows["hitl_detail"] if column != "ti_id"]
        names = ", ".join(column.removeprefix("h.") for column in kept)
        cursor.execute(
            f"INSERT INTO hitl_detail (ti_id, {names}) SELECT t.id, {', '.join(kept)} FROM hitl_detail h "
            "JOIN task_instance o ON o.id = h.ti_id JOIN task_instance t ON t.task_id = o.task_id AND t.run_id LIKE 'waiting-%%' "
            "WHERE o.run_id = %s",
            [run],
        )
        return int(cursor.rowcount)


def columns_of(cursor: Any, table: str) -> list[str]:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND table_schema = 'public' "
        "AND is_generated = 'NEVER'",
        [table],
    )
    return [f'"{name}"' if name == "group" else name for (name,) in cursor.fetchall()]


@contextmanager
def in_airflows_database(server: Server) -> Iterator[Any]:
    """A transaction on Airflow's own database."""
    url = server.airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"period": "last week"}, "'last week' is not a period"),
        ({"margin": 10}, "fill in either the privacy loss"),
        ({"only": "Uper"}, "Did you mean Upper"),
        ({"epsilonn": 1}, "there is no such field"),
    ],
)
def test_a_wrong_request_over_rest_says_what_to_write_instead(
    server: Server, change: dict[str, object], words: str
) -> None:
    run = server.ask(**change)
    assert server.finish("ask-visits", run) == "failed"
    log = server.client("analyst").get(f"{ADHOC}/{run}/taskInstances/ask/logs/1", params={"full_content": True})
    assert words in log.text
    page = html.unescape(server.client("analyst").get("/budget/requests/").text)
    assert words in page.partition("Not asked")[2].partition("Tried")[0]


def test_two_schedulers_and_the_same_request_twice_give_one_charge_one_draw_and_one_edition(server: Server) -> None:
    first = server.airflow.running.pop("scheduler")
    server.airflow.start("scheduler")
    server.airflow.running["first scheduler"] = first
    wait_for(lambda: schedulers_alive(server) == 2)
    runs = [server.ask(epsilon=0.3) for _ in range(2)]
    for run in runs:
        assert server.answer("custodian", run, "Approve").status_code == 200
    assert [server.finish("ask-visits", run) for run in runs] == ["success", "success"]
    # The second to look may find it measured already, and then publishes the stored measurements again.
    (edition,) = {c.edition for c in server.ledger().charges() if c.run.removeprefix("ask-visits/") in runs}
    assert [count(server, event, edition) for event in ("reserved", "spent", "stored", "published")] == [1, 1, 1, 1]
    folders = [p.name for p in (server.clinic.settings.public_dir / edition).iterdir() if p.is_dir()]
    assert folders == ["r1"]
    server.airflow.kill("first scheduler")


def schedulers_alive(server: Server) -> int:
    alive = {"job_type": "SchedulerJob", "is_alive": True}
    return int(server.client("admin").get("/api/v2/jobs", params=alive).json()["total_entries"])


def wait_for(happens: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v2/dags/visits/dagRuns", {"logical_date": None}),
        ("PATCH", "/api/v2/dags/visits", {"is_paused": False}),
        ("POST", "/api/v2/pools", {"name": "x", "slots": 1}),
        ("POST", "/api/v2/backfills", {"dag_id": "visits", "from_date": "2024-01-01", "to_date": "2024-02-01"}),
        ("PATCH", f"{ADHOC}/RUN/taskInstances/approve/0", {"new_state": "success"}),
        ("POST", f"{ADHOC}/RUN/taskInstances/ask/xcomEntries", {"key": "return_value", "value": "x"}),
        ("GET", f"{ADHOC}/RUN/taskInstances/ask/xcomEntries/return_value", None),
        ("POST", f"{ADHOC}/RUN/clear", {"dry_run": False}),
        ("PATCH", f"{ADHOC}/RUN", {"state": "success"}),
        ("DELETE", f"{ADHOC}/RUN", None),
    ],
)
def test_an_analyst_may_ask_and_nothing_else(server: Server, method: str, path: str, body: object) -> None:
    engineer = server.client("engineer")
    runs = engineer.get(ADHOC).json()["dag_runs"] or [{"dag_run_id": server.ask(epsilon=0.6)}]
    answer = server.client("analyst").request(method, path.replace("RUN", runs[0]["dag_run_id"]), json=body)
    assert answer.status_code == 403, answer.text


def test_the_budget_page_asks_for_a_login_and_shows_the_charges(server: Server) -> None:
    import httpx

    for path in (
        "/budget/",
        "/budget/summary",
        "/budget/editions/visits/2024-W02/r1/",
        "/budget/requests/x",
        "/budget/requests/",
    ):
        assert httpx.get(server.url + path, timeout=30).status_code == 401
    page = server.client("viewer").get("/budget/")
    assert page.status_code == 200
    assert "Block 2024" in page.text


def test_every_dataset_has_its_pool_from_the_first_start(server: Server) -> None:
    pools = server.client("engineer").get("/api/v2/pools").json()["pools"]
    assert "dataset-visits" in [pool["name"] for pool in pools]


def kill_everything_that_runs_tasks(server: Server) -> None:
    """End the scheduler, its workers and their tasks at once, as a power cut would; then start a scheduler again."""
    scheduler = psutil.Process(server.airflow.running["scheduler"].pid)
    for process in scheduler.children(recursive=True):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    server.airflow.kill("scheduler")
    server.airflow.start("scheduler")
    server.airflow.wait()


def test_killed_in_mid_task_twice_catch_up_still_gives_one_charge_one_draw_and_one_edition_each(server: Server) -> None:
    editions = ["visits/2024-W01", "visits/2024-W02"]
    engineer = server.client("engineer")
    engineer.patch("/api/v2/dags/visits", params={"update_mask": "is_paused"}, json={"is_paused": False})

    def runs() -> list[str]:
        found = engineer.get("/api/v2/dags/visits/dagRuns", params={"order_by": "logical_date"}).json()["dag_runs"]
        return [run["dag_run_id"] for run in found]

    def scheduled(number: int) -> str:
        for _ in range(240):
            if len(made := runs()) > number:
                return made[number]
            time.sleep(0.5)
        raise TimeoutError(f"catch-up made {made}")

    for number, task in enumerate(["measure", "publish"]):
        run = scheduled(number)
        server.wait("visits", run, lambda states, task=task: states.get(task) == "running")
        kill_everything_that_runs_tasks(server)
        assert server.finish("visits", run, seconds=400) == "success"
    for edition in editions:
        assert [count(server, event, edition) for event in ("reserved", "spent", "stored", "published")] == [1, 1, 1, 1]
        folders = [p.name for p in (server.clinic.settings.public_dir / edition).iterdir() if p.is_dir()]
        assert folders == ["r1"]
    assert len([c for c in server.ledger().charges() if c.release == "visits" and c.state != "void"]) == 1
    server.ledger().verify()


def test_new_rows_start_a_run_which_pays_nothing_for_what_is_published(server: Server) -> None:
    before, admin = charges(server), server.client("admin")
    (rows,) = admin.get("/api/v2/assets", params={"name_pattern": "visits-rows"}).json()["assets"]
    admin.post("/api/v2/assets/events", json={"asset_id": rows["id"]}).raise_for_status()

    def started() -> list[str]:
        runs = admin.get("/api/v2/dags/visits/dagRuns", params={"run_type": "asset_triggered"}).json()["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    wait_for(lambda: bool(started()))
    assert server.finish("visits", started()[0]) == "success"
    assert charges(server) == before
    assert count(server, "stored", "visits/2024-W02") == 1


def test_a_run_keeps_the_commit_of_dags_and_declarations_that_it_was_made_with(server: Server) -> None:
    engineer, home = server.client("engineer"), "/api/v2/dags/bundled"
    repository = Repository(server.clinic.folder.parent / "repository")
    old = repository.git("rev-parse", "HEAD").strip()

    def version() -> str:
        return str(engineer.get(home).json().get("bundle_version"))

    def started(period: str) -> dict[str, Any]:
        asked = {"logical_date": None, "conf": {"period": period}}
        answer = engineer.post(f"{home}/dagRuns", json=asked)
        return dict(answer.raise_for_status().json())

    wait_for(lambda: version() == old)
    run = started("2024-W01")
    repository.change(TITLE, "Calls under another title")
    new = repository.commit("Another title.")
    wait_for(lambda: version() == new)
    assert (run["bundle_version"], started("2024-W02")["bundle_version"]) == (old, new)
    engineer.patch(home, params={"update_mask": "is_paused"}, json={"is_paused": False}).raise_for_status()
    assert server.finish("bundled", run["dag_run_id"]) == "success"
    folder = server.clinic.settings.public_dir / "bundled/2024-W01/r1"
    told = json.loads((folder / "edition.json").read_text())
    assert (told["provenance"]["commit"], told["release"]["title"]) == (old, TITLE)
    assert json.loads((folder / "guarantee.json").read_text())["administrative"]["declarations"] == old
    assert f"`{old}`" in (folder / "privacy.json").read_text()
    reservation = server.ledger().latest("bundled/2024-W01")
    assert reservation is not None
    assert server.ledger().sealed(reservation).commit == old


def test_lineage_names_runs_and_assets_and_holds_no_statistic(server: Server) -> None:
    text = (server.clinic.folder.parent / "lineage.jsonl").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    jobs = {event["job"]["name"] for event in events}
    assert {"visits.measure", "visits.publish", "ask-visits.publish"} <= jobs
    assert "dp-stats://editions/visits" in text or '"editions/visits"' in text
    facets = {name for event in events for part in parts(event) for name in part.get("facets", {})}
    facets |= {name for event in events for part in parts(event) for name in part.get("outputFacets", {})}
    assert not facets & {"outputStatistics", "dataQualityMetrics", "dataQualityAssertions", "columnMetrics", "schema"}
    published = list(server.clinic.settings.public_dir.rglob("r1/*.csv"))
    assert published
    for table in published:
        for row in csv.DictReader(table.read_text().splitlines()):
            if "value" in row:
                assert f"{row['value']},{row['lower_95']},{row['upper_95']}" not in text
    assert not any(word in text for word in ("value_unbiased", "lower_95", "standard_error"))


@pytest.mark.skipif(not REDIS, reason="redis-server is not installed")
def test_with_celery_only_workers_of_the_queue_that_may_see_rows_take_our_tasks(server: Server) -> None:
    airflow, before = server.airflow, len(charges(server))
    elsewhere = airflow.folder.parent.parent / "elsewhere"
    metadata = airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    with broker(airflow.folder / "redis") as redis, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": address(redis),
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{metadata}",
        }.items():
            patch.setitem(airflow.environment, name, value)
        airflow.kill("scheduler")
        airflow.start("scheduler")
        nothing = {
            "AIRFLOW_HOME": f"{elsewhere}/airflow",
            "DP_STATS_HOME": f"{elsewhere}/home",
            "DP_STATS_LEDGER_URL": "",
        }
        start_worker(airflow, "another-worker", queue="default", **nothing)
        run = server.ask(epsilon=0.31)
        wait_for(lambda: bool(redis.llen(QUEUE)))
        wait_for_worker(airflow, "another-worker")
        assert set(server.states("ask-visits", run).values()) <= {"queued", None}  # nobody else took it
        start_worker(airflow, "worker", queue=QUEUE)
        assert server.answer("custodian", run, "Approve").status_code == 200
        assert server.finish("ask-visits", run) == "success"
        (edition,) = {c.edition for c in server.ledger().charges() if c.run == f"ask-visits/{run}"}
        assert [count(server, event, edition) for event in ("reserved", "spent", "stored", "published")] == [1, 1, 1, 1]
        assert len(charges(server)) == before + 1
        assert not (elsewhere / "home").exists()
        took = {name: server.last_words(name, 100_000).count("Task execute_workload[") for name in WORKERS}
        assert took["worker"]
        assert not took["another-worker"]
        for name in (*WORKERS, "scheduler"):
            airflow.kill(name)


def parts(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of an event that carry facets."""
    return [event["run"], event["job"], *event.get("inputs", []), *event.get("outputs", [])]
