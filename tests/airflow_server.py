"""A real Airflow on 127.0.0.1 for tests: its own state folder and catalogue, and clients who are logged in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from conftest import Clinic, make_clinic
from mailbox_server import Mailbox
from sqlalchemy import DateTime, bindparam, create_engine, text

from deploy.local.environment import local_environment, passwords
from deploy.local.processes import LocalAirflow, free_port
from dp_stats import pipeline, requests
from dp_stats.ledger import Ledger
from dp_stats.requests.showing import facts_of
from dp_stats.settings import load_settings

ADHOC = "/api/v2/dags/ask-visits/dagRuns"
QUESTION = {
    "by": ["clinic/district"],
    "period": "2024-01-08--2024-01-20",
    "epsilon": 1,
    "purpose": "To plan how many nurses are needed.",
    "free": "never",  # whatever other tests have published
}


OFTEN = {"AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2"}
"""The scheduler looks every two seconds whether the time for an answer is over."""

States: TypeAlias = dict[str, str | None]
"""Task → state."""


@dataclass
class Server:
    """The running Airflow with the clinic's catalogue; ``client(user)`` is logged in."""

    airflow: LocalAirflow
    clinic: Clinic
    passwords: dict[str, str]
    clients: dict[str, httpx.Client] = field(default_factory=dict)
    mailbox: Mailbox | None = None

    @property
    def url(self) -> str:
        return self.airflow.url

    def client(self, user: str) -> httpx.Client:
        """A client of a user, who logs in once."""
        if user not in self.clients:
            client = httpx.Client(base_url=self.url, timeout=30)
            login = client.post("/auth/token", json={"username": user, "password": self.passwords[user]})
            client.headers["Authorization"] = f"Bearer {login.raise_for_status().json()['access_token']}"
            self.clients[user] = client
        return self.clients[user]

    def ledger(self) -> Ledger:
        return Ledger.open(self.clinic.settings.ledger_url)

    def states(self, dag: str, run: str) -> States:
        found = self.client("engineer").get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances").json()["task_instances"]
        return {instance["task_id"]: instance["state"] for instance in found}

    def wait(
        self, dag: str, run: str, until: Callable[[dict[str, str | None]], bool], seconds: float = 240
    ) -> dict[str, str | None]:
        """Wait until the states of a run's tasks are as wanted.

        Raises:
            TimeoutError: they are not; the message has them.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            states = self.states(dag, run)
            if until(states):
                return states
            time.sleep(0.5)
        raise TimeoutError(f"{dag}, {run}: {states}")

    def finish(self, dag: str, run: str, seconds: float = 240) -> str:
        """Wait until a run has ended, and say how."""
        engineer = self.client("engineer")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = str(engineer.get(f"/api/v2/dags/{dag}/dagRuns/{run}").json()["state"])
            if state in ("success", "failed"):
                return state
            time.sleep(0.5)
        raise TimeoutError(f"{dag}, {run}: {self.states(dag, run)}")

    def ask(self, user: str = "analyst", *, dag: str = "ask-visits", **changes: Any) -> str:
        """Ask for figures over the REST API; returns the run."""
        conf = {**(QUESTION if dag == "ask-visits" else {}), **changes}
        answer = self.client(user).post(f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf})
        assert answer.status_code < 500, f"Airflow failed: {self.last_words('api-server')}"
        answer.raise_for_status()
        return str(answer.json()["dag_run_id"])

    def last_words(self, process: str, letters: int = 6000) -> str:
        """The end of a process's log, where it says what failed."""
        return (self.airflow.folder / f"{process}.log").read_text(errors="replace")[-letters:]

    def wait_for_dags(self, seconds: float = 120) -> None:
        """Wait until Airflow has read the DAG files for the first time: it reports itself healthy before."""
        deadline = time.monotonic() + seconds
        while self.client("engineer").get("/api/v2/dags/ask-visits").status_code != 200:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no DAG files were read: {self.last_words('dag-processor')}")
            time.sleep(0.2)

    def approval(self, run: str) -> str:
        """The path of the waiting approval; waits until it is ready to be answered."""
        states = self.wait("ask-visits", run, lambda s: s.get("approve") in ("awaiting_input", "failed", "skipped"))
        if states["approve"] == "awaiting_input":
            self.wait_for_log("scheduler", f"TaskInstance Finished: dag_id=ask-visits, task_id=approve, run_id={run},")
        return f"{ADHOC}/{run}/taskInstances/approve/0/hitlDetails"

    def wait_for_log(self, process: str, words: str, seconds: float = 60, *, times: int = 1) -> None:
        """Wait until a process has logged something, so many times.

        Airflow fails a task that is answered before the scheduler has seen that its process ended.
        """
        deadline = time.monotonic() + seconds
        while (self.airflow.folder / f"{process}.log").read_text(errors="replace").count(words) < times:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{process} did not log: {words}")
            time.sleep(0.2)

    def let_the_time_pass(self, run: str) -> None:
        """Move the deadline of a waiting approval into the past, in Airflow's database."""
        passed = text("UPDATE task_instance SET trigger_timeout = :at WHERE run_id = :run AND state = 'awaiting_input'")
        passed = passed.bindparams(bindparam("at", type_=DateTime(timezone=True)))
        engine = create_engine(self.airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        with engine.begin() as connection:
            found = connection.execute(passed, {"at": datetime.now(UTC) - timedelta(minutes=1), "run": run})
            assert found.rowcount == 1
        engine.dispose()

    def charge_elsewhere(self, epsilon: float) -> str:
        """Set budget aside for another analyst's request that the custodian approved; returns its edition."""
        settings = self.clinic.settings
        form = {"dataset": "visits", **QUESTION, "epsilon": epsilon}
        made = requests.ask(form, requested_by="another", settings=settings)
        shown = facts_of(requests.card(made.id, settings=settings))
        decision: Any = {"approver": "custodian", "decision": "approved", "reason": "It helps."}
        requests.decide(made.id, **decision, shown=shown, settings=settings)
        pipeline.reserve(made.edition, settings=settings)
        return made.edition

    def answer(self, user: str, run: str, choice: str, reason: str = "It helps to plan.") -> httpx.Response:
        """Answer an approval as a user."""
        path = self.approval(run)
        return self.client(user).patch(path, json={"chosen_options": [choice], "params_input": {"reason": reason}})


@contextmanager
def airflow_server(
    folder: Path,
    *,
    database: str | None = None,
    ledger: str | None = None,
    last: date | None = None,
    also: Callable[[Path], None] = lambda catalogue: None,
    **extra: str,
) -> Iterator[Server]:
    """Start Airflow on a free port; stop it at the end.

    ``last``: the last day that the scheduled release publishes. ``also`` adds to the catalogue before it starts.
    """
    port = free_port()
    home = folder / "home"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("DP_STATS_", "AIRFLOW"))]:
            patch.delenv(name)
        patch.setenv("DP_STATS_HOME", str(home))
        patch.setenv("DP_STATS_CATALOGUE", str(make_clinic(folder / "catalogue")))
        if ledger:
            patch.setenv("DP_STATS_LEDGER_URL", ledger)
        for name, value in extra.items():
            patch.setenv(name, value)
        clinic = Clinic(folder / "catalogue", load_settings())
        clinic.change("releases/visits.yaml", end=last)
        also(clinic.folder)
        environment = local_environment(home, port=port, database=database)
        with LocalAirflow(environment) as airflow:
            server = Server(airflow, clinic, passwords(home))
            server.wait_for_dags()
            yield server
            for client in server.clients.values():
                client.close()
