"""Figures of areas that are shown together: every published value, in files whose number does not grow with the areas."""

from __future__ import annotations

import csv
import json
import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from english import TEXTS
from site_editions import covid_edition, covid_numbers, write

from dp_stats.catalogue.periods import period_of
from dp_stats.editions.edition import Edition
from dp_stats.editions.facts import MOST_PAGES, LevelFacts
from dp_stats.editions.latest import refresh_latest
from dp_stats.editions.revisions import refresh_status
from dp_stats.outlets import shared_areas
from dp_stats.outlets.index import refresh_index

BASE = "https://statistics.example.org"
RELEASE = "covid-cases-by-area"
FIRST = date(2020, 12, 14)
"""A Monday two weeks before the last week of a year."""


def shown(edition: Edition, pages: str) -> Edition:
    """An edition whose finest areas are shown as said."""
    area, *rest = edition.dimensions
    finest = area.levels[0].model_copy(update={"pages": pages})
    area = area.model_copy(update={"levels": (finest, *area.levels[1:])})
    return edition.model_copy(update={"dimensions": (area, *rest)})


def publish(public: Path, weeks: range, *, pages: str = "together", limit: int = 12) -> None:
    for week in weeks:
        period = period_of(FIRST + timedelta(weeks=week), "week")
        edition = shown(covid_edition(period, limit=limit), pages)
        write(edition, public, covid_numbers(edition))
        refresh_status(public, RELEASE, period.label)
    refresh_latest(public, RELEASE)
    refresh_index(public, base_url=BASE, texts=TEXTS, isolate=False)


def published(public: Path, tables: set[str]) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """Every row of the editions' own files: table, metric, area, age and first day → value, limits, status, days."""
    found = {}
    for path in public.glob(f"{RELEASE}/2*/r1/*.csv"):
        if path.stem not in tables:
            continue
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                key = (
                    path.stem,
                    row["metric"],
                    row["geography_code"],
                    row["age_code"],
                    row["date"],
                )
                numbers = [float(row[n]) if row[n] else None for n in ("value", "lower_95", "upper_95")]
                found[key] = (*numbers, row["status"], row["period"], row["period_end"], row["geography"])
    return found


