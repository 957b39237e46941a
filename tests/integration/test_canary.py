"""Planted identifiers, values and exact counts are in no byte written outside the secure store, in success or failure.

Every file under the test's folder is searched: the state folder (ledger, work, published files, Airflow's database
and logs), what was printed, and the folder for temporary files. Archives are opened, Parquet and numpy files read.
Noise is replaced by one large number where exact counts are looked for, so that none can appear by chance.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.warm_python import python

ROOT = Path(__file__).resolve().parents[2]
WORDS = (b"canary", b"kanarie", b"5550199", b"4096.25", b"tweet-word")
CELL, ROWS = 104_729, 104_789
"""Rows in the largest cell, and in the file."""

COUNTS = tuple(
    re.compile(rb"(?<![\w.,])(" + written + rb")(?![\w])")
    for number in (CELL, ROWS)
    for written in (str(number).encode(), f"{number:,}".encode(), f"{number}.0".encode())
)

COMMANDS = """
import json, os, sys
import numpy as np
import dp_stats.secure.measure as measuring
measuring.add_noise = lambda values, **_: np.asarray(values) + 33_333_333
FAULT, COMMAND = sys.argv[1], sys.argv[2:]

def raises(*arguments, **options):
    raise ValueError("row canary-1 of kanarie-place has 4096.25; there are 104729")

if FAULT == "measure":
    measuring.exact_answers = raises
if FAULT == "draw":
    measuring.add_noise = raises
if FAULT == "store":
    from dp_stats.errors import LedgerError
    from dp_stats.ledger import Ledger
    def full(*arguments):
        raise LedgerError("The disk is full.")
    Ledger.store = full
if FAULT == "publish":
    import dp_stats.editions.publication as publication
    real_write = publication.files.write_synced
    def stopped(folder, contents):
        if "rehearsal" in str(folder):
            return real_write(folder, contents)
        raise OSError("No space left on device")
    publication.files.write_synced = stopped
if FAULT == "a step that logs a row":
    import logging
    import dp_stats.secure.snapshots as pulling
    real = pulling.keyed_digest
    def logging_digest(path, *rest, **named):
        import duckdb
        logging.basicConfig(level="INFO")
        logging.info("first row: %s", duckdb.sql(f"SELECT * FROM '{path}' LIMIT 1").fetchall())
        return real(path, *rest, **named)
    pulling.keyed_digest = logging_digest
if FAULT == "a step that tells a count":
    import pyarrow.parquet as pq
    from dp_stats import pipeline
    from dp_stats.settings import load_settings
    real = pipeline.estimate
    def counting(*arguments, **options):
        done = real(*arguments, **options)
        staged = next((load_settings().secure / "staging").rglob("snapshot*.parquet"))
        load_settings().work.mkdir(exist_ok=True)
        (load_settings().work / "told.txt").write_text(str(pq.read_metadata(staged).num_rows))
        return done
    pipeline.estimate = counting
from dp_stats.cli.main import app
app(COMMAND)
"""


def plant(clinic: Any) -> None:
    """A source in which one cell has CELL rows, an opt-out list, and a wide budget."""
    lines = ["Patient,Day,Clinic,Cost,Telephone"]
    lines += [f"canary-{i},2024-01-09,north,4096.25,5550199" for i in range(CELL)]
    lines += [f"canary-{i},2024-01-10,Kanarie-Place,4096.25,5550199" for i in range(ROWS - CELL)]
    (clinic.folder / "visits.csv").write_text("\n".join(lines) + "\n")
    (clinic.folder / "opt-outs.csv").write_text("patient\ncanary-out\n")
    clinic.change("datasets/visits.yaml", intake={"days_without_rows": None})  # all rows lie on two days


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is packed inside it, as text."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".parquet":
        yield repr(pq.read_table(path).to_pydict()).encode()
    yield from unpacked(raw)


def unpacked(raw: bytes) -> Iterator[bytes]:
    """What is in zip archives anywhere in some bytes (a numpy archive in a database's blob, a workbook), and in gzip."""
    if raw[:2] == b"\x1f\x8b":
        yield zlib.decompress(raw, wbits=31)
    for start in (found.start() for found in re.finditer(b"PK\x03\x04", raw)):
        try:
            with zipfile.ZipFile(io.BytesIO(raw[start:])) as archive:
                for name in archive.namelist():
                    inside = archive.read(name)
                    yield inside
                    if name.endswith(".npy"):
                        yield repr(np.load(io.BytesIO(inside), allow_pickle=False).tolist()).encode()
        except (zipfile.BadZipFile, zlib.error, ValueError, EOFError):
            continue


def leaks(folder: Path, said: bytes, *, secure: Path, given: Path, counts: bool = True) -> list[str]:
    """What was found where, outside the secure store and the folder with what was given."""
    found = []
    files = [
        p for p in folder.rglob("*") if p.is_file() and not p.is_relative_to(secure) and not p.is_relative_to(given)
    ]
    for name, parts in [("printed", iter([said])), *((str(p.relative_to(folder)), contents(p)) for p in files)]:
        for part in parts:
            found += [
                f"{name}: {word.decode()}" for word in WORDS if word in part.lower() or word in name.lower().encode()
            ]
            found += [f"{name}: {p.pattern.decode()}" for p in COUNTS if counts and p.search(part)]
    return found


def command(clinic: Any, tmp_path: Path, fault: str, *arguments: str, **environment: str) -> tuple[int, bytes]:
    """One call of the command line in a process of its own, in a folder of its own."""
    around = tmp_path / "around"
    around.mkdir(exist_ok=True)
    own = {"HOME": str(around), "TMPDIR": str(around), **environment}
    done = python(COMMANDS, fault, *arguments, environment={**clinic.environment, **own}, folder=around)
    return done.returncode, done.stdout


def broken_line(clinic: Any) -> None:
    path = clinic.folder / "visits.csv"
    path.write_text(path.read_text() + 'canary-x,2024-01-09,"kanarie\n')


def missing_column(clinic: Any) -> None:
    path = clinic.folder / "visits.csv"
    path.write_text(path.read_text().replace("Clinic", "Place", 1))


def broken_opt_outs(clinic: Any) -> None:
    (clinic.folder / "opt-outs.csv").write_text("patient\ncanary-out\n \n")


def failed_gate(clinic: Any) -> None:
    suite = clinic.folder / "expectations" / "visits.json"
    content = json.loads(suite.read_text())
    content["expectations"] += [
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "patient", "value_set": ["a"]}},
        {"type": "expect_column_max_to_be_between", "kwargs": {"column": "cost", "max_value": 1}},
    ]
    suite.write_text(json.dumps(content))


