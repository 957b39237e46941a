"""Publishing targets: everything arrives, in an order that never promises what is not there yet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from english import TEXTS

from dp_stats.editions import retract, verify_public
from dp_stats.errors import PublishedError
from dp_stats.outlets.index import refresh_index
from dp_stats.outlets.targets import upload

BASE = "https://statistics.example.org"


@pytest.fixture(scope="module")
def made(make_sample: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_sample().publish(folder)
    refresh_index(folder, base_url=BASE, texts=TEXTS)
    (folder / "index.html").write_text("<title>front</title>")
    return folder


@pytest.fixture
def public(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "public"))


@pytest.fixture
def memory() -> Any:
    remote = fsspec.filesystem("memory")
    remote.store.clear()
    yield remote
    remote.store.clear()


def visible(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and not p.name.startswith(".") and p.name != "manifest.json"
    }


def test_a_folder_given_as_url_gets_everything(public: Path, tmp_path: Path) -> None:
    target = tmp_path / "web root"
    upload(public, target.as_uri().replace("%20", " "))
    assert visible(target) == visible(public)
    assert verify_public(target) == []


def test_an_object_store_gets_everything_and_nothing_hidden(public: Path, memory: Any) -> None:
    done = upload(public, "memory://site")
    assert set(done.written) == set(visible(public))
    for name, content in visible(public).items():
        assert memory.cat_file(f"/site/{name}") == content
    assert not [path for path in memory.find("/site") if "/." in path]


def test_editions_come_first_and_the_front_page_last(public: Path, memory: Any) -> None:
    written = list(upload(public, "memory://site").written)
    assert written[-1] == "index.html"
    ranks = [0 if "/r1/" in n else 2 if "/latest/" in n else 1 if "/" in n else 3 for n in written]
    assert ranks == sorted(ranks)
    edition = [n for n in written if "/r1/" in n]
    assert edition[-1].endswith("SHA256SUMS")


def test_only_what_changed_is_sent_again(public: Path, memory: Any) -> None:
    upload(public, "memory://site")
    assert upload(public, "memory://site").written == ()
    (public / "index.html").write_text("<title>new</title>")
    assert upload(public, "memory://site").written == ("index.html",)


def test_what_is_gone_here_goes_there_but_never_an_edition(public: Path, memory: Any) -> None:
    upload(public, "memory://site")
    (public / "index.html").unlink()
    (public / "cases-by-area/2021-W07/r1/area-day.csv").unlink()
    assert upload(public, "memory://site").deleted == ("index.html",)
    assert memory.exists("/site/cases-by-area/2021-W07/r1/area-day.csv")
    assert "cases-by-area/2021-W07/r1/area-day.csv" in json.loads(memory.cat_file("/site/manifest.json"))


def test_a_retraction_takes_latest_away_there_too(public: Path, sample: Any, memory: Any) -> None:
    upload(public, "memory://site")
    retract(public, "cases-by-area/2021-W07", revision=1, reason="Wrong", when=sample.edition().published)
    assert all("/latest/" in name for name in upload(public, "memory://site").deleted)
    assert not memory.exists("/site/cases-by-area/latest/area-day.csv")
    assert memory.exists("/site/cases-by-area/2021-W07/r1/area-day.csv")


def test_another_edition_under_the_same_name_is_refused_before_anything_is_sent(
    public: Path, make_sample: Callable[..., Any], tmp_path: Path, memory: Any
) -> None:
    upload(public, "memory://site")
    other = tmp_path / "other"
    make_sample(seed=5).publish(other)
    (other / "index.html").write_text("other")
    with pytest.raises(PublishedError, match="holds another cases-by-area/2021-W07/r1"):
        upload(other, "memory://site")
    assert memory.cat_file("/site/index.html") == b"<title>front</title>"


def test_an_interrupted_upload_leaves_the_old_front_page_and_can_be_repeated(
    public: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(public, "memory://site")
    (public / "index.html").write_text("new")
    (public / "feed.atom").write_text("new")
    real, calls = type(memory).put_file, []

    def fail_at_second(self: Any, local: str, remote: str, **options: Any) -> Any:
        calls.append(remote)
        if len(calls) == 2:
            raise OSError("connection lost")
        return real(self, local, remote, **options)

    monkeypatch.setattr(type(memory), "put_file", fail_at_second)
    with pytest.raises(PublishedError, match="failed"):
        upload(public, "memory://site")
    assert memory.cat_file("/site/index.html") == b"<title>front</title>"
    monkeypatch.undo()
    upload(public, "memory://site")
    assert memory.cat_file("/site/index.html") == b"new"


def test_an_unknown_kind_of_address_is_a_clear_error(public: Path) -> None:
    with pytest.raises(PublishedError, match="nosuch://x failed"):
        upload(public, "nosuch://x")


def test_a_missing_package_is_named(public: Path) -> None:
    with pytest.raises(PublishedError, match=r"needs one more package: .*gcsfs"):
        upload(public, "gs://bucket/site")


def test_an_opened_file_system_can_be_given(public: Path, memory: Any) -> None:
    upload(public, "memory://elsewhere", filesystem=memory)
    assert memory.exists("/elsewhere/index.html")
