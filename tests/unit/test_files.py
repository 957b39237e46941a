"""Files appear whole or not at all, are private where they should be, and have one writer at a time."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from dp_stats.errors import BusyError
from dp_stats.files import could_replace, created_once, locked, replace_file, replaced, write_synced


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "rows"

    def fail() -> None:
        with replaced(target) as draft:
            draft.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
    with replaced(target) as draft:
        draft.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_private_file_is_private_from_its_first_byte_on(tmp_path: Path) -> None:
    with replaced(tmp_path / "rows", mode=0o600) as draft:
        assert mode(draft) == 0o600
        draft.write_text("secret")
    assert mode(tmp_path / "rows") == 0o600


def test_a_private_file_is_private_even_if_the_writer_put_another_in_its_place(tmp_path: Path) -> None:
    with replaced(tmp_path / "rows", mode=0o600) as draft:
        (tmp_path / "other").write_text("secret")
        (tmp_path / "other").chmod(0o644)
        (tmp_path / "other").replace(draft)
    assert mode(tmp_path / "rows") == 0o600


def test_a_public_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    replace_file(tmp_path / "page", b"")
    assert mode(tmp_path / "page") == mode(tmp_path / "plain")


def test_two_writers_do_not_share_a_draft(tmp_path: Path) -> None:
    target = tmp_path / "page"
    with replaced(target) as one:
        one.write_text("one")
        with replaced(target) as other:
            other.write_text("other")
        assert target.read_text() == "other"
    assert target.read_text() == "one"


def test_an_equal_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "page"
    assert replace_file(path, b"text")
    before = path.stat()
    assert not replace_file(path, b"text")
    assert path.stat().st_ino == before.st_ino
    assert replace_file(path, b"other", durable=True)
    assert path.read_bytes() == b"other"


@pytest.mark.parametrize("length", [1, 239, 240, 241, 255, 256])
def test_where_nothing_is_kept_a_name_is_refused_that_a_disk_would_refuse(tmp_path: Path, length: int) -> None:
    for path in (
        tmp_path / ("é" * (length // 2) + "x" * (length % 2)),
        tmp_path / "below" / ("x" * length) / "index.json",
    ):
        refused = []
        for put in (could_replace, replace_file):
            try:
                put(path, b"content")
            except OSError as error:
                refused.append(error.errno)
            assert os.path.exists(path) is (put is replace_file and not refused)
        assert refused in ([], [errno.ENAMETOOLONG] * 2)


def test_what_must_last_is_on_the_disk_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr("dp_stats.files.sync", lambda path: synced.append(path.name))
    replace_file(tmp_path / "page", b"1")
    assert synced == []
    replace_file(tmp_path / "page", b"2", durable=True)
    assert [name.endswith(".part") for name in synced] == [True, False]
    assert synced[1] == tmp_path.name
    synced.clear()
    write_synced(tmp_path, {"a": b"", "b": b""})
    assert synced == ["a", "b", tmp_path.name]


def test_the_first_creator_wins_and_leaves_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "key"
    with created_once(target, mode=0o600) as late:
        with created_once(target, mode=0o600) as early:
            early.write_text("early")
        late.write_text("late")
    assert target.read_text() == "early"
    assert mode(target) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def hold(path: Path, held: Event, done: Event) -> None:
    with locked(path):
        held.set()
        done.wait(60)


def test_a_lock_keeps_other_processes_out_until_its_holder_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "public" / ".lock"
    spawn = multiprocessing.get_context("spawn")
    held, done = spawn.Event(), spawn.Event()
    holder = spawn.Process(target=hold, args=(path, held, done))
    holder.start()
    try:
        assert held.wait(60)
        with pytest.raises(BusyError, match=r"still holds \.lock\. Wait until it has ended"), locked(path, seconds=0.2):
            raise AssertionError("held by two")
        os.kill(holder.pid or 0, 9)  # a killed holder leaves no lock behind
        holder.join(60)
        with locked(path, seconds=30):
            pass
    finally:
        holder.kill()


def test_a_lock_is_given_back_after_a_failure(tmp_path: Path) -> None:
    def fail() -> None:
        with locked(tmp_path / ".lock"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with locked(tmp_path / ".lock", seconds=0.2):
        pass
