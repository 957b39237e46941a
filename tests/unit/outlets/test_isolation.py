"""A release that cannot be listed or shown stops no other: its page says so, it is named, and all is well once mended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from english import TEXTS

from dp_stats.editions.isolated import without_failing
from dp_stats.operations import upkeep
from dp_stats.outlets import api, data_use, dcat, feeds
from dp_stats.outlets.index import refresh_index
from dp_stats.site import budget_page, build, edition_pages, record_pages, release_pages, site_pages
from dp_stats.site.writer import MANIFEST

BASE = "https://statistics.example.org"
SOUND, BROKEN = "cases-by-area", "costs-by-sex"
CANNOT = TEXTS("missing.release")


@pytest.fixture(scope="module")
def made(make_sample: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published site of two releases."""
    folder = tmp_path_factory.mktemp("made")
    for name, period in ((SOUND, "2021-W07"), (BROKEN, "2021")):
        make_sample(name, period).publish(folder, published=datetime(2022, 2, 1, 9, 30, tzinfo=UTC))
    refresh_index(folder, base_url=BASE, texts=TEXTS)
    build(folder, base_url=BASE)
    return folder


@pytest.fixture
def public(made: Path, tmp_path: Path) -> Path:
    """The same, with the pages of the second release and of the whole site due again."""
    copy = Path(shutil.copytree(made, tmp_path / "public"))
    jobs = json.loads((copy / MANIFEST).read_text())
    for name, job in jobs.items():
        if name.partition("/")[0] in (BROKEN, "site"):
            job["key"] = "due again"
    (copy / MANIFEST).write_text(json.dumps(jobs))
    return copy


def damage(name: str) -> Callable[[Path], None]:
    def plant(public: Path) -> None:
        for path in public.glob(f"{BROKEN}/**/{name}"):
            path.write_bytes(b"damaged")

    return plant


DAMAGED = {name: damage(name) for name in ("edition.json", "status.json", "*.parquet")}
LISTED = {
    "feed": (feeds, "feed", lambda editions, *_, **__: [e.release.id for e in editions]),
    "catalogue": (dcat, "_dataset", lambda edition, *_, **__: [edition.release.id]),
    "register": (data_use, "data_use", lambda published, **__: [e.release.id for e in published]),
    "API": (api, "_leaves", lambda public, editions, *_: [e.release.id for e in editions]),
}
SHOWN = {
    "release page and charts": (release_pages, "release_page", lambda site, view, *_: [view.id]),
    "edition page": (edition_pages, "edition_page", lambda site, view, *_: [view.id]),
    "card of the front page": (site_pages, "release_card", lambda site, view: [view.id]),
    "corrections": (record_pages, "corrections", lambda public, release, **__: [release]),
    "calendar": (site_pages, "planned", lambda site, *_: [v.id for v in site.releases]),
    "register page": (record_pages, "register_page", lambda site: [v.id for v in site.releases]),
    "budget page": (budget_page, "budget_page", lambda site: [v.id for v in site.releases]),
}


def break_at(patch: pytest.MonkeyPatch, module: Any, name: str, about: Callable[..., list[str]]) -> None:
    """Let a function fail whenever it is about the second release."""
    whole = getattr(module, name)

    def fails(*args: Any, **kwargs: Any) -> Any:
        if BROKEN in about(*args, **kwargs):
            raise ZeroDivisionError("planted")
        return whole(*args, **kwargs)

    patch.setattr(module, name, fails)


def contents(public: Path) -> dict[str, bytes]:
    return {str(p.relative_to(public)): p.read_bytes() for p in public.rglob("*") if p.is_file() and p.name != MANIFEST}


@pytest.mark.parametrize("name", LISTED)
def test_a_release_that_cannot_be_listed_is_left_out_alone(
    public: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = contents(public)
    with monkeypatch.context() as patch:
        break_at(patch, *LISTED[name])
        for path in ("feed.atom", "register.csv", "api/index.json", f"{SOUND}/feed.atom"):
            (public / path).unlink()
        assert refresh_index(public, base_url=BASE, texts=TEXTS).left_out == {BROKEN: "ZeroDivisionError: planted"}
        assert SOUND in (public / "feed.atom").read_text()
        assert (public / f"{SOUND}/feed.atom").read_bytes() == before[f"{SOUND}/feed.atom"]
        assert {path for path in contents(public) if f"topics/{SOUND}" in path}
        with pytest.raises(ZeroDivisionError):
            refresh_index(public, base_url=BASE, texts=TEXTS, isolate=False)
    assert refresh_index(public, base_url=BASE, texts=TEXTS).left_out == {}
    assert contents(public) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_a_release_that_cannot_be_shown_has_a_page_that_says_so_until_it_can(
    public: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = contents(public)
    with monkeypatch.context() as patch:
        break_at(patch, *SHOWN[name])
        for _ in range(2):  # the next build must not take what failed for done
            assert build(public, base_url=BASE).not_shown == {BROKEN: "ZeroDivisionError: planted"}
            assert CANNOT in (public / BROKEN / "index.html").read_text()
            assert f'href="{SOUND}/index.html"' in (public / "index.html").read_text()
            assert f'href="{BROKEN}/index.html"' not in (public / "index.html").read_text()
        sound = {path: text for path, text in before.items() if path.startswith(SOUND)}
        assert {path: text for path, text in contents(public).items() if path.startswith(SOUND)} == sound
        assert set(contents(public)) == set(before), "pages of the last build stay"
    assert build(public, base_url=BASE).not_shown == {}
    assert contents(public) == before


def test_a_rehearsal_hears_of_every_failure(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for fault in (SHOWN["edition page"], SHOWN["register page"]):
        with monkeypatch.context() as patch:
            break_at(patch, *fault)
            with pytest.raises(ZeroDivisionError):
                build(public, base_url=BASE, isolate=False)


@pytest.mark.parametrize("name", DAMAGED)
def test_an_edition_that_is_damaged_takes_its_own_release_away_alone(public: Path, name: str) -> None:
    DAMAGED[name](public)
    assert list(refresh_index(public, base_url=BASE, texts=TEXTS).left_out) == [BROKEN]
    assert list(build(public, base_url=BASE).not_shown) == [BROKEN]
    assert SOUND in (public / "feed.atom").read_text()
    assert CANNOT in (public / BROKEN / "index.html").read_text()
    assert f'href="{SOUND}/index.html"' in (public / "index.html").read_text()


def test_upkeep_alerts_of_a_release_that_cannot_be_shown(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DP_STATS_PUBLIC", str(public))
    DAMAGED["status.json"](public)
    (alert,) = upkeep.rebuild_site()
    assert alert.subject == f"{BROKEN} cannot be shown"
    assert "status.json is missing or cannot be read" in alert.text


def test_what_fails_for_all_together_is_raised() -> None:
    def make(names: Any) -> None:
        if len(names) > 1:
            raise ValueError("together")

    with pytest.raises(ValueError, match="together"):
        without_failing(["a", "b"], make)
