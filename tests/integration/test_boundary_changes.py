"""An April merger and an added area, declared once in a code list: one charge, right answers for every date, and breaks told."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from dp_stats import pipeline, publishing
from dp_stats.back_series import refresh_back_series
from dp_stats.catalogue import load_catalogue, yaml
from dp_stats.charts.merged_areas import FILE
from dp_stats.charts.reading import releases
from dp_stats.cli.main import app
from dp_stats.editions.edition import Edition
from dp_stats.editions.verify import verify_public
from dp_stats.errors import ApprovalError, CatalogueError, LedgerError, NotDerivableError
from dp_stats.estimate.answer_breaks import Break
from dp_stats.estimate.answer_each import answer_each
from dp_stats.ledger import Ledger
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.requests.answers import answer_question, measured_editions
from dp_stats.secure import measure as measuring
from dp_stats.settings import Settings
from dp_stats.texts.words import Texts
from tests.conftest import copied, make_clinic

WEEKS = ("2024-W01", "2024-W02", "2024-W03")
CHANGE = date(2024, 1, 10)
"""In the middle of the second week, which is published with the new codes."""

CODES = """code,name,district,district_name,population,longitude,latitude,valid_from,valid_to,replaced_by
north,North,A,Upper,1000,0,2,,2024-01-09,union
east,East,A,Upper,3000,1,2,,2024-01-09,union
south,South,B,Lower,2000,0,0,,,
union,North and East,A,Upper,4000,1,2,2024-01-10,,
island,Island,C,Sea,10,3,0,2024-01-10,,
"""
PERSONS = 40


def write(catalogue: Path) -> dict[tuple[str, date], int]:
    """A row a day and clinic and person, in the codes of the day; how many each clinic has on each day."""
    there: dict[tuple[str, date], int] = {}
    person = 0
    with (catalogue / "visits.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Patient", "Day", "Clinic", "Cost", "Telephone"])
        for day in (date(2024, 1, 1) + timedelta(days=n) for n in range(28)):
            clinics = ("north", "east", "south", "island") if day < CHANGE else ("union", "South ", "island", "north")
            for place, clinic in enumerate(clinics):
                for _ in range(PERSONS + 10 * place):
                    person += 1
                    rows.writerow([f"q{person}", day.isoformat(), clinic, "1", "-"])
                key = (clinic.strip().lower(), day)
                there[key] = there.get(key, 0) + PERSONS + 10 * place
    return there


@pytest.fixture(scope="module")
def delivered() -> dict[tuple[str, date], int]:
    return {}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, delivered: dict[tuple[str, date], int]) -> Path:
    """Three weeks, published without noise, so that what adds up wrongly is seen at once."""
    root = tmp_path_factory.mktemp("changes")
    (root / "home").mkdir()
    catalogue = make_clinic(root / "catalogue")
    delivered |= write(catalogue)
    (catalogue / "codes" / "clinics.csv").write_text(CODES)
    path = catalogue / "releases" / "visits.yaml"
    bound = {"rows": 1, "why_nothing_is_truncated": "Each patient comes once."}
    fields = {
        "contribution": bound,
        "derived": [{"id": "rate", "kind": "rate", "of": "visits", "per": 1000, "population": "population"}],
    }
    path.write_text(yaml.write({**yaml.parse(path.read_text()), **fields}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DP_STATS_HOME", str(root / "home"))
        patch.setenv("DP_STATS_CATALOGUE", str(catalogue))
        patch.setattr(
            measuring,
            "draw",
            lambda plan, exact: NoisyMeasurements(plan.hash, {m.id: np.asarray(exact[m.id]) for m in plan.tables}),
        )
        for week in WEEKS:
            pipeline.run_edition(f"visits/{week}")
    return root


@pytest.fixture
def settings(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return copied(original, tmp_path, monkeypatch)


def test_the_year_is_charged_once(settings: Settings) -> None:
    ledger = Ledger.open(settings.ledger_url, read_only=True)
    made = ledger.reservations("visits")
    assert [bool(r.charged) for r in made] == [True, False, False]
    assert len({r.key for r in made}) == 1
    grids = [ledger.sealed(r).grid["clinic"].leaf.codes for r in made]
    assert grids == [("north", "east", "south", "unknown"), *[("south", "union", "island", "unknown")] * 2]


def counted(delivered: dict[tuple[str, date], int], day: date) -> dict[str, int]:
    """What the edition of a day counts in each of the clinics as they are after the change."""
    here = {clinic: n for (clinic, on), n in delivered.items() if on == day}
    if day < date(2024, 1, 8):  # the first week: the island's rows are 'unknown', north and east are told apart
        return {"union": here["north"] + here["east"], "south": here["south"]}
    merged = sum(here.get(clinic, 0) for clinic in ("north", "east", "union"))
    return {"union": merged, "south": here["south"], "island": here["island"]}


def test_answers_are_right_for_every_span_of_days(settings: Settings, delivered: dict[tuple[str, date], int]) -> None:
    def asked(code: str, first: date, last: date) -> float:
        found = answer_question("visits", "visits", where={"clinic": (code,)}, start=first, end=last, settings=settings)
        return found.value

    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(21)]
    for first, last in [(0, 6), (0, 20), (3, 8), (5, 14), (7, 20), (6, 7), (20, 20)]:
        span = days[first : last + 1]
        codes = ("south",) if last < 7 else ("union", "south")
        for code in codes:
            expected = sum(counted(delivered, day)[code] for day in span)
            assert asked(code, span[0], span[-1]) == expected, (code, span[0], span[-1])
    assert asked("north", days[0], days[6]) == sum(delivered["north", day] for day in days[:7])
    assert asked("A", days[0], days[20]) == sum(counted(delivered, day)["union"] for day in days)
    assert asked("island", days[7], days[20]) == sum(counted(delivered, day)["island"] for day in days[7:])
    with pytest.raises(NotDerivableError, match="'north' is a part of 'union'"):
        asked("north", days[0], days[20])
    with pytest.raises(NotDerivableError, match="'island' was not counted"):
        asked("island", days[0], days[20])
    rate = answer_question(
        "visits", "rate", where={"clinic": ("union",)}, start=days[0], end=days[20], settings=settings
    )
    assert rate.value == pytest.approx(sum(counted(delivered, day)["union"] for day in days) / 4)


def test_answers_tell_where_boundaries_changed(settings: Settings) -> None:
    def breaks(code: str, first: date, last: date, statistic: str = "visits") -> list[Break]:
        where = {"clinic": (code,)} if code else {}
        return list(answer_question("visits", statistic, where=where, start=first, end=last, settings=settings).breaks)

    monday, before, end = date(2024, 1, 8), date(2024, 1, 1), date(2024, 1, 21)
    merged = Break("clinic", "union", monday, before=("north", "east"))
    assert breaks("union", before, end) == [merged]
    assert breaks("union", before, end, "rate") == [merged]
    assert breaks("union", monday, end) == [], "it is told of spans that reach over the change alone"
    assert breaks("A", before, end) == [], "its clinics merged among themselves"
    assert breaks("south", before, end) == []
    assert breaks("", before, end) == [], "the whole counts unknown places, too"
    grown = Break("clinic", "unknown", monday)
    assert breaks("unknown", before, end) == [grown]
    assert "holds other places from 8 January 2024 on" in grown.said
    assert "before, it is the sum of north and east" in merged.said
    asked = ["answer", "visits", "visits", "-w", "clinic=union", "--from", "2024-01-01", "--to", "2024-01-21"]
    said = CliRunner().invoke(app, asked).output
    assert "Break in the series: 'union' has taken the place of others" in said
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"]).output)
    assert told["breaks"] == [
        {"dimension": "clinic", "code": "union", "since": "2024-01-08", "before": ["north", "east"], "after": []}
    ]


def test_a_table_of_free_answers_marks_breaks(settings: Settings) -> None:
    ledger = Ledger.open(settings.ledger_url, read_only=True)
    editions = list(measured_editions(ledger.reservations("visits"), ledger=ledger))
    found = answer_each(
        editions,
        "visits",
        cells={"clinic": ("south", "union")},
        start=date(2024, 1, 1),
        end=date(2024, 1, 21),
    )
    assert [[b.code for b in one.breaks] for one in found] == [[], ["union"]]


def test_a_retracted_correction_answers_nothing(settings: Settings) -> None:
    asked = {"where": {"clinic": ("south",)}, "start": date(2024, 1, 1), "end": date(2024, 1, 7)}
    before = answer_question("visits", "visits", settings=settings, **asked)  # type: ignore[arg-type]
    rows = settings.catalogue / "visits.csv"
    rows.write_text(rows.read_text().replace(",south,", ",north,", 100))
    pipeline.revise("visits/2024-W01", kind="correction", reason="Rows were of another clinic.")
    corrected = answer_question("visits", "visits", settings=settings, **asked)  # type: ignore[arg-type]
    assert corrected.value != before.value
    pipeline.retract("visits/2024-W01", revision=2, reason="They were not.")
    assert answer_question("visits", "visits", settings=settings, **asked) == before  # type: ignore[arg-type]


def test_breaks_are_told_in_files_and_facts(settings: Settings) -> None:
    marked = {}
    for week in WEEKS:
        folder = settings.public_dir / "visits" / week / "r1"
        for table in ("clinic-day", "clinic-week", "district-day"):
            rows = pq.read_table(folder / f"{table}.parquet").to_pylist()
            area = next(name for name in rows[0] if name.endswith("_code"))
            marked[week, table] = {(r[area], r["date"].isoformat()) for r in rows if "b" in r["status"].split()}
    first = "2024-01-08"
    assert not any(found for (week, _), found in marked.items() if week != "2024-W02")
    assert marked["2024-W02", "clinic-day"] == {("union", first), ("island", first), ("unknown", first)}
    assert marked["2024-W02", "district-day"] == {("C", first), ("unknown", first)}, "the upper district is what it was"
    edition = Edition.load(settings.public_dir / "visits" / "2024-W02" / "r1")
    dimension = edition.dimension("clinic")
    assert dimension.replaced == {"north": ("union",), "east": ("union",)}
    assert dimension.levels[0].breaks == ("union", "island", "unknown")
    before, after = ((settings.public_dir / "visits" / w / "r1" / "datapackage.json").read_text() for w in WEEKS[:2])
    assert "b: break" in after
    assert "b: break" not in before


def test_what_is_published_can_be_made_again(settings: Settings) -> None:
    for week in WEEKS[:2]:
        (settings.public_dir / "visits" / week / "r1" / "clinic-day.csv").unlink()
    assert {one.state for one in publishing.rebuild(settings)} <= {"whole", "made again"}
    assert verify_public(settings.public_dir) == []


def test_a_merged_area_has_a_back_series_with_the_interval_of_the_sum(
    settings: Settings, delivered: dict[tuple[str, date], int]
) -> None:
    place = settings.public_dir / "visits" / FILE
    with place.open(newline="") as file:
        rows = list(csv.DictReader(file))
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(7)]
    found = {(r["table"], r["geography_code"], r["date"]): r for r in rows}
    assert set(found) == {
        *(("clinic-day", "union", day.isoformat()) for day in days),
        ("clinic-week", "union", "2024-01-01"),
    }, "south, the island and the districts need none"
    for day in days:
        row = found["clinic-day", "union", day.isoformat()]
        assert int(row["value"]) == delivered["north", day] + delivered["east", day]
        asked = answer_question(
            "visits", "visits", where={"clinic": ("north", "east")}, start=day, end=day, settings=settings
        )
        assert (int(row["value"]), float(row["lower_95"]), float(row["upper_95"])) == (
            asked.value,
            asked.lower,
            asked.upper,
        )
    assert {(r["edition"], r["revision"]) for r in rows} == {("visits/2024-W01", "1")}
    typed = pq.read_table(place.with_suffix(".parquet"))
    assert [{k: str(v) for k, v in row.items() if k in ("geography_code", "date")} for row in typed.to_pylist()] == [
        {k: row[k] for k in ("geography_code", "date")} for row in rows
    ]
    assert [float(r["value"]) for r in rows] == typed["value"].to_pylist()
    (leaf,) = (settings.public_dir / "api").rglob("union/metrics/visits/clinic-day.json")
    told = json.loads(leaf.read_text())["back_series"]
    assert told["date"] == [day.isoformat() for day in days]
    assert told["value"] == [float(found["clinic-day", "union", day.isoformat()]["value"]) for day in days]
    (other,) = (settings.public_dir / "api").rglob("south/metrics/visits/clinic-day.json")
    assert "back_series" not in json.loads(other.read_text())
    written = place.read_bytes()
    assert refresh_back_series(settings.public_dir, Ledger.open(settings.ledger_url, read_only=True)) == [place]
    assert place.read_bytes() == written
    place.unlink()
    pipeline.refresh_site(settings)
    assert place.read_bytes() == written


def test_the_page_of_an_edition_lists_what_changed_with_it(settings: Settings) -> None:
    before, changed, after = ((settings.public_dir / "visits" / week / "index.html").read_text() for week in WEEKS)
    assert "<li>North and East takes the place of North and East.</li>" in changed
    assert "<li>Island is new.</li>" in changed
    assert "<li>Sea holds other places than before.</li>" in changed
    assert "<li>Upper " not in changed
    assert "Boundaries that changed" not in before
    assert "Boundaries that changed" not in after


def test_charts_go_on_over_a_merger(settings: Settings, delivered: dict[tuple[str, date], int]) -> None:
    views, _ = releases(settings.public_dir, Texts.of(settings))
    panel = views[0].panel("clinic-week")
    assert panel is not None
    series = panel.series("visits", panel.area_index["union"])
    first = sum(
        delivered[clinic, date(2024, 1, 1) + timedelta(days=n)] for clinic in ("north", "east") for n in range(7)
    )
    assert series.value[0] == first
    assert len(series.breaks) == 0
    island = panel.series("visits", panel.area_index["island"])
    assert np.isnan(island.value[0])


def rename(catalogue: Path, **fields: object) -> Path:
    """Give the release another name from the fourth week on."""
    path = catalogue / "releases" / "visits.yaml"
    content = {
        **yaml.parse(path.read_text()),
        "id": "clinic-visits",
        "formerly": ["visits"],
        "start": date(2024, 1, 22),
    }
    renamed = path.with_name("clinic-visits.yaml")
    renamed.write_text(yaml.write({**content, **fields}))
    path.unlink()
    return renamed


def test_a_renamed_release_goes_on_in_its_charge_and_its_pages_lead_to_it(
    settings: Settings, delivered: dict[tuple[str, date], int]
) -> None:
    before = {
        path: path.read_bytes()
        for path in (settings.public_dir / "visits").glob("2024-*/**/*")
        if path.is_file() and path.suffix != ".html"
    }
    rename(settings.catalogue)
    pipeline.run_edition("clinic-visits/2024-W04")
    ledger = Ledger.open(settings.ledger_url, read_only=True)
    made = ledger.reservations("visits")
    assert [(r.release, bool(r.charged)) for r in made] == [
        ("visits", True),
        ("visits", False),
        ("visits", False),
        ("clinic-visits", False),
    ]
    assert len({r.key for r in made}) == 1
    assert {path: path.read_bytes() for path in before} == before, "files of earlier editions stay as they are"
    assert verify_public(settings.public_dir) == []
    for page in ("index", "methods"):
        assert f"../clinic-visits/{page}.html" in (settings.public_dir / "visits" / f"{page}.html").read_text()
    listed = (settings.public_dir / "clinic-visits" / "editions.html").read_text()
    assert "../visits/2024-W02/index.html" in listed
    assert "2024-W04/index.html" in listed
    front = (settings.public_dir / "index.html").read_text()
    assert "clinic-visits/index.html" in front
    assert '"visits/index.html' not in front
    topics = next((settings.public_dir / "api").rglob("topics/visits")).parent
    index = json.loads((topics / "visits" / "index.json").read_text())
    assert index["renamed"]["release"] == "clinic-visits"
    assert index["renamed"]["link"].endswith("topics/clinic-visits/index.json")
    (old,) = (topics / "visits").rglob("south/metrics/visits/clinic-week.json")
    assert json.loads(old.read_text())["renamed"] == index["renamed"]
    (new,) = (topics / "clinic-visits").rglob("south/metrics/visits/clinic-week.json")
    leaf = json.loads(new.read_text())
    assert leaf["editions"] == [f"visits/{week}/r1" for week in WEEKS] + ["clinic-visits/2024-W04/r1"]
    assert leaf["data"]["period"] == [*WEEKS, "2024-W04"]
    assert "renamed" not in leaf
    found = answer_question(
        "clinic-visits",
        "visits",
        where={"clinic": ("south",)},
        start=date(2024, 1, 1),
        end=date(2024, 1, 21),
        settings=settings,
    )
    assert found.value == sum(n for (clinic, day), n in delivered.items() if clinic == "south" and day.day < 22)


def test_a_break_is_told_where_the_release_gets_its_new_name_on_the_day_of_the_change(settings: Settings) -> None:
    codes = settings.catalogue / "codes" / "clinics.csv"
    codes.write_text(codes.read_text() + "harbour,Harbour,C,Sea,20,4,0,2024-01-22,,\n")
    rename(settings.catalogue)
    pipeline.run_edition("clinic-visits/2024-W04")
    there = Edition.load(settings.public_dir / "clinic-visits" / "2024-W04" / "r1").dimension("clinic")
    assert "harbour" in there.levels[0].breaks
    assert "C" in there.levels[1].breaks
    found = answer_question(
        "clinic-visits",
        "visits",
        where={"clinic": ("C",)},
        start=date(2024, 1, 15),
        end=date(2024, 1, 28),
        settings=settings,
    )
    assert found.breaks == (Break("clinic", "C", date(2024, 1, 22)),)


def test_a_period_is_measured_under_one_name_only_and_a_name_is_one_releases(settings: Settings) -> None:
    path = rename(settings.catalogue, start=date(2024, 1, 1))
    with pytest.raises(LedgerError, match="clinic-visits/2024-W03 is visits/2024-W03"):
        pipeline.run_edition("clinic-visits/2024-W03")
    shutil.copy(path, path.with_name("visits.yaml"))
    other = path.with_name("visits.yaml")
    other.write_text(yaml.write({**yaml.parse(path.read_text()), "id": "visits", "formerly": []}))
    with pytest.raises(CatalogueError, match="'visits' is a name, or a former name"):
        load_catalogue(settings.catalogue)


def test_an_edit_that_ends_the_series_needs_a_yes_under_the_new_name_too(settings: Settings) -> None:
    rename(settings.catalogue, privacy_loss={"epsilon": 2})
    with pytest.raises(ApprovalError, match="would start a new series"):
        pipeline.run_edition("clinic-visits/2024-W04")
