"""Airflow's settings for one machine and one user: everything on 127.0.0.1, everything in one state folder."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from dp_stats.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent.parent

USERS = {
    "admin": "admin",
    "engineer": "op",
    "analyst": "user",
    "custodian": "user",
    "partner": "user",
    "viewer": "viewer",
    "county": "guest",
}
"""User → role; see docs/how-to/airflow.md for what each may do."""

SQLITE_WAITS = 30
"""Seconds that a process of Airflow waits for another to finish writing to SQLite, before a person sees an error 500. Its own
default of five is too little on a busy machine."""

RECORDER = "recorder"
"""The account that writes the notes of ad hoc runs; nobody logs in with it."""


def local_environment(home: Path, *, port: int = 8080, database: str | None = None) -> dict[str, str]:
    """The environment variables that make Airflow run with our DAGs and pages.

    Args:
        home: the state folder; Airflow's own files go to ``home/airflow``.
        port: of the web server. database: SQLAlchemy URL of Airflow's database (default: SQLite).
    """
    home = home.absolute()
    airflow = home / "airflow"
    airflow.mkdir(parents=True, exist_ok=True)
    _write(airflow / "config" / "airflow_local_settings.py", "import dp_stats.airflow.preload\n")
    return {
        "DP_STATS_HOME": str(home),
        "DP_STATS_CATALOGUE": str(load_settings().catalogue),
        "DP_STATS_FURTHER_LANGUAGES": " ".join(load_settings().further_languages or ("cy",)),
        "AIRFLOW_HOME": str(airflow),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database or f"sqlite:///{airflow / 'airflow.db'}?timeout={SQLITE_WAITS}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        "AIRFLOW__CORE__XCOM_BACKEND": "dp_stats.airflow.xcom.SmallPlainXCom",
        "AIRFLOW__CORE__AUTH_MANAGER": "dp_stats.airflow.roles.LocalAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            f"{name}:{role}" for name, role in {**USERS, RECORDER: "user"}.items()
        ),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(airflow / "passwords.json"),
        "AIRFLOW_CONN_DP_STATS_RECORDER": json.dumps(
            {
                "conn_type": "http",
                "host": "127.0.0.1",
                "port": port,
                "login": RECORDER,
                "password": passwords(home)[RECORDER],
            }
        ),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__INSTANCE_NAME": "dp_stats",
        "AIRFLOW__API__SECRET_KEY": _kept(airflow / "api.secret"),
        "AIRFLOW__API_AUTH__JWT_SECRET": _kept(airflow / "jwt.secret"),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def passwords(home: Path) -> dict[str, str]:
    """User → password, made once and kept in a file only the owner can read."""
    file = home.absolute() / "airflow" / "passwords.json"
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    simple = load_settings().simple_passwords
    for user in (*USERS, RECORDER):
        known.setdefault(user, user if simple and user != RECORDER else secrets.token_urlsafe(9))
    _write(file, json.dumps(known) + "\n")
    return known


def _kept(file: Path) -> str:
    if not file.exists():
        _write(file, secrets.token_urlsafe(48))
    return file.read_text()


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600, exist_ok=True)
    file.write_text(text)