def shared(folder: Path) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """The same from the files that areas share."""
    found = {}
    for path in folder.glob("*/*.json"):
        one = json.loads(path.read_text(encoding="utf-8"))
        for code, area in one["areas"].items():
            for table, told in one["tables"].items():
                ages = told["strata"]["age_code"]
                for metric, own in area.get(table, {}).items():
                    for i, value in enumerate(own["value"]):
                        moment = {name: values[i // len(ages)] for name, values in told["moments"].items()}
                        key = (table, metric, code, ages[i % len(ages)], moment["date"])
                        assert key not in found
                        numbers = (value, own["lower_95"][i], own["upper_95"][i], own["status"][i])
                        found[key] = (*numbers, moment["period"], moment["period_end"], area["name"])
    return found


def folder_of(public: Path) -> Path:
    (found,) = public.glob("api/**/geography_types/area/areas")
    return found


def states(folder: Path) -> dict[str, int]:
    return {p.relative_to(folder).as_posix(): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_every_value_of_every_area_is_in_the_file_that_its_code_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_areas, "BYTES", 1)
    monkeypatch.setattr(shared_areas, "MOST_FILES", 5)
    publish(tmp_path, range(5))
    folder = folder_of(tmp_path)
    wanted = published(tmp_path, {"area", "area-day", "area-age"})
    assert len(wanted) == 5 * 12 * (2 + 7 + 10)
    assert shared(folder) == wanted
    index = json.loads((folder / "index.json").read_text())
    assert (index["years"], len(index["first_codes"]), index["count"]) == ([2020, 2021], 4, 12)
    for path in folder.glob("*/*.json"):
        codes = list(json.loads(path.read_text())["areas"])
        number = int(path.stem)
        ends = [*index["first_codes"][number + 1 :], "~"][0]
        assert all(index["first_codes"][number] <= code < ends for code in codes)
    kind = json.loads((folder.parent / "index.json").read_text())
    assert kind == {"areas": f"{BASE}/{(folder / 'index.json').relative_to(tmp_path).as_posix()}", "geographies": []}
    assert not (folder.parent / "geographies").exists(), "areas that are shown together have no leaf"
    regions = json.loads((folder.parent.parent / "region" / "index.json").read_text())
    assert regions["geographies"], "larger areas still have"


def test_a_new_edition_leaves_what_it_does_not_change(tmp_path: Path) -> None:
    publish(tmp_path, range(4))
    folder = folder_of(tmp_path)
    before = states(folder)
    refresh_index(tmp_path, base_url=BASE, texts=TEXTS, isolate=False)
    assert states(folder) == before
    publish(tmp_path, range(4, 5))
    changed = {path for path, when in states(folder).items() if before.get(path) != when}
    assert changed == {"index.json", *(p for p in before if p.startswith("2021/"))}


def test_files_do_not_grow_with_the_number_of_areas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_areas, "BYTES", 1)
    monkeypatch.setattr(shared_areas, "MOST_FILES", 5)
    counts = []
    for limit in (40, 80):
        publish(tmp_path / str(limit), range(1), limit=limit)
        kept = (tmp_path / str(limit)).rglob("*")
        counts.append(sum(p.is_file() for p in kept if not {"region", "nation", "uk"} & set(p.parts)))
    assert counts[0] == counts[1]


def test_what_is_shown_otherwise_now_leaves_nothing_behind(tmp_path: Path) -> None:
    publish(tmp_path, range(1), pages="each")
    assert not list(tmp_path.glob("api/**/geography_types/area/areas"))
    leaves = list(tmp_path.glob("api/**/geography_types/area/geographies/E*"))
    publish(tmp_path, range(1, 2))
    assert leaves
    assert folder_of(tmp_path)
    assert not any(leaf.exists() for leaf in leaves)
    publish(tmp_path, range(2, 3), pages="each")
    assert not list(tmp_path.glob("api/**/geography_types/area/areas"))
    assert all(leaf.exists() for leaf in leaves)


@pytest.mark.parametrize(
    ("count", "pages", "together"),
    [(MOST_PAGES, None, False), (MOST_PAGES + 1, None, True), (MOST_PAGES + 1, "each", False), (1, "together", True)],
)
def test_the_number_of_areas_decides_where_nothing_is_declared(count: int, pages: Any, together: bool) -> None:
    codes = tuple(f"A{i}" for i in range(count))
    level = LevelFacts(name="area", title="Area", codes=codes, names=codes, pages=pages)
    assert level.together == together
    assert ("pages" in level.model_dump(mode="json")) == (pages is not None)


def test_a_year_of_many_areas_keeps_to_the_number_of_files() -> None:
    edition = covid_edition(period_of(FIRST, "week"))
    codes = tuple(f"E{i:08d}" for i in range(35_000))
    level = LevelFacts(name="area", title="Area", codes=codes, names=codes)
    tables = [t for t in edition.tables if t.levels["area"] == "area"]
    starts = shared_areas._starts(edition, level, tables)
    assert len(starts) <= shared_areas.MOST_FILES
    assert len(starts) == math.ceil(len(codes) / math.ceil(len(codes) / shared_areas.MOST_FILES))


def test_programs_are_told_of_the_files_where_there_are_any(tmp_path: Path) -> None:
    for week, pages in enumerate(("each", "together")):
        publish(tmp_path, range(week, week + 1), pages=pages, limit=4)
        described = json.loads((tmp_path / "api" / "openapi.json").read_text(encoding="utf-8"))
        assert any("/areas/{year}/{number}.json" in path for path in described["paths"]) == (pages == "together")
    for form, files in (("SharedIndex", "areas/index.json"), ("SharedAreas", "areas/*/*.json")):
        found = list((tmp_path / "api").rglob(files))
        assert found
        for path in found:
            schema = {"components": described["components"], "$ref": f"#/components/schemas/{form}"}
            jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), schema)
