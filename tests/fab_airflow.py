"""Airflow's API with its FAB auth manager, in a process of its own: which of its answers each role gets, and what people see who
log in by FAB's own page, printed as JSON.

``python -m tests.fab_airflow FOLDER CLASS``: an empty folder, and the import path of the auth manager.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from argparse import Namespace
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
USERS = {role: f"dp_stats {role}" for role in ("analyst", "custodian", "viewer", "recorder")} | {"engineer": "Op"}
ASKING, SCHEDULED = "/api/v2/dags/ask-visits", "/api/v2/dags/visits"
QUESTION = {
    "by": ["clinic/district"],
    "period": "2024-01-08--2024-01-20",
    "epsilon": 1,
    "purpose": "To plan how many nurses are needed.",
}


def prepare(folder: Path, manager: str) -> None:
    """The environment and the catalogue, before Airflow is imported."""
    from deploy.local.processes import free_port
    from tests.conftest import make_clinic  # which sets Airflow's environment for tests in one process

    port = free_port()
    os.environ.update(
        AIRFLOW__API__BASE_URL=f"http://127.0.0.1:{port}",
        AIRFLOW_HOME=str(folder),
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{folder}/airflow.db",
        AIRFLOW__CORE__AUTH_MANAGER=manager,
        AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
        DP_STATS_HOME=str(folder / "state"),
        DP_STATS_CATALOGUE=str(make_clinic(folder / "catalogue")),
    )


def database(folder: Path) -> None:
    """Airflow's database with the clinic's DAGs, and the roles as a deployment imports them, each with one user."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.providers.fab.auth_manager.cli_commands.role_command import roles_import
    from airflow.providers.fab.auth_manager.cli_commands.sync_perm_command import sync_perm
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.db import initdb

    from dp_stats.airflow.fab_roles import rights
    from dp_stats.catalogue import read_catalogue
    from dp_stats.settings import load_settings

    initdb()
    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    bundle = next(iter(manager.get_all_dag_bundles()))
    for file in ("scheduled_releases", "adhoc_release"):
        path = str(ROOT / "dags" / f"{file}.py")
        sync_bag_to_db(
            BundleDagBag(dag_folder=path, bundle_path=bundle.path, bundle_name=bundle.name), bundle.name, None
        )
    file = folder / "roles.json"
    file.write_text(json.dumps(rights(read_catalogue(load_settings().catalogue))))
    sync_perm(Namespace(include_dags=True, verbose=False, subcommand="sync-perm", func=sync_perm))
    roles_import(Namespace(file=str(file), verbose=False, subcommand="import", func=roles_import))
    with get_application_builder() as builder:
        for user, role in USERS.items():
            found = builder.sm.find_role(role)
            builder.sm.add_user(user, user, user, f"{user}@agency.example", found, password=user)


