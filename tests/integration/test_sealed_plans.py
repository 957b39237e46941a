"""What was approved is what is measured, and what was measured is what is read, whatever the catalogue says meanwhile."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import count
from threading import Event, current_thread, main_thread
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from dp_stats import pipeline, requests
from dp_stats.errors import ApprovalError, CatalogueError, DpStatsError, LedgerError, SourceError
from dp_stats.ledger import Ledger
from dp_stats.ledger.database import Database
from dp_stats.operations.review import review_catalogue
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.requests.answers import answer_question
from dp_stats.requests.showing import facts_of
from dp_stats.run import open_reserved, open_run
from dp_stats.secure import measure as measuring

RELEASE, DATASET, CODES = "releases/visits.yaml", "datasets/visits.yaml", "codes/clinics.csv"
SUM = {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 20}
COUNT = {"id": "visits", "kind": "count", "title": "Visits", "expected_total": 600}
LIST = (
    "code,name,district,district_name,population\nnorth,North,A,Upper,1000\nsouth,South,B,Lower,2000\n"
    "east,East,A,Upper,3000\nwest,West,B,Lower,4000\n"
)


def reordered(clinic: Any) -> None:
    """Two areas of different districts change places, so that areas and districts by position are others."""
    head, first, second, *others = (clinic.folder / CODES).read_text().splitlines()
    (clinic.folder / CODES).write_text("\n".join([head, second, first, *others]) + "\n")


def merged(clinic: Any) -> None:
    """North and south become one area, of the upper district."""
    (clinic.folder / CODES).write_text(
        "code,name,district,district_name,population\nnorth,North and South,A,Upper,3000\n"
        "east,East,A,Upper,3000\nwest,West,B,Lower,4000\n"
    )


def regrouped(clinic: Any) -> None:
    (clinic.folder / CODES).write_text(LIST.replace("south,South,B,Lower", "south,South,A,Upper"))


def renamed(clinic: Any) -> None:
    (clinic.folder / CODES).write_text(LIST.replace("north,North", "north,The north"))


def more_areas(clinic: Any) -> None:
    (clinic.folder / CODES).write_text(LIST + "island,Island,C,Sea,10\n")


def column(clinic: Any, name: str, **fields: Any) -> None:
    columns = dict(open_run("visits/2024-W02").dataset.model_dump(mode="json", by_alias=True)["columns"])
    written = {
        key: {k: v for k, v in value.items() if v not in (None, [], {}, False)} for key, value in columns.items()
    }
    written[name] |= fields
    clinic.change(DATASET, columns=written)


EDITS: dict[str, Callable[[Any], object]] = {
    "upper": lambda c: c.change(RELEASE, statistics=[COUNT, {**SUM, "upper": 10_000}]),
    "resolution": lambda c: c.change(RELEASE, statistics=[COUNT, {**SUM, "resolution": "1/100"}]),
    "kind": lambda c: c.change(RELEASE, statistics=[{**COUNT, "kind": "persons"}, SUM]),
    "rows": lambda c: c.change(RELEASE, contribution={"rows": 50}),
    "unit column": lambda c: column(c, "patient", **{"from": "Telephone"}),
    "value maps": lambda c: column(c, "clinic", values={"south": "north"}),
    "opt-outs": lambda c: c.change(DATASET, opt_outs=None) or null_opt_outs(c),
    "code order": reordered,
    "groups": regrouped,
    "merged areas": merged,
}


def null_opt_outs(clinic: Any) -> None:
    path = clinic.folder / DATASET
    path.write_text(path.read_text() + "opt_outs: null\n")


@pytest.fixture
def sums(clinic: Any) -> Any:
    """The clinic with a clipped sum beside the count."""
    tables = [
        {"id": "clinic-week", "title": "V", "levels": {"clinic": "clinic", "date": "week"}, "statistics": ["visits", "cost"]},
        {"id": "district-week", "title": "D", "levels": {"clinic": "district", "date": "week"}, "statistics": ["visits"]},
    ]  # fmt: skip
    clinic.change(RELEASE, statistics=[COUNT, SUM], tables=tables)
    return clinic


def exact_of(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What reaches the noise, call by call."""
    seen: list[dict[str, Any]] = []
    draw = measuring.draw

    def watched(plan: Any, exact: Any) -> Any:
        seen.append({name: values.copy() for name, values in exact.items()})
        return draw(plan, exact)

    monkeypatch.setattr(measuring, "draw", watched)
    return seen


def steps(edition: str, *names: str, **options: Any) -> None:
    for name in names:
        getattr(pipeline, name)(edition, **(options if name == "reserve" else {}))


