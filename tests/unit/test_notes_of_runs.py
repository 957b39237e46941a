"""Notes of runs go through Airflow's API in the recorder's name, and one that cannot be written stops nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from dp_stats.airflow.notes import CONNECTION, change_run, close_waiting

RUN = "/api/v2/dags/ask-visits/dagRuns/manual__1"


class Api(ThreadingHTTPServer):
    """Airflow's API as far as the recorder uses it: what it was asked, and with what it answers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[tuple[str, str, Any]] = []
        self.login, self.status = 201, 200
        self.states = {"0": "success", "1": "awaiting_input"}


class Answers(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        self.answer(self.server.login, {"access_token": "token"})

    def do_GET(self) -> None:
        self.answer(self.server.status, {"state": self.server.states[self.path.rpartition("/")[2]]})

    def do_PATCH(self) -> None:
        self.answer(self.server.status, {})

    def answer(self, status: int, content: Any) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        if self.path != "/auth/token":
            assert self.headers["Authorization"] == "Bearer token"
            self.server.asked.append((self.command, self.path, body))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with Api() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        account = {"conn_type": "http", "host": "127.0.0.1", "port": server.server_port, "login": "recorder"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps({**account, "password": "x"}))
        yield server
        server.shutdown()


def test_a_note_is_written_and_those_who_have_not_answered_are_asked_no_more(api: Api) -> None:
    assert change_run("ask-visits", "manual__1", {"note": "Answered."})
    close_waiting("ask-visits", "manual__1", "approve", [0, 1])
    tasks = f"{RUN}/taskInstances/approve"
    assert api.asked == [
        ("PATCH", f"{RUN}?update_mask=note", {"note": "Answered."}),
        ("GET", f"{tasks}/0", None),
        ("GET", f"{tasks}/1", None),
        ("PATCH", f"{tasks}/1", {"new_state": "skipped"}),
    ]


@pytest.mark.parametrize(("login", "status"), [(201, 500), (401, 200), (201, 403)])
def test_what_cannot_be_written_stops_nothing(api: Api, login: int, status: int) -> None:
    api.login, api.status = login, status
    assert not change_run("ask-visits", "manual__1", {"note": "Answered."})
    close_waiting("ask-visits", "manual__1", "approve", [1])


def test_without_an_account_or_a_server_nothing_is_written(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.shutdown()
    api.server_close()
    assert not change_run("ask-visits", "manual__1", {"note": "Answered."})
    monkeypatch.delenv(f"AIRFLOW_CONN_{CONNECTION.upper()}")
    assert not change_run("ask-visits", "manual__1", {"note": "Answered."})