def wait_for_custodian(run: str) -> None:
    """Let the approval of a run wait for the custodian, as the task does."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(TaskInstance).where(TaskInstance.run_id == run, TaskInstance.task_id == "approve")
        instance = session.scalars(query).one()
        instance.state = "awaiting_input"
        session.add(
            HITLDetail(
                ti_id=instance.id,
                options=["Approve", "Refuse"],
                subject="May it be published?",
                assignees=[{"id": "custodian", "name": "custodian"}],
            )
        )


def answers(app: Any) -> dict[str, Any]:
    """What each user's requests are answered with: the status, and for one approval who Airflow says has answered."""
    from fastapi.testclient import TestClient

    client = TestClient(app)

    def headers(user: str) -> dict[str, str]:
        token = client.post("/auth/token", json={"username": user, "password": user}).json()["access_token"]
        return {"Authorization": f"Bearer {token}"}

    known = {user: headers(user) for user in USERS}

    def call(user: str, method: str, path: str, body: Any = None) -> Any:
        return client.request(method, path, json=body, headers=known[user])

    asked = {"logical_date": None, "conf": QUESTION}
    run = call("analyst", "POST", f"{ASKING}/dagRuns", asked).json()
    by_schedule = call("engineer", "POST", f"{SCHEDULED}/dagRuns", {"logical_date": None}).json()
    wait_for_custodian(run["dag_run_id"])
    at, scheduled = f"{ASKING}/dagRuns/{run['dag_run_id']}", f"{SCHEDULED}/dagRuns/{by_schedule['dag_run_id']}"
    note = {"note": "Answered."}
    wanted: dict[str, tuple[str, str, Any]] = {
        "list": ("GET", "/api/v2/dags", None),
        "form": ("GET", f"{ASKING}/details", None),
        "runs": ("GET", f"{ASKING}/dagRuns", None),
        "tasks": ("GET", f"{at}/taskInstances", None),
        "card": ("GET", f"{at}/taskInstances/approve/-1/hitlDetails", None),
        "budget": ("GET", "/budget/", None),
        "my requests": ("GET", "/budget/requests/", None),
        "pages in the menu": ("GET", "/api/v2/plugins", None),
        "ask": ("POST", f"{ASKING}/dagRuns", asked),
        "run a release": ("POST", f"{SCHEDULED}/dagRuns", {"logical_date": None}),
        "unpause a release": ("PATCH", SCHEDULED, {"is_paused": True}),
        "mark as done": ("PATCH", f"{at}/taskInstances/approve", {"new_state": "success"}),
        "end a run": ("PATCH", at, {"state": "failed"}),
        "note of a request": ("PATCH", at, note),
        "note of a release": ("PATCH", scheduled, note),
        "write an XCom": ("POST", f"{at}/taskInstances/ask/xcomEntries", {"key": "x", "value": "x"}),
        "read XComs": ("GET", f"{at}/taskInstances/ask/xcomEntries", None),
        "delete": ("DELETE", at, None),
        "clear": ("POST", f"{ASKING}/clearTaskInstances", {"dry_run": True, "dag_run_id": run["dag_run_id"]}),
        "pool": ("POST", "/api/v2/pools", {"name": "x", "slots": 1}),
        "connections": ("GET", "/api/v2/connections", None),
        "backfill": ("POST", "/api/v2/backfills/dry_run", {"dag_id": "visits", "from_date": "x", "to_date": "x"}),
    }
    found = {
        user: {what: call(user, *wanted[what]).status_code for what in wanted if what != "delete"}
        for user in ("viewer", "analyst", "custodian", "recorder")
    }
    for user in found:
        found[user]["delete"] = call(user, *wanted["delete"]).status_code
    answer = {"chosen_options": ["Approve"], "params_input": {"reason": "It helps."}}
    path = f"{at}/taskInstances/approve/-1/hitlDetails"
    wait = {user: call(user, "PATCH", path, answer) for user in ("viewer", "analyst", "engineer", "custodian")}
    told = wait["custodian"].json().get("responded_by")
    return {
        "run": run["dag_run_id"],
        "started by": run["triggering_user_name"],
        "rights": found,
        "answer": {user: each.status_code for user, each in wait.items()},
        "answered by": told,
    }


def seen(app: Any, run: str) -> dict[str, Any]:
    """What an analyst and a custodian see in a browser, who log in by FAB's page: a page of ours, a page of Airflow's, and what
    they may not see of all that these pages ask for."""
    import uvicorn
    from playwright.sync_api import sync_playwright

    from tests.chromium import CHROMIUM

    address = os.environ["AIRFLOW__API__BASE_URL"]
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=int(address.rpartition(":")[2]), log_level="error")
    )
    Thread(target=server.run, daemon=True).start()
    found: dict[str, Any] = {}
    card = f"dags/ask-visits/runs/{run.replace('+', '%2B')}/tasks/approve/required_actions"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for user, page_of, theirs in (("analyst", "my-requests", "dags/ask-visits"), ("custodian", "to-decide", card)):
            page = browser.new_context().new_page()
            page.set_default_timeout(30_000)
            refused: list[str] = []
            page.on("response", lambda answer, to=refused: to.append(answer.url) if answer.status == 403 else None)
            page.goto(f"{address}/plugin/{page_of}")
            page.fill("input[name=username]", user)
            page.fill("input[name=password]", user)
            page.locator("input[type=submit], button[type=submit]").first.click()
            page.get_by_test_id("nav-home-link").wait_for()
            page.goto(f"{address}/plugin/{page_of}")
            frame = page.frame_locator("iframe").first
            frame.locator("h1").wait_for()
            ours = frame.locator("main").inner_text()
            pictures = os.environ.get("SCREENSHOTS_OF_FAB")
            if pictures:
                page.screenshot(path=Path(pictures) / f"fab-{user}.png")
            page.goto(f"{address}/{theirs}")
            if user == "analyst":
                page.get_by_role("button", name="Trigger").first.click()
                page.get_by_text("Broken down by").first.wait_for()
            else:
                page.get_by_role("button", name="Approve").wait_for()
            if pictures:
                page.screenshot(path=Path(pictures) / f"fab-{user}-airflow.png")
            found[user] = {"ours": ours, "refused": [url.removeprefix(address) for url in refused]}
        browser.close()
    server.should_exit = True
    return found


if __name__ == "__main__":
    place, manager_class = Path(sys.argv[1]), sys.argv[2]
    sys.argv.append("api-server")  # else the plugin has no pages, and Airflow answers for them with its own
    prepare(place, manager_class)
    logging.disable(logging.ERROR)
    database(place)
    from airflow.api_fastapi.app import create_app

    airflow = create_app(apps="core")
    told = answers(airflow)
    print("\n" + json.dumps({**told, "seen": seen(airflow, told["run"])}))
