"""Celery on this machine: Redis on a free port, and workers of one queue each."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from deploy.local.processes import LocalAirflow, free_port

REDIS = shutil.which("redis-server")


@contextmanager
def broker(folder: Path) -> Iterator[redis.Redis]:
    """A Redis server that keeps nothing on disk, as a client."""
    assert REDIS, "install redis-server"
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [REDIS, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    try:
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.1)
        yield client
    finally:
        client.close()
        server.terminate()
        server.wait()


def address(client: redis.Redis) -> str:
    """The URL by which Celery reaches a broker."""
    return f"redis://127.0.0.1:{client.get_connection_kwargs()['port']}/0"


def start_worker(airflow: LocalAirflow, name: str, *, queue: str, **environment: str) -> None:
    """Start a worker that takes tasks of one queue.

    Args:
        environment: what differs from Airflow's own: on another machine it would have folders of its own.
    """
    options = ("--queues", queue, "--concurrency", "2", "--skip-serve-logs", "--without-mingle", "--without-gossip")
    airflow.start(name, "celery", "worker", "--celery-hostname", name, *options, **environment)


def wait_for_worker(airflow: LocalAirflow, name: str) -> None:
    """Wait until a worker is there.

    Raises:
        RuntimeError: it ended, or is not there after two minutes.
    """
    process, log = airflow.running[name], airflow.folder / f"{name}.log"
    deadline = time.monotonic() + 120
    while f"{name} ready" not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the worker is not there: {log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.2)
