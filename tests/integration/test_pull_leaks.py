"""Planted identifiers and values are found nowhere outside the secure store, whether a step works or fails."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from tests.warm_python import python

CANARIES = ("CANARY", "canary", "7771", "7772", "4096.25")
GOOD = "CANARY-1,09-03-2020,A1,30,4096.25\nCANARY-2,10-03-2020,CANARY-AREA,7771,7772\n"
HEADER = "Patient ID,Visit Date,Area,Age,Nights\n"

FAULTS = {
    "none": {},
    "a broken line": {"source": HEADER + GOOD + "CANARY-3,09-03-2020\n"},
    "an open quotation mark": {"source": HEADER + GOOD + '"CANARY-3,09-03-2020,A1,1,1\n'},
    "bytes of another encoding": {"source": (HEADER + GOOD).encode() + b"CANARY\xff,09-03-2020,A1,1,1\n"},
    "a missing column": {"source": "Patient ID,Visit Date,Area,Age\nCANARY-1,09-03-2020,A1,7771\n"},
    "an opt-out list with a broken line": {"opt_outs": "Patient ID,why\nCANARY-1\n"},
    "an opt-out list with an empty line": {"opt_outs": "Patient ID,why\nCANARY-1,x\n ,x\n"},
    "a failed gate": {
        "suite": [{"type": "expect_column_max_to_be_between", "kwargs": {"column": "nights", "max_value": 5}}]
    },
    "a gate that cannot be evaluated": {
        "suite": [{"type": "expect_column_max_to_be_between", "kwargs": {"column": "person", "max_value": 5}}]
    },
}

STEPS = """
import logging, sys
from pathlib import Path
logging.basicConfig(level=logging.DEBUG)
from dp_stats.catalogue import load_catalogue
from dp_stats.catalogue.periods import parse_period
from dp_stats.secure.check import check_snapshot
from dp_stats.secure.pull import pull
from dp_stats.secure.staging import staging_folder
from dp_stats.settings import load_settings

settings = load_settings()
catalogue = load_catalogue(settings.catalogue)
what = dict(catalogue=catalogue, period=parse_period("2020-W11"), settings=settings)
folder = staging_folder(settings.secure, release="visits", period="2020-W11")
print(pull(catalogue.datasets["visits"], folder=folder, progress=print, **what))
print(check_snapshot(catalogue.datasets["visits"], folder=folder, **what))
"""


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_no_planted_value_leaves_the_secure_store(visits: Any, tmp_path: Path, fault: dict[str, Any]) -> None:
    visits.source(fault.get("source", HEADER + GOOD))
    visits.opt_outs(fault.get("opt_outs", "Patient ID\nCANARY-2\n"))
    suite = fault.get("suite", [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}}])
    visits.write("catalogue/expectations/visits.json", json.dumps({"name": "visits", "expectations": suite}))
    visits.save()
    around = tmp_path / "around"
    around.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(around),
        "TMPDIR": str(around),
        "DP_STATS_HOME": str(visits.settings.home),
        "DP_STATS_CATALOGUE": str(visits.settings.catalogue),
    }
    run = python(STEPS, environment=environment, folder=around)
    said = run.stdout
    assert (run.returncode == 0) == (not fault), said.decode()
    written = [
        path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(visits.settings.secure)
    ]
    given = {visits.settings.home / "source" / name for name in ("visits.csv", "opt-outs.csv")}
    everything = said + b"".join(path.read_bytes() for path in written if path not in given)
    for canary in CANARIES:
        assert canary.encode() not in everything


def test_the_search_finds_what_is_planted(visits: Any) -> None:
    """The same search over the secure store does find the identifiers, so it has power."""
    visits.source(HEADER + GOOD)
    snapshot = visits.pull()
    assert b"CANARY-1" in snapshot.path.read_bytes()


def test_nothing_is_logged_while_pulling(visits: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    visits.source(HEADER + GOOD)
    visits.pull()
    assert caplog.records == []
