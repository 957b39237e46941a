"""What every test may use: a small catalogue of its own and a state folder that is thrown away."""

from __future__ import annotations

import atexit
import csv
import gc
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.local.environment import local_environment
from dp_stats.catalogue import yaml
from dp_stats.settings import Settings, load_settings
from tests.builders import declared_dataset

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

# Airflow reads its settings when it is first imported, by whichever test that is: one home for each test process.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="airflow-tests-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
os.environ.update({k: v for k, v in local_environment(AIRFLOW_HOME).items() if k.startswith("AIRFLOW")})


DEAREST = (
    "test_airflow_server.py", "test_generated.py", "test_sealed_plans.py", "test_state_machine.py", "test_airflow_ui.py",
    "test_canary.py", "test_pipeline.py", "test_coverage.py", "test_site_browser.py", "test_airflow_dags.py",
    "test_neighbours.py", "test_wheel.py", "test_rebuild.py", "test_audit.py", "test_register.py", "test_rules_replay.py",
    "test_guide.py", "test_docs.py", "test_in_place_spark.py", "test_bound_engines.py",
)  # fmt: skip
"""Files that take a core a minute or so, the dearest first: what begins last must be short, or one core waits for it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the dearest files (with ``--no-loadscope-reorder``; xdist would begin with those of most tests)."""
    items.sort(key=lambda item: DEAREST.index(item.path.name) if item.path.name in DEAREST else len(DEAREST))


def pytest_collection_finish() -> None:
    """What has been imported stays, and little that a test makes is rubbish in circles: to look for it as often as Python
    does by itself takes a twelfth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by all processes of one run of the tests, so that equal declarations are rehearsed once in it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "rehearsed"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def no_state_outside_the_test(tmp_path: Path, rehearsed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that forgets to choose a state folder must not write into the working tree."""
    for name in [name for name in os.environ if name.startswith("DP_STATS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DP_STATS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DP_STATS_REHEARSED", str(rehearsed))


@dataclass(frozen=True)
class Clinic:
    """A catalogue of one dataset and one weekly release over four clinics, with its source, ready to run."""

    folder: Path
    settings: Settings
    first: str = "visits/2024-W02"
    second: str = "visits/2024-W03"

    def change(self, file: str, **fields: Any) -> None:
        """Set fields of a YAML file in the catalogue; None removes one."""
        path = self.folder / file
        content = yaml.parse(path.read_text())
        for name, value in fields.items():
            content.pop(name, None)
            if value is not None:
                content[name] = value
        path.write_text(yaml.write(content))

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that works on this clinic."""
        return {
            **os.environ,
            "DP_STATS_HOME": str(self.settings.home),
            "DP_STATS_CATALOGUE": str(self.folder),
        }


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """Visits of 500 people to four clinics in the first five weeks of 2024; some people come six times."""
    folder = make_clinic(tmp_path / "catalogue")
    monkeypatch.setenv("DP_STATS_CATALOGUE", str(folder))
    return Clinic(folder, load_settings())


def make_clinic(folder: Path) -> Path:
    """Write that clinic's catalogue and source."""
    for name in ("datasets", "releases", "codes", "expectations"):
        (folder / name).mkdir(parents=True)
    with (folder / "visits.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Patient", "Day", "Clinic", "Cost", "Telephone"])
        for number in range(3000):
            person = f"p{number * 7 % 500}" if number % 5 else f"p{number % 40}"
            day = date(2024, 1, 1) + timedelta(days=number % 35)
            where = ("north", "South ", "EAST", "west", "elsewhere")[number % 5 if number % 11 else 0]
            rows.writerow([person, day.isoformat(), where, f"{number % 90}.50", "020 7946 0958"])
    (folder / "opt-outs.csv").write_text("patient\np3\np77\n")
    (folder / "codes" / "clinics.csv").write_text(
        "code,name,district,district_name,population\nnorth,North,A,Upper,1000\nsouth,South,B,Lower,2000\n"
        "east,East,A,Upper,3000\nwest,West,B,Lower,4000\n"
    )
    dataset = declared_dataset(
        "visits",
        {
            "patient": "person",
            "day": {"type": "date", "formats": ["%Y-%m-%d"]},
            "clinic": {"type": "code", "codes": "clinics", "unknown": True},
            "cost": "number",
        },
        description="One row per visit.",
        custodians=[{"name": "The clinics", "user": "custodian"}],
        opt_outs={"source": {"kind": "csv", "path": "opt-outs.csv"}, "column": "patient"},
    )
    release = {
        "id": "visits",
        "title": "Visits by clinic",
        "dataset": "visits",
        "period": "week",
        "start": date(2024, 1, 1),
        "schedule": "30 9 * * 4",
        "settle_days": 3,
        "dimensions": [
            {"name": "clinic", "column": "clinic", "levels": ["clinic", "district"]},
            {"name": "date", "column": "day", "levels": ["day", "week"]},
        ],
        "statistics": [{"id": "visits", "kind": "count", "title": "Visits", "expected_total": 600}],
        "tables": [
            {
                "id": "clinic-day",
                "title": "Visits by day",
                "levels": {"clinic": "clinic", "date": "day"},
                "statistics": ["visits"],
            },
            {
                "id": "clinic-week",
                "title": "Visits",
                "levels": {"clinic": "clinic", "date": "week"},
                "statistics": ["visits"],
            },
            {
                "id": "district-day",
                "title": "Visits by district",
                "levels": {"clinic": "district", "date": "day"},
                "statistics": ["visits"],
            },
        ],
        "contribution": {"rows": 3},
        "privacy_loss": {"epsilon": 1},
        "texts": {"summary": "Visits to four clinics.", "publisher": "The clinics"},
    }
    suite = {
        "name": "visits",
        "expectations": [
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "patient"}, "severity": "critical"},
            {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 10}, "severity": "critical"},
        ],
    }
    (folder / "datasets" / "visits.yaml").write_text(yaml.write(dataset))
    (folder / "releases" / "visits.yaml").write_text(yaml.write(release))
    (folder / "expectations" / "visits.json").write_text(json.dumps(suite))
    return folder


def publish_clinic(root: Path, *editions: str) -> Path:
    """Write that clinic in a folder's ``catalogue`` and publish editions of it to its ``home``; returns the folder."""
    from dp_stats import pipeline

    (root / "home").mkdir()
    make_clinic(root / "catalogue")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DP_STATS_HOME", str(root / "home"))
        patch.setenv("DP_STATS_CATALOGUE", str(root / "catalogue"))
        for edition in editions:
            pipeline.run_edition(edition)
    return root


def copied(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a test's own copy of a folder with a ``home`` and a ``catalogue``."""
    shutil.copytree(original, tmp_path / "copy")
    monkeypatch.setenv("DP_STATS_HOME", str(tmp_path / "copy" / "home"))
    monkeypatch.setenv("DP_STATS_CATALOGUE", str(tmp_path / "copy" / "catalogue"))
    return load_settings()
