"""A snapshot's bytes are those that were pulled for its own edition, whatever its name stands for; and errors hold no value."""

from __future__ import annotations

import hmac
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dp_stats.errors import DpStatsError, LedgerError, SourceError
from dp_stats.secure.sealed import sealed
from dp_stats.secure.secret import CHUNK, keyed_digest, load_key
from dp_stats.secure.snapshots import keep, pinned
from dp_stats.secure.staging import staging_folder
from dp_stats.settings import Settings, load_settings

KEY = b"k" * 32


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("content", [b"", b"rows", b"\0" * CHUNK + b"rows"])
def test_a_digest_is_of_the_whole_file_under_the_key_and_of_what_it_is_about(tmp_path: Path, content: bytes) -> None:
    rows = tmp_path / "rows"
    rows.write_bytes(content)
    assert keyed_digest(rows, KEY) == hmac.digest(KEY, content, "sha256").hex()
    assert keyed_digest(rows, KEY, about="cases/r1") == hmac.digest(KEY, b"cases/r1\0" + content, "sha256").hex()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"DP_STATS_HOME": str(tmp_path)})


@pytest.fixture
def pull(settings: Settings) -> Callable[..., tuple[Path, str]]:
    def pull(content: bytes, period: str = "2021-W07") -> tuple[Path, str]:
        folder = staging_folder(settings.secure, release="cases", period=period)
        draft = folder / "draft"
        draft.write_bytes(content)
        draft.chmod(0o644)
        return folder / "rows.parquet", keep(draft, folder / "rows.parquet", secure=settings.secure)

    return pull


def test_a_snapshot_is_kept_under_its_name_and_under_the_digest_of_its_edition_and_bytes(
    settings: Settings, pull: Callable[..., tuple[Path, str]]
) -> None:
    snapshot, digest = pull(b"rows")
    assert digest == keyed_digest(snapshot, load_key(settings.secure), about="staging/cases/2021-W07/r1")
    assert pull(b"rows") == (snapshot, digest)
    assert pull(b"rows", "2021-W08")[1] != digest
    assert {path.name for path in snapshot.parent.iterdir()} == {snapshot.name, f"{digest}.parquet"}
    other = pull(b"other rows")[1]
    found = {path.name: path.read_bytes() for path in snapshot.parent.iterdir()}
    assert found == {snapshot.name: b"other rows", f"{other}.parquet": b"other rows", f"{digest}.parquet": b"rows"}
    assert {mode(path) for path in snapshot.parent.iterdir()} == {0o600}


def test_a_run_measures_the_bytes_that_were_there_when_it_began(
    settings: Settings, pull: Callable[..., tuple[Path, str]]
) -> None:
    snapshot, _ = pull(b"rows")
    with pinned(snapshot, settings=settings) as copy:
        pull(b"other rows")
        assert copy.read_bytes() == b"rows"
        assert (mode(copy), mode(copy.parent)) == (0o600, 0o700)
        assert copy.is_relative_to(settings.secure)
    assert not copy.parent.exists()


@pytest.mark.parametrize("harm", ["altered", "of another edition", "missing"])
def test_what_was_not_pulled_for_the_edition_is_never_measured(
    settings: Settings, pull: Callable[..., tuple[Path, str]], harm: str
) -> None:
    snapshot, digest = pull(b"rows")
    if harm == "altered":
        snapshot.write_bytes(b"other rows")
    elif harm == "of another edition":
        folder = staging_folder(settings.secure, release="cases", period="2021-W08")
        shutil.copy(snapshot, folder / snapshot.name)
        shutil.copy(snapshot, folder / f"{digest}.parquet")
        snapshot = folder / snapshot.name
    else:
        snapshot.unlink()
    why = (
        "The snapshot of rows is missing"
        if harm == "missing"
        else "The snapshot of rows is not as the pull step wrote it"
    )
    with pytest.raises(SourceError, match=f"^{why}") as caught, pinned(snapshot, settings=settings):
        pytest.fail("it was measured")
    assert caught.value.__cause__ is None


def test_an_error_beside_rows_says_which_kind_it_is_and_nothing_that_it_said() -> None:
    def fail(error: Exception) -> Callable[[], None]:
        def work() -> None:
            try:
                raise KeyError("Ann lives in Leeds")
            except KeyError:
                raise error from None

        return work

    assert sealed("counting", lambda: 7) == 7
    with pytest.raises(
        SourceError, match=r"^Something failed while counting \(ValueError; details are withheld"
    ) as caught:
        sealed("counting", fail(ValueError("Ann lives in Leeds")))
    assert "Ann" not in str(caught.value)
    ours: list[DpStatsError] = [LedgerError("Upgrade."), SourceError("Pull again.")]
    for error in ours:
        with pytest.raises(type(error), match=f"^{error}$") as kept:
            sealed("counting", fail(error))
        assert kept.value is not error
        assert kept.value.__cause__ is kept.value.__context__ is None
    assert caught.value.__cause__ is caught.value.__context__ is None