def published(clinic: Any, edition: str, table: str = "clinic-week") -> dict[tuple[str, str], str]:
    with (clinic.settings.public_dir / edition / "r1" / f"{table}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    place = next(name for name in rows[0] if name in ("geography_code", "clinic_code"))
    return {(row["metric"], row[place]): row["value"] for row in rows}


def all_published(clinic: Any) -> list[dict[tuple[str, str], str]]:
    return [published(clinic, clinic.first, table) for table in ("clinic-week", "district-week")]


def noisy_visits(clinic: Any, edition: str) -> dict[str, float]:
    """Code → the stored noisy count, summed over all other axes, read with the sealed codes."""
    run = open_reserved(edition)
    stored = Ledger.open(clinic.settings.ledger_url).measurements(edition)
    assert stored is not None
    values = NoisyMeasurements.from_bytes(stored.stored, plan=run.plan).values
    m = next(m for m in run.plan.measurements if m.id.startswith("visits@") and m.levels["clinic"] == "clinic")
    axis = [d.name for d in run.grid.dimensions].index("clinic")
    totals = values[m.id].sum(axis=tuple(a for a in range(values[m.id].ndim) if a != axis))
    return dict(zip(run.grid["clinic"].leaf.codes, totals.tolist(), strict=True))


@pytest.mark.parametrize("edit", list(EDITS))
def test_an_edit_between_reserve_and_measure_changes_nothing_that_is_measured(
    sums: Any, monkeypatch: pytest.MonkeyPatch, edit: str
) -> None:
    seen = exact_of(monkeypatch)
    steps(sums.first, "pull", "check", "reserve")
    sealed = open_reserved(sums.first).plan
    spare = shutil.copytree(sums.settings.home, sums.folder.parent / "spare")
    EDITS[edit](sums)
    pipeline.measure(sums.first)
    undo(sums)
    shutil.rmtree(sums.settings.home)
    spare.rename(sums.settings.home)
    pipeline.measure(sums.first)
    assert open_reserved(sums.first).plan.hash == sealed.hash
    first, second = seen
    assert {n: v.tolist() for n, v in first.items()} == {n: v.tolist() for n, v in second.items()}


@pytest.mark.parametrize("moment", ["resume", "register", "spend", "store"])
def test_of_two_plans_for_one_edition_the_one_that_is_measured_is_the_one_that_stands(
    clinic: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Another plan is reserved while a run waits to write: the run goes on only if its own plan can no longer be replaced."""
    seen = exact_of(monkeypatch)
    steps(clinic.first, "pull")
    pipeline.reserve(clinic.first, requested_by="first")
    waiting, go_on = Event(), Event()
    write, writes = Database.write, count()

    def held(self: Database, **options: Any) -> AbstractContextManager[Connection]:
        if current_thread() is not main_thread() and MOMENTS[next(writes)] == moment:
            waiting.set()
            assert go_on.wait(PATIENCE)
        return write(self, **options)

    monkeypatch.setattr(Database, "write", held)
    with ThreadPoolExecutor(1) as threads:
        measuring_first = threads.submit(pipeline.measure, clinic.first)
        assert waiting.wait(PATIENCE)
        clinic.change(RELEASE, contribution={"rows": 2})
        pipeline.reserve(clinic.first, requested_by="second", new_series=True)
        go_on.set()
        error = measuring_first.exception()
    standing = Ledger.open(clinic.settings.ledger_url).reservation(clinic.first, 1)
    assert standing is not None
    if moment == "store":  # noise was drawn, so what is declared now comes too late
        assert (standing.requested_by, standing.state, len(seen), error) == ("first", "stored", 1, None)
    else:
        assert (standing.requested_by, standing.state, seen) == ("second", "reserved", [])
        assert isinstance(error, LedgerError)


MOMENTS = dict(enumerate(("resume", "register", "spend", "store")))
"""The transactions of the measuring step, in order."""

PATIENCE = 60.0


def undo(clinic: Any) -> None:
    for path, text in clinic.__dict__["kept"].items():
        path.write_text(text)


@pytest.fixture(autouse=True)
def kept(request: pytest.FixtureRequest) -> None:
    """Declarations as they were before any edit, so that a test can go back to them."""
    clinic = request.getfixturevalue("sums" if "sums" in request.fixturenames else "clinic")
    object.__setattr__(
        clinic,
        "kept",
        {
            p: p.read_text()
            for p in clinic.folder.rglob("*")
            if p.suffix in (".yaml", ".csv") and p.parent != clinic.folder
        },
    )


@pytest.mark.parametrize("edit", ["unit column", "value maps", "opt-outs", "code order", "merged areas"])
def test_a_snapshot_that_was_read_otherwise_than_the_plan_says_is_refused(sums: Any, edit: str) -> None:
    steps(sums.first, "pull", "check", "reserve")
    EDITS[edit](sums)
    pipeline.pull(sums.first)
    with pytest.raises(SourceError, match="not read as its sealed plan says"):
        pipeline.measure(sums.first)
    assert Ledger.open(sums.settings.ledger_url).measurements(sums.first) is None


@pytest.mark.parametrize("edit", ["code order", "groups", "merged areas", "kind", "upper"])
def test_an_edit_after_measuring_changes_no_published_number_and_no_answer(sums: Any, edit: str) -> None:
    steps(sums.first, "pull", "check", "reserve", "measure")
    spare = shutil.copytree(sums.settings.home, sums.folder.parent / "spare")
    steps(sums.first, "estimate", "publish")
    before, found = all_published(sums), answer(sums)
    shutil.rmtree(sums.settings.home)
    spare.rename(sums.settings.home)
    shutil.rmtree(sums.settings.work, ignore_errors=True)
    EDITS[edit](sums)
    steps(sums.first, "estimate", "publish")
    assert all_published(sums) == before
    assert answer(sums) == found


def answer(clinic: Any) -> dict[str, tuple[float, float]]:
    asked = {
        code: answer_question(
            "visits", "visits", where={"clinic": (code,)}, start=None, end=None, settings=clinic.settings
        )
        for code in ("north", "south", "east", "west", "A", "B")
    }
    return {code: (found.value, found.standard_error) for code, found in asked.items()}


def test_a_corrected_name_is_told_and_a_vanished_code_keeps_its_own(clinic: Any) -> None:
    steps(clinic.first, "pull", "check", "reserve", "measure")
    renamed(clinic)
    told = dict(
        zip(
            open_reserved(clinic.first).grid["clinic"].leaf.codes,
            open_reserved(clinic.first).grid["clinic"].leaf.names,
            strict=True,
        )
    )
    assert told["north"] == "The north"
    merged(clinic)
    grid = open_reserved(clinic.first).grid["clinic"]
    names = dict(zip(grid.leaf.codes, grid.leaf.names, strict=True))
    assert (names["north"], names["south"]) == ("North and South", "South")
    assert dict(zip(grid.level("district").codes, grid.level("district").names, strict=True))["B"] == "Lower"


def test_the_release_may_vanish_from_the_catalogue_once_it_is_measured(clinic: Any) -> None:
    steps(clinic.first, "pull", "check", "reserve", "measure")
    (clinic.folder / RELEASE).unlink()
    steps(clinic.first, "estimate", "publish")
    assert published(clinic, clinic.first)


FORM = {
    "dataset": "visits",
    "by": ["visits/clinic/district"],
    "period": "2024-01-01--2024-01-10",
    "epsilon": 1,
    "purpose": "To plan how many nurses are needed.",
}


def approved(form: dict[str, Any]) -> str:
    name = requests.ask(form, requested_by="analyst").id
    card = requests.card(name)
    requests.decide(name, approver="custodian", decision="approved", reason="Useful.", shown=facts_of(card))
    return name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("To plan how many nurses are needed.", "To sell the figures to insurers."),
        ("requested_by: analyst", "requested_by: somebody"),
    ],
)
def test_what_was_approved_for_one_purpose_and_person_is_not_measured_for_another(
    clinic: Any, old: str, new: str
) -> None:
    clinic.settings.home.mkdir()
    name = approved(FORM)
    edition = requests.request(name).edition
    path = clinic.settings.requests / f"{name}.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(CatalogueError, match=f"'{name}' is not"):
        pipeline.reserve(edition)
    path.write_text(path.read_text().replace(new, old))
    pipeline.reserve(edition)


def test_a_request_is_named_by_all_that_its_form_says() -> None:
    settings_of = {"purpose": "Another reason altogether.", "audience": "restricted", "free": "never", "epsilon": 2}
    names = {requests.questions.request_id(requests.questions.Question(**FORM), requested_by="analyst")}  # type: ignore[attr-defined]
    for field, value in settings_of.items():
        changed = requests.questions.Question(**{**FORM, field: value})  # type: ignore[attr-defined]
        names.add(requests.questions.request_id(changed, requested_by="analyst"))  # type: ignore[attr-defined]
    assert len(names) == 1 + len(settings_of)
    assert all(len(name) == len("adhoc-") + 26 for name in names)


def test_a_form_that_was_swapped_under_an_id_is_refused(clinic: Any) -> None:
    clinic.settings.home.mkdir()
    name = requests.ask(FORM, requested_by="analyst").id
    form = clinic.settings.requests / f"{name}.form.json"
    form.write_text(form.read_text().replace("nurses", "guards"))
    with pytest.raises(DpStatsError, match="is not the form"):
        requests.request(name)


HARMLESS: dict[str, Callable[[Any], object]] = {
    "order of codes": reordered,
    "a new area": more_areas,
    "merged areas": merged,
    "expected_total": lambda c: c.change(RELEASE, statistics=[{**COUNT, "expected_total": 9}]),
    "title": lambda c: c.change(RELEASE, title="Visits again"),
    "order of tables": lambda c: c.change(RELEASE, tables=list(reversed(tables_of(c)))),
    "a weight": lambda c: c.change(RELEASE, tables=[{**t, "weight": 7 * i + 1} for i, t in enumerate(tables_of(c))]),
    "a table dropped": lambda c: c.change(RELEASE, tables=tables_of(c)[:2]),
    "a derived statistic": lambda c: c.change(
        RELEASE,
        derived=[{"id": "rate", "kind": "rate", "of": "visits"}],
        tables=[{**t, "statistics": ["visits", "rate"]} for t in tables_of(c)],
    ),
}


def tables_of(clinic: Any) -> list[dict[str, Any]]:
    from dp_stats.catalogue import yaml

    found: list[dict[str, Any]] = yaml.parse((clinic.folder / RELEASE).read_text())["tables"]
    return found


@pytest.mark.parametrize("edit", list(HARMLESS))
def test_a_harmless_edit_stays_in_the_series_at_no_charge(clinic: Any, edit: str) -> None:
    steps(clinic.first, "pull", "check", "reserve", "measure")
    ledger = Ledger.open(clinic.settings.ledger_url)
    before, scales = ledger.blocks(), scales_of(clinic.first)
    HARMLESS[edit](clinic)
    assert not open_run(clinic.second).charged_again()
    steps(clinic.second, "pull", "check", "reserve", "measure", "estimate", "publish")
    assert ledger.blocks() == before
    assert scales_of(clinic.second) == scales
    assert not [w for w in review_catalogue(clinic.settings).warnings if "new series" in w]


def scales_of(edition: str) -> list[tuple[str, float]]:
    return [(m.id, m.scale) for m in open_reserved(edition).plan.measurements]


ENDING: dict[str, Callable[[Any], object]] = {
    "the person's identifier": lambda c: column(c, "patient", **{"from": "Telephone"}),
    "contribution": lambda c: c.change(RELEASE, contribution={"rows": 2}),
    "privacy loss": lambda c: c.change(RELEASE, privacy_loss={"epsilon": 1.5}),
    "what must be measured": lambda c: c.change(
        RELEASE,
        dimensions=[
            {"name": "clinic", "column": "clinic", "levels": ["clinic", "district"]},
            {"name": "date", "column": "day", "levels": ["day", "week"]},
            {"name": "cost", "column": "cost", "edges": [0, 10, 100]},
        ],
        tables=[*tables_of(c), {"id": "costs", "title": "C", "levels": {"cost": "bin"}, "statistics": ["visits"]}],
    ),
}


@pytest.mark.parametrize("edit", list(ENDING))
def test_an_edit_that_ends_the_series_says_so_with_its_cost_and_needs_a_yes(clinic: Any, edit: str) -> None:
    steps(clinic.first, "pull", "check", "reserve", "measure")
    ledger = Ledger.open(clinic.settings.ledger_url)
    (before,) = ledger.blocks()
    ENDING[edit](clinic)
    assert open_run(clinic.second).charged_again() == ("2024",)
    (warning,) = [w for w in review_catalogue(clinic.settings).warnings if "starts a new series" in w]
    assert edit in warning
    assert "ρ =" in warning
    with pytest.raises(ApprovalError, match="2024 would be charged ρ"):
        pipeline.reserve(clinic.second)
    assert ledger.blocks() == [before]
    pipeline.reserve(clinic.second, new_series=True)
    (after,) = ledger.blocks()
    assert after.spent + after.reserved > before.spent
    ledger.verify()


def test_a_newer_optimiser_makes_no_second_charge(clinic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dp_stats.plan import make

    steps(clinic.first, "pull", "check", "reserve", "measure")
    scales = scales_of(clinic.first)
    make._chosen.clear()
    monkeypatch.setattr(make, "measure", lambda *_: pytest.fail("a strategy was chosen again"))
    pipeline.reserve(clinic.second)
    assert scales_of(clinic.second) == scales
    assert len(Ledger.open(clinic.settings.ledger_url).charges()) == 1


def test_shared_parts_of_sealed_plans_are_stored_once(clinic: Any) -> None:
    from sqlalchemy import create_engine, text

    counts = []
    for edition in (clinic.first, clinic.second, "visits/2024-W04"):
        pipeline.reserve(edition)
        with create_engine(clinic.settings.ledger_url).connect() as connection:
            counts.append(connection.execute(text("SELECT count(*) FROM ledger_parts")).scalar_one())
    assert counts[1] - counts[0] == counts[2] - counts[1] == 2  # the plan with its calendar, and what is said beside it


HARMS: dict[str, Callable[[bytes], bytes | None]] = {
    "emptied": lambda _: b"\0",
    "another bound": lambda packed: zlib.compress(zlib.decompress(packed).replace(b'"rows":1', b'"rows":9')),
    "deleted": lambda _: None,
}


@pytest.mark.parametrize("harm", HARMS)
def test_an_altered_or_lost_part_is_found_and_never_used(clinic: Any, harm: str) -> None:
    clinic.change(RELEASE, contribution={"rows": 1})
    pipeline.reserve(clinic.first)
    with sqlite3.connect(clinic.settings.home / "ledger.db") as connection:
        for trigger in ("ledger_parts_update", "ledger_parts_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for name, packed in connection.execute("SELECT hash, content FROM ledger_parts").fetchall():
            content = HARMS[harm](packed)
            if content is None:
                connection.execute("DELETE FROM ledger_parts WHERE hash = ?", (name,))
            else:
                connection.execute("UPDATE ledger_parts SET content = ? WHERE hash = ?", (content, name))
    with pytest.raises(LedgerError, match="sealed plan"):
        open_reserved(clinic.first)
    assert any("what is kept of an edition" in p for p in Ledger.open(clinic.settings.ledger_url).problems())


ANY_EDIT = st.sampled_from([*EDITS, "new area", "renamed", "undone"])


@given(data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_edits_between_any_two_steps_change_neither_exact_vectors_nor_labels(sums: Any, data: st.DataObject) -> None:
    undo(sums)
    shutil.rmtree(sums.settings.home, ignore_errors=True)
    spare = sums.folder.parent / "spare"
    shutil.rmtree(spare, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        seen = exact_of(patch)
        steps(sums.first, "pull", "check", "reserve")
        shutil.copytree(sums.settings.home, spare)
        codes = open_reserved(sums.first).grid["clinic"].leaf.codes
        for step in ("measure", "estimate", "publish"):
            edit = data.draw(ANY_EDIT, label=step)
            undo(sums)
            {**EDITS, "new area": more_areas, "renamed": renamed, "undone": undo}[edit](sums)
            getattr(pipeline, step)(sums.first)
        figures = published(sums, sums.first)
        assert {code for metric, code in figures if metric == "visits"} == set(codes)
        totals = noisy_visits(sums, sums.first)
        assert all(abs(float(figures["visits", code]) - totals[code]) <= 60 for code in codes), "labels moved"
        undo(sums)
        shutil.rmtree(sums.settings.home)
        spare.rename(sums.settings.home)
        pipeline.measure(sums.first)
        assert all(np.array_equal(seen[0][name], seen[1][name]) for name in seen[1])


def test_the_api_lists_an_area_that_has_left_the_list_under_its_own_code(clinic: Any) -> None:
    clinic.change(RELEASE, dimensions=[{"name": "area", "column": "clinic", "levels": ["clinic", "district"]}],
                  tables=[{"id": "areas", "title": "A", "levels": {"area": "clinic"}, "statistics": ["visits"]}])  # fmt: skip
    steps(clinic.first, "pull", "check", "reserve", "measure", "estimate", "publish")
    before = published(clinic, clinic.first, "areas")
    shutil.rmtree(clinic.settings.public_dir / "api")  # so that nothing in it is of the first publication
    merged(clinic)
    steps(clinic.second, "pull", "check", "reserve", "measure", "estimate", "publish")
    after = published(clinic, clinic.second, "areas")
    for code in ("north", "south", "east", "west"):
        (leaf,) = clinic.settings.public_dir.glob(f"api/**/geographies/{code}/metrics/visits/areas.json")
        values = json.loads(leaf.read_text())["data"]["value"]
        expected = [float(figures["visits", code]) for figures in (before, after) if ("visits", code) in figures]
        assert values == expected
