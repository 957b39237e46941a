"""The wheel publishes by itself: installed into an empty environment, away from the repository, with what it declares.

The new environment holds the packages of ``requirements.lock`` and no others, so that a dependency that only the tests
have, or a file that only the repository has, is missed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"reports": "reports", "expectations": "expectations", "dags/catalogue": "catalogue"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and an empty folder to work in."""

    environment: Path
    folder: Path

    def run(self, *command: str, check: bool = True) -> str:
        """What a command prints, run in the empty folder."""
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("DP_STATS_", "AIRFLOW", "PYTHON"))}
        variables |= {
            "PATH": f"{self.environment / 'bin'}{os.pathsep}{variables['PATH']}",
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags"),
        }
        done = subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the files that git knows, so that nothing left over in the folder gets into it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run([*build, "-w", target, source], check=True)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A new environment with the locked packages, linked to, and the wheel, installed by pip, which checks what it needs."""
    made = Installed(tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("empty"))
    subprocess.run([sys.executable, "-m", "venv", made.environment], check=True)
    (site,) = made.environment.glob("lib/python*/site-packages")
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE))
    for distribution in distributions():
        if normalised(distribution.name) in locked - {"pip", "setuptools"}:
            link(distribution, site, made.environment / "bin")
    pip = made.environment / "bin" / "pip"
    subprocess.run([pip, "install", "--no-index", "-q", wheel], check=True)
    return made


def tracked() -> list[str]:
    """The files of the repository, also those that are new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def link(distribution: Distribution, site: Path, scripts: Path) -> None:
    """Link a distribution's files into ``site``, file by file only where folders are shared, and its scripts."""
    for file in distribution.files or []:
        top, here = file.parts[0], Path(str(distribution.locate_file(file)))
        if top == ".." and "bin" in file.parts and here.is_file():
            text = here.read_bytes()
            target = scripts / here.name
            if not target.exists() and text.startswith(b"#!"):
                target.write_bytes(f"#!{scripts / 'python'}\n".encode() + text.partition(b"\n")[2])
                target.chmod(0o755)
        elif top not in ("..", "__pycache__") and not (site / top).exists():
            (site / top).symlink_to(str(distribution.locate_file(top)))


@pytest.fixture(scope="module")
def published(installed: Installed) -> Installed:
    """The guide's catalogue and its first edition, made by the guide's own commands in the empty folder."""
    guide = (ROOT / "docs" / "tutorial" / "guide.md").read_text(encoding="utf-8")
    commands = re.findall(r"```bash\n(.*?)```", guide, flags=re.DOTALL)
    first = next(i for i, command in enumerate(commands) if " run " in command)
    for command in commands[: first + 1]:
        installed.run("bash", "-euo", "pipefail", "-c", command)
    return installed


def test_the_package_is_the_wheels_and_not_the_repositorys(installed: Installed) -> None:
    imported = Path(installed.run("python", "-c", "import dp_stats; print(dp_stats.__file__)").strip())
    assert imported.is_relative_to(installed.environment)
    outside = installed.run("python", "-c", "import sys; print(*sys.path, sep='\\n')").split()
    assert not [path for path in outside if Path(path).is_relative_to(ROOT)]
    for name in ("pytest", "frictionless", "hypothesis"):
        found = installed.run("python", "-c", f"import importlib.util as u; print(u.find_spec('{name}'))")
        assert found.strip() == "None"


def test_every_file_that_publishing_needs_is_in_the_wheel(installed: Installed) -> None:
    (package,) = installed.environment.glob("lib/python*/site-packages/dp_stats")
    missing = []
    for name in tracked():
        folder = next((f for f in (*FOLDERS, "dp_stats") if name.startswith(f"{f}/")), None)
        if folder is None:
            continue
        below = Path(name).relative_to(folder)
        there = package / below if folder == "dp_stats" else package / "shipped" / FOLDERS[folder] / below
        if not there.is_file() or there.read_bytes() != (ROOT / name).read_bytes():
            missing.append(name)
    assert missing == []


def test_the_guides_first_edition_is_published_with_its_pages(published: Installed) -> None:
    public = published.folder / "state" / "public"
    edition = public / "visits-by-clinic" / "2024-01"
    assert (edition / "r1" / "by-clinic.csv").is_file()
    assert (edition / "r1" / "privacy.json").is_file()
    for page in (public / "index.html", public / "visits-by-clinic" / "index.html"):
        assert "Visits by clinic and age" in page.read_text(encoding="utf-8")
    assert list((public / "assets").glob("*.css"))
    assert list(public.rglob("*.svg"))
    assert "Every published file matches" in published.run(
        "dp-stats", "--catalogue", "clinic", "--home", "state", "site", "verify"
    )


def test_schemas_are_not_written_into_the_package(installed: Installed) -> None:
    (package,) = installed.environment.glob("lib/python*/site-packages/dp_stats")
    before = sorted(package.rglob("*.json"))
    assert installed.run("dp-stats", "schema", check=False) == ""
    assert sorted(package.rglob("*.json")) == before
    assert "mine/dataset.json" in installed.run("dp-stats", "schema", "mine")


def test_airflow_lists_the_provider_and_the_plugin(installed: Installed) -> None:
    assert "dp-stats" in {row["package_name"] for row in listed(installed, "providers", "list")}
    (plugin,) = [row for row in listed(installed, "plugins") if row["name"] == "dp_stats"]
    assert "budget" in json.dumps(plugin)


def listed(installed: Installed, *command: str) -> list[dict[str, str]]:
    """What a command of Airflow lists, as JSON; lines of logs around it are left out."""
    printed = installed.run("airflow", *command, "--output", "json")
    rows: list[dict[str, str]] = json.loads(printed[printed.index("[{") : printed.rindex("]") + 1])
    return rows


def test_a_dag_file_of_two_lines_gives_one_dag_for_each_scheduled_release(published: Installed) -> None:
    dags = published.folder / "dags"
    dags.mkdir(exist_ok=True)
    (dags / "releases.py").write_text(
        "from dp_stats.airflow import scheduled_releases  # DAG\nglobals().update(scheduled_releases())\n"
    )
    release = published.folder / "clinic" / "releases" / "visits-by-clinic.yaml"
    if "schedule:" not in release.read_text():
        release.write_text(release.read_text() + 'schedule: "0 9 10 * *"\n')
    script = (
        "import os; os.environ['DP_STATS_CATALOGUE'] = 'clinic'\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "bag = DagBag('dags', bundle_name='dags-folder', bundle_path='dags')\n"
        "print(sorted(bag.dags), bag.import_errors)\n"
    )
    assert published.run("python", "-c", script).splitlines()[-1] == "['visits_by_clinic'] {}"
