"""Rows lie only in private folders, whole or not at all, and are deleted; the key is drawn once."""

from __future__ import annotations

import os
import stat
import sys
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from dp_stats.errors import DpStatsError
from dp_stats.secure.secret import KEY_BYTES, keyed_digest, load_key
from dp_stats.secure.spill import spill_folder
from dp_stats.secure.staging import purge_expired, remove, secure_below, secure_folder, staging_folder, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secure_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = staging_folder(tmp_path / "secure", release="cases", period="2021-W07", revision=2)
    finally:
        os.umask(before)
    assert folder == tmp_path / "secure/staging/cases/2021-W07/r2"
    assert [mode(path) for path in (folder, *folder.parents[:4])] == [0o700] * 5


def test_a_folder_is_private_from_its_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever enters before its mode is put right stays inside."""
    monkeypatch.setattr(Path, "chmod", lambda *_, **__: None)
    before = os.umask(0)
    try:
        assert mode(secure_folder(tmp_path / "secure")) == 0o700
    finally:
        os.umask(before)


def test_a_secure_folder_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    assert mode(secure_folder(tmp_path / "state/of/ours/secure")) == 0o700


def test_a_folder_that_another_process_makes_meanwhile_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, exists = tmp_path / "secure", Path.exists

    def made_meanwhile(path: Path) -> bool:
        known = exists(path)
        if path == folder and not known:
            folder.mkdir(mode=0o700)
        return known

    monkeypatch.setattr(Path, "exists", made_meanwhile)
    assert secure_folder(folder) == folder


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = secure_folder(tmp_path / "secure")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(DpStatsError, match=r"^/.*/secure belongs to another user"):
        secure_folder(folder)


@pytest.mark.parametrize("open_to", [0o755, 0o750, 0o701])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, open_to: int) -> None:
    (tmp_path / "secure").mkdir()
    (tmp_path / "secure").chmod(open_to)
    said = rf"^Others may enter /.*/secure \(mode {open_to:04o}\).* chmod 700 /.*/secure$"
    with pytest.raises(DpStatsError, match=said):
        secure_folder(tmp_path / "secure")


def test_a_link_or_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(DpStatsError, match="real folder"):
            secure_folder(tmp_path / name)


@pytest.mark.parametrize("name", [".", "..", "a/b", ""])
def test_an_edition_cannot_be_staged_outside_the_secure_store(tmp_path: Path, name: str) -> None:
    for edition in ({"release": "cases", "period": name}, {"release": name, "period": "2021-W07"}):
        with pytest.raises(DpStatsError, match=f"^'{name}' cannot name a folder"):
            staging_folder(tmp_path / "secure", **edition)


def test_the_first_revision_of_an_edition_is_the_one_that_nobody_names(tmp_path: Path) -> None:
    assert staging_folder(tmp_path, release="cases", period="2021-W07") == tmp_path / "staging/cases/2021-W07/r1"


def test_rows_are_kept_nowhere_but_in_the_secure_store(tmp_path: Path) -> None:
    assert secure_below(tmp_path / "secure", tmp_path / "secure/staging/a") == tmp_path / "secure/staging/a"
    for folder in (tmp_path / "public", tmp_path / "secure" / ".." / "public"):
        with pytest.raises(DpStatsError, match="outside the secure store"):
            secure_below(tmp_path / "secure", folder)


def test_removing_an_edition_leaves_the_others(tmp_path: Path) -> None:
    one, other = (staging_folder(tmp_path / "secure", release="cases", period=p) for p in ("2021-W07", "2021-W08"))
    (one / "snapshot.parquet").touch()
    remove(one)
    remove(one)
    assert not one.parent.exists()
    assert other.exists()


def test_a_list_of_tables_in_a_database_outlives_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = staging_folder(tmp_path / "secure", release="cases", period="2021-W07")
    for inside in ("tables", "parts", "parts/of"):
        (folder / inside).mkdir()
    for file in ("snapshot.parquet", "tables/one.json", "parts/of/rows"):
        (folder / file).touch()
    listed = Path.iterdir
    with monkeypatch.context() as patch:  # a file that another process removes meanwhile
        patch.setattr(Path, "iterdir", lambda path: iter([*listed(path), path / "vanished"]))
        remove(folder)
    assert [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))] == ["tables", "tables/one.json"]
    (folder / "tables/one.json").rename(folder / "tables/note")
    remove(folder)
    assert [path.name for path in (tmp_path / "secure").rglob("*")] == ["staging"]


def test_only_editions_left_untouched_for_long_are_purged(tmp_path: Path) -> None:
    old, touched = (staging_folder(tmp_path / "secure", release="cases", period=p) for p in ("2021-W07", "2021-W08"))
    for folder in (old, touched):
        (folder / "snapshot.parquet").touch()
        for path in (folder / "snapshot.parquet", folder):
            os.utime(path, (0, 0))
    os.utime(touched / "snapshot.parquet")
    assert purge_expired(tmp_path / "secure", after=timedelta(days=2)) == (old,)
    assert not old.exists()
    assert touched.exists()
    assert purge_expired(tmp_path / "nothing", after=timedelta(days=2)) == ()
    two = [staging_folder(tmp_path / "secure", release="deaths", period=p) for p in ("2021-W07", "2021-W08")]
    listed = staging_folder(tmp_path / "secure", release="births", period="2021-W07")
    (listed / "tables").mkdir()
    (listed / "tables/one.json").touch()
    for path in (*two, listed / "tables/one.json", listed / "tables", listed):
        os.utime(path, (0, 0))
    assert purge_expired(tmp_path / "secure", after=timedelta(days=2)) == tuple(two)
    assert listed.exists()


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_a_note_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    note = tmp_path / "secure/quality/cases/2021-W07/r1.txt"
    before = os.umask(umask)
    try:
        (tmp_path / "secure").mkdir(mode=0o700, exist_ok=True)
        (tmp_path / "secure").chmod(0o700)
        write_private(tmp_path / "secure", note, b"a warning")
    finally:
        os.umask(before)
    assert note.read_bytes() == b"a warning"
    assert mode(note) == 0o600
    assert [mode(path) for path in note.parents[:4]] == [0o700] * 4


SPILLING = """
import os, sys
from pathlib import Path
from dp_stats.secure.spill import spill_folder
with spill_folder(Path(sys.argv[1])) as folder:
    (folder / "rows.tmp").write_text("rows")
    print(folder.name, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_run_spilled_is_removed_and_what_another_run_spills_is_not(tmp_path: Path) -> None:
    secure = secure_folder(tmp_path / "secure")
    with Popen([sys.executable, "-c", SPILLING, str(secure)], stdin=PIPE, stdout=PIPE, text=True) as run:
        assert run.stdout is not None
        left = secure / run.stdout.readline().strip()
        with spill_folder(secure) as own:
            assert own != left
            assert (left / "rows.tmp").exists()  # the other run is alive
        run.kill()
    assert left.exists()
    with spill_folder(secure) as own:
        assert list(secure.iterdir()) == [own]
        assert mode(own) == 0o700
    assert list(secure.iterdir()) == []


def test_the_key_is_random_private_and_stays(tmp_path: Path) -> None:
    key = load_key(tmp_path / "secure")
    assert len(key) == KEY_BYTES
    assert load_key(tmp_path / "secure") == key
    assert load_key(tmp_path / "another") != key
    assert mode(tmp_path / "secure" / "key") == 0o600
    assert [path.name for path in (tmp_path / "secure").iterdir()] == ["key"]


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    with get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(load_key, [tmp_path / "secure"] * 8))) == 1


def test_a_key_that_others_may_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    load_key(tmp_path / "secure")
    path = tmp_path / "secure" / "key"
    path.chmod(0o644)
    with pytest.raises(DpStatsError, match="chmod 600"):
        load_key(tmp_path / "secure")
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(DpStatsError, match="damaged"):
        load_key(tmp_path / "secure")


def test_a_digest_cannot_be_made_without_the_key(tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    rows.write_bytes(b"guessable")
    assert keyed_digest(rows, b"1" * 32) != keyed_digest(rows, b"2" * 32)
    assert keyed_digest(rows, b"1" * 32) == keyed_digest(rows, b"1" * 32)
