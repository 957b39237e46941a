"""``python -c`` without seconds of imports: a process that has imported what runs need forks one for each script.

Such a process is as real as any other: it has its own environment, folder and output, it may be killed, and it ends as
every program of Python ends, with its own error on its own output.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMPORTED = (
    "dp_stats.cli.main", "dp_stats.pipeline", "dp_stats.rehearsal", "dp_stats.publishing", "dp_stats.ledger",
    "dp_stats.plan", "dp_stats.secure.pull", "dp_stats.secure.check", "dp_stats.secure.measure", "dp_stats.estimate",
    "dp_stats.charts.edition_chart", "dp_stats.outlets.index", "dp_stats.site", "great_expectations", "gptables",
)  # fmt: skip
"""Imports that start no thread and read nothing that a script's environment decides."""


def python(
    script: str, *arguments: str, environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a script as ``python -c script arguments`` would in ``folder``; ``stdout`` is all that it printed."""
    with tempfile.NamedTemporaryFile() as said:
        job = [script, arguments, dict(environment), str(folder or Path.cwd()), said.name]
        code = _answer(json.dumps(job))
        return subprocess.CompletedProcess(arguments, int(code), said.read())


@cache
def _server() -> subprocess.Popen[str]:
    """It ends when this process does, as nothing more can come from its pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.warm_python"],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _answer(job: str) -> str:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{job}\n")
    server.stdin.flush()
    return server.stdout.readline()


def _next() -> tuple[Any, ...]:
    """In the server: fork for each job. Returns the job, in the process that shall do it."""
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        if not (child := os.fork()):
            return tuple(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    sys.exit()


def _become(arguments: list[str], environment: Mapping[str, str], folder: str, said: str) -> None:
    """Let this process be one that was started so."""
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(said, os.O_WRONLY | os.O_APPEND)
    for stream, to in ((0, nothing), (1, output), (2, output)):
        os.dup2(to, stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    tempfile.tempdir = None
    sys.argv = ["-c", *arguments]


def _run(program: str) -> int:
    """Run a script as ``python -c`` does; its exit code. What libraries wait for at an exit belongs to the first process."""
    try:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    script, *surroundings = _next()
    _become(*surroundings)
    os._exit(_run(script))
