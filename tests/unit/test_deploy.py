"""The files for a real deployment read as YAML, name files that exist, and keep rows and the ledger's writer to the workers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.local.environment import SQLITE_WAITS, local_environment
from dp_stats.catalogue import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = (DEPLOY / "compose/compose.yaml").read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.parse(COMPOSE)["services"]
    return found


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.parse((DEPLOY / "helm/values.yaml").read_text())
    return found


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Folder in the container → ``source:mode``."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return {target: ":".join([source, *mode]) for source, target, *mode in parts}


def test_compose_has_every_role_and_everything_it_refers_to(services: dict[str, Any]) -> None:
    assert {"api-server", "scheduler", "dag-processor", "worker", "migrate", "airflow-db", "ledger-db"} <= set(services)
    whole = yaml.parse(COMPOSE)
    for name, service in services.items():
        assert set(service.get("networks", [])) <= set(whole["networks"]), name
        assert set(service.get("depends_on", {})) <= set(services), name
        for source in (m.partition(":")[0] for m in mounts(service).values()):
            assert source in whole["volumes"] or (DEPLOY / "compose" / source).exists(), (name, source)
        build = service.get("build")
        assert build is None or (DEPLOY / "compose" / build["context"] / build["dockerfile"]).resolve().is_file()


def test_in_compose_only_workers_see_rows_or_write_the_ledger(services: dict[str, Any]) -> None:
    home = "/var/lib/dp-stats"
    for name, service in services.items():
        environment = service.get("environment", {})
        writes = "ledger_writer" in str(environment.get("DP_STATS_LEDGER_URL", ""))
        assert (home in mounts(service), writes) == ((True, True) if name == "worker" else (False, False)), name
    web = services["api-server"]
    assert "ledger_web" in web["environment"]["DP_STATS_LEDGER_URL"]
    written = {target for target, mount in mounts(web).items() if not mount.endswith(":ro")}
    assert written == {f"{home}/withdrawn"}
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", []))
    assert {"synchronous_commit=on", "fsync=on"} <= set(services["ledger-db"]["command"])


def test_in_compose_alerts_leave_from_where_they_arise_and_nothing_else_leads_out(services: dict[str, Any]) -> None:
    networks = yaml.parse(COMPOSE)["networks"]
    leaves = {
        name
        for name, service in services.items()
        if any(not (networks[network] or {}).get("internal") for network in service["networks"])
    }
    assert leaves == {"worker", "dag-processor", "api-server"}, (
        "sources and mail; Git and lost workers; people's browsers"
    )
    for name in ("worker", "dag-processor"):
        assert "outside" in services[name]["networks"]
        for variable in ("NOTIFIERS", "LETTERS", "ADDRESSES"):
            assert f"DP_STATS_{variable}" in services[name]["environment"], (name, variable)


def test_every_variable_of_compose_is_made_by_the_script_or_in_the_example() -> None:
    script = subprocess.run(["sh", DEPLOY / "compose/secrets.sh"], capture_output=True, text=True, check=True).stdout
    example = (DEPLOY / "compose/example.env").read_text()
    given = set(re.findall(r"^#? ?(\w+)=", script + example, re.MULTILINE))
    optional = set(re.findall(r"\$\{(\w+):-", COMPOSE))
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) - optional <= given
    secrets = [line.partition("=")[2] for line in script.splitlines()]
    every_secret_is_another_and_long = len(set(secrets)) == len(secrets) and min(map(len, secrets)) >= 40
    assert every_secret_is_another_and_long  # not compared in the assertion, which would print them


def test_in_helm_only_workers_mount_the_whole_state_and_write_the_ledger(values: dict[str, Any]) -> None:
    def ledger(role: str) -> list[str]:
        return [e["valueFrom"]["secretKeyRef"]["key"] for e in values[role].get("env", []) if "LEDGER" in e["name"]]

    assert (ledger("workers"), ledger("apiServer"), ledger("scheduler")) == (["writer-url"], ["web-url"], [])
    assert [m.get("subPath") for m in values["workers"]["extraVolumeMounts"]] == [None]
    for mount in values["apiServer"]["extraVolumeMounts"]:
        read = mount["subPath"] in {"public", "restricted", "requests"}
        assert (read, mount["subPath"] == "withdrawn") == (
            mount.get("readOnly", False),
            not mount.get("readOnly", False),
        )
    assert "extraVolumeMounts" not in values["scheduler"]
    assert values["config"]["core"]["xcom_backend"] == "dp_stats.airflow.xcom.SmallPlainXCom"
    assert not re.search(r"(?i)(password|secret|token)\s*:\s*[\"'][^\"']", (DEPLOY / "helm/values.yaml").read_text())


def test_in_helm_every_pod_knows_whom_to_tell(values: dict[str, Any]) -> None:
    told = {one["name"] for one in values["env"]}
    assert {"DP_STATS_NOTIFIERS", "DP_STATS_LETTERS", "DP_STATS_ADDRESSES", "DP_STATS_BASE_URL"} <= told


def test_the_user_interface_is_started_on_the_port_that_is_asked_for() -> None:
    command = ["make", "--dry-run", "ui", "PORT=9123"]
    said = subprocess.run(command, cwd=DEPLOY.parent, capture_output=True, text=True, check=True).stdout
    assert "python -m deploy.local.ui --port 9123" in said


def test_on_one_machine_airflows_processes_wait_for_each_other_to_write(tmp_path: Path) -> None:
    from sqlalchemy import create_engine, text

    url = local_environment(tmp_path)["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    with create_engine(url).connect() as connection:
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == SQLITE_WAITS * 1000
    assert (tmp_path / "airflow/airflow.db").exists()


def test_the_image_copies_what_exists_and_runs_the_locked_airflow(values: dict[str, Any]) -> None:
    root = DEPLOY.parent
    copied = [
        part
        for line in re.findall(r"^COPY (.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
        for part in [word for word in line.split() if not word.startswith("--")][:-1]
    ]
    assert copied
    assert [name for name in copied if not (root / name).exists()] == []
    assert {"setup.py", "dags", "expectations", "reports"} <= set(copied)  # what the installation is built from
    lock = (DEPLOY / "requirements.lock").read_text()
    pins = re.findall(r"^\S+==\S+", (root / "requirements.lock").read_text(), re.MULTILINE)
    assert [pin for pin in pins if not re.search(rf"^{re.escape(pin)}(\s|$)", lock, re.MULTILINE)] == []
    assert f"apache-airflow=={values['airflowVersion']} " in (DEPLOY / "requirements.lock").read_text()
