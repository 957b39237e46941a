"""Airflow's three processes on one machine: started together, watched, and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import httpx

# No triggerer: approvals wait without one. No log server: it would listen on every interface.
PROCESSES = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class LocalAirflow:
    """A running Airflow, as a context manager; each process logs to ``airflow/NAME.log`` in the state folder.

    Args:
        environment: from :func:`deploy.local.environment.local_environment`.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = {**os.environ, **environment}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.folder = Path(environment["AIRFLOW_HOME"])
        self.url = environment["AIRFLOW__API__BASE_URL"]
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> LocalAirflow:
        try:
            self._airflow("db", "migrate")
            for name in PROCESSES:
                self.start(name)
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start one process, in a group of its own so that its children end with it.

        Args:
            name: of one of the three, or of another with its ``command``. environment: what is otherwise there for it.
        """
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603  our own fixed commands
                [sys.executable, "-m", "airflow", *(command or PROCESSES[name])],
                env={**self.environment, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self.running[name]

    def wait(self, seconds: float = 180) -> None:
        """Wait until scheduler and DAG processor report themselves healthy to the API.

        Raises:
            RuntimeError: a process ended, or time is up; the message names the log to read.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for name, process in self.running.items():
                if process.poll() is not None:
                    raise RuntimeError(f"Airflow's {name} ended. Read {self.folder / f'{name}.log'}.")
            if self._healthy():
                return
            time.sleep(0.5)
        raise RuntimeError(f"Airflow did not become healthy in {seconds:.0f} s. Read the logs in {self.folder}.")

    def _healthy(self) -> bool:
        try:
            health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5).text
        except httpx.HTTPError:
            return False
        return health.count('"healthy"') >= 3 and '"unhealthy"' not in health

    def kill(self, name: str) -> None:
        """End one process and its children at once, as a crash would."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Stop everything: ask, wait ten seconds, then insist."""
        for process in self.running.values():
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + 10
        for process in self.running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            finally:
                _signal(process, signal.SIGKILL)
                process.wait()
        self.running.clear()

    def _airflow(self, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603  our own fixed commands
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the whole group; its leader may be gone while children are left."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return
