"""What is read of the register is a private copy of what was written; a sum of several is used where each of them counts."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dp_stats.secure.copies import Copies
from dp_stats.secure.secret import keyed_digest
from dp_stats.secure.sums import Sum, Sums, notes

KEY = b"k" * 32
A, B, C = "a" * 64, "b" * 64, "c" * 64


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(tmp_path / "secure")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "written.parquet").write_bytes(b"rows")
    return tmp_path / "written.parquet"


def verified(copies: Copies, path: Path, content: bytes = b"rows", *, about: str = "one") -> Path | None:
    """A copy of a file that should hold the content."""
    other = path.with_name("as it was written")
    other.write_bytes(content)
    return copies.verified(path, key=KEY, about=about, digest=keyed_digest(other, KEY, about="one"))


def test_a_copy_is_private_and_made_once_whatever_becomes_of_the_file(
    copies: Copies, written: Path, tmp_path: Path
) -> None:
    copy = verified(copies, written)
    assert copy is not None
    assert copy.is_relative_to(tmp_path / "secure")
    assert (mode(copy), mode(copy.parent)) == (0o600, 0o700)
    written.write_bytes(b"other rows")
    assert verified(copies, written) == copy
    assert copy.read_bytes() == b"rows"
    another, draft = copies.draft(), copies.draft()
    assert len({copy, another, draft}) == 3
    assert {path.suffix for path in (copy, another, draft)} == {".parquet"}


def test_what_is_lost_or_altered_or_of_something_else_has_no_copy(copies: Copies, written: Path) -> None:
    before = sorted(copies.folder.iterdir())
    assert verified(copies, written, b"other rows") is None
    assert verified(copies, written, about="another") is None
    assert verified(copies, written.with_name("lost")) is None
    assert sorted(copies.folder.iterdir()) == before
    assert verified(copies, written) is not None


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_not_a_lost_file(
    copies: Copies, written: Path, full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(path: Path, target: Path) -> None:
        target.write_bytes(b"r")
        raise OSError(full, "no room")

    before = sorted(copies.folder.iterdir())
    monkeypatch.setattr(Copies, "copy", staticmethod(fill))
    with pytest.raises(OSError, match="no room"):
        verified(copies, written)
    assert sorted(copies.folder.iterdir()) == before


@pytest.mark.parametrize("forgotten", [False, True])
def test_copies_are_gone_when_they_are_closed_or_forgotten(written: Path, tmp_path: Path, *, forgotten: bool) -> None:
    copies = Copies(tmp_path / "secure")
    assert verified(copies, written) is not None
    if forgotten:
        del copies
    else:
        copies.close()
    assert list((tmp_path / "secure").iterdir()) == []


@pytest.fixture
def sums(copies: Copies, tmp_path: Path) -> Sums:
    (tmp_path / "secure").mkdir(mode=0o700)
    return Sums(tmp_path / "secure" / "sums", KEY, copies)


def draft(sums: Sums, *digests: str, said: dict[str, str] | None = None) -> Path:
    """A sum of some entries, as it was computed."""
    path = sums.copies.draft()
    told = notes(set(digests)) if said is None else said
    pq.write_table(pa.table({"kept": [len(digests)]}).replace_schema_metadata(told), path)
    return path


def found(sums: Sums, block: str, *counting: str) -> frozenset[str] | None:
    one = sums.find(block, set(counting))
    return None if one is None else one.digests


def test_a_sum_says_in_order_what_it_adds_up() -> None:
    assert notes({B, A, C}) == {"sums": f"{A} {B} {C}"}


def test_a_sum_is_found_in_its_block_where_every_entry_counts(sums: Sums) -> None:
    made = draft(sums, A, B)
    content = made.read_bytes()
    assert sums.keep("2021", made, frozenset({A, B})) == Sum(made, frozenset({A, B}))
    assert found(sums, "2021", A, B, C) == found(sums, "2021", A, B) == {A, B}
    assert found(sums, "2021", A, C) is found(sums, "2022", A, B) is None
    one = sums.find("2021", {A, B})
    assert one is not None
    assert one.file.read_bytes() == content
    (kept,) = (sums.folder / "2021").iterdir()
    assert kept.name == f"{keyed_digest(made, KEY, about='sum of 2021')}.parquet"
    assert (mode(kept), mode(kept.parent)) == (0o600, 0o700)


def test_of_several_sums_the_largest_is_found_and_a_new_one_takes_the_place_of_all(sums: Sums) -> None:
    folder = sums.folder / "2021"
    contents = {}
    for digests in ({A}, {A, B, C}, {A, B}):  # as processes leave them that work at the same time
        sums.keep("2021", draft(sums, *digests), frozenset(digests))
        contents |= {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(list(folder.iterdir())) == 1
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    assert found(sums, "2021", A, B, C) == {A, B, C}
    assert found(sums, "2021", A, B) == {A, B}
    assert found(sums, "2021", A, C) == {A}
    sums.keep("2021", draft(sums, B), frozenset({B}))
    assert len(list(folder.iterdir())) == 1
    assert found(sums, "2021", A, B, C) == {B}


def test_an_altered_sum_is_removed_and_the_next_one_found(sums: Sums) -> None:
    sums.keep("2021", draft(sums, A), frozenset({A}))
    folder = sums.folder / "2021"
    for name in ("0" * 64, "f" * 64):  # one before and one behind the other, in order of names
        (folder / f"{name}.parquet").write_bytes(b"forged")
    assert found(sums, "2021", A) == {A}
    assert len(list(folder.iterdir())) == 1


def test_a_sum_may_vanish_at_any_moment(sums: Sums, monkeypatch: pytest.MonkeyPatch) -> None:
    """Editions of a series work at the same time, and each removes what is altered or older."""

    def meanwhile(path: Path, target: Path) -> None:
        for older in (sums.folder / "2021").glob("*.parquet"):
            older.unlink()
        target.write_bytes(path.read_bytes() if path.exists() else b"")

    sums.keep("2021", draft(sums, A), frozenset({A}))
    monkeypatch.setattr(Copies, "copy", staticmethod(meanwhile))
    assert found(sums, "2021", A) is None
    sums.keep("2021", draft(sums, A), frozenset({A}))
    sums.keep("2021", draft(sums, A, B), frozenset({A, B}))
    monkeypatch.undo()
    assert found(sums, "2021", A, B) == {A, B}


def test_a_sum_of_nothing_is_not_used(sums: Sums) -> None:
    for said in ({}, {"sums": ""}, {"adds": A}):
        sums.keep("2021", draft(sums, said=said), frozenset())
        assert found(sums, "2021", A) is None
        assert len(list((sums.folder / "2021").iterdir())) == 1


def test_a_block_is_a_folder_whatever_it_is_called(sums: Sums) -> None:
    for block in ("a/b", "..", "2021-W07"):
        sums.keep(block, draft(sums, A), frozenset({A}))
        assert found(sums, block, A) == {A}
    assert {path.parent for path in sums.folder.iterdir()} == {sums.folder}
    assert len(list(sums.folder.iterdir())) == 3
