"""What a data-sharing agreement may say, and in which words what it does not allow is refused before anything runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dp_stats.catalogue import read_catalogue, yaml
from dp_stats.catalogue.models import Agreement
from dp_stats.errors import AgreementError
from dp_stats.operations.agreements import review_agreements
from dp_stats.plan import make_sealed
from tests.builders import declared_dataset, declared_release

Json = dict[str, Any]

AGREEMENT: Json = {
    "id": "sharing",
    "version": 1,
    "title": "Cases by place",
    "datasets": ["cases"],
    "parties": [
        {"name": "Custodian", "role": "custodian", "signed": "2021-01-05", "signatory": "Director"},
        {"name": "Council", "role": "user", "signed": "2021-01-06"},
    ],
    "purposes": {"plan": "Plan beds", "study": "Study waves"},
    "tables": {
        "rows": {
            "custodian": "Custodian",
            "purposes": ["plan"],
            "legal_basis": "An act",
            "until": "2021-12-31",
        }
    },
    "statistics": [{"kind": "count"}, {"kind": "sum", "columns": ["cost"]}],
    "by": {"area": ["code", "region"], "day": ["week"]},
    "audiences": ["public"],
    "budget": {"epsilon": 10, "delta": "1e-6"},
    "starts": "2021-02-01",
    "ends": "2022-01-31",
    "review": "2021-09-01",
}
RELEASE: Json = declared_release(
    "weekly",
    dataset="cases",
    dimensions=[
        {"name": "place", "column": "area", "levels": ["district", "region"]},
        {"name": "when", "column": "day", "levels": ["day", "week"]},
    ],
    tables=[
        {"id": "places", "levels": {"place": "district"}},
        {"id": "regions", "levels": {"place": "region", "when": "week"}},
    ],
    statistics=[{"id": "cases"}, {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 9}],
    agreed_purpose="plan",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("datasets", "releases", "codes", "agreements"):
        (tmp_path / name).mkdir()
    (tmp_path / "codes" / "areas.csv").write_text("code,name,region,region_name\na,A,r,R\nb,B,r,R\nc,C,s,S\n")
    columns = {
        "person": "person",
        "day": "date",
        "area": "code areas",
        "cost": "number",
    }
    write(tmp_path, "datasets/cases", declared_dataset("cases", columns, agreement="sharing"))
    write(tmp_path, "agreements/sharing", AGREEMENT)
    write(tmp_path, "releases/weekly", RELEASE)
    return tmp_path


def write(folder: Path, name: str, content: Json) -> None:
    (folder / f"{name}.yaml").write_text(yaml.write(content))


def broken(folder: Path) -> str:
    found = read_catalogue(folder)
    return "\n".join(found.broken.values())


def test_what_is_agreed_is_sound(folder: Path) -> None:
    catalogue = read_catalogue(folder)
    assert not catalogue.broken
    release = catalogue.release("weekly")
    sealed = make_sealed(catalogue, release, catalogue.period(release, "2021-W07"))
    assert sealed.agreement == catalogue.agreements["sharing"]
    assert review_agreements(catalogue, [sealed], date(2021, 3, 1)) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"agreed_purpose": None}, "say for which purpose it is made; agreed are plan"),
        ({"agreed_purpose": "study"}, "'study' is not agreed for every table"),
        ({"audience": "restricted"}, "'restricted' is not agreed; agreed are public"),
        ({"statistics": [{"id": "cases", "kind": "persons"}, RELEASE["statistics"][1]]}, "a persons is not agreed"),
        ({"period": "month"}, "editions per month are not agreed; of 'day' are agreed week"),
        (
            {"tables": [{"id": "t", "title": "T", "levels": {"when": "day"}, "statistics": ["cases"]}]},
            "tables.t.levels.when: figures by 'day' at the level 'day' are not agreed; agreed are week",
        ),
        (
            {"dimensions": [{"name": "place", "column": "area", "levels": ["region"]}, RELEASE["dimensions"][1]],
             "tables": [{"id": "t", "title": "T", "levels": {"place": "region"}, "statistics": ["cases"]}]},
            "",
        ),
    ],
)  # fmt: skip
def test_a_release_outside_the_agreement_is_refused_with_the_field_and_what_is_agreed(
    folder: Path, changed: Json, said: str
) -> None:
    write(
        folder, "releases/weekly", {name: value for name, value in {**RELEASE, **changed}.items() if value is not None}
    )
    if said:
        assert said in broken(folder)
        assert "releases/weekly.yaml" in read_catalogue(folder).broken
    else:
        assert not broken(folder)


def test_the_codes_themselves_under_another_name_are_still_the_codes(folder: Path) -> None:
    write(folder, "agreements/sharing", {**AGREEMENT, "by": {"area": ["region"], "day": ["week"]}})
    renamed = [{"name": "place", "column": "area", "levels": ["region"]}, RELEASE["dimensions"][1]]
    tables = [{"id": "t", "title": "T", "levels": {"place": "region"}, "statistics": ["cases"]}]
    write(folder, "releases/weekly", {**RELEASE, "dimensions": renamed, "tables": tables})
    assert "figures by 'area' at the level 'code' are not agreed; agreed are region" in broken(folder)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"datasets": ["others"]}, "it covers others, not 'cases'"),
        ({"tables": {**AGREEMENT["tables"], "homes": AGREEMENT["tables"]["rows"]}}, "the dataset has no table 'homes'"),
        ({"tables": {"homes": AGREEMENT["tables"]["rows"]}}, "nobody has shared the table 'rows'"),
        ({"review": "2023-01-01"}, "lies outside the days"),
        ({"starts": "2021-01-05"}, "Council signed after the agreement starts"),
        ({"purposes": {"study": "Study"}}, "'plan' is not among 'purposes'"),
        ({"budget": {"epsilon": 1}}, "an ε needs a delta"),
        (
            {"parties": [{"name": "Council", "role": "user", "signed": "2021-01-05"}]},
            "'Custodian' is no party with the role custodian",
        ),
    ],
)
def test_an_agreement_that_contradicts_itself_or_its_dataset_takes_both_away(
    folder: Path, changed: Json, said: str
) -> None:
    write(folder, "agreements/sharing", {**AGREEMENT, **changed})
    assert said in broken(folder)
    catalogue = read_catalogue(folder)
    assert not catalogue.datasets
    assert not catalogue.releases


def test_without_its_agreement_a_dataset_is_not_there(folder: Path) -> None:
    (folder / "agreements" / "sharing.yaml").unlink()
    assert "there is no agreements/sharing.yaml" in broken(folder)
    assert not read_catalogue(folder).datasets


def test_a_purpose_that_nobody_has_agreed_on_needs_an_agreement(folder: Path) -> None:
    columns = {"person": "person", "day": "date", "area": "code areas", "cost": "number"}
    write(folder, "datasets/cases", declared_dataset("cases", columns))
    assert "'cases' is under no agreement. Leave it out" in broken(folder)


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (date(2021, 1, 31), "starts on 2021-02-01"),
        (date(2021, 10, 3), "ends on 2021-12-31"),
        (date(2021, 9, 2), "was to be reviewed by 2021-09-01"),
    ],
)
def test_check_tells_beforehand_what_comes(folder: Path, today: date, said: str) -> None:
    assert said in "\n".join(review_agreements(read_catalogue(folder), [], today))


@pytest.mark.parametrize(
    ("today", "said"),
    [(date(2022, 1, 1), "shared the table 'rows' until 2021-12-31"), (date(2022, 2, 1), "it ended on")],
)
def test_check_refuses_what_has_ended(folder: Path, today: date, said: str) -> None:
    with pytest.raises(AgreementError, match=said):
        review_agreements(read_catalogue(folder), [], today)


def test_check_refuses_a_budget_and_a_measured_table_that_are_not_agreed(folder: Path) -> None:
    write(folder, "agreements/sharing", {**AGREEMENT, "budget": {"epsilon": 9, "delta": "1e-6"}})
    with pytest.raises(AgreementError, match="is larger than that of the agreement"):
        review_agreements(read_catalogue(folder), [], date(2021, 3, 1))
    write(folder, "agreements/sharing", AGREEMENT)
    catalogue = read_catalogue(folder)
    release = catalogue.release("weekly")
    sealed = make_sealed(catalogue, release, catalogue.period(release, "2021-W07"))
    table = sealed.plan.measurements[0].model_copy(update={"levels": {"place": "region", "when": "day"}})
    object.__setattr__(sealed, "plan", sealed.plan.model_copy(update={"measurements": (table,)}))
    with pytest.raises(AgreementError, match=r"the plan measures .*: when: figures by 'day' at the level 'day'"):
        review_agreements(catalogue, [sealed], date(2021, 3, 1))


def test_an_agreement_is_read_back_as_it_was_written() -> None:
    one = Agreement.model_validate(AGREEMENT)
    assert Agreement.model_validate_json(one.model_dump_json(by_alias=True)) == one
    assert (one.last_day, one.agreed) == (date(2021, 12, 31), ("plan",))
    with pytest.raises(ValidationError, match="signed"):
        Agreement.model_validate({**AGREEMENT, "parties": [{"name": "Custodian", "role": "custodian"}]})
