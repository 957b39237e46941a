"""Failures of the machine and odd numbers are named with what to do, and what is private is private whatever the umask."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from conftest import Clinic

from dp_stats.airflow.steps import guarded
from dp_stats.catalogue import read_catalogue
from dp_stats.cli.common import fails_clearly
from dp_stats.errors import StorageError
from dp_stats.files import replace_file, storage_error
from dp_stats.run import open_ledger, prepare_home
from dp_stats.settings import load_settings

NAMELESS = 54321
"""A user that no machine has a name for."""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="dp-stats-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_nameless(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a user without a name or rights (as ourselves where we are not the superuser).

    What is used is imported before: the user may not be able to read where Python is installed.
    """
    become = (
        "import os, getpass, pwd, encodings.idna\nfrom dp_stats.errors import StorageError\n"
        "from dp_stats.run import prepare_home, user_name\nfrom dp_stats.settings import load_settings\nhere = load_settings()\n"
        f"os.getuid() or os.setuid({NAMELESS})\n"
    )
    names = {name: value for name, value in os.environ.items() if name not in ("USER", "LOGNAME", "LNAME", "USERNAME")}
    return subprocess.run(
        [sys.executable, "-c", become + script], env={**names, **environment}, capture_output=True, text=True, cwd="/"
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only the superuser can become a user without a name")
def test_a_user_without_a_name_is_known_by_number() -> None:
    done = as_nameless("print(user_name())")
    assert done.stdout.strip() == f"user {NAMELESS}", done.stderr


def test_a_home_that_cannot_be_made_or_written_is_named(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    script = "try:\n    prepare_home(here)\nexcept StorageError as error:\n    print(error)"
    done = as_nameless(script, DP_STATS_HOME=str(open_folder / "home"))
    open_folder.chmod(0o755)
    assert done.stdout.strip() == (
        f"{open_folder / 'home'} cannot be written or read: this user may not. Have its rights changed, or choose another "
        "place, then run this step again."
    ), done.stderr


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(StorageError, match="something else stands there"):
        open_ledger(load_settings({"DP_STATS_HOME": str(tmp_path / "home")}))


def test_a_home_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o777)
    for use in (prepare_home, open_ledger):
        with pytest.raises(StorageError, match=r"Everybody may write .* chmod o-w"):
            use(load_settings({"DP_STATS_HOME": str(home)}))
    home.chmod(0o775)
    prepare_home(load_settings({"DP_STATS_HOME": str(home)}))


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_what_waits_for_publication_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        home = tmp_path / "home"
        home.mkdir(mode=0o755)
        here = load_settings({"DP_STATS_HOME": str(home)})
        prepare_home(here)
        assert stat.S_IMODE(here.work.stat().st_mode) == 0o700
        here.work.chmod(0o755)  # as an earlier version made it
        prepare_home(here)
        assert stat.S_IMODE(here.work.stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_a_full_disk_is_named_at_the_command_line_and_in_airflow(capfd: pytest.CaptureFixture[str]) -> None:
    def fill() -> None:
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)

    with pytest.raises(StorageError, match=r"disk is full\. Free some space"):
        guarded(fill)
    with pytest.raises(typer.Exit) as caught:
        fails_clearly(fill)()
    assert caught.value.exit_code == StorageError.exit_code
    assert "Storage error: A file cannot be written or read: its disk is full" in capfd.readouterr().err


def test_only_failures_of_a_disk_are_taken_for_one(tmp_path: Path) -> None:
    assert storage_error(OSError(errno.ECONNREFUSED, "refused")) is None
    assert storage_error(OSError("no number at all")) is None
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError) as caught:
        replace_file(tmp_path / "file" / "below", b"x")
    assert "a file stands where a folder is needed" in str(storage_error(caught.value))


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("1/0", "is not a number"),
        ("one", "is not a number"),
        ("1e999999999", "too long or too large"),
        ("9" * 5000, "too long or too large"),
        (1e300, "too long or too large"),
        (float("inf"), "is not a number"),
        (float("nan"), "is not a number"),
        (1000, "nothing is protected"),
        (-1, "greater than 0"),
        ([1], "privacy_loss.epsilon"),
    ],
)
def test_a_privacy_loss_that_is_no_sensible_number_is_refused_in_words(
    clinic: Clinic, written: object, says: str
) -> None:
    clinic.change("releases/visits.yaml", privacy_loss={"epsilon": written})
    clinic.change("datasets/visits.yaml", budget={"epsilon": 6, "delta": "1e-6"})
    broken = read_catalogue(clinic.folder).broken
    (file,) = broken
    assert file == "releases/visits.yaml"
    assert says in broken[file]
    assert "report this" not in broken[file]


@pytest.mark.slow
def test_a_terminal_without_the_letters_shows_the_rest(clinic: Clinic) -> None:
    environment = {**clinic.environment, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "dp_stats.cli.main", "plan", "visits", "-p", "2024-W02"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "visits" in done.stdout
