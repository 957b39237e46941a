"""A sealed plan is read back as it was sealed, from documents of known form, and only its names follow the catalogue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import agreement

from dp_stats.catalogue import Catalogue
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.load import build_grid
from dp_stats.catalogue.models import Dataset, Organisation, Release
from dp_stats.catalogue.periods import parse_period
from dp_stats.errors import LedgerError
from dp_stats.plan import declaration
from dp_stats.plan.model import Draw, ExpectedError, Measurement, Plan
from dp_stats.plan.sealed import SealedPlan, agreement_hash, canonical, reading_hash, references, seal, unseal
from dp_stats.plan.series import Series
from dp_stats.plan.warnings import AboveMean, UnknownSize
from tests.builders import code_list, declared_dataset, declared_release

AREAS = code_list(
    "areas",
    ["north", "east", "south"],
    ["Nórth", "East", "South"],
    district=["B", "A", "B"],
    district_name=["Lower", "Upper", "Lower"],
    population=[10, 20, 30],
    longitude=[0.5, 1, 2],
)
AGES = code_list("ages", ["young", "old"], ["Young", "Old"], lower=[0, 40], upper=[40, 120])
DATASET = Dataset.model_validate(
    declared_dataset(
        "visits",
        {
            "patient": "person",
            "day": "date",
            "place": {"type": "code", "codes": "areas", "unknown": True, "values": {"N": "north"}},
            "age": "band ages",
            "cost": "number",
            "gone": "code lost",
        },
    )
)
LEVELS = {"zone": "area", "cost": "bin", "age": "age", "date": "day"}
"""Neither in the order of the alphabet nor in that of the columns."""

RELEASE = Release.model_validate(
    declared_release(
        "weekly",
        dataset="visits",
        dimensions=[
            {"name": "zone", "column": "place", "levels": ["area", "district"], "title": "Zone"},
            {"name": "cost", "column": "cost", "edges": [0, 10, 100]},
            {"name": "age", "column": "age", "levels": ["age"]},
            {"name": "date", "column": "day", "levels": ["day", "week"]},
        ],
        statistics=[{"id": "visits", "kind": "count", "title": "Visits", "expected_total": 600}],
        derived=[{"id": "rate", "kind": "rate", "of": "visits", "title": "Rate"}],
        tables=[{"id": "days", "title": "By day", "levels": {"date": "day"}}],
        headline="days",
    )
)
WEEK = parse_period("2021-W07")
CODES = {"areas": AREAS, "ages": AGES}


def measurement(name: str, levels: Mapping[str, str], **fields: Any) -> Measurement:
    given = {"shape": (4, 2, 2, 7), "l1": 3, "l2_squared": 9, "scale": 6.5, "rho": Fraction(1, 300), "epsilon": None}
    return Measurement(id=name, statistic="visits", role="statistic", levels=dict(levels), **{**given, **fields})


SERIES = Series(
    basis={"release": "weekly"}, mechanism="discrete_gaussian", measurements=(measurement("all", {}, shape=()),)
)
PLAN = Plan(
    release="weekly",
    dataset="visits",
    period="2021-W07",
    mechanism="discrete_gaussian",
    measurements=(
        measurement("fine", LEVELS),
        measurement("coarse", dict.fromkeys(LEVELS, "all"), unit=Fraction(1, 7), epsilon=Fraction(1, 3)),
    ),
    contribution_rows=3,
    one_per_cell=True,
    truncated_rows_cap=12,
    block_kind="year",
    blocks=("2020", "2021"),
    series=True,
    rho=Fraction(1, 150),
    pure_epsilon=None,
    epsilon=0.625,
    delta=Fraction(1, 10**6),
    expected=(
        ExpectedError(
            table="days", statistic="visits", cells=7, prior_mean=None, margin_95=1.5, worst=2.5, relative=None
        ),
    ),
    warnings=(AboveMean(table="days", statistic="visits", margin_95=1.5, prior_mean=1.25), UnknownSize()),
    series_hash=SERIES.hash,
    hash="",
)


def sealed(plan: Plan = PLAN, **changed: Any) -> SealedPlan:
    given: dict[str, Any] = {"series": SERIES, "dataset": DATASET, "release": RELEASE, "period": WEEK, "codes": CODES}
    return seal(plan, **{**given, "grid": build_grid(RELEASE, DATASET, CODES, WEEK), **changed})


def content(found: SealedPlan) -> dict[str, Any]:
    """Everything that a sealed plan holds, in a form that can be compared, the order of levels included."""
    told = {field.name: getattr(found, field.name) for field in fields(found)}
    levels = [list(m.levels.items()) for m in found.plan.measurements]
    lists = {name: ({*codes.header}, codes.rows, codes.path) for name, codes in found.codes.items()}
    return told | {"grid": grid(found.grid), "codes": lists, "levels": levels}


def grid(found: Grid) -> list[Any]:
    return [
        (replace(d, levels=()).__dict__, [(lv.name, lv.codes, lv.names, lv.group.tolist()) for lv in d.levels])
        for d in found.dimensions
    ]


def names_of(found: SealedPlan) -> dict[str, dict[str, tuple[str, ...]]]:
    return {d.name: {level.name: level.names for level in d.levels} for d in found.grid.dimensions}


def test_what_was_sealed_is_read_back_with_every_field() -> None:
    whole = sealed()
    again = unseal(whole.hash, whole.aside, dict(whole.parts))
    assert content(again) == content(whole)
    assert again.codes.keys() == {"areas", "ages"}, "a list that is not there is not kept"
    assert again.hash == whole.hash == hashlib.sha256(whole.parts[whole.hash]).hexdigest()
    assert again.plan == PLAN.model_copy(update={"hash": whole.hash})
    assert again.reading == reading_hash(DATASET, CODES)


def test_a_plan_without_a_series_is_read_back_without_one() -> None:
    alone = sealed(series=None)
    assert unseal(alone.hash, alone.aside, alone.parts).series is None
    assert alone.hash != sealed().hash


def test_the_documents_hold_what_their_format_says() -> None:
    whole = sealed()
    parts = {name: json.loads(part) for name, part in whole.parts.items()}
    assert all(hashlib.sha256(part).hexdigest() == name for name, part in whole.parts.items())
    decides, aside = parts[whole.hash], parts[whole.aside]
    assert decides.keys() == {
        "format", "plan", "period", "reading", "reading_hash", "declared", "codes", "grid", "series",
    }  # fmt: skip
    assert (decides["format"], decides["period"]) == (1, ["2021-02-15", "2021-02-21", "2021-W07", "week"])
    assert decides["plan"].keys() == set(Plan.model_fields) - {"hash", "expected", "warnings", "late", "draws"}
    assert parts[decides["reading"]] == declaration.reading(DATASET)
    assert parts[decides["declared"]] == declaration.declared(RELEASE)
    assert parts[decides["codes"]["areas"]]["header"] == ["code", "district", "population"]
    assert parts[decides["codes"]["ages"]]["header"] == ["code", "lower", "upper"]
    assert Series.model_validate(parts[decides["series"]]) == SERIES
    assert parts[decides["grid"][0]] == {
        "name": "zone",
        "column": "place",
        "kind": "code",
        "unknown": "unknown",
        "edges": [],
        "levels": [
            ["area", ["north", "east", "south", "unknown"], [0, 1, 2, 3]],
            ["district", ["B", "A", "unknown"], [0, 1, 0, 2]],
            ["all", ["all"], [0, 0, 0, 0]],
        ],
    }
    assert aside.keys() == {"expected", "warnings", "dataset", "release", "codes"}
    assert [kind["kind"] for kind in aside["warnings"]] == ["above_mean", "unknown_size"]
    assert Dataset.model_validate(parts[aside["dataset"]]) == DATASET
    assert parts[aside["dataset"]]["columns"]["place"]["from"] == "place", "as a declaration writes it"
    assert Release.model_validate(parts[aside["release"]]) == RELEASE
    assert parts[aside["codes"]["areas"]]["header"] == list(AREAS.header)
    assert set(references(whole.parts[whole.hash])) | set(references(whole.parts[whole.aside])) == (
        whole.parts.keys() - {whole.hash, whole.aside}
    )


def test_a_document_of_another_kind_names_its_parts_in_a_list_of_them() -> None:
    assert references(b'{"parts": ["one", "two"]}') == ("one", "two")
    assert references(b"{}") == ()


def test_what_is_hashed_is_sorted_without_spaces_in_the_writers_own_letters() -> None:
    assert canonical({"b": [1, "é"], "a": {"d": None, "c": True}}) == '{"a":{"c":true,"d":null},"b":[1,"é"]}'.encode()


HARMLESS: dict[str, Any] = {
    "warnings": {"warnings": ()},
    "expected errors": {"expected": ()},
    "what was its hash": {"hash": "f" * 64},
}


@pytest.mark.parametrize("change", HARMLESS)
def test_guesses_and_warnings_lie_aside(change: str) -> None:
    assert sealed(PLAN.model_copy(update=HARMLESS[change])).hash == sealed().hash


@pytest.mark.parametrize("name", sorted(set(Plan.model_fields) - {"hash", "expected", "warnings", "late", "draws"}))
def test_every_other_field_of_a_plan_changes_its_hash(name: str) -> None:
    value = getattr(PLAN, name)
    other = {
        str: "another", tuple: (), bool: not value, int: 77, float: 0.5, Fraction: Fraction(1, 7), type(None): Fraction(1)
    }[type(value)]  # fmt: skip
    assert sealed(PLAN.model_copy(update={name: other})).hash != sealed().hash


def test_what_other_datasets_pay_is_hashed_where_any_does() -> None:
    drawing = PLAN.model_copy(update={"draws": (Draw(dataset="records", times=2),)})
    other = PLAN.model_copy(update={"draws": (Draw(dataset="records", times=4),)})
    assert len({sealed(drawing).hash, sealed(other).hash, sealed().hash}) == 3
    whole = sealed(drawing)
    assert unseal(whole.hash, whole.aside, whole.parts).plan.draws == drawing.draws


def test_a_sealed_plan_is_a_catalogue_of_its_own_edition_with_the_sealed_cells() -> None:
    whole = sealed()
    assert whole.catalogue == Catalogue(
        Path("sealed plan"), {"visits": DATASET}, {"weekly": RELEASE}, {"areas": AREAS, "ages": AGES}
    )
    assert whole.catalogue.grid(RELEASE, WEEK) is whole.grid


def test_reading_depends_on_codes_and_bands_and_on_no_name_and_no_other_list() -> None:
    known = reading_hash(DATASET, CODES)
    named = replace(AREAS, rows=tuple(row | {"name": "Another", "population": "7"} for row in AREAS.rows))
    assert known == reading_hash(DATASET, {**CODES, "another": AGES, "areas": named})
    for name, column in (("ages", "lower"), ("ages", "upper"), ("ages", "code"), ("areas", "code")):
        (first, *rows), found = CODES[name].rows, CODES[name]
        changed = replace(found, rows=({**first, column: "7"}, *rows))
        assert reading_hash(DATASET, {**CODES, name: changed}) != known
    other = DATASET.model_copy(update={"date_column": "another"})
    assert reading_hash(other, CODES) != known
    told = canonical(
        [declaration.reading(DATASET), {"ages": declaration.list_content(AGES, ["code", "lower", "upper"])}]
    )
    assert reading_hash(DATASET, {"ages": AGES}) == hashlib.sha256(told).hexdigest()


def renamed(found: CodeList) -> CodeList:
    """The list with other names, in another order, without its last code."""
    rows = [row | {"name": f"The {row['name']}"} for row in found.rows[-2::-1]]
    return replace(found, rows=tuple(rows))


TODAY = Catalogue(
    Path("today"),
    {"visits": DATASET.model_copy(update={"title": "Today's visits", "date_column": "another"})},
    {
        "weekly": RELEASE.model_copy(
            update={
                "title": "Today's figures",
                "purpose": "Another",
                "headline": None,
                "statistics": (RELEASE.statistics[0].model_copy(update={"id": "other", "title": "Others"}),),
            }
        )
    },
    {"areas": renamed(AREAS)},
)


def test_names_and_texts_are_told_as_they_are_today_and_what_is_gone_keeps_its_own() -> None:
    whole = sealed()
    told = unseal(whole.hash, whole.aside, whole.parts).told_by(TODAY)
    assert told.dataset == DATASET.model_copy(update={"title": "Today's visits"})
    assert told.release == RELEASE.model_copy(update={"title": "Today's figures"})
    assert told.release.statistics[0].title == "Visits", "a statistic that today's release does not have"
    names = names_of(whole) | {
        "zone": names_of(whole)["zone"] | {"area": ("The Nórth", "The East", "South", "Unknown")},
    }
    assert names_of(told) == names
    assert told.codes["areas"].names == ("The Nórth", "The East", "South")
    assert told.codes["ages"].rows == AGES.rows
    kept = {"plan", "series", "period", "parts", "aside", "reading", "levels"}
    assert {name: content(told)[name] for name in kept} == {name: content(whole)[name] for name in kept}
    assert told.grid["zone"].leaf.group.tolist() == [0, 1, 2, 3]


def test_without_its_declarations_today_it_is_told_in_its_own_words() -> None:
    whole = sealed()
    assert content(whole.told_by(Catalogue(Path("today"), {}, {}, {}))) == content(whole)


def test_cells_that_cannot_be_made_from_the_declaration_any_more_are_named_by_their_codes() -> None:
    whole = sealed(codes={"ages": AGES, "areas": code_list("areas", ["north", "east", "south"])})
    assert names_of(unseal(whole.hash, whole.aside, whole.parts))["zone"]["area"] == (
        "north", "east", "south", "unknown",
    )  # fmt: skip


@pytest.mark.parametrize("harm", ["missing", "altered"])
def test_no_part_is_read_that_is_missing_or_altered(harm: str) -> None:
    whole = sealed()
    for name in whole.parts:
        parts = {**whole.parts, name: b"{}"}
        if harm == "missing":
            del parts[name]
        with pytest.raises(LedgerError, match=r"missing or was altered.*never measure again"):
            unseal(whole.hash, whole.aside, parts)


@pytest.mark.parametrize("kind", [KeyError, TypeError, ValueError])
def test_a_plan_of_another_format_is_refused_with_what_to_do(kind: type[Exception]) -> None:
    whole = sealed()
    document = json.loads(whole.parts[whole.hash])
    other = {
        KeyError: {name: value for name, value in document.items() if name != "grid"},
        TypeError: {**document, "grid": 7},
        ValueError: {**document, "period": ["2021"]},
    }[kind]
    written = canonical(other)
    name = hashlib.sha256(written).hexdigest()
    with pytest.raises(LedgerError, match="cannot be read by this version") as error:
        unseal(name, whole.aside, {**whole.parts, name: written})
    assert isinstance(error.value.__cause__, kind)


def test_an_agreement_is_a_part_that_is_kept_named_and_read_back() -> None:
    agreed = agreement()
    whole = sealed(agreement=agreed)
    assert whole.agreement == agreed
    assert whole.agreement_hash == agreement_hash(agreed) != agreement_hash(agreement(version=2))
    assert (
        json.loads(whole.parts[whole.hash])["agreement"] == whole.agreement_hash in references(whole.parts[whole.hash])
    )
    assert json.loads(whole.parts[whole.agreement_hash]) == agreed.model_dump(mode="json", by_alias=True)
    again = unseal(whole.hash, whole.aside, whole.parts)
    assert (again.agreement, again.agreement_hash) == (agreed, whole.agreement_hash)
    assert again.catalogue.agreements == {agreed.id: agreed}
    assert sealed().agreement_hash == ""
    lost = {name: part for name, part in whole.parts.items() if name != whole.agreement_hash}
    with pytest.raises(LedgerError, match="missing or was altered"):
        unseal(whole.hash, whole.aside, lost)


def test_the_version_of_the_declarations_lies_aside_and_changes_no_hash() -> None:
    whole = sealed()
    assert whole.commit == ""
    told = whole.planned_at("abc")
    assert (told.commit, told.hash, told.plan) == ("abc", whole.hash, whole.plan)
    assert json.loads(told.parts[told.aside]) == {**json.loads(whole.parts[whole.aside]), "commit": "abc"}
    assert told.parts.keys() == whole.parts.keys() - {whole.aside} | {told.aside}
    assert content(unseal(told.hash, told.aside, told.parts)) == content(told)
    assert told.planned_at("def").commit == "def"
    assert content(told.planned_at("")) == content(whole)


def test_organisations_that_an_edition_is_made_for_are_told_as_they_are_today() -> None:
    restricted = RELEASE.model_copy(
        update={"audience": "restricted", "organisations": ("county", "town"), "purpose": "Beds"}
    )
    county = Organisation.model_validate(
        {
            "id": "county",
            "name": "The county",
            "basis": "Contract 7",
            "users": ["dana"],
            "terms": {"version": 1, "text": "Keep it to yourself."},
            "starts": "2021-03-01",
            "ends": "2021-03-10",
        }
    )
    today = Catalogue(Path("today"), {}, {"weekly": restricted}, {}, organisations={"county": county})
    told = sealed(release=restricted).told_by(today)
    assert told.recipients == (county,)
    assert told.catalogue.organisations == {"county": county}


def test_a_code_that_has_two_names_one_after_the_other_has_that_of_the_editions_last_day() -> None:
    for begins, name in (("2021-02-21", "After"), ("2021-02-22", "Before")):
        ended = str(date.fromisoformat(begins) - timedelta(days=1))
        several = code_list(
            "areas",
            ["north", "north", "east", "south"],
            ["Before", "After", "East", "South"],
            valid_from=["", begins, "", ""],
            valid_to=[ended, "", "", ""],
        )
        told = sealed().told_by(replace(TODAY, codes={"areas": several}))
        assert told.codes["areas"].names[0] == names_of(told)["zone"]["area"][0] == name
