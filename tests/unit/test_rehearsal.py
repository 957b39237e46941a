"""What could not be published is refused before anything is charged, and what can be declared can be published."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dp_stats import pipeline, rehearsal
from dp_stats.catalogue import yaml
from dp_stats.catalogue.models import Release
from dp_stats.charts.drawing import Studio
from dp_stats.charts.series import Group, Series
from dp_stats.charts.sheets import Words
from dp_stats.charts.tilemap import layout
from dp_stats.editions.workbook import _headings, _unshielded, shielded
from dp_stats.errors import CatalogueError
from dp_stats.files import segment
from dp_stats.operations.review import review_catalogue
from dp_stats.run import ledger_if_any
from dp_stats.settings import Settings, load_settings, shipped
from dp_stats.texts.numbers import Figure
from dp_stats.texts.words import Texts
from tests.builders import declared_dataset
from tests.deliveries import as_csv

DATASET = declared_dataset(
    "records",
    {
        "patient": {"from": "Patient", "type": "person"},
        "day": {"from": "Day", "type": "date"},
        "group": {"from": "Group", "type": "code", "codes": "groups"},
    },
    budget={"rho": 1000},
)
RELEASE = """
id: figures
title: Figures
dataset: records
period: week
start: 2024-01-01
dimensions: [{name: group, column: group, levels: [code]}]
statistics: [{id: visits, kind: count}]
derived: []
tables: [{id: by-group, title: By group, levels: {group: code}, statistics: [visits]}]
contribution: {rows: 2}
privacy_loss: {epsilon: 1}
texts: {summary: ""}
"""
SUITE = (
    '{"name": "r", "expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "patient"}}]}'
)


def declare(folder: Path, *, names: list[str], old: str = "", new: str = "") -> Settings:
    """A catalogue of one release over a list of two or more groups, with a few rows."""
    rows = [[f"c{i}", name] for i, name in enumerate(names)]
    contents = {
        "datasets/records.yaml": yaml.write(DATASET),
        "releases/figures.yaml": RELEASE.replace(old, new) if old else RELEASE,
        "codes/groups.csv": as_csv([["code", "name"], *rows]).decode(),
        "records.csv": as_csv(
            [["Patient", "Day", "Group"], ["p1", "2024-01-02", "c0"], ["p2", "2024-01-03", "c1"]]
        ).decode(),
        "expectations/records.json": SUITE,
    }
    for name, content in contents.items():
        path = folder / "catalogue" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return load_settings({"DP_STATS_HOME": str(folder / "home"), "DP_STATS_CATALOGUE": str(folder / "catalogue")})


def test_what_cannot_be_estimated_is_refused_by_check_and_before_a_charge(tmp_path: Path) -> None:
    quantile = "derived: [{id: half, kind: quantile, of: visits, across: group, q: 0.5}]"
    here = declare(tmp_path, names=["A", "B"], old="derived: []", new=quantile)
    path = here.catalogue / "releases" / "figures.yaml"
    path.write_text(path.read_text().replace("statistics: [visits]}", "statistics: [visits, half]}"))
    for attempt in (lambda: review_catalogue(here), lambda: pipeline.run_edition("figures/2024-W01", settings=here)):
        with pytest.raises(CatalogueError, match=r"release 'figures', table 'by-group', statistic 'half'.*bands"):
            attempt()
    ledger = ledger_if_any(here)
    assert ledger is None or ledger.reservations() == []


def test_two_groups_with_names_of_any_script_and_no_summary_are_published(tmp_path: Path) -> None:
    here = declare(tmp_path, names=["서울", "$$ [a](b)"])
    done = pipeline.run_edition("figures/2024-W01", settings=here)
    folder = here.public_dir / done["path"]
    with zipfile.ZipFile(folder / "workbook.xlsx") as book:
        text = "".join(book.read(name).decode() for name in book.namelist())
    assert "서울" in text
    assert "$$ [a](b)" in text
    assert "\ue000" not in text
    assert "\ue001" not in text
    assert "<f>" not in text


def test_a_release_that_counts_late_rows_is_rehearsed_in_every_language(tmp_path: Path) -> None:
    """The reason of a late revision names periods, which each language writes in its own way."""
    late = "late: {periods: 2, share: 0.5}\ncontribution: {rows: 2}"
    here = declare(tmp_path, names=["A", "B"], old="contribution: {rows: 2}", new=late)
    review_catalogue(here.model_copy(update={"further_languages": ("cy",)}))


@pytest.fixture(autouse=True)
def nothing_was_rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DP_STATS_REHEARSED", str(tmp_path / "rehearsed"))
    monkeypatch.setattr(rehearsal, "_rehearsed", set())


def test_equal_declarations_are_rehearsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = declare(tmp_path, names=["A", "B"])
    here.home.mkdir()
    rehearsed: list[str] = []
    monkeypatch.setattr(rehearsal, "rehearse", lambda edition: rehearsed.append(edition.period.label))
    review_catalogue(here)
    pipeline.pull("figures/2024-W02", settings=here)
    pipeline.reserve("figures/2024-W02", settings=here)
    assert rehearsed == ["2024-W01"]
    path = here.catalogue / "codes" / "groups.csv"
    path.write_text(path.read_text().replace("A", "Another"))
    review_catalogue(here)
    assert rehearsed == ["2024-W01", "2024-W01"]


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_a_code_is_one_segment_of_a_path_and_of_no_other_code(one: str, other: str) -> None:
    found = segment(one)
    assert found.isascii()
    assert "/" not in found
    assert len(found) <= 120
    assert not found.startswith(".")
    assert found.casefold() != "index"
    assert not set(found) & set("%?# &\"'<>\\:")
    assert (found == segment(other)) == (one == other)


@pytest.mark.parametrize("code", ["../x", "index", "CON", ".", "..", "서울", "a/b", "x" * 300, "~", "%2e"])
def test_official_codes_keep_their_form_and_others_are_escaped(code: str) -> None:
    assert segment("E06000001") == "E06000001"
    assert segment(code) != code


def test_headings_of_a_spreadsheet_differ_whatever_their_case() -> None:
    assert _headings(["Status", "status", "Value"]) == [shielded(t) for t in ("Status", "status (2)", "Value")]


def test_marks_of_a_spreadsheet_are_gone_from_what_is_published() -> None:
    shut = io.BytesIO()
    with zipfile.ZipFile(shut, "w") as book:
        book.writestr("sharedStrings.xml", shielded("$$a$$ [b](c)"))
    with zipfile.ZipFile(io.BytesIO(_unshielded(shut.getvalue()))) as book:
        assert book.read("sharedStrings.xml").decode() == "$$a$$ [b](c)"


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio(shipped("reports"), Texts.load(shipped("reports")))


WORDS = Words("A title that is long enough to need two lines on a narrow screen", "Sub", "Source", "Alt")


@pytest.mark.parametrize("groups", [0, 1, 2, 3])
def test_dots_are_drawn_however_few_groups_there_are(studio: Studio, groups: int) -> None:
    some = [Group(f"c{i}", f"Group {i}", Figure(i, 0, 2 * i, "")) for i in range(groups)]
    assert studio.dots(some, WORDS).svg


def test_a_series_without_any_value_is_drawn(studio: Studio) -> None:
    nothing = np.full(3, np.nan)
    dates = (date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 15))
    series = Series("A", "a", dates, ("one", "two", "three"), np.ones(3, bool), nothing, nothing, nothing, ("x",) * 3)
    assert studio.headline(series, WORDS).svg
    assert studio.multiples([series, series], WORDS).svg


def test_areas_on_one_line_or_in_one_place_have_tiles() -> None:
    codes = ["a", "b", "c", "d", "e"]
    for longitude in ([0.0, 1.0, 2.0, 3.0, 4.0], [1.0] * 5):
        tiles = layout(codes, longitude, longitude).tiles
        assert len(set(tiles.values())) == 5


def test_a_schedule_that_no_clock_can_keep_is_refused_in_words() -> None:
    from dp_stats.catalogue import yaml

    content = {**yaml.parse(RELEASE), "schedule": "every day"}
    with pytest.raises(ValidationError, match="cron expression of five fields"):
        Release.model_validate(content)


def test_pages_and_the_api_are_made_but_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there: dict[str, bool] = {}
    could_replace = rehearsal.files.could_replace

    def watched(path: Path, content: bytes) -> bool:
        changed = could_replace(path, content)
        there[path.name] = path.exists()
        return changed

    monkeypatch.setattr(rehearsal.files, "could_replace", watched)
    review_catalogue(declare(tmp_path, names=["A", "B"]))
    assert {"index.html", "by-group.json", "index.json"} <= set(there)
    assert not any(there.values())
