"""A real Spark cluster on the loopback: a standalone master and two workers, as processes."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

OPTIONS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.executor.memory": "512m",
    "spark.executor.cores": "1",
    "spark.cores.max": "2",
    "spark.sql.shuffle.partitions": "2",
    "spark.pyspark.python": "/there/is/none",  # executors need no Python
}
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
QUICK = {
    "spark.driver.extraJavaOptions": JAVA,
    "spark.executor.extraJavaOptions": JAVA,
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
"""Few rows are answered soonest by small processes and without compiled code."""


@contextmanager
def spark_cluster(folder: Path, *, quick: bool = True) -> Iterator[str]:
    """Start one whose executors keep their files in ``folder``; yields the address as it is written in a variable.

    Args:
        quick: for few rows.
    """
    import pyspark

    home = Path(pyspark.__file__).parent
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    master = f"spark://127.0.0.1:{port}"
    started = [_start(home, folder / "master", "deploy.master.Master", "--port", str(port))]
    try:
        _wait(port)
        for number in ("1", "2"):
            own = folder / f"worker-{number}"
            started.append(
                _start(
                    home, own, "deploy.worker.Worker", "--cores", "1", "--memory", "1g", "--work-dir", str(own), master
                )
            )
        yield f"{master}?{urlencode({**OPTIONS, **(QUICK if quick else {})})}"
    finally:
        _end_java()
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def _end_java() -> None:
    """End the driver's Java: it would keep the cluster's options, and have the next session of this process look for it."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is not None:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None


def _start(home: Path, folder: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    environment = {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
        "SPARK_DAEMON_MEMORY": "128m",
        "SPARK_DAEMON_JAVA_OPTS": JAVA,
    }
    command = [
        str(home / "bin" / "spark-class"),
        f"org.apache.spark.{name}",
        "--webui-port",
        "0",
        "--host",
        "127.0.0.1",
    ]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([*command, *arguments], env=environment, stdout=log, stderr=log)


def _wait(port: int) -> None:
    """Until the master answers."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as call:
            if call.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("no master")