def no_budget(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", budget={"epsilon": 0.1, "delta": "1e-6"})


def no_database(clinic: Any) -> None:
    clinic.change("datasets/visits.yaml", source={"kind": "postgres", "table": "visits", "url_env": "CLINIC_URL"})


def as_given(clinic: Any) -> None:
    """Nothing is wrong with what was given."""


SCENARIOS = [
    ("", as_given, 0),
    ("", broken_line, 4),
    ("", missing_column, 4),
    ("", no_database, 4),
    ("", broken_opt_outs, 5),
    ("", failed_gate, 6),
    ("", no_budget, 7),
    ("measure", as_given, 4),
    ("draw", as_given, None),
    ("store", as_given, None),
    ("publish", as_given, 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "spoil", "code"), SCENARIOS, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_no_planted_value_or_exact_count_leaves_the_secure_store(
    clinic: Any, tmp_path: Path, fault: str, spoil: Any, code: int | None
) -> None:
    plant(clinic)
    spoil(clinic)
    status, said = command(
        clinic,
        tmp_path,
        fault,
        "run",
        "visits",
        "-p",
        "2024-W02",
        CLINIC_URL="postgresql://x:tweet-word@127.0.0.1:1/none",
    )
    assert status == code or (code is None and status != 0), said.decode()
    assert leaks(tmp_path, said, secure=clinic.settings.secure, given=clinic.folder) == []
    assert not list(clinic.settings.secure.rglob("snapshot.parquet"))
    if code == 0:
        for arguments in (["ledger", "show"], ["ledger", "export"], ["answer", "visits", "visits"], ["site", "verify"]):
            status, said = command(clinic, tmp_path, "", *arguments)
            assert leaks(tmp_path, said, secure=clinic.settings.secure, given=clinic.folder) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "what"), [("a step that logs a row", "canary"), ("a step that tells a count", str(ROWS))]
)
def test_a_step_that_tells_is_caught(clinic: Any, tmp_path: Path, fault: str, what: str) -> None:
    plant(clinic)
    _, said = command(clinic, tmp_path, fault, "run", "visits", "-p", "2024-W02")
    assert any(what in found for found in leaks(tmp_path, said, secure=clinic.settings.secure, given=clinic.folder))


def test_the_search_finds_what_is_packed_away(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.array([CELL]))
    (tmp_path / "b.db").write_bytes(b"SQLite" + (tmp_path / "a.npz").read_bytes() + b"more")
    with zipfile.ZipFile(tmp_path / "c.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("sheet.xml", "<v>104,729</v> Canary")
    found = leaks(tmp_path, b"", secure=tmp_path / "secure", given=tmp_path / "given")
    assert {line.split(":")[0] for line in found} == {"a.npz", "b.db", "c.xlsx"}
    assert "c.xlsx: canary" in found


AIRFLOW = """
import os, sys
from pathlib import Path
home = Path(sys.argv[1])
from deploy.local.environment import local_environment
os.environ.update(local_environment(home))
from deploy.local.demo import run_editions
print(run_editions(["visits/2024-W02"], home))
broken = Path(os.environ["DP_STATS_CATALOGUE"]) / "visits.csv"
broken.write_text(broken.read_text() + 'canary-x,2024-01-16,"kanarie\\n')
print(run_editions(["visits/2024-W03"], home))
"""


@pytest.mark.slow
def test_no_planted_value_is_in_airflows_database_or_logs(clinic: Any, tmp_path: Path) -> None:
    plant(clinic)
    around = tmp_path / "around"
    around.mkdir()
    home = clinic.settings.home
    done = subprocess.run(
        [sys.executable, "-c", AIRFLOW, str(home)],
        cwd=around,
        env={
            **clinic.environment,
            "PYTHONPATH": f"{ROOT}",
            "HOME": str(around),
            "TMPDIR": str(around),
        },
        capture_output=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said.decode()[-3000:]
    assert (home / "public" / "visits" / "2024-W02" / "r1" / "edition.json").exists(), said.decode()
    assert not (home / "public" / "visits" / "2024-W03").exists()
    assert b"SourceError" in (home / "airflow" / "demo.log").read_bytes()
    assert (home / "airflow" / "airflow.db").stat().st_size > 10**5
    assert leaks(tmp_path, said, secure=clinic.settings.secure, given=clinic.folder, counts=False) == []
